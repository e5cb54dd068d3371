"""Answers for people: what each door of a key is, and every reason why a credential is not on its lock, in words.

The rule decides and ``wording`` speaks; this file only brings them the facts, with a constant number of queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import QuerySet

from keys import keypad, offsets, whole_hours, wording
from keys.facts import COLUMNS, Answer, Row, answer, as_if_released, times_of
from keys.models import Assignment, Credential, Key, KeychainDoor
from keys.provisioning import PAUSES
from keys.rules import (
    Action,
    Hold,
    OnLock,
    Permission,
    Phase,
    Reach,
    Waits,
    is_pending,
)
from locks.clock import zone
from locks.log_models import Episode
from locks.models import Door, Lock
from pms.models import Reservation

PROOFS = {
    "asked": "asked",
    "accepted": "accepted by the lock system",
    "book": "in the lock system’s book, not read from the lock",
    "acknowledged": "acknowledged by the lock",
    "read_back": "read back from the lock",
    "used": "used at the door",
}
KINDS = {"door_code": "Door Code", "smartkey": "SmartKey", "keycard": "Keycard"}
_ROOM = KeychainDoor.Origin.ROOM
CHECK_INS = {
    "front_desk": "at the front desk",
    "online": "online",
    "either": "at the front desk or online",
    "not_required": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason to wait: what, since when, who can change it, and what happens next by itself and when."""

    hold: Hold
    sentence: str
    since: datetime | None
    who: str
    next: str
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceAnswer:
    """One credential on one door's lock."""

    assignment: Assignment
    credential: Credential
    action: Action
    is_pending: bool
    waits: Waits
    headline: str
    reasons: list[Reason]
    on_lock: OnLock
    proof: str
    proven_at: datetime | None
    state_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorAnswer:
    """One door of a key. ``removing`` says that something is still to come off its lock; ``leaving`` that the guest has
    moved out and it opens until the new room does; ``pauses`` that the next attempt waits for its time though it could be
    made now. ``cautions`` are what staff should know of its lock though nothing waits for it."""

    keychain_door: KeychainDoor
    door: Door
    lock: Lock | None
    switch_on: bool
    before_check_in: bool
    is_pending: bool
    waits: Waits
    headline: str
    reasons: list[Reason]
    places: list[PlaceAnswer]
    window: tuple[datetime, datetime]
    removing: bool
    leaving: bool
    pauses: bool
    cautions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAnswer:
    """One key. ``is_active`` means in its window and confirmed on all its doors; ``switch`` is on, off or mixed.

    ``headline`` of a key that opens no door says why it has none.
    """

    key: Key
    state: str
    is_active: bool
    is_pending: bool
    waits: Waits
    headline: str
    switch: str
    doors: list[DoorAnswer]
    notices: list[str] = field(default_factory=list)


def state_of(key: Key, *, now: datetime) -> str:
    """Upcoming, Current, Past or Revoked."""
    if key.revoked_at is not None:
        return "Revoked"
    if key.departed_at is not None or key.ends_at <= now:
        return "Past"
    return "Current" if key.starts_at <= now else "Upcoming"


def explain_key(*, key: Key, now: datetime) -> KeyAnswer:
    """Everything about one key, and whether an earlier guest may still enter."""
    told = explain_keys(keys=[key], now=now)[key.pk]
    return replace(told, notices=told.notices + _touching(told.key) + _ghosts(told))


def explain_keys(
    *, keys: Sequence[Key], now: datetime, released: Permission | None = None
) -> dict[int, KeyAnswer]:
    """Everything about these keys, with the same number of queries for one as for fifty.

    With ``released``, what would be if doors that an outage holds had that permission.
    """
    ids = [key.pk for key in keys]
    doors = KeychainDoor.objects.filter(key_id__in=ids).select_related(
        "door__lock__gateway", "door__lock__account", "outage"
    )
    places = Assignment.objects.filter(key_id__in=ids).select_related("credential__person__guest")
    rows = {
        values[0]: as_if_released(Row._make(values), released)
        for values in Assignment.objects.filter(key_id__in=ids).values_list(*COLUMNS)
    }
    by_door: dict[int, list[Assignment]] = {}
    for place in places.order_by("id"):
        by_door.setdefault(place.keychain_door_id, []).append(place)
    by_key: dict[int, list[KeychainDoor]] = {}
    for door in doors.order_by("id"):
        by_key.setdefault(door.key_id, []).append(door)
    loaded = _with_reservations(ids)
    return {
        key.pk: _explain(loaded[key.pk], by_key.get(key.pk, []), by_door, rows, now) for key in keys
    }


