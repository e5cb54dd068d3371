"""The admin for support: finds anything, says why, changes only with a reason, deletes nothing with a history."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from keys.models import Assignment, Key, KeychainDoor, Recovery, RecoveryRow, SupportRequest
from keys.telling_models import GuestMessage
from locks.log_models import DoorLogEntry, Episode
from locks.models import Gateway, Property, Writer
from pms.models import Outage, RoomDoor, WebhookEvent, WriteBack
from portal.models import AlertMail, ApiToken, Membership, User
from tests import factories
from tests.api.world import NOW, ApiClient, first_door, hotel, key_of, make_key, reservation

PAGES = [model._meta.label_lower.replace(".", "_") for model in admin.site._registry]


@pytest.fixture
def full(seaview):
    """One row of everything support can see."""
    key = key_of(reservation(seaview), seaview)
    door = first_door(key)
    place = key.assignments.first()
    ApiClient(seaview)
    Gateway.objects.create(
        property=seaview.property,
        account=seaview.doors[0].lock.account,
        writer=Writer.objects.create(property=seaview.property),
        external_id="g1",
        name="Gateway 1",
    )
    outage = Outage.objects.create(
        property=seaview.property,
        integration=seaview.integration,
        began_at=NOW,
        last_word_at=NOW,
    )
    _recovered(seaview, key, outage)
    RoomDoor.objects.create(
        property=seaview.property,
        integration=seaview.integration,
        room_ref="501",
        door=seaview.doors[0],
    )
    DoorLogEntry.objects.create(
        property=seaview.property,
        door=seaview.doors[0],
        key_id=key.pk,
        happened_at=NOW,
        received_at=NOW,
        origin="portal",
        code="4117",
        hint="••42",
    )
    GuestMessage.objects.create(
        property=seaview.property,
        key=key,
        credential=key.credentials.first(),
        channel="email",
        number=1,
        why="made",
        state="sent",
        revision=1,
        doors="1",
        address="secret payload@guest.example",
        body="secret payload",
        made_at=NOW,
    )
    AlertMail.objects.create(
        property=seaview.property,
        alert=factories.alert_at(seaview.property),
        membership=seaview.membership,
        what="opened",
        made_at=NOW,
    )
    Episode.objects.create(
        property=seaview.property,
        door=seaview.doors[0],
        kind="4117",
        assignment_id=place.pk,
        key_id=key.pk,
        cause="lock_unreachable",
        opened_at=NOW,
    )
    code = key.credentials.filter(kind="door_code").first().secret
    WriteBack.objects.create(
        property=seaview.property,
        integration=seaview.integration,
        reservation=key.reservation,
        booking_ref="1",
        wanted=f'{{"code": "{code}"}}',
        ref=f"101: {code}",
    )
    WebhookEvent.objects.create(
        property=seaview.property,
        integration=seaview.integration,
        event_key="e1",
        event="reservation/status_changed",
        payload='{"guest": "secret payload"}',
        received_at=NOW,
    )
    return key, door


def _recovered(seaview, key, outage):
    about = {"property": seaview.property, "outage": outage}
    recovery = Recovery.objects.create(
        **about, source="portal", seen_at=NOW, up_to=1, started_at=NOW
    )
    RecoveryRow.objects.create(
        property=seaview.property,
        recovery=recovery,
        reservation=key.reservation,
        key=key,
        action="provision",
        rank=5,
    )
    SupportRequest.objects.create(**about, keys=1, asked_by="Rita", asked_at=NOW)


def page(client: Client, name: str, *args, **query) -> str:
    answer = client.get(reverse(f"admin:{name}", args=args), query)
    assert answer.status_code == 200, (name, answer.status_code)
    return answer.content.decode()


@pytest.mark.parametrize("name", PAGES)
def test_every_list_opens_within_its_budget_and_never_counts_or_scans(full, support, name):
    with CaptureQueriesContext(connection) as queries:
        page(support, f"{name}_changelist")
    assert len(queries) <= 14
    model = apps.get_model(*name.split("_", 1))
    for query in queries.captured_queries:
        assert "COUNT(" not in query["sql"], query["sql"]
        assert "SELECT DISTINCT" not in query["sql"], query["sql"]
    assert model is not None


@pytest.mark.parametrize("name", PAGES)
def test_every_row_opens_and_shows_no_code_token_or_contact(full, support, name):
    key, _ = full
    secrets = [str(credential.secret) for credential in key.credentials.all()]
    secrets += [credential.secret_digest for credential in key.credentials.all()]
    secrets += ["secret payload", *ApiToken.objects.values_list("digest", flat=True)]
    model = apps.get_model(*name.split("_", 1))
    row = model._default_manager.order_by("pk").first()
    assert row is not None
    text = page(support, f"{name}_change", row.pk) + page(support, f"{name}_changelist")
    assert not [secret for secret in secrets if secret in text]


@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model.__name__)
def test_nothing_can_be_deleted_here(full, root, model):
    row = model._default_manager.order_by("pk").first()
    name = model._meta.label_lower.replace(".", "_")
    assert (
        root.post(reverse(f"admin:{name}_delete", args=[row.pk]), {"post": "yes"}).status_code
        == 403
    )
    assert "delete_selected" not in page(root, f"{name}_changelist")


def test_every_model_with_a_history_is_in_the_admin_or_has_no_page():
    shown = set(admin.site._registry)
    missing = [m.__name__ for m in apps.get_models() if hasattr(m, "history") and m not in shown]
    assert missing == ["Credential"]


@pytest.mark.parametrize("person", ["nobody", "staff"])
def test_only_support_comes_in(seaview, person):
    client = Client()
    if person == "staff":
        user = seaview.membership.user
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get(reverse("admin:keys_key_changelist"))
    assert answer.status_code == 302
    assert "login" in answer["Location"]


@pytest.mark.parametrize("term", ["id", "R-1001", "li"])
def test_a_key_is_found_by_number_reservation_and_guest(full, support, term):
    key, _ = full
    make_key(hotel("Elsewhere"), guest="Somebody Else")
    asked = {"id": str(key.pk), "R-1001": "R-1001", "li": "Bo Li"}[term]
    text = page(support, "keys_key_changelist", q=asked)
    assert "Bo Li" in text
    assert "Somebody Else" not in text


def test_reservations_locks_and_integrations_are_found_across_hotels(full, support):
    there = hotel("Elsewhere")
    reservation(there, number="X-9", guest="Far Away")
    assert "Far Away" in page(support, "pms_reservation_changelist", q="X-9")
    text = page(support, "locks_lock_changelist", q="Elsewhere-0")
    assert "Elsewhere" in text
    assert "1 lock on this page" in text
    text = page(support, "pms_integration_changelist", q="Elsewhere")
    assert "1 integration on this page" in text


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("keys_key", {"state": "current"}),
        ("keys_key", {"waits": "someone"}),
        ("keys_key", {"hold": "not_checked_in"}),
        ("keys_keychaindoor", {"waits": "someone"}),
        ("keys_keychaindoor", {"permission__exact": "automatic"}),
        ("keys_keychaindoor", {"q": "Bo Li"}),
        ("keys_assignment", {"q": "R-1001"}),
        ("locks_doorlogentry", {"code__exact": "4117"}),
        ("locks_doorlogentry", {"q": "201"}),
        ("locks_episode", {"closed_at__isempty": "1"}),
        ("pms_integration", {"state__exact": "connected"}),
        ("pms_webhookevent", {"processed_at__isempty": "1"}),
    ],
)
def test_lists_filter_by_what_support_is_asked(full, support, name, query):
    Assignment.objects.update(waits="someone", headline="not_checked_in")
    assert "1 " in page(support, f"{name}_changelist", **query)
    assert "result_list" in page(support, f"{name}_changelist", **query)


def test_the_page_of_a_key_says_why_per_door_in_the_words_of_the_portal(full, support):
    key, _ = full
    text = page(support, "keys_key_change", key.pk)
    assert "Pending Provisioning" in text
    assert "The reservation is not checked in (at the front desk or online)." in text
    assert "Who can change it: Guest or front desk." in text
    assert "Written by itself at check-in." in text
    assert "201" in text
    assert "202" in text


def test_history_says_who_when_through_which_door_from_what_to_what_and_why(full, support):
    _, door = full
    url = reverse("admin:keys_keychaindoor_change", args=[door.pk])
    answer = support.post(url, {"reason": "Guest has not paid"})
    assert answer.status_code == 302, answer.content.decode()[:3000]
    door.refresh_from_db()
    assert door.permission == "held_by_staff"
    row = KeychainDoor.history.latest("history_id")
    assert (row.source, row.actor_label) == ("admin", "Sam")
    assert row.history_change_reason == "Guest has not paid"
    text = page(support, "keys_keychaindoor_history", door.pk)
    for said in ("Sam", "Admin", "Guest has not paid", "Off: by staff", "On: by the property"):
        assert said in text


def test_an_old_version_is_shown_and_never_put_back(full, support):
    _, door = full
    version = door.history.first()
    url = reverse("admin:keys_keychaindoor_simple_history", args=[door.pk, version.pk])
    assert support.get(url).status_code == 200
    assert support.post(url, {"reason": "x", "allow": ""}).status_code == 403


def test_a_switch_without_a_reason_is_refused_and_what_was_typed_stays(full, support):
    _, door = full
    url = reverse("admin:keys_keychaindoor_change", args=[door.pk])
    answer = support.post(url, {"before_check_in": "on", "allow": "on"})
    assert answer.status_code == 200
    assert "Say why: history keeps it." in answer.content.decode()
    door.refresh_from_db()
    assert door.permission == "automatic"


def test_before_check_in_is_a_box_of_its_own(full, support):
    _, door = full
    url = reverse("admin:keys_keychaindoor_change", args=[door.pk])
    support.post(url, {"before_check_in": "on", "allow": "on", "reason": "Early bird"})
    door.refresh_from_db()
    assert door.permission == "allowed_before_check_in"


def test_saving_without_a_change_stores_nothing(full, support):
    _, door = full
    before = KeychainDoor.history.count()
    url = reverse("admin:keys_keychaindoor_change", args=[door.pk])
    assert support.post(url, {"allow": "on"}).status_code == 302
    assert KeychainDoor.history.count() == before


def choose(client, name, action, ids, **extra):
    url = reverse(f"admin:{name}_changelist")
    return client.post(url, {"action": action, "_selected_action": ids, "index": 0, **extra})


def test_bulk_asks_why_and_writes_one_batch_into_history(full, support):
    key, _ = full
    asked = choose(support, "keys_key", "switch_off", [key.pk])
    assert asked.status_code == 200
    text = asked.content.decode()
    assert "Chosen: 2 doors." in text
    ids = ",".join(str(door.pk) for door in key.doors.order_by("id"))
    assert f'value="{ids}"' in text
    url = reverse("admin:keys_keychaindoor_switch_off")
    again = support.post(url, {"doors": ids, "reason": " "})
    assert "This field is required." in again.content.decode()
    assert set(key.doors.values_list("permission", flat=True)) == {"automatic"}
    done = support.post(url, {"doors": ids, "reason": "Fraud"}, follow=True)
    assert "Allow Provisioning is off for 2 doors." in done.content.decode()
    rows = KeychainDoor.history.filter(history_change_reason="Fraud")
    assert {(row.source, row.actor_label) for row in rows} == {("admin", "Sam")}
    assert len({row.batch_id for row in rows}) == 1
    assert rows.count() == 2


@pytest.mark.parametrize(
    ("box", "permission"), [("", "automatic"), ("on", "allowed_before_check_in")]
)
def test_bulk_on_returns_doors_to_the_rule_unless_the_box_is_ticked(
    seaview, support, box, permission
):
    key = make_key(seaview, allow=False)
    ids = [door.pk for door in key.doors.order_by("id")]
    assert (
        "Write now, before check-in"
        in choose(support, "keys_keychaindoor", "switch_on", ids).content.decode()
    )
    wish = {"doors": ",".join(map(str, ids)), "reason": "Done"} | (
        {"before_check_in": box} if box else {}
    )
    support.post(reverse("admin:keys_keychaindoor_switch_on"), wish)
    assert set(key.doors.values_list("permission", flat=True)) == {permission}


@pytest.mark.parametrize("doors", ["", "x", "1,x", "99999999999999999999"])
def test_a_bent_list_of_doors_is_refused(support, doors):
    answer = support.post(
        reverse("admin:keys_keychaindoor_switch_on"), {"doors": doors, "reason": "x"}
    )
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()


def when(moment, name):
    return {f"{name}_0": moment.strftime("%Y-%m-%d"), f"{name}_1": moment.strftime("%H:%M:%S")}


def test_times_of_a_key_are_changed_through_the_domain(full, support):
    key, _ = full
    url = reverse("admin:keys_key_change", args=[key.pk])
    later = key.ends_at + timedelta(days=1)
    wish = when(key.starts_at, "starts_at") | when(later, "ends_at") | {"reason": "Stays longer"}
    assert support.post(url, wish).status_code == 302
    key.refresh_from_db()
    assert key.ends_at == later
    assert key.ends_by_staff
    assert key.history.latest("history_id").history_change_reason == "Stays longer"


def test_times_that_make_no_window_are_refused_in_words(full, support):
    key, _ = full
    url = reverse("admin:keys_key_change", args=[key.pk])
    earlier = key.starts_at - timedelta(days=1)
    wish = when(key.starts_at, "starts_at") | when(earlier, "ends_at") | {"reason": "x"}
    answer = support.post(url, wish, follow=True)
    assert "The departure must be after the arrival" in answer.content.decode()


def test_a_rule_of_a_hotel_changes_with_a_reason_and_asks_again(seaview, support):
    url = reverse("admin:locks_property_change", args=[seaview.property.pk])
    wish = {
        "timezone": "Europe/Berlin",
        "mode": "live",
        "check_in_rule": "not_required",
        "arrival_time": "15:00",
        "departure_time": "11:00",
        "after_outage": "hold",
        "write_lead_minutes": "0",
        "code_length": "6",
        "reopened_code": "same",
        "guest_messages": "off",
        "guest_channels": "email",
        "guest_lead_hours": "0",
    }
    assert "Say why" in support.post(url, wish).content.decode()
    answer = support.post(url, wish | {"reason": "Moved"})
    assert answer.status_code == 302
    hotel_row = Property.objects.get()
    assert (hotel_row.timezone, hotel_row.check_in_rule) == ("Europe/Berlin", "not_required")
    row = Property.history.latest("history_id")
    assert (row.source, row.history_change_reason) == ("admin", "Moved")


def test_a_membership_ends_with_a_reason(seaview, support):
    url = reverse("admin:portal_membership_change", args=[seaview.membership.pk])
    ApiClient(seaview)
    assert support.post(url, {"role": "owner", "reason": "Left"}).status_code == 302
    assert not Membership.objects.get().is_active
    assert ApiToken.objects.get().revoked_at is not None
    assert Membership.history.latest("history_id").history_change_reason == "Left"


def test_support_cannot_promote_itself(support):
    person = User.objects.get()
    url = reverse("admin:portal_user_change", args=[person.pk])
    assert support.post(url, {"email": person.email, "is_superuser": "on"}).status_code == 403
    assert support.get(reverse("admin:portal_user_add")).status_code == 403


def test_a_superuser_makes_people_of_support(root):
    wish = {
        "email": "New@Support.example",
        "name": "New",
        "usable_password": "true",
        "password1": "a-long-passphrase-1",
        "password2": "a-long-passphrase-1",
    }
    answer = root.post(reverse("admin:portal_user_add"), wish)
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    assert User.objects.filter(email="new@support.example").exists()


def test_tokens_can_be_revoked(seaview, support):
    client = ApiClient(seaview)
    choose(support, "portal_apitoken", "revoke", [client.token.pk])
    assert client.get("property/").status_code == 401


@pytest.mark.parametrize(
    "name",
    [
        "keys_assignment",
        "locks_doorlogentry",
        "locks_episode",
        "locks_lock",
        "pms_webhookevent",
        "pms_reservation",
        "pms_writeback",
    ],
)
def test_delivery_log_episodes_and_inbox_are_read_only(full, root, name):
    model = apps.get_model(*name.split("_", 1))
    row = model.objects.first()
    assert root.post(reverse(f"admin:{name}_change", args=[row.pk]), {}).status_code == 403
    assert root.get(reverse(f"admin:{name}_add")).status_code == 403


def test_pages_go_on_without_a_count(seaview, support, monkeypatch):
    monkeypatch.setattr("locks.admin_kit.PAGE", 2)
    made = [make_key(seaview, guest=f"Guest {n}").pk for n in range(5)]
    first = page(support, "keys_key_changelist")
    assert f"Key {made[-1]}" in first
    assert "?p=2" in first
    last = page(support, "keys_key_changelist", p=3)
    assert f"Key {made[0]}" in last
    assert "?p=4" not in last
    assert support.get(reverse("admin:keys_key_changelist"), {"p": 9999}).status_code == 302


def test_a_page_costs_the_same_for_one_row_and_for_many(seaview, support):
    make_key(seaview)
    with CaptureQueriesContext(connection) as one:
        page(support, "keys_key_changelist")
    for n in range(6):
        make_key(seaview, guest=f"Guest {n}")
    with CaptureQueriesContext(connection) as many:
        page(support, "keys_key_changelist")
    assert len(one) == len(many)
    assert Key.objects.count() == 7


def test_the_theme_is_ours_and_needs_no_inline_style(full, support):
    answer = support.get(reverse("admin:index"))
    assert "portal/admin.css" in answer.content.decode()
    assert "unsafe" not in answer["Content-Security-Policy"]
