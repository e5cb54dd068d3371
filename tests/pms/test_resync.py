"""Catching up after an outage, killed and repeated, and the marks that it leaves, against the real simulator."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keys.models import Key
from locks.clock import database_now
from pms import connecting, connection, inbox, resyncing, watching
from pms.adapters import PMSError, TryLater
from pms.models import Integration, Outage, Reservation, WebhookEvent
from tests.factories import BY

pytestmark = pytest.mark.django_db(transaction=True)
State = Integration.State


def stay_of(booking):
    return Reservation.objects.filter(booking_ref=booking["id"]).first()


def known(hotel, cloudbeds, **wish):
    booking = cloudbeds.book(**wish)
    hotel.work(until=lambda: stay_of(booking) is not None)
    return booking


def break_it(hotel, cloudbeds):
    cloudbeds.post("access/revoke")
    hotel.probe()
    assert hotel.integration.state == State.BROKEN


def sign_in_again(hotel, cloudbeds):
    url = connecting.begin_connect(
        property=hotel.property, adapter="cloudbeds", user_id=1, by=BY, now=database_now()
    )
    back = cloudbeds.allow(url)
    wanted = {"state": back["state"], "code": back["code"], "user_id": 1, "by": BY}
    connecting.finish_connect(**wanted, now=database_now())
    return wanted


def marks():
    rows = Reservation.objects.all()
    return {r.booking_ref: (r.came_in_during_id, r.affected_by_id) for r in rows}


def test_a_revoked_connection_opens_one_outage_from_the_last_good_word(hotel, cloudbeds):
    hotel.connect()
    heard_at = hotel.integration.last_word_at
    break_it(hotel, cloudbeds)
    outage = Outage.objects.get()
    assert outage.last_word_at >= heard_at
    assert outage.began_at > outage.last_word_at
    assert hotel.integration.next_read_at is not None
    assert Integration.history.filter(state=State.BROKEN).count() == 1


def test_a_webhook_during_the_outage_is_stored_and_not_applied(hotel, cloudbeds):
    hotel.connect()
    url = connection.hook_url(hotel.integration)
    break_it(hotel, cloudbeds)
    booked = cloudbeds.book(guest="Gus During", room="102")
    body = {
        "event": "reservation/created",
        "propertyID_str": "318267",
        "reservationID": booked["id"],
        "timestamp": 1.25,
    }
    assert cloudbeds.client.post(url, json=body).status_code == 200
    hotel.work()
    waiting = WebhookEvent.objects.filter(processed_at=None, event="reservation/created")
    assert waiting.count() == 1
    assert stay_of(booked) is None
    sign_in_again(hotel, cloudbeds)
    inbox.apply_all(now=database_now())
    assert stay_of(booked) is None
    hotel.work(until=lambda: not WebhookEvent.objects.filter(processed_at=None).exists())
    assert stay_of(booked).came_in_during_id == Outage.objects.get().pk


def test_a_resync_that_dies_in_the_middle_marks_the_same_when_repeated(hotel, cloudbeds, settings):
    hotel.connect()
    before = known(hotel, cloudbeds, guest="Fay Before", room="101")
    break_it(hotel, cloudbeds)
    during = [cloudbeds.book(guest="Gus During", room=room) for room in ("102", "103")]
    sign_in_again(hotel, cloudbeds)
    after = cloudbeds.book(guest="Hana After", room="104")
    cloudbeds.post("faults", kind="503", method="getRooms", times=1)
    watching.read_all_due(now=database_now())
    assert hotel.integration.state == State.CATCHING_UP
    cloudbeds.post("faults", kind="503", method="getRooms", times=1)
    with pytest.raises(TryLater):
        resyncing.resync(integration=hotel.integration, now=database_now())
    assert resyncing.resync(integration=hotel.integration, now=database_now()) is not None
    outage = Outage.objects.get()
    expected = {
        before["id"]: (None, None),
        **{booking["id"]: (outage.pk, outage.pk) for booking in during},
        after["id"]: (None, None),
    }
    assert marks() == expected
    changed = {r.pk: r.changed_at for r in Reservation.objects.all()}
    for _ in range(2):
        assert resyncing.resync(integration=hotel.integration, now=database_now()).changed == []
    assert marks() == expected
    assert changed == {r.pk: r.changed_at for r in Reservation.objects.all()}
    assert hotel.integration.state == State.CONNECTED
    assert Outage.objects.get().ended_at is not None


def test_only_one_resync_walks_at_a_time_and_a_dead_ones_claim_ends(hotel, cloudbeds):
    hotel.connect()
    now = database_now()
    rows = Integration.objects.filter(property=hotel.property)
    rows.update_untracked(reading_until_at=now + timedelta(seconds=20))
    assert resyncing.resync(integration=hotel.integration, now=now) is None
    assert (
        resyncing.resync(integration=hotel.integration, now=now + timedelta(seconds=21)) is not None
    )


def test_a_hold_survives_check_in_and_another_outage(hotel, cloudbeds):
    hotel.connect()
    break_it(hotel, cloudbeds)
    during = cloudbeds.book(guest="Gus During", room="102")
    sign_in_again(hotel, cloudbeds)
    hotel.work(until=lambda: hotel.integration.state == State.CONNECTED)
    first = Outage.objects.get()
    cloudbeds.act(during["id"], "check-in")
    hotel.work(until=lambda: stay_of(during).checked_in_at is not None)
    break_it(hotel, cloudbeds)
    cloudbeds.act(during["id"], "move", room="103")
    sign_in_again(hotel, cloudbeds)
    hotel.work(until=lambda: hotel.integration.state == State.CONNECTED)
    stay = stay_of(during)
    assert stay.room_name == "103"
    assert stay.came_in_during_id == first.pk
    assert stay.affected_by_id == Outage.objects.latest("began_at").pk != first.pk


def test_what_happened_meanwhile_is_noted_against_what_was_known(hotel, cloudbeds):
    hotel.connect()
    made = {
        name: known(hotel, cloudbeds, guest=name, room=room)
        for name, room in (("Moved", "101"), ("Gone", "102"), ("Checked", "103"), ("Same", "104"))
    }
    break_it(hotel, cloudbeds)
    cloudbeds.act(made["Moved"]["id"], "move", room="105")
    cloudbeds.act(made["Gone"]["id"], "cancel")
    cloudbeds.act(made["Checked"]["id"], "check-in")
    new = cloudbeds.book(guest="New", room="106")
    sign_in_again(hotel, cloudbeds)
    hotel.work(until=lambda: hotel.integration.state == State.CONNECTED)
    resyncing.resync(integration=hotel.integration, now=database_now())
    told = {r.booking_ref: r.happened for r in Reservation.objects.all()}
    assert told == {
        made["Moved"]["id"]: ["moved"],
        made["Gone"]["id"]: ["cancelled"],
        made["Checked"]["id"]: ["checked_in"],
        made["Same"]["id"]: [],
        new["id"]: ["came_in"],
    }
    assert stay_of(made["Moved"]).before_outage["room_name"] == "101"
    cloudbeds.act(made["Moved"]["id"], "move", room="102")
    hotel.work(until=lambda: stay_of(made["Moved"]).room_name == "102")
    assert stay_of(made["Moved"]).happened == ["moved"], "what comes after Reconnect is no part"


def test_a_break_while_catching_up_holds_only_what_came_in_while_broken(hotel, cloudbeds):
    hotel.connect()
    break_it(hotel, cloudbeds)
    first = cloudbeds.book(guest="Ann First", room="101")
    sign_in_again(hotel, cloudbeds)
    hotel_row = hotel.integration
    connection.good_word(
        integration_id=hotel_row.pk,
        token_version=hotel_row.token_version,
        now=database_now() + timedelta(seconds=3),
    )
    between = cloudbeds.book(guest="Ben Between", room="102")
    cloudbeds.post("access/revoke")
    hotel.probe()
    assert hotel.integration.state == State.BROKEN
    sign_in_again(hotel, cloudbeds)
    hotel.work(until=lambda: hotel.integration.state == State.CONNECTED)
    assert stay_of(first).came_in_during_id == Outage.objects.earliest("began_at").pk
    assert stay_of(between).came_in_during_id is None


def test_a_change_without_a_new_version_is_found_by_the_sweep(hotel, cloudbeds):
    hotel.connect()
    booked = known(hotel, cloudbeds, guest="Ida Silent", room="101")
    cloudbeds.act(booked["id"], "check-in", silent=True, touch=False)
    hotel.work()
    assert stay_of(booked).checked_in_at is None
    resyncing.sweep(integration=hotel.integration, now=database_now())
    assert stay_of(booked).checked_in_at is not None
    cloudbeds.act(booked["id"], "undo-check-in", silent=True, touch=False)
    resyncing.sweep(integration=hotel.integration, now=database_now())
    assert stay_of(booked).checked_in_at is None


def test_nothing_is_revoked_because_an_answer_does_not_mention_it(hotel, cloudbeds):
    hotel.connect()
    booked = known(hotel, cloudbeds, guest="Ida Still", room="101")
    for kind in ("empty_list", "partial", "garbage", "html", "500", "refused", "wrong_property"):
        cloudbeds.post("faults", kind=kind)
        hotel.probe()
        cloudbeds.post("faults/clear")
    cloudbeds.post("faults", kind="empty_list")
    resyncing.sweep(integration=hotel.integration, now=database_now())
    resyncing.resync(integration=hotel.integration, now=database_now())
    cloudbeds.post("faults/clear")
    assert stay_of(booked).state == "expected"
    assert hotel.integration.state in {State.CONNECTED, State.DELAYED}
    assert not Outage.objects.exists()


def test_what_is_not_mentioned_even_by_name_is_noted_until_it_is_mentioned_again(hotel, cloudbeds):
    hotel.connect()
    held = [known(hotel, cloudbeds, guest="Ida Still", room=room) for room in ("101", "102")]
    cloudbeds.post("faults", kind="empty_list", method="getReservationsWithRateDetails")
    before = database_now()
    resyncing.sweep(integration=hotel.integration, now=before)
    assert [stay_of(one).missing_since for one in held] == [before, before]
    assert {stay_of(one).state for one in held} == {"expected"}
    assert not Key.objects.exclude(revoked_at=None).exists()
    resyncing.sweep(integration=hotel.integration, now=database_now())
    assert stay_of(held[0]).missing_since == before, "since the first time"
    cloudbeds.post("faults/clear")
    resyncing.sweep(integration=hotel.integration, now=database_now())
    assert [stay_of(one).missing_since for one in held] == [None, None]


def test_what_is_not_understood_is_not_missing(hotel, cloudbeds):
    hotel.connect()
    booked = known(hotel, cloudbeds, guest="Ida Garbled", room="101")
    cloudbeds.post("faults", kind="garbage", method="getReservationsWithRateDetails")
    with pytest.raises(PMSError):
        resyncing.sweep(integration=hotel.integration, now=database_now())
    assert stay_of(booked).missing_since is None


def test_trouble_at_the_pms_is_delayed_and_heals_without_anyone(hotel, cloudbeds, settings):
    hotel.connect()
    cloudbeds.post("faults", kind="503")
    hotel.probe()
    assert hotel.integration.state == State.CONNECTED
    settings.PROBE_PMS_EVERY_S = 0.0
    hotel.probe()
    assert hotel.integration.state == State.DELAYED
    assert not Outage.objects.exists()
    cloudbeds.post("faults/clear")
    hotel.probe()
    assert hotel.integration.state == State.CONNECTED
    assert hotel.integration.problem == ""


def test_a_call_with_dead_tokens_cannot_break_the_new_connection(hotel, cloudbeds):
    hotel.connect()
    old = hotel.integration
    sign_in_again(hotel, cloudbeds)
    assert not connection.mark_broken(
        integration_id=old.pk, cause="late", token_version=old.token_version, now=database_now()
    )
    assert hotel.integration.state == State.CATCHING_UP


def test_an_expired_access_token_is_renewed_once_and_nobody_notices(hotel, cloudbeds):
    hotel.connect()
    version = hotel.integration.token_version
    cloudbeds.post("access/expire", kind="access")
    hotel.probe()
    assert hotel.integration.state == State.CONNECTED
    assert hotel.integration.token_version == version + 1


def test_a_reload_of_the_page_after_sign_in_changes_nothing(hotel, cloudbeds):
    hotel.connect()
    wanted = sign_in_again(hotel, cloudbeds)
    version = hotel.integration.token_version
    again = connecting.finish_connect(**wanted, now=database_now())
    assert again.pk == hotel.integration.pk
    assert hotel.integration.token_version == version
    with pytest.raises(connection.NotConnected):
        connecting.finish_connect(**{**wanted, "user_id": 2}, now=database_now())


def test_disconnect_and_connect_after_a_break_is_the_same_outage(hotel, cloudbeds):
    hotel.connect()
    break_it(hotel, cloudbeds)
    during = cloudbeds.book(guest="Gus During", room="102")
    connection.disconnect(integration=hotel.integration, by=BY, now=database_now())
    assert hotel.integration.state == State.DISCONNECTED
    pk = hotel.integration.pk
    sign_in_again(hotel, cloudbeds)
    hotel.work(until=lambda: hotel.integration.state == State.CONNECTED)
    assert hotel.integration.pk == pk
    assert stay_of(during).came_in_during_id == Outage.objects.get().pk