def _with_reservations(ids: list[int]) -> dict[int, Key]:
    keys = Key.objects.filter(pk__in=ids).select_related(
        "property", "reservation__integration", "reservation__property"
    )
    return {key.pk: key for key in keys}


def _explain(
    key: Key,
    doors: list[KeychainDoor],
    by_door: dict[int, list[Assignment]],
    rows: dict[int, Row],
    now: datetime,
) -> KeyAnswer:
    told = [
        _explain_door(key, door, by_door.get(door.pk, []), rows, now)
        for door in doors
        if door.removed_at is None or _still_there(by_door.get(door.pk, []))
    ]
    live = [door for door in told if door.keychain_door.removed_at is None]
    state = state_of(key, now=now)
    meant = [door for door in live if not door.leaving]
    pending = [door for door in meant if door.is_pending]
    confirmed = bool(meant) and all(
        place.on_lock is OnLock.CURRENT for door in meant for place in door.places
    )
    switches = {door.switch_on for door in live}
    first = min(pending, key=lambda door: _urgency(door.waits), default=None)
    removing = next((door for door in told if door.removing), None)
    shown = first or removing
    notices = _notices(key, live, now) + _at_odds(key, doors, live)
    headline = shown.headline if shown else ""
    if not live and state in {"Current", "Upcoming"}:
        headline = headline or next(iter(notices), "")
    return KeyAnswer(
        key=key,
        state=state,
        is_active=state == "Current" and confirmed and not pending,
        is_pending=bool(pending),
        waits=first.waits if first else Waits.NOTHING,
        headline=headline,
        switch="mixed" if len(switches) > 1 else ("on" if True in switches else "off"),
        doors=told,
        notices=notices,
    )


def _urgency(entry: Waits) -> int:
    return [Waits.SOMEONE, Waits.LOCK, Waits.TIME, Waits.NOTHING].index(entry)


def _still_there(places: Iterable[Assignment]) -> bool:
    return any(p.written_revision is not None or p.sent_revision is not None for p in places)


def _explain_door(
    key: Key, door: KeychainDoor, places: list[Assignment], rows: dict[int, Row], now: datetime
) -> DoorAnswer:
    told = [_explain_place(key, door, place, rows[place.pk], now) for place in places]
    told = [
        place
        for place in told
        if place.credential.retired_at is None or place.on_lock is not OnLock.ABSENT
    ]
    waiting = [place for place in told if place.is_pending or place.action is not Action.DONE]
    first = min(waiting, key=lambda place: _urgency(place.waits), default=None)
    permission = Permission(door.permission)
    lock: Lock | None = getattr(door.door, "lock", None)
    window = (door.starts_at or key.starts_at, door.ends_at or key.ends_at)
    return DoorAnswer(
        keychain_door=door,
        door=door.door,
        lock=lock,
        switch_on=permission.is_on,
        before_check_in=permission is Permission.ALLOWED_BEFORE_CHECK_IN,
        is_pending=any(place.is_pending for place in told),
        waits=first.waits if first else Waits.NOTHING,
        headline=first.headline if first else "",
        reasons=_merged(waiting),
        places=told,
        window=window,
        cautions=_cautions(key, lock, window, told, now),
        removing=any(
            hold in {Hold.STILL_ON_LOCK, Hold.REMOVAL_PENDING}
            for place in told
            for hold in (reason.hold for reason in place.reasons)
        ),
        leaving=door.leaving_since is not None,
        pauses=any(
            reason.hold in PAUSES and reason.next_at is not None and reason.next_at > now
            for place in told
            for reason in place.reasons
        ),
    )


def _cautions(
    key: Key,
    lock: Lock | None,
    window: tuple[datetime, datetime],
    places: Sequence[PlaceAnswer],
    now: datetime,
) -> list[str]:
    if state_of(key, now=now) not in {"Upcoming", "Current"}:
        return []
    said = [
        offsets.caution(lock, window, zone(key.property.timezone), now=now),
        whole_hours.caution(key.property, lock, window),
        keypad.caution(_with_own_codes(places)),
    ]
    return [one for one in said if one]


def _with_own_codes(places: Sequence[PlaceAnswer]) -> list[str]:
    return [
        place.credential.person.guest.name
        for place in places
        if place.assignment.own_secret is not None
    ]


def _merged(places: list[PlaceAnswer]) -> list[Reason]:
    """Each reason once, in the order in which someone would clear them."""
    found: dict[Hold, Reason] = {}
    for place in places:
        for reason in place.reasons:
            found.setdefault(reason.hold, reason)
    order = list(Hold)
    return sorted(found.values(), key=lambda reason: order.index(reason.hold))


