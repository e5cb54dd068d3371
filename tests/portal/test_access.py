"""Every address of the portal, for every role, with own and foreign rows, and for nobody: a new one needs a row here."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from keys import bulk, recovering
from portal.models import ApiToken, Invitation, Role
from portal.roles import RIGHTS, Right
from portal.staff import urls
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db

PUBLIC = "public"
TABLE: dict[str, tuple[Right | str, str, tuple[str, ...]]] = {
    "start": (Right.SEE_DOORS, "GET", ()),
    "healthz": (PUBLIC, "GET", ()),
    "pulse": (Right.SEE_DOORS, "GET", ()),
    "sign_in": (PUBLIC, "GET", ()),
    "sign_out": (PUBLIC, "POST", ()),
    "password_reset": (PUBLIC, "GET", ()),
    "password_reset_done": (PUBLIC, "GET", ()),
    "password_reset_confirm": (PUBLIC, "GET", ("uidb64", "token")),
    "password_reset_complete": (PUBLIC, "GET", ()),
    "invitation": (PUBLIC, "GET", ("token",)),
    "switch_property": (Right.SEE_DOORS, "POST", ()),
    "theme": ("signed in", "POST", ()),
    "tonight": (Right.SEE_KEYS, "GET", ()),
    "tonight_worker": (PUBLIC, "GET", ()),
    "handover": (Right.SEE_KEYS, "GET", ()),
    "take_over": (Right.SWITCH_DOORS, "POST", ()),
    "mail_handover": (Right.MAIL_HANDOVER, "POST", ()),
    "keys": (Right.SEE_KEYS, "GET", ()),
    "add_key": (Right.EDIT_KEYS, "GET", ()),
    "bulk_keys": (Right.CHANGE_IN_BULK, "GET", ()),
    "bulk_change": (Right.SEE_KEYS, "GET", ("change_id",)),
    "cancel_bulk": (Right.CHANGE_IN_BULK, "POST", ("change_id",)),
    "undo_bulk": (Right.CHANGE_IN_BULK, "GET", ("change_id",)),
    "affected": (Right.SEE_KEYS, "GET", ()),
    "release_outage": (Right.RELEASE_IN_BULK, "GET", ("outage_id",)),
    "contact_support": (Right.SEE_KEYS, "POST", ("outage_id",)),
    "recovery": (Right.SEE_KEYS, "GET", ("recovery_id",)),
    "cancel_recovery": (Right.RELEASE_IN_BULK, "POST", ("recovery_id",)),
    "undo_recovery": (Right.RELEASE_IN_BULK, "GET", ("recovery_id",)),
    "key": (Right.SEE_KEYS, "GET", ("key_id",)),
    "edit_key": (Right.EDIT_KEYS, "GET", ("key_id",)),
    "switch_key": (Right.SWITCH_DOORS, "POST", ("key_id",)),
    "release_times": (Right.EDIT_KEYS, "POST", ("key_id",)),
    "revoke_key": (Right.EDIT_KEYS, "GET", ("key_id",)),
    "restore_key": (Right.EDIT_KEYS, "POST", ("key_id",)),
    "add_key_door": (Right.EDIT_KEYS, "GET", ("key_id",)),
    "edit_key_door": (Right.SWITCH_DOORS, "GET", ("key_id", "door_id:chained")),
    "try_key_door": (Right.SWITCH_DOORS, "POST", ("key_id", "door_id:chained")),
    "remove_key_door": (Right.EDIT_KEYS, "GET", ("key_id", "door_id:chained")),
    "give_backup": (Right.EDIT_KEYS, "GET", ("key_id", "door_id:chained")),
    "backup_codes": (Right.SEE_KEYS, "GET", ()),
    "show_code": (Right.SEE_CODES, "POST", ("key_id", "credential_id")),
    "send_code": (Right.EDIT_KEYS, "POST", ("key_id", "credential_id")),
    "regenerate": (Right.EDIT_KEYS, "GET", ("key_id", "credential_id")),
    "add_credential": (Right.EDIT_KEYS, "GET", ("key_id", "person_id")),
    "encode_card": (Right.EDIT_KEYS, "GET", ("key_id", "person_id")),
    "erase_guest": (Right.ERASE_GUESTS, "GET", ("key_id", "person_id")),
    "export_guest": (Right.ERASE_GUESTS, "GET", ("key_id", "person_id")),
    "doors": (Right.SEE_DOORS, "GET", ()),
    "add_door": (Right.EDIT_DOORS, "GET", ()),
    "door": (Right.SEE_DOORS, "GET", ("door_id",)),
    "edit_door": (Right.EDIT_DOORS, "GET", ("door_id",)),
    "ghosts": (Right.SEE_DOORS, "GET", ()),
    "forecast": (Right.SEE_DOORS, "GET", ()),
    "foreign_codes": (Right.SEE_DOORS, "GET", ()),
    "adopt_foreign": (Right.CLEAR_FOREIGN, "GET", ("foreign_id",)),
    "remove_foreign": (Right.CLEAR_FOREIGN, "GET", ("foreign_id",)),
    "lock": (Right.SEE_DOORS, "GET", ("lock_id",)),
    "swap_lock": (Right.PAIR_LOCKS, "GET", ("lock_id",)),
    "was_reset": (Right.PAIR_LOCKS, "GET", ("lock_id",)),
    "read_lock": (Right.SERVICE_LOCKS, "POST", ("lock_id",)),
    "sync_clock": (Right.SERVICE_LOCKS, "POST", ("lock_id",)),
    "master_code": (Right.SET_MASTER_CODES, "GET", ("lock_id",)),
    "unlock": (Right.UNLOCK, "POST", ("lock_id",)),
    "try_lock": (Right.SWITCH_DOORS, "POST", ("lock_id",)),
    "log": (Right.SEE_LOG, "GET", ()),
    "why": (Right.SEE_CODES, "GET", ()),
    "who_could_open": (Right.SEE_KEYS, "GET", ()),
    "alerts": (Right.SEE_ALERTS, "GET", ()),
    "alert_preferences": (Right.SEE_ALERTS, "GET", ()),
    "settings": (Right.SEE_DOORS, "GET", ()),
    "property_settings": (Right.CHANGE_SETTINGS, "GET", ()),
    "team": (Right.CHANGE_SETTINGS, "GET", ()),
    "invite": (Right.MANAGE_STAFF, "GET", ()),
    "withdraw_invitation": (Right.MANAGE_STAFF, "POST", ("invitation_id",)),
    "member": (Right.MANAGE_STAFF, "GET", ("member_id",)),
    "deactivate": (Right.MANAGE_STAFF, "POST", ("member_id",)),
    "integrations": (Right.SEE_SETTINGS, "GET", ()),
    "pms_callback": (Right.CHANGE_INTEGRATIONS, "GET", ()),
    "connect": (Right.CHANGE_INTEGRATIONS, "POST", ("adapter",)),
    "show_codes": (Right.CHANGE_INTEGRATIONS, "POST", ("integration_id",)),
    "missing": (Right.CHANGE_INTEGRATIONS, "GET", ("integration_id",)),
    "disconnect": (Right.DISCONNECT, "GET", ("integration_id",)),
    "rooms": (Right.SEE_SETTINGS, "GET", ("integration_id",)),
    "room_doors": (Right.EDIT_DOORS, "GET", ("integration_id", "room_id")),
    "make_room_doors": (Right.CHANGE_INTEGRATIONS, "GET", ("integration_id",)),
    "lock_systems": (Right.SEE_LOCK_SYSTEMS, "GET", ()),
    "connect_locks": (Right.CHANGE_LOCK_SYSTEMS, "GET", ("driver",)),
    "reconnect_locks": (Right.CHANGE_LOCK_SYSTEMS, "GET", ("account_id",)),
    "test_locks": (Right.CHANGE_LOCK_SYSTEMS, "POST", ("account_id",)),
    "disconnect_locks": (Right.DISCONNECT, "GET", ("account_id",)),
    "discovery": (Right.PAIR_LOCKS, "GET", ("account_id",)),
    "add_locks": (Right.PAIR_LOCKS, "GET", ("account_id",)),
    "api_tokens": (Right.MANAGE_TOKENS, "GET", ()),
    "revoke_api_token": (Right.MANAGE_TOKENS, "GET", ("token_id",)),
    "installation": (Right.PAIR_LOCKS, "GET", ()),
    "pair_lock": (Right.PAIR_LOCKS, "GET", ("lock_id",)),
}
DEMO = {"demo_sign_in", "demo_step"}
FREE_TEXT = {"adapter": "no-such-pms", "driver": "no-such-vendor", "uidb64": "x", "token": "y"}


def hotel():
    """A property with one of everything that an address can name."""
    account = factories.AccountFactory()
    lock = factories.LockFactory(account=account)
    key = factories.key_for(lock.door)
    boss = factories.member(account.property, Role.OWNER)
    invitation = Invitation.objects.create(
        property=account.property,
        email=f"guest{account.pk}@hotel.example",
        role=Role.TEAM,
        token_digest=f"digest {account.pk}",
        invited_by=boss.user,
        created_at=now(),
        expires_at=now(),
    )
    outage = factories.outage_of(account.property)
    integration = outage.integration
    factories.stay_in(outage, lock.door, number="1")
    why = replace(factories.BY, reason="a test")
    recovery = recovering.start(outage=outage, by=why, now=now())
    change = bulk.start(
        property_id=account.property.pk, action="hold", key_ids=[key.pk], by=why, now=now()
    )
    other = factories.member(account.property, Role.HOUSEKEEPING)
    token = ApiToken.objects.create(
        property=account.property,
        membership=boss,
        role=Role.TEAM,
        name="Kiosk",
        prefix="portal_abcde",
        digest=f"token {account.pk}",
        created_at=now(),
        expires_at=now() + timedelta(days=1),
    )
    return account.property, {
        "key_id": key.pk,
        "change_id": change.pk,
        "door_id:chained": key.doors.get().pk,
        "credential_id": key.credentials.get().pk,
        "person_id": key.people.get().pk,
        "door_id": lock.door_id,
        "invitation_id": invitation.pk,
        "member_id": other.pk,
        "integration_id": integration.pk,
        "room_id": factories.room_of(integration).pk,
        "outage_id": outage.pk,
        "recovery_id": recovery.pk,
        "lock_id": lock.pk,
        "account_id": account.pk,
        "foreign_id": factories.foreign_code(lock).pk,
        "token_id": token.pk,
    } | FREE_TEXT


def address(name: str, ids: dict) -> str:
    _, _, names = TABLE[name]
    return reverse(name, kwargs={one.partition(":")[0]: ids[one] for one in names})


def ask(client: Client, name: str, ids: dict):
    return getattr(client, TABLE[name][1].lower())(address(name, ids))


def test_every_address_of_the_staff_portal_has_a_row_and_says_its_right():
    patterns = {p.name: p for p in urls.urlpatterns if isinstance(p, URLPattern)}
    assert set(patterns) - DEMO == set(TABLE)
    for name, (right, _, _) in TABLE.items():
        assert getattr(patterns[name].callback, "right", None) == right, name


def test_nothing_else_is_served_beside_admin_and_api():
    known = {"admin/", "api/v1/", ""}
    assert {str(p.pattern) for p in get_resolver().url_patterns} == known


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_enter_what_the_table_says_and_nothing_else(role):
    place, ids = hotel()
    client = Client()
    client.force_login(factories.member(place, role).user)
    for name, (right, _, _) in TABLE.items():
        if not isinstance(right, Right) or name == "deactivate":
            continue
        status = ask(client, name, ids).status_code
        if right in RIGHTS[role]:
            assert status in {200, 204, 302, 404 if name == "switch_property" else 200}, (
                name,
                status,
            )
        else:
            assert status == 403, (name, status)


def test_what_belongs_to_another_property_is_not_there():
    place, _ = hotel()
    _, foreign = hotel()
    client = Client()
    client.force_login(factories.member(place, Role.OWNER).user)
    for name, (_, _, names) in TABLE.items():
        if any(one.partition(":")[0].endswith("_id") for one in names):
            assert ask(client, name, foreign).status_code == 404, name


def test_nobody_is_sent_to_sign_in():
    _, ids = hotel()
    for name, (right, _, _) in TABLE.items():
        answer = ask(Client(), name, ids)
        if right == PUBLIC:
            assert answer.status_code in {200, 302, 404}, name
        else:
            assert answer.status_code == 302, name
            assert answer["Location"].startswith("/sign-in/"), name


@pytest.mark.parametrize("role", [Role.HOUSEKEEPING, Role.INSTALLER])
def test_housekeeping_and_installers_never_see_a_guest_or_a_code(role):
    place, ids = hotel()
    client = Client()
    client.force_login(factories.member(place, role).user)
    for name in ("doors", "door", "lock", "ghosts", "foreign_codes", "forecast", "log", "alerts"):
        assert "Ada Example" not in ask(client, name, ids).content.decode(), name
