"""Answers for people: what each door of a key is, and every reason why a credential is not on its lock, in words.

The rule decides and ``wording`` speaks; this file only brings them the facts, with a constant number of queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from keys import wording
from keys.facts import COLUMNS, Answer, Row, answer
from keys.models import Assignment, Credential, Key, KeychainDoor
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
from locks.models import Door, Episode, Lock

PROOFS = {
    "asked": "asked",
    "accepted": "accepted by the lock system",
    "acknowledged": "acknowledged by the lock",
    "read_back": "read back from the lock",
    "used": "used at the door",
}
KINDS = {"door_code": "Door Code", "smartkey": "SmartKey", "keycard": "Keycard"}
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
    """One door of a key. ``removing`` says that something is still to come off its lock."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAnswer:
    """One key. ``is_active`` means in its window and confirmed on all its doors; ``switch`` is on, off or mixed."""

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
    """Everything about one key."""
    return explain_keys(keys=[key], now=now)[key.pk]


def explain_keys(*, keys: Sequence[Key], now: datetime) -> dict[int, KeyAnswer]:
    """Everything about these keys, with the same number of queries for one as for fifty."""
    ids = [key.pk for key in keys]
    doors = KeychainDoor.objects.filter(key_id__in=ids).select_related(
        "door__lock__gateway", "door__lock__account", "outage"
    )
    places = Assignment.objects.filter(key_id__in=ids).select_related("credential__person__guest")
    rows = {
        values[0]: Row._make(values)
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
    pending = [door for door in live if door.is_pending]
    confirmed = bool(live) and all(
        place.on_lock is OnLock.CURRENT for door in live for place in door.places
    )
    switches = {door.switch_on for door in live}
    first = min(pending, key=lambda door: _urgency(door.waits), default=None)
    removing = next((door for door in told if door.removing), None)
    shown = first or removing
    return KeyAnswer(
        key=key,
        state=state,
        is_active=state == "Current" and confirmed and not pending,
        is_pending=bool(pending),
        waits=first.waits if first else Waits.NOTHING,
        headline=shown.headline if shown else "",
        switch="mixed" if len(switches) > 1 else ("on" if True in switches else "off"),
        doors=told,
        notices=_notices(key, live, now),
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
    return DoorAnswer(
        keychain_door=door,
        door=door.door,
        lock=getattr(door.door, "lock", None),
        switch_on=permission.is_on,
        before_check_in=permission is Permission.ALLOWED_BEFORE_CHECK_IN,
        is_pending=any(place.is_pending for place in told),
        waits=first.waits if first else Waits.NOTHING,
        headline=first.headline if first else "",
        reasons=_merged(waiting),
        places=told,
        window=(door.starts_at or key.starts_at, door.ends_at or key.ends_at),
        removing=any(
            hold in {Hold.STILL_ON_LOCK, Hold.REMOVAL_PENDING}
            for place in told
            for hold in (reason.hold for reason in place.reasons)
        ),
    )


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
    opens_at = row.starts_at - timedelta(minutes=row.lead_minutes)
    offline = gateway if told.facts.reach is Reach.GATEWAY_OFFLINE else lock
    unreachable = told.facts.reach in {Reach.GATEWAY_OFFLINE, Reach.LOCK_OFFLINE}
    return wording.Scene(
        now=now,
        zone=zone(key.property.timezone),
        door=door.door.name,
        pms=stay.integration.adapter.title() if stay else "the PMS",
        check_in=CHECK_INS[key.property.check_in_rule],
        opens_at=opens_at,
        ends_at=row.ends_at,
        retry_at=row.lock_next_try_at if unreachable else row.retry_at,
        lead_minutes=row.lead_minutes,
        offline_since=offline.offline_since if offline else None,
        last_word_at=stay.integration.last_word_at if stay else None,
        problem=row.problem,
        account=lock.account.name if lock else "The lock account",
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
    if key.starts_by_staff and key.pms_starts_at not in {None, key.starts_at}:
        notices.append(_conflict("arrival", key.pms_starts_at, tz))
    if key.ends_by_staff and key.pms_ends_at not in {None, key.ends_at}:
        notices.append(_conflict("departure", key.pms_ends_at, tz))
    notices += _notes(live)
    return notices


def _conflict(what: str, moment: datetime | None, tz: object) -> str:
    local = moment.astimezone(tz) if moment else None  # type: ignore[arg-type]
    said = f"{local:%H:%M} on {local.day} {local:%b}" if local else "nothing"
    return f"Staff set the {what}; the PMS says {said}."


def _notes(live: list[DoorAnswer]) -> list[str]:
    notes = {
        place.credential.note for door in live for place in door.places if place.credential.note
    }
    return sorted(notes)


def door_episode_checks(*, episode: Episode, now: datetime) -> list[str]:
    """The two checks that 4117 asks for, made now: "Allow Provisioning: on." and "Lock: offline since 21:02."."""
    place = (
        Assignment.objects.filter(pk=episode.assignment_id)
        .select_related("keychain_door", "lock__gateway", "property")
        .first()
    )
    if place is None:
        return []
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