def _explain_place(
    key: Key, door: KeychainDoor, place: Assignment, row: Row, now: datetime
) -> PlaceAnswer:
    told = answer(row, now=now)
    scene = _scene(key, door, row, told, now)
    reasons = [
        _reason(hold, wording.words(hold, scene), door, place, scene, told)
        for hold in told.decision.holds
    ]
    pending = is_pending(told.facts)
    on_its_lock = told.facts.on_lock is OnLock.CURRENT
    text = wording.action_text(told.decision.action, on_its_lock=on_its_lock)
    headline = reasons[0].sentence if reasons else ("" if not pending else text)
    return PlaceAnswer(
        assignment=place,
        credential=place.credential,
        action=told.decision.action,
        is_pending=pending,
        waits=Waits(told.waits) if pending else Waits.NOTHING,
        headline=headline,
        reasons=reasons,
        on_lock=told.facts.on_lock,
        proof=PROOFS.get(place.proof, "") if on_its_lock else "",
        proven_at=place.proven_at if on_its_lock else None,
        state_text=_state_text(told, place, headline, text, scene),
    )


def _state_text(
    told: Answer, place: Assignment, headline: str, text: str, scene: wording.Scene
) -> str:
    if told.facts.on_lock is OnLock.CURRENT and not told.decision.holds:
        proof = PROOFS.get(place.proof, "")
        return f"On the lock, {proof} {wording.clock(place.proven_at, scene)}" if proof else text
    return headline or text


def _scene(key: Key, door: KeychainDoor, row: Row, told: Answer, now: datetime) -> wording.Scene:
    lock: Lock | None = getattr(door.door, "lock", None)
    gateway = lock.gateway if lock else None
    stay = key.reservation
    opens_at = times_of(row).opens_at or row.starts_at
    offline = gateway if told.facts.reach is Reach.GATEWAY_OFFLINE else lock
    unreachable = told.facts.reach in {Reach.GATEWAY_OFFLINE, Reach.LOCK_OFFLINE}
    return wording.Scene(
        now=now,
        zone=zone(key.property.timezone),
        door=door.door.name,
        pms=stay.integration.pms_name() if stay else "the PMS",
        check_in=CHECK_INS[key.property.check_in_rule],
        opens_at=opens_at,
        ends_at=row.ends_at,
        retry_at=times_of(row).retry_at if unreachable else row.retry_at,
        accepted_at=row.accepted_at,
        tries=row.tries,
        lead_minutes=row.lead_minutes,
        offline_since=offline.offline_since if offline else None,
        last_word_at=stay.integration.last_word_at if stay else None,
        problem=row.problem,
        account=lock.account.name if lock else "The lock account",
        account_is_off=row.account_state == "disconnected",
        gateway=gateway.name if gateway else "The gateway",
        kind=KINDS[row.kind],
    )


def _reason(
    hold: Hold,
    said: wording.Words,
    door: KeychainDoor,
    place: Assignment,
    scene: wording.Scene,
    told: Answer,
) -> Reason:
    since: dict[Hold, datetime | None] = {
        Hold.DISABLED_BY_STAFF: door.permission_since,
        Hold.CAME_IN_DURING_OUTAGE: door.permission_since,
        Hold.STILL_ON_LOCK: door.permission_since,
        Hold.REMOVAL_PENDING: scene.ends_at if told.facts.phase is Phase.OVER else None,
        Hold.CHECK_IN_UNKNOWN: scene.last_word_at,
        Hold.AT_WORK: scene.accepted_at,
        Hold.GATEWAY_OFFLINE: scene.offline_since,
        Hold.LOCK_OFFLINE: scene.offline_since,
    }
    next_at = scene.retry_at
    if hold is Hold.NOT_DUE_YET:
        next_at = scene.opens_at
    elif hold in {Hold.DISABLED_BY_STAFF, Hold.CAME_IN_DURING_OUTAGE, Hold.NOT_CHECKED_IN}:
        next_at = None
    return Reason(
        hold=hold,
        sentence=said.sentence,
        since=since.get(hold, place.problem_since or place.headline_since),
        who=said.who,
        next=said.next,
        next_at=next_at,
    )


def _notices(key: Key, live: list[DoorAnswer], now: datetime) -> list[str]:
    """What concerns the key as a whole rather than one of its doors."""
    notices: list[str] = []
    stay = key.reservation
    if stay is not None and not live and key.revoked_at is None:
        notices.append(
            f"Room {stay.room_name or stay.room_ref} is not mapped to a door yet."
            if stay.room_ref
            else "The reservation has no room yet."
        )
    tz = zone(key.property.timezone)
    for what, is_staffs, mine, theirs in (
        ("arrival", key.starts_by_staff, key.starts_at, key.pms_starts_at),
        ("departure", key.ends_by_staff, key.ends_at, key.pms_ends_at),
    ):
        if theirs not in {None, mine}:
            notices.append(_conflict(what, theirs, tz, is_staffs=is_staffs))
    notices += _notes(live)
    return notices


