"""A stranger who could enter: what must be gone is gone, what must not be written is not, and nobody sees another's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.eventually import eventually, stays
from tests.hotel import Key
from tests.scenarios.steps import (
    all_in_house,
    ask,
    door_id,
    in_house,
    is_empty_of,
    keys_listed,
    made_by_hand,
    pages,
    restart_worker,
    stored_rows,
    writes_to,
)

scenario = pytest.mark.scenario


@scenario(1)
def test_a_reservation_cancelled_in_the_pms_takes_its_code_off_the_lock(hotel):
    """The key is Revoked, the log says that the code was removed, and the history that the PMS did it, and when."""
    stay, key, lock = in_house(hotel, "Ada Cancelled")
    code = key.code()
    assert lock.opens_for(code)
    hotel.pms.act(stay.id, "cancel", force=True)
    is_empty_of(lock, key)
    assert not lock.opens_for(code)
    eventually(lambda: "Removed from the lock Door Code" in key.page().text)
    said = key.page().text
    assert "Revoked" in key.states
    assert re.search(r"Reservation cancelled Today \d\d:\d\d · Cloudbeds · PMS", said), said


@scenario(2)
def test_a_cancelled_code_on_an_offline_lock_is_listed_and_goes_first_when_the_lock_is_back(hotel):
    """Until then the key is Revoked, the door says that the code may still open, and the lock in truth still opens."""
    stay, key, lock = in_house(hotel, "Bea Offline")
    code = key.code()
    lock.offline()
    hotel.pms.act(stay.id, "cancel", force=True)
    eventually(lambda: "Revoked" in key.states)
    eventually(lambda: "Removal pending – code may still open." in key.door(stay.room).reasons)
    eventually(lambda: key.id in keys_listed(hotel, "/keys/?pending=removal"))
    assert lock.opens_for(code)
    next_guest = hotel.add_key("Bo Next", stay.room)
    eventually(lambda: next_guest.door(stay.room).is_pending)
    hotel.simlock.reset_stats()
    lock.online()
    is_empty_of(lock, key)
    eventually(lambda: lock.memory(next_guest))
    methods = [method for method, _ in writes_to(hotel, stay.room)]
    assert methods.index("PUT") > max(n for n, one in enumerate(methods) if one == "DELETE")
    eventually(lambda: key.id not in keys_listed(hotel, "/keys/?pending=removal"))
    assert not lock.opens_for(code)


@scenario(3)
def test_a_pending_removal_survives_the_deletion_of_reservation_person_door_key_and_lock(hotel):
    """Whatever record goes while the lock is offline, the removal is carried out when it is back."""
    ends = (_delete_reservation, _remove_person, _take_door_out, _delete_key, _unpair_lock)
    both = ["Carl Deleted", "Cleo Companion"]
    guests = all_in_house(hotel, *["Carl Deleted"] * len(ends), guests=both)
    for (stay, key, lock), end in zip(guests, ends, strict=True):
        eventually(lambda lock=lock, key=key: len(lock.memory(key)) == 4)
        lock.offline()
        end(hotel, stay, key)
    left = {guests[1][1].id: 2}
    for _, key, lock in guests:
        lock.online()
        eventually(lambda lock=lock, key=key: len(lock.memory(key)) == left.get(key.id, 0))


def _delete_reservation(hotel, stay, key):
    hotel.pms.act(stay.id, "delete", force=True)
    eventually(lambda: "Revoked" in key.states)


def _remove_person(hotel, stay, key):
    booking = hotel.pms.get(f"reservations/{stay.id}")
    guests = [guest for one in booking["stays"] for guest in one["guests"]]
    companion = next(guest["id"] for guest in guests if guest["first"] == "Cleo")
    hotel.pms.act(stay.id, "remove-guest", guest_id=companion)
    eventually(lambda: len(hotel.api("GET", f"/keys/{key.id}/")["people"]) == 1)


def _take_door_out(hotel, stay, key):
    page = key.page().click(f"Remove {stay.room}").press("Remove")
    assert "Taken out of the keychain" in page.text


def _delete_key(hotel, stay, key):
    """There is no way to; the guest's code must go all the same."""
    _delete_reservation(hotel, stay, key)
    assert ask(hotel, hotel.access["token"], "DELETE", f"/keys/{key.id}/").status_code == 405


def _unpair_lock(hotel, stay, key):
    """It is refused as long as something is on the lock."""
    _delete_reservation(hotel, stay, key)
    page = hotel.page("/settings/locks/", "owner").click(f"Pair Lock of {stay.room}")
    page = page.form("Save").fill("Door", "").press("Save")
    assert "still holds" in page.text


@scenario(4)
def test_the_next_guest_never_gets_the_last_guests_code_and_is_warned_while_it_may_open(hotel):
    """The code of the first stays reserved until it is off the lock; the desk sees on the second's key that it is not."""
    room = hotel.free_room()
    first, lock = made_by_hand(hotel, "Dora First", room), hotel.lock(room)
    code = first.code()
    lock.offline()
    first.revoke()
    second = hotel.add_key("Dan Second", room, Policy="Preferred", Code=code)
    assert second.code() != code
    warning = "An earlier guest’s code may still open"
    eventually(lambda: warning in second.page().text)
    lock.online()
    is_empty_of(lock, first)
    eventually(lambda: [one["value"] for one in lock.memory()] == [second.code()])
    assert not lock.opens_for(code)
    eventually(lambda: warning not in second.page().text)


