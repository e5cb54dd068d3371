"""The article's sentences and the test that keeps each of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SENTENCES = {
    "Provisioning is the process where the system writes credentials to the door lock.": (
        "test_provisioning_is_the_process_where_the_system_writes_credentials_to_the_door_lock",
    ),
    "The Door Code or SmartKey is written to the lock.": (
        "test_the_door_code_or_smartkey_is_written_to_the_lock",
    ),
    "The credential becomes valid for the selected date and time.": (
        "test_the_credential_becomes_valid_for_the_selected_date_and_time",
        "test_the_credential_becomes_valid_for_the_selected_time_on_a_lock_that_keeps_no_time",
    ),
    "The credential is not written to the lock.": (
        "test_the_credential_is_not_written_to_the_lock",
    ),
    "The credential exists but is not active.": ("test_the_credential_exists_but_is_not_active",),
    "Staff must enable provisioning manually later.": (
        "test_staff_must_enable_provisioning_manually_later",
    ),
    "If a door in a keychain is not allowed to be provisioned, the system displays a Pending "
    "Provisioning tag.": (
        "test_a_door_in_a_keychain_that_is_not_allowed_to_be_provisioned_displays_the_tag",
    ),
    "Provisioning was manually disabled by staff.": (
        "test_provisioning_was_manually_disabled_by_staff",
    ),
    "The PMS reservation is not checked in.": ("test_the_pms_reservation_is_not_checked_in",),
    "Online check-in or front-desk check-in has not been completed.": (
        "test_online_check_in_or_front_desk_check_in_has_not_been_completed",
    ),
    "Property configuration requires check-in before provisioning.": (
        "test_property_configuration_requires_check_in_before_provisioning",
    ),
    "When staff hover over the Pending Provisioning tag, a tooltip appears with the following "
    "message:": ("test_when_staff_hover_over_the_pending_provisioning_tag_a_tooltip_appears",),
    "The credentials haven’t been assigned to the door yet. This can occur if provisioning was "
    "manually disabled or if, based on your configuration settings, the linked PMS reservation "
    "hasn’t been checked in (either at the front desk or online).": (
        "test_the_credentials_have_not_been_assigned_to_the_door_yet",
    ),
    "When creating or editing a Key, staff will see the Allow Provisioning setting.": (
        "test_when_creating_or_editing_a_key_staff_will_see_the_allow_provisioning_setting",
    ),
    "Hovering over the info icon shows:": ("test_hovering_over_the_info_icon_shows_the_message",),
    "Once provisioning is allowed, the credentials will be written to the door and will become "
    "valid for the selected time period.": (
        "test_once_provisioning_is_allowed_the_credentials_will_be_written_and_become_valid",
    ),
    "If provisioning is disabled, the system will not write the credentials yet, and they will "
    "need to be enabled manually later.": (
        "test_if_provisioning_is_disabled_the_system_will_not_write_the_credentials_yet",
    ),
    "Credentials are written to the door automatically.": (
        "test_credentials_are_written_to_the_door_automatically",
    ),
    "Key becomes active for the selected time window.": (
        "test_key_becomes_active_for_the_selected_time_window",
    ),
    "Credentials are created but not written to the door.": (
        "test_credentials_are_created_but_not_written_to_the_door",
    ),
    "Key remains inactive.": ("test_key_remains_inactive",),
    "Staff must manually enable provisioning later.": (
        "test_staff_must_manually_enable_provisioning_later",
    ),
    "Prevent early access before check-in": ("test_prevent_early_access_before_check_in",),
    "Follow PMS-based check-in rules": ("test_follow_pms_based_check_in_rules",),
    "Prepare keys in advance without activating them": (
        "test_prepare_keys_in_advance_without_activating_them",
    ),
    "Handle manual and automated access flows safely": (
        "test_handle_manual_and_automated_access_flows_safely",
    ),
    "This is almost always a broken PMS connection.": (
        "test_this_is_almost_always_a_broken_pms_connection",
    ),
    "When Portal loses the connection to your PMS (e.g. Cloudbeds, MEWS and other PMSes), it stops "
    "receiving reservation data like Check-in status, and codes are not generated.": (
        "test_when_portal_loses_the_connection_it_stops_receiving_check_ins_and_codes_are_not_generated",
    ),
    "Fix: Go to Settings → Integrations → find your PMS → click Reconnect (For Cloudbeds) and "
    "re-authenticate.": (
        "test_go_to_settings_integrations_find_your_pms_click_reconnect_and_reauthenticate",
    ),
    "Once reconnected, new reservations will provision automatically.": (
        "test_once_reconnected_new_reservations_will_provision_automatically",
    ),
    "For reservations that already came in while the connection was broken, you will need to "
    "manually enable provisioning for each affected reservation:": (
        "test_reservations_that_already_came_in_need_provisioning_enabled_manually",
    ),
    "Keys → open the reservation → Edit Door → enable Allow Provisioning → Save.": (
        "test_keys_open_the_reservation_edit_door_enable_allow_provisioning_save",
    ),
    # Portal does better than "There is no bulk fix", and each can still be updated by itself.
    "There is no bulk fix — each affected reservation needs to be updated individually.": (
        "test_each_affected_reservation_can_be_updated_individually",
        "test_there_is_a_bulk_fix",
    ),
    "Contact support if the number of affected reservations is too large to do manually.": (
        "test_contact_support_if_the_number_of_affected_reservations_is_too_large",
    ),
    "The code exists in Portal but has not been written to the lock yet.": (
        "test_the_code_exists_in_portal_but_has_not_been_written_to_the_lock_yet",
    ),
    "The PMS connection was broken when the reservation came in": (
        "test_the_pms_connection_was_broken_when_the_reservation_came_in",
    ),
    "The lock was offline when Portal tried to write the code — it will retry automatically once "
    "back online": ("test_the_lock_was_offline_and_it_will_retry_automatically_once_back_online",),
    "The code was not successfully written to the lock.": (
        "test_the_code_was_not_successfully_written_to_the_lock",
    ),
    "Check that Allow Provisioning is enabled on that reservation and that the lock is online": (
        "test_check_that_allow_provisioning_is_enabled_on_that_reservation_and_that_the_lock_is_online",
    ),
}
NEXT = (
    "(depending on which PMS, some like MEWS need to disconnect and reconnect)",
    "When Portal loses the connection to MEWS, it stops receiving reservation data",
)
"""What cannot be kept before Portal speaks to MEWS."""


def collected() -> set[str]:
    """The names of the tests that pytest finds in this folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PORTAL_"))}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(HERE)], cwd=ROOT, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = [line.rpartition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    return {name.partition("[")[0] for name in names}


def unkept(sentences: dict[str, tuple[str, ...]], tests: set[str]) -> list[str]:
    """The sentences without a test, or with one that pytest does not find."""
    return [one for one, names in sentences.items() if not names or not set(names) <= tests]


def test_each_sentence_of_the_article_has_a_test():
    assert unkept(SENTENCES, collected()) == []
    assert set(SENTENCES).isdisjoint(NEXT)


def test_a_sentence_without_a_test_is_noticed():
    tests = {"test_a", "test_b"}
    kept = {"A.": ("test_a",), "Both.": ("test_a", "test_b")}
    assert unkept(kept, tests) == []
    assert unkept(kept | {"None.": (), "Gone.": ("test_a", "test_gone")}, tests) == [
        "None.",
        "Gone.",
    ]