def _at_odds(key: Key, doors: Sequence[KeychainDoor], live: Sequence[DoorAnswer]) -> list[str]:
    """Where the keychain is not the rooms that the PMS means: a move that is not done, a door that staff took out."""
    new = [
        door.door.name for door in live if door.keychain_door.origin == _ROOM and not door.leaving
    ]
    moved = [wording.moved_out(door.door.name, new) for door in live if door.leaving]
    out = [door.door.name for door in doors if door.removed_by_staff] if not key.revoked_at else []
    return moved + [f"Staff took {name} out of the keychain; the PMS means it." for name in out]


def _ghosts(told: KeyAnswer) -> list[str]:
    """Doors of this key on whose locks something of an earlier guest is not proven to be gone."""
    doors = [d.door.pk for d in told.doors if d.keychain_door.removed_at is None]
    if told.state not in {"Upcoming", "Current"}:
        return []
    others = Assignment.objects.filter(
        property_id=told.key.property_id, lock__isnull=False, lock__door__in=doors
    ).exclude(key_id=told.key.pk)
    ended = others.filter(headline=Hold.REMOVAL_PENDING.value)
    moved = others.filter(
        keychain_door__leaving_since__isnull=False, written_revision__isnull=False
    )
    said = "An earlier guest’s code may still open {}: its removal is pending."
    still = "A guest who moved out of {} can still open it: their new room is not written yet."
    return [said.format(name) for name in _lock_doors(ended)] + [
        still.format(name) for name in _lock_doors(moved)
    ]


def _lock_doors(places: QuerySet[Assignment]) -> list[str]:
    names = places.order_by("lock__door__name").values_list("lock__door__name", flat=True)
    return [str(name) for name in names.distinct()]


def _touching(key: Key) -> list[str]:
    """The other stays that are one with the key's own."""
    stays = Reservation.objects.filter(continuation__key=key).order_by("arrival_on", "id")
    return [_touching_stay(key, stay) for stay in stays]


def _touching_stay(key: Key, stay: Reservation) -> str:
    own = key.reservation
    if own is None or stay.arrival_on < own.arrival_on:
        return f"Began with reservation {stay.number}: the code stayed the same."
    until = f"{stay.departure_on.day} {stay.departure_on:%b}"
    return f"Goes on as reservation {stay.number} until {until}: one code, no gap in between."


def _conflict(what: str, moment: datetime | None, tz: object, *, is_staffs: bool) -> str:
    """Where a time is not the PMS's: it is staff's, or does not fit the other one, which is."""
    local = moment.astimezone(tz) if moment else None  # type: ignore[arg-type]
    said = f"{local:%H:%M} on {local.day} {local:%b}" if local else "nothing"
    if is_staffs:
        return f"Staff set the {what}; the PMS says {said}."
    return f"The PMS says {said} for the {what}, which does not fit the time that staff set."


def _notes(live: list[DoorAnswer]) -> list[str]:
    notes = {
        place.credential.note for door in live for place in door.places if place.credential.note
    }
    return sorted(notes)


def episode_checks(*, episodes: Sequence[Episode], now: datetime) -> dict[int, list[str]]:
    """By episode the two checks that 4117 asks for, made now: "Allow Provisioning: on." and "Lock: offline since 21:02."."""
    rows = Assignment.objects.select_related("keychain_door", "lock__gateway", "property")
    places = rows.in_bulk([episode.assignment_id for episode in episodes])
    return {
        episode.pk: _checks(places[episode.assignment_id], now)
        for episode in episodes
        if episode.assignment_id in places
    }


def _checks(place: Assignment, now: datetime) -> list[str]:
    tz = zone(place.property.timezone)
    scene = wording.Scene(now=now, zone=tz)
    switch = "on" if Permission(place.keychain_door.permission).is_on else "off"
    return [f"Allow Provisioning: {switch}.", f"Lock: {_lock_state(place.lock, scene)}."]


def _lock_state(lock: Lock | None, scene: wording.Scene) -> str:
    if lock is None:
        return "none installed"
    if lock.gateway is not None and not lock.gateway.is_online:
        return f"gateway offline since {wording.clock(lock.gateway.offline_since, scene)}"
    return (
        "online" if lock.is_online else f"offline since {wording.clock(lock.offline_since, scene)}"
    )
