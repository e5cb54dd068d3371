"""MEWS' answers in Portal's words: what a reply means, and stays, rooms and guests out of its rows.

Pure: JSON in, facts out. Null and unknown words are possible everywhere; a row that cannot be understood is counted.
https://docs.mews.com/connector-api
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, tzinfo
from typing import Any

import httpx2

from pms.adapters import CallRefused, Companion, NotUnderstood, Page, RoomFacts, Stay, StayState
from pms.adapters.wire import later

STATES: Mapping[str, StayState] = {
    "Inquired": StayState.TENTATIVE,
    "Enquired": StayState.TENTATIVE,
    "Requested": StayState.TENTATIVE,
    "Optional": StayState.TENTATIVE,
    "Confirmed": StayState.EXPECTED,
    "Started": StayState.IN_HOUSE,
    "Processed": StayState.DEPARTED,
    "Canceled": StayState.CANCELLED,
}
ASKED_STATES = (
    "Inquired",
    "Requested",
    "Optional",
    "Confirmed",
    "Started",
    "Processed",
    "Canceled",
)
"""Without a list the vendor does not say whether cancelled ones come. "Enquired" is of older operations, not asked for."""
ID = re.compile(r"[A-Za-z0-9-]{1,60}")
DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?"
)
LONGEST_CHAIN = 5


class Unauthorized(Exception):
    """401: the connection is broken, or only this operation is not permitted; the caller has to find out."""


def judged(response: httpx2.Response) -> dict[str, Any]:
    """The answer's object. Decided by status alone: the vendor's texts may change. Raises Unauthorized or a PMSError."""
    status = response.status_code
    if status == 401:
        raise Unauthorized
    if status in {408, 409, 429} or status >= 500:
        raise later("MEWS", response)
    if status >= 400:
        raise CallRefused(f"MEWS refused the call ({status}).")
    if status == 204:
        return {}
    if status >= 300:
        raise NotUnderstood(f"MEWS answered with {status}.")
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        raise NotUnderstood("MEWS answered with something that is not JSON.") from None
    if not isinstance(body, dict):
        raise NotUnderstood("MEWS answered with an unexpected form.")
    return body


def rows_of(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows of a list. Raises NotUnderstood when the list is missing: no list is not an empty one."""
    rows = body.get(name)
    if not isinstance(rows, list):
        raise NotUnderstood(f"MEWS answered without {name}.")
    return [row for row in rows if isinstance(row, dict)]


def text(row: Mapping[str, Any], name: str) -> str:
    """A field as text, empty for null."""
    value = row.get(name)
    return "" if value is None else str(value).strip()


def id_of(row: Mapping[str, Any], name: str) -> str:
    """An id, or nothing where something else stands."""
    value = row.get(name)
    return value if isinstance(value, str) and ID.fullmatch(value) else ""


def moment(value: Any) -> datetime | None:
    """A UTC moment, or none."""
    if not isinstance(value, str) or not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def stamp(at: datetime) -> str:
    """As the vendor writes moments."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def time_of_day(value: Any) -> time | None:
    """The time of day of an offset from midnight like ``P0M0DT15H0M0S``, or none."""
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    *_, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return time(hours % 24, minutes, seconds) if minutes < 60 and seconds < 60 else None


# Rooms --------------------------------------------------------------------------------------------


def rooms(rows: Sequence[Mapping[str, Any]]) -> list[RoomFacts]:
    """The active spaces. A bed names the room it stands in, at the top of its parents: the door is that one's."""
    by_id = {id_of(row, "Id"): row for row in rows if id_of(row, "Id")}
    return [
        RoomFacts(external_id=ref, name=text(row, "Name"), parent_name=_top(row, by_id))
        for ref, row in by_id.items()
        if row.get("IsActive") is not False and _is_space(row)
    ]


def _is_space(row: Mapping[str, Any]) -> bool:
    data = row.get("Data")
    kind = data.get("Discriminator") if isinstance(data, dict) else None
    return kind in {None, "Space"}


