"""What Seam's book says of access codes: which are on the lock, which are under way, and what stands against them.

The vendor's ``status`` is deprecated: pending mutations and errors decide (SDK 3.18, ``resources/access_code.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from locks.drivers import (
    Cause,
    Found,
    Grant,
    Held,
    Kind,
    LockError,
    Observation,
    Place,
    Problem,
    Retry,
)
from locks.drivers.seam_calls import ERRORS, said_of

Doc = Mapping[str, Any]
# The lock refused what it was asked for; everything else in ``errors`` is about the way to it.
SET_ERRORS = {
    "failed_to_set_on_device",
    "failed_to_issue",
    "duplicate_code_on_device",
    "no_space_for_access_code_on_device",
    "code_constraints_violated",
    "access_code_inactive",
}
KEPT_ERRORS = {"failed_to_update", "failed_to_remove_from_device", "failed_to_delete"}
# github.com/seamapi/docs, docs/guides/low-level-apis/smart-locks/access-codes/README.md
NATIVE = (
    "two_n",
    "2n",
    "august",
    "igloohome",
    "igloo",
    "kwikset",
    "nuki",
    "salto",
    "schlage",
    "tedee",
    "ttlock",
    "yale",
    "wyze",
)
CHOSEN_BY_LOCK = "cannot_specify_pin_code"
NO_MOMENTS = (None, None)


def moment(text: object) -> datetime | None:
    """A time of the vendor's. Raises ValueError for what is none."""
    if text is None:
        return None
    found = datetime.fromisoformat(str(text))
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def mutations(doc: Doc) -> dict[str, Doc]:
    """What the vendor is about to do with a code, by its name."""
    return {str(each["mutation_code"]): each for each in doc.get("pending_mutations") or ()}


def is_leaving(doc: Doc) -> bool:
    """Whether the code is being removed."""
    return "deleting" in mutations(doc) or doc.get("status") == "removing"


def is_as_wanted(doc: Doc, grant: Grant) -> bool:
    """Whether the book already declares exactly this, and nothing has gone wrong with it."""
    window = (moment(doc.get("starts_at")), moment(doc.get("ends_at")))
    same = doc.get("code") == grant.secret and window == (grant.starts_at, grant.ends_at)
    return same and not _own_errors(doc) and not is_leaving(doc)


def _own_errors(doc: Doc) -> list[Doc]:
    found = doc.get("errors") or ()
    return [each for each in found if each.get("error_code") in SET_ERRORS | KEPT_ERRORS]


def observation(
    managed: Sequence[Doc], unmanaged: Sequence[Doc], places: Sequence[Place]
) -> Observation:
    """The book of one lock. Raises KeyError, TypeError or ValueError for what is not the vendor's."""
    held: list[Held] = []
    unsure: list[Place] = []
    problems: list[Problem] = []
    for doc in managed:
        place = Place(
            handle=str(doc.get("name") or ""),
            kind=Kind.DOOR_CODE,
            address=str(doc["access_code_id"]),
        )
        there, open_question, problem = judge(doc)
        if there is not None:
            held.append(there)
        if open_question:
            unsure.append(place)
        if problem is not None:
            problems.append(Problem(place=place, error=problem))
    held += [_foreign(doc) for doc in unmanaged]
    return _only(
        Observation(held=tuple(held), unsure=tuple(unsure), problems=tuple(problems)), places
    )


def judge(doc: Doc) -> tuple[Held | None, bool, LockError | None]:
    """One entry of the book: what is certainly on the lock, whether that is open, and what went wrong."""
    pending = mutations(doc)
    own = _own_errors(doc)
    problem = _problem(doc, own) if own or pending else None
    refused = {each["error_code"] for each in own} & SET_ERRORS
    if refused:
        return _before(doc, pending), False, problem
    if own:
        return _before(doc, pending) or _held(doc), False, problem
    is_open = bool(pending) or is_leaving(doc) or not _is_settled(doc)
    if is_open:
        return None, True, problem
    return _held(doc), False, None


def _problem(doc: Doc, own: list[Doc]) -> LockError | None:
    told = own or [each for each in doc.get("errors") or () if each.get("error_code") in ERRORS]
    return said_of(told[0], hidden=str(doc.get("code") or "")) if told else None


