"""The checker of random sequences: what each lock should hold, asked of the intentions and never of the rule.

Intentions are switches, check-ins, windows and revocations. What Portal believes is compared with what the fake locks
remember, and the order of their calls with what had to leave first.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Q

from keys.models import Assignment
from locks.log_models import DoorLogEntry, Episode
from tests.keys.wall import TYPED, Thing

if TYPE_CHECKING:
    from tests.keys.hotel import Hotel


def places_of(hotel: Hotel) -> list[Assignment]:
    """All assignments of a hotel with the intentions behind them."""
    return list(
        Assignment.objects.filter(property=hotel.property)
        .select_related(
            "key__reservation__integration", "keychain_door", "credential__person", "lock"
        )
        .order_by("id")
    )


def handle_of(place: Assignment) -> str:
    """Our name for it on its lock."""
    return f"k{place.key_id}a{place.pk}"


def ended(place: Assignment) -> bool:
    """Ended before its time."""
    return bool(
        place.key.revoked_at
        or place.key.departed_at
        or place.keychain_door.removed_at
        or place.credential.retired_at
        or place.credential.person.removed_at
    )


def may_hold(place: Assignment) -> bool:
    """Both gates and all that ends a key, from the intentions alone; time is looked at apart."""
    key, door = place.key, place.keychain_door
    if ended(place) or door.permission in {"held_by_staff", "held_by_outage"}:
        return False
    checked_in = key.reservation is None or key.reservation.checked_in_at is not None
    return checked_in or door.permission == "allowed_before_check_in"


def should_hold(place: Assignment, now: datetime) -> bool:
    """Whether the lock should hold this credential now."""
    if place.lock is None or not may_hold(place) or now >= place.ends_at:
        return False
    return bool(place.lock.native_window or place.starts_at <= now)


def is_right(place: Assignment, thing: Thing | None) -> bool:
    """Whether the lock holds exactly what this assignment means now."""
    native = place.lock is not None and place.lock.native_window
    window = (place.starts_at, place.ends_at) if native else None
    return _is(thing, str(place.credential.secret), window)


def _is(thing: Thing | None, secret: str, window: tuple[datetime, datetime] | None) -> bool:
    if thing is None or thing.value != secret:
        return False
    return window is None or (_near(thing.starts_at, window[0]) and _near(thing.ends_at, window[1]))


def _near(held: datetime | None, wanted: datetime) -> bool:
    """Lock systems round to minutes: what is nearer than one counts as the same."""
    return held is not None and abs(held - wanted) < timedelta(minutes=1)


def thing_of(hotel: Hotel, place: Assignment) -> Thing | None:
    """What the lock holds for this assignment."""
    if place.lock is None:
        return None
    return hotel.wall.locks[place.lock.external_id].memory.get(handle_of(place))


# After every step -------------------------------------------------------------------------------------


BELIEFS = (
    "id",
    "key_id",
    "lock__external_id",
    "lock__native_window",
    "revision",
    "written_revision",
    "starts_at",
    "ends_at",
    "credential__secret",
)


def check_belief(hotel: Hotel, *, after: str, everywhere: bool) -> list[str]:
    """What Portal believes must be so, except at locks where something happened that it cannot know yet."""
    wrong = []
    known = Assignment.objects.filter(
        property=hotel.property, lock__isnull=False, sent_revision=None
    ).values_list(*BELIEFS)
    for id_, key_id, ref, native, wanted, written, starts_at, ends_at, secret in known:
        if not everywhere and ref in hotel.wall.dirty:
            continue
        thing = hotel.wall.locks[ref].memory.get(f"k{key_id}a{id_}")
        window = (starts_at, ends_at) if native else None
        if written is None and thing is not None:
            wrong.append(f"{after}: believed absent, is on the lock: {id_}")
        if written == wanted and not _is(thing, str(secret), window):
            wrong.append(f"{after}: believed current, is not: {id_}")
    return wrong


def clears_due(hotel: Hotel, *, now: datetime) -> dict[str, set[str]]:
    """By lock, what may be on it and must go, and can be tried now."""
    maybe_there = Q(written_revision__isnull=False) | Q(sent_revision__isnull=False)
    due = Assignment.objects.filter(
        maybe_there, Q(retry_at=None) | Q(retry_at__lte=now), property=hotel.property
    ).filter(lock__isnull=False, next_attempt_at__lte=now)
    due = due.exclude(accepted_at__isnull=False, accepted_removal=True)
    found: dict[str, set[str]] = {}
    for place in due.select_related(
        "key__reservation", "keychain_door", "credential__person", "lock"
    ).defer("credential__secret"):
        if not should_hold(place, now):
            found.setdefault(place.lock.external_id, set()).add(handle_of(place))
    return found


def late_clears(hotel: Hotel, due: dict[str, set[str]]) -> list[str]:
    """Writes that left for a lock while it still held something that had to go and was not even tried.

    A removal whose outcome was unknown is looked up first; if it was lost once more, it waits its pause like any that failed.
    """
    wrong = []
    paused = Assignment.objects.filter(
        property=hotel.property, sent_revision=None, retry_at__gt=hotel.clock()
    )
    waiting = {f"k{key_id}a{pk}" for key_id, pk in paused.values_list("key_id", "pk")}
    for ref, handles in due.items():
        left = set(handles) - waiting
        for call in hotel.wall.locks[ref].calls:
            if call.verb == "remove":
                left.discard(call.handle)
            elif late := left & call.held - {call.handle}:
                wrong.append(f"{call.handle} went to {ref} before {sorted(late)} had left")
    return wrong


# At the end -------------------------------------------------------------------------------------------


def check_end(hotel: Hotel) -> list[str]:
    """After settling: each lock holds exactly what is wanted, all is believed as it is, and every trouble is told."""
    now = hotel.clock()
    wrong = check_belief(hotel, after="the end", everywhere=True)
    open_kinds: dict[int, set[str]] = {}
    for episode in Episode.objects.filter(property=hotel.property, closed_at=None):
        open_kinds.setdefault(episode.assignment_id, set()).add(episode.kind)
    places = places_of(hotel)
    for place in places:
        wrong += _check_place(hotel, place, open_kinds.get(place.pk, set()), now)
    ours = {handle_of(place) for place in places}
    for lock in hotel.wall.locks.values():
        foreign = {handle for handle in lock.memory if not handle.startswith(TYPED)} - ours
        wrong += [f"foreign on {lock.ref}: {handle}" for handle in foreign]
        codes = Counter((thing.kind, thing.value) for thing in lock.memory.values())
        wrong += [f"the same code twice on {lock.ref}" for count in codes.values() if count > 1]
    return wrong + _check_repairs(hotel)


def _check_place(hotel: Hotel, place: Assignment, kinds: set[str], now: datetime) -> list[str]:
    thing, wanted = thing_of(hotel, place), should_hold(place, now)
    wrong = []
    ref, handle = place.lock.external_id if place.lock else "", handle_of(place)
    if place.sent_revision is not None:
        wrong.append(f"the end: outcome still unknown: {place.pk}")
    if wanted and not is_right(place, thing) and not _is_excused(hotel, place, thing):
        wrong.append(f"missing on {ref}: {handle}")
    if not wanted and thing is not None:
        wrong.append(f"unauthorized on {ref}: {handle}")
    if "not_removed" in kinds:
        wrong.append(f"a removal is told as open and is done: {handle}")
    begun = place.starts_at <= now < place.ends_at
    pending = begun and not ended(place) and not is_right(place, thing)
    if pending is not ("4117" in kinds):
        wrong.append(f"4117 of {handle} is {'missing' if pending else 'open without cause'}")
    if (ended(place) or now >= place.ends_at) and place.reserved_digest is not None:
        wrong.append(f"the code of {handle} is not given back")
    return wrong


def _is_excused(hotel: Hotel, place: Assignment, thing: Thing | None) -> bool:
    """Refused by the lock for good, or no space there: for what it holds already there always is."""
    lock = hotel.wall.locks[place.lock.external_id]
    no = (lock.ref, handle_of(place), str(place.credential.secret)) in hotel.wall.refused
    return no or (thing is None and lock.is_full)


def _check_repairs(hotel: Hotel) -> list[str]:
    """A repair means that something was believed that was not so; only what Portal could not know excuses one."""
    repaired = DoorLogEntry.objects.filter(property_id=hotel.property.pk, code="repaired")
    refs = {pk: ref for ref, pk in hotel.lock_ids.items()}
    return [
        f"repaired without a cause: {refs[lock_id]}"
        for lock_id in repaired.values_list("lock_id", flat=True)
        if refs[lock_id] not in hotel.wall.dirty
    ]