@scenario(5)
def test_what_staff_switched_off_stays_off_the_lock_whatever_happens_until_they_switch_it_on(hotel):
    """Check-in, news from the PMS, retries, a worker that starts anew, Reconnect and a bulk release of other doors."""
    stay = hotel.book("Emil Held", arrival="today")
    key, lock = hotel.key_of(stay), hotel.lock(stay.room)
    key.hold(stay.room)
    hotel.check_in(stay)
    eventually(lambda: "At the front desk" in key.page().text)
    hotel.pms.act(stay.id, "dates", departure="+3", force=True)
    hotel.break_pms()
    hotel.reconnect()
    restart_worker(hotel)
    other = hotel.add_key("Eve Other", hotel.free_room(), allow=False)
    doors = [one["id"] for one in hotel.api("GET", f"/keys/{other.id}/doors/")]
    hotel.api("POST", "/keychain-doors/release/", doors=doors, reason="the desk asked")
    hotel.api("PATCH", f"/keys/{key.id}/", ends_at=_in(timedelta(days=2)))
    assert stays(lambda: not lock.memory(key), 1.5)
    assert not key.door(stay.room).is_allowed
    key.allow(stay.room)
    eventually(lambda: lock.kinds(key) == {"door_code", "smartkey"})


def _in(time: timedelta) -> str:
    return (datetime.now(UTC) + time).isoformat()


@scenario(6)
def test_without_the_required_check_in_nothing_is_written_though_the_key_is_current(hotel):
    """The arrival time is over, the key is Current and Pending Provisioning, and the reason is the check-in."""
    hotel.settings(Arrival_Time="00:00")
    try:
        stay = hotel.book("Fay Waiting", arrival="today")
        key, lock = hotel.key_of(stay), hotel.lock(stay.room)
        eventually(lambda: "Current" in key.states)
        door = key.door(stay.room)
        assert door.is_pending
        assert door.reasons[0].startswith("The reservation is not checked in")
        assert stays(lambda: not lock.memory(key), 1.0)
        hotel.check_in(stay)
        eventually(lambda: lock.memory(key))
    finally:
        hotel.settings(Arrival_Time="15:00")


@scenario(8)
def test_a_check_in_that_is_undone_takes_the_code_off_and_keeps_it_for_next_time(hotel):
    """The key is Pending Provisioning again; at the next check-in the same code comes back."""
    stay, key, lock = in_house(hotel, "Gus Undone")
    code = key.code()
    hotel.pms.act(stay.id, "undo-check-in", force=True)
    is_empty_of(lock, key)
    eventually(lambda: key.door(stay.room).is_pending)
    assert not lock.opens_for(code)
    hotel.check_in(stay)
    eventually(lambda: lock.holds(code))
    assert key.code() == code


@scenario(9)
def test_after_its_end_a_code_opens_no_door_and_what_cannot_be_removed_is_told(hotel):
    """A lock with windows is shut at the end by itself; one without is emptied by Portal; one out of reach is an alarm."""
    windowed, plain, away = (
        hotel.free_room(),
        hotel.free_room_without_window(),
        hotel.free_room_without_window(),
    )
    doors = [door_id(hotel, room) for room in (windowed, plain, away)]
    ends_at = datetime.now(UTC) + timedelta(seconds=9)
    made = hotel.api(
        "POST",
        "/keys/",
        people=[{"name": "Hana Leaving"}],
        doors=[{"door": each} for each in doors],
        starts_at=_in(-timedelta(hours=1)),
        ends_at=ends_at.isoformat(),
    )
    key = Key(hotel, made["id"])
    code = key.code()
    locks = [hotel.lock(room) for room in (windowed, plain, away)]
    eventually(lambda: all(lock.holds(code) for lock in locks), 8)
    assert all(lock.opens_for(code) for lock in locks)
    hotel.lock(away).offline()
    eventually(lambda: datetime.now(UTC) > ends_at)
    assert not hotel.lock(windowed).opens_for(code)
    eventually(lambda: not hotel.lock(plain).opens_for(code), 5)
    eventually(lambda: not hotel.lock(windowed).holds(code))
    assert hotel.lock(away).opens_for(code)
    eventually(lambda: _not_removed(hotel, key) == [doors[2]])
    assert "Removal pending – code may still open." in key.door(away).reasons
    hotel.lock(away).online()
    eventually(lambda: not hotel.lock(away).opens_for(code))
    eventually(lambda: not _not_removed(hotel, key))


def _not_removed(hotel, key):
    return [
        one["door"] for one in pages(hotel, "/episodes/?kind=not_removed") if one["key"] == key.id
    ]