def _top(row: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> str:
    name = ""
    for _ in range(LONGEST_CHAIN):
        parent = by_id.get(id_of(row, "ParentResourceId"))
        if parent is None:
            break
        row, name = parent, text(parent, "Name")
    return name


# Guests -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Guests:
    """Who belongs to some reservations: customers by id, and companions by reservation or, whole, by group."""

    customers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    companionships: Sequence[Mapping[str, Any]] = ()

    def customer(self, ref: str) -> Mapping[str, Any]:
        """The profile, or the one that it was merged into; nothing of one that cannot be read."""
        for _ in range(LONGEST_CHAIN):
            found = self.customers.get(ref)
            target = id_of(found, "MergeTargetId") if found else ""
            if target in {"", ref} or target not in self.customers:
                return found or {}
            ref = target
        return {}

    def of(self, reservation: Mapping[str, Any]) -> list[str]:
        """The owner first, if a person, then the others; each once, merged ones by their present profile."""
        own, group = id_of(reservation, "Id"), id_of(reservation, "GroupId")
        refs = [id_of(reservation, "AccountId")] if is_person(reservation) else []
        for row in self.companionships:
            whole_group = not row.get("ReservationId") and id_of(row, "ReservationGroupId") == group
            if whole_group or id_of(row, "ReservationId") == own:
                refs.append(id_of(row, "CustomerId"))
        return list(dict.fromkeys(self._present(ref) for ref in refs if ref))

    def _present(self, ref: str) -> str:
        return id_of(self.customer(ref), "Id") or ref


def is_person(reservation: Mapping[str, Any]) -> bool:
    """Whether the reservation's account is a guest, not a company."""
    return text(reservation, "AccountType") != "Company"


def merge_targets(customers: Iterable[Mapping[str, Any]]) -> set[str]:
    """The profiles that these were merged into."""
    return {target for row in customers if (target := id_of(row, "MergeTargetId"))}


def name_of(customer: Mapping[str, Any]) -> str:
    """First and last name, where there is one."""
    return " ".join(part for n in ("FirstName", "LastName") if (part := text(customer, n)))


# Stays --------------------------------------------------------------------------------------------


def page(
    rows: Sequence[Mapping[str, Any]], guests: Guests | None, zone: tzinfo, *, only: set[str] | None
) -> Page:
    """The stays of some reservations; ``guests`` is none when they could not be read."""
    found, not_understood = [], 0
    for row in rows:
        if only is not None and id_of(row, "Id") not in only:
            continue
        try:
            found.append(stay(row, guests, zone))
        except (KeyError, ValueError, TypeError):
            not_understood += 1
    return Page(stays=tuple(found), not_understood=not_understood)


def stay(row: Mapping[str, Any], guests: Guests | None, zone: tzinfo) -> Stay:
    """One reservation. Raises ValueError without an id or its dates."""
    ref = id_of(row, "Id")
    start, end = _span(row)
    if not ref or start is None or end is None:
        raise ValueError("a reservation has an id, a start and an end")
    state = state_of(row)
    people = guests.of(row) if guests else []
    owner = guests.customer(people[0]) if guests and people else {}
    others = people[1:]
    timed = not (_is_midnight(start, zone) and _is_midnight(end, zone))
    return Stay(
        external_id=ref,
        booking_ref=id_of(row, "GroupId") or ref,
        number=text(row, "Number") or ref,
        state=state,
        checked_in=state is StayState.IN_HOUSE,
        checked_in_online=online_check_in_done(row),
        arrival_on=start.astimezone(zone).date(),
        departure_on=end.astimezone(zone).date(),
        arrival_at=start if timed else None,
        departure_at=end if timed else None,
        room_ref=id_of(row, "AssignedResourceId"),
        guest_ref=people[0] if people else "",
        guest_name=name_of(owner),
        guest_email=text(owner, "Email"),
        guest_phone=text(owner, "Phone"),
        companions=tuple(
            Companion(ref=other, name=name_of(guests.customer(other)) if guests else "")
            for other in others
        ),
        guests_known=guests is not None,
        created_at=moment(row.get("CreatedUtc")),
        updated_at=moment(row.get("UpdatedUtc")),
    )


def _span(row: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """The planned stay. ``StartUtc`` and ``EndUtc`` are the deprecated names."""
    start = moment(row.get("ScheduledStartUtc")) or moment(row.get("StartUtc"))
    end = moment(row.get("ScheduledEndUtc")) or moment(row.get("EndUtc"))
    return start, end


def _is_midnight(at: datetime, zone: tzinfo) -> bool:
    """MEWS tells a date alone as midnight of the property: a stay from midnight to midnight has no times of day."""
    return at.astimezone(zone).time() == time.min


def state_of(row: Mapping[str, Any]) -> StayState:
    """The state in Portal's words; a word that nobody knows yet is UNKNOWN."""
    state = STATES.get(text(row, "State"), StayState.UNKNOWN)
    if state is StayState.CANCELLED and text(row, "CancellationReason") == "NoShow":
        return StayState.NO_SHOW
    return state


def online_check_in_done(row: Mapping[str, Any]) -> bool:
    """Whether the owner checked in online. The vendor does not say in so many words that this flag is set by the guest
    portal's check-in; it is our reading of the schema, kept in this one place."""
    options = row.get("Options")
    flag = options.get("OwnerCheckedIn") if isinstance(options, dict) else None
    return flag is True and text(row, "State") in {"Confirmed", "Started"}