def _is_settled(doc: Doc) -> bool:
    """Whether the code is on the lock, where nothing is pending. Older answers have only the deprecated status."""
    if any(each.get("error_code") == "conflicting_external_modification" for each in doc["errors"]):
        return False
    if "pending_mutations" in doc:
        return True
    return doc.get("status") == "set" or doc.get("is_scheduled_on_device") is True


def _held(doc: Doc) -> Held:
    return Held(
        address=str(doc["access_code_id"]),
        handle=str(doc.get("name") or ""),
        kind=Kind.DOOR_CODE,
        secret=str(doc["code"]) if doc.get("code") else None,
        starts_at=moment(doc.get("starts_at")),
        ends_at=moment(doc.get("ends_at")),
    )


def _before(doc: Doc, pending: Mapping[str, Doc]) -> Held | None:
    """What the lock holds as long as it refuses a change: what was there before, if anything was."""
    change = pending.get("updating_code") or {}
    frame = pending.get("updating_time_frame") or {}
    if not change and not frame:
        return None
    is_new = _held(doc)
    code = (change.get("from") or {}).get("code", is_new.secret)
    window = frame.get("from") or {}
    return Held(
        address=is_new.address,
        handle=is_new.handle,
        kind=is_new.kind,
        secret=code,
        starts_at=moment(window.get("starts_at")) if window else is_new.starts_at,
        ends_at=moment(window.get("ends_at")) if window else is_new.ends_at,
    )


def _foreign(doc: Doc) -> Held:
    """A code that nobody stored by this account: it has a place and no handle of ours."""
    return Held(
        address=str(doc["access_code_id"]),
        handle="",
        kind=Kind.DOOR_CODE,
        secret=str(doc["code"]) if doc.get("code") else None,
        starts_at=moment(doc.get("starts_at")),
        ends_at=moment(doc.get("ends_at")),
    )


def _only(seen: Observation, places: Sequence[Place]) -> Observation:
    """What was found at some places; all of it if none are named."""
    if not places:
        return seen
    handles = {each.handle for each in places if each.handle}
    addresses = {each.address for each in places if each.address}

    def wanted(each: Held | Place) -> bool:
        return each.handle in handles or each.address in addresses

    return Observation(
        held=tuple(each for each in seen.held or () if wanted(each)),
        unsure=tuple(each for each in seen.unsure if wanted(each)),
        problems=tuple(each for each in seen.problems if wanted(each.place)),
    )


def unreachable(doc: Doc) -> LockError | None:
    """What keeps a device from being reached, if anything does."""
    told = [said_of(each) for each in doc.get("errors") or () if each.get("error_code") in ERRORS]
    bad = [each for each in told if each.retry in {Retry.WHEN_ONLINE, Retry.NEVER}]
    return bad[0] if bad else None


def has_hub_trouble(doc: Doc) -> bool:
    """Whether the box between the cloud and the lock is cut off."""
    told = [said_of(each) for each in doc.get("errors") or ()]
    return any(each.cause is Cause.GATEWAY_UNREACHABLE for each in told)


def battery(doc: Doc) -> int | None:
    """The charge of a device in percent, if it says."""
    properties = doc["properties"]
    level = (properties.get("battery") or {}).get("level", properties.get("battery_level"))
    return None if level is None else round(float(level) * 100)


def found(doc: Doc) -> Found | None:
    """A device that takes access codes, with what it demands of them; none for any other device."""
    can = doc.get("can_program_online_access_codes")
    if not (can or "access_code" in (doc.get("capabilities_supported") or ())):
        return None
    properties = doc["properties"]
    lengths = [int(each) for each in properties.get("supported_code_lengths") or (4, 5, 6, 7, 8)]
    rules = [str(each["constraint_type"]) for each in properties.get("code_constraints") or ()]
    brand = str(doc.get("device_type") or properties.get("manufacturer") or "")
    model = properties.get("model") or {}
    # Codes that the lock draws itself cannot be ours, which open several doors.
    takes = () if CHOSEN_BY_LOCK in rules else (Kind.DOOR_CODE,)
    return Found(
        external_id=str(doc["device_id"]),
        name=str(doc.get("display_name") or properties.get("name") or doc["device_id"]),
        model=str(model.get("display_name") or ""),
        kinds=takes,
        native_window=brand.lower().startswith(NATIVE),
        code_min=min(lengths),
        code_max=max(lengths),
        max_codes=int(properties.get("max_active_codes_supported") or 250),
        code_rules=tuple(rules),
    )