@scenario(10)
def test_staff_of_another_property_find_nothing_by_its_number(hotel):
    """Keys, doors, the log, the connection to the PMS: 404 as for numbers that never were, and the lock is untouched."""
    stay, key, lock = in_house(hotel, "Ivo Private")
    before = lock.memory()
    door = door_id(hotel, stay.room)
    neighbor = hotel.sign_in("neighbor")
    chained = hotel.api("GET", f"/keys/{key.id}/doors/")[0]["id"]
    for path in _addresses(key.id, door, chained):
        seen = neighbor.open(path)
        assert seen.status == 404, f"{path}: {seen.status}"
        assert "Ivo" not in seen.text
        assert stay.room not in seen.text
    token = hotel.access["neighbor_token"]
    for method, path in _calls(key.id, door, chained):
        answer = ask(hotel, token, method, path)
        never = ask(hotel, token, method, re.sub(r"\d+", "987654321", path))
        assert answer.status_code in {404, 400}, f"{path}: {answer.status_code}"
        assert answer.status_code == never.status_code
        assert answer.json() == never.json()
    for path in (
        "/keys/",
        "/reservations/",
        "/door-log/",
        "/episodes/",
        f"/door-log/?key={key.id}",
    ):
        assert ask(hotel, token, "GET", path).json()["results"] == []
    assert "Ivo" not in neighbor.open("/keys/?q=Ivo Private").text.replace("“Ivo Private”", "")
    assert lock.memory() == before


def _addresses(key: int, door: int, chained: int) -> list[str]:
    return [
        f"/keys/{key}/",
        f"/keys/{key}/edit/",
        f"/keys/{key}/revoke/",
        f"/keys/{key}/doors/{chained}/",
        f"/doors/{door}/",
        f"/doors/{door}/edit/",
        "/settings/locks/1/",
        "/settings/integrations/1/disconnect/",
    ]


def _calls(key: int, door: int, chained: int) -> list[tuple[str, str]]:
    return [
        ("GET", f"/keys/{key}/"),
        ("GET", f"/keys/{key}/explanation/"),
        ("POST", f"/keys/{key}/revoke/"),
        ("GET", f"/keys/{key}/doors/"),
        ("PATCH", f"/keys/{key}/doors/{chained}/"),
        ("DELETE", f"/keys/{key}/doors/{chained}/"),
        ("GET", f"/doors/{door}/"),
        ("GET", "/locks/1/"),
        ("GET", "/reservations/1/"),
    ]


@scenario(11)
@pytest.mark.parametrize("role", ["housekeeping", "installer"])
def test_codes_are_refused_to_those_who_only_see_doors_and_the_refusal_is_logged(hotel, role):
    """Neither pages nor forms nor the shown code: each is refused, and the log says who asked for what."""
    room = hotel.free_room()
    key = made_by_hand(hotel, "June Guarded", room)
    code, before = key.code(), hotel.lock(room).memory()
    credential = hotel.api("GET", f"/keys/{key.id}/")["people"][0]["credentials"][0]["id"]
    browser = hotel.sign_in(role)
    token = browser.client.cookies.get("csrftoken")
    asked = [f"/keys/{key.id}/codes/{credential}/", "/keys/add/", f"/keys/{key.id}/"]
    for path in asked:
        values = [("csrfmiddlewaretoken", token)]
        method = "post" if "codes" in path else "get"
        page = browser.send(method, path, values, base=hotel.url)
        assert page.status == 403
        assert code not in page.html
    assert code not in browser.open(f"/doors/{door_id(hotel, room)}/").html
    logged = (hotel.run.folder / "log" / "web.log").read_text()
    for path in asked:
        assert re.search(rf"refused: .*{role} .*{re.escape(path)}", logged), path
    assert hotel.lock(room).memory() == before


@scenario(12)
def test_no_log_history_list_or_stored_row_shows_a_guests_code(hotel):
    """Codes that were written, typed, refused, taken, changed and lost on the way: each only on its lock and by Show."""
    room = hotel.free_room()
    lock = hotel.lock(room)
    lock.act("garbage", calls=1)
    key = made_by_hand(hotel, "Kai Secret", room)
    codes = [key.code()]
    lock.act("lose-ack", calls=1, silence="error")
    lock.act("server-error", calls=1)
    form = key.page().click("Regenerate").form("Save")
    form.press("Save")
    codes.append(key.code())
    eventually(lambda: lock.holds(codes[1]) and not lock.holds(codes[0]))
    assert not lock.opens_for(codes[0])
    assert lock.opens_for(codes[1])
    taken = hotel.add_key("Kim Preferred", room, Policy="Preferred", Code=codes[1])
    codes.append(taken.code())
    eventually(lambda: lock.holds(codes[2]))
    eventually(lambda: "Refused at the door" in hotel.page("/log/").text)
    shown = [
        hotel.page(path, role).html
        for path in (key.path, "/log/", "/keys/?q=Kai Secret")
        for role in ("team", "owner")
    ]
    shown += [str(hotel.api("GET", path)) for path in ("/keys/", "/door-log/", "/episodes/")]
    seen = shown + stored_rows(hotel)
    for code in codes:
        for text in seen:
            assert not re.search(rf"(?<![\w.:-]){code}(?![\w.:-])", text)
