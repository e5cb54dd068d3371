"""Cloudbeds' answers in Portal's words: what a reply means, and stays, rooms and subscriptions out of their rows.

Pure: JSON in, facts out. Unknown fields and words never fail an answer; a row that cannot be understood is counted.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from pms.adapters import (
    CallRefused,
    Companion,
    ConnectionBroken,
    Ended,
    NotUnderstood,
    Page,
    PMSError,
    RoomFacts,
    Stay,
    StayState,
    TokenExpired,
)
from pms.adapters.wire import later

NOT_ONLINE = {"0", "no", "false"}
BROKEN_TEXTS: Mapping[str, str] = {
    "is not active anymore": "the person who approved the connection is no longer active in Cloudbeds",
    "invalid status": "the property is no longer active in Cloudbeds",
}
REFUSED_TEXTS: Mapping[str, str] = {
    "match the access_token": "this sign-in is for another property: reconnect as this one",
    "was not granted": "it lacks a permission that Portal needs: reconnect and grant it",
}
"""Fragments of https://developers.cloudbeds.com/docs/common-api-errors-in-progress : a broken connection, and faults of
the set-up that do not end by waiting."""
ID = re.compile(r"[A-Za-z0-9_-]{1,60}")
ROOM_STATES: Mapping[str, StayState] = {
    "not_checked_in": StayState.EXPECTED,
    "in_house": StayState.IN_HOUSE,
    "checked_out": StayState.DEPARTED,
    "cancelled": StayState.CANCELLED,
    "canceled": StayState.CANCELLED,
}
BOOKING_STATES: Mapping[str, StayState] = {
    "in_progress": StayState.TENTATIVE,
    "not_confirmed": StayState.TENTATIVE,
    "canceled": StayState.CANCELLED,
    "cancelled": StayState.CANCELLED,
    "no_show": StayState.NO_SHOW,
    "confirmed": StayState.EXPECTED,
    "checked_in": StayState.IN_HOUSE,
    "checked_out": StayState.DEPARTED,
}
ENDS_A_BOOKING = {StayState.CANCELLED, StayState.NO_SHOW, StayState.DELETED, StayState.DEPARTED}
DECIDED_BY_BOOKING = {StayState.TENTATIVE, StayState.CANCELLED, StayState.NO_SHOW}


def json_body(response: httpx2.Response) -> dict[str, Any]:
    """The answer's object. Raises NotUnderstood."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        raise NotUnderstood("Cloudbeds answered with something that is not JSON.") from None
    if not isinstance(body, dict):
        raise NotUnderstood("Cloudbeds answered with an unexpected form.")
    return body


def judged(response: httpx2.Response) -> dict[str, Any]:
    """Classify before counting: authentication, refusal, overload and fault are different things."""
    status = response.status_code
    if status == 401:
        raise TokenExpired("Cloudbeds no longer accepts Portal’s access")
    if status in {408, 429} or status >= 500:
        raise later("Cloudbeds", response)
    if status >= 400:
        raise CallRefused(f"Cloudbeds refused the call ({status}).")
    if status >= 300:
        raise NotUnderstood(f"Cloudbeds answered with {status}.")
    body = json_body(response)
    success = str(body.get("success")).lower()
    if success == "false":
        raise _no(str(body.get("message") or "").lower())
    if success != "true":
        raise NotUnderstood("Cloudbeds answered without saying whether it succeeded.")
    body["_clock_offset_s"] = _offset(response.headers.get("Date", ""))
    return body


def _no(said: str) -> PMSError:
    """What ``success: false`` means; a text that nobody knows refuses this one call only."""
    for fragment, cause in BROKEN_TEXTS.items():
        if fragment in said:
            return ConnectionBroken(f"Cloudbeds says that {cause}")
    for fragment, cause in REFUSED_TEXTS.items():
        if fragment in said:
            return CallRefused(f"Cloudbeds says that {cause}")
    return CallRefused("Cloudbeds refused the call.")


def _offset(header: str) -> float:
    try:
        theirs = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return 0.0
    ours = datetime.now(UTC)  # noqa: TID251 - compares two wall clocks
    return (theirs - ours).total_seconds() + 0.5


def rows_of(value: Any) -> list[Any]:
    """A list, also where PHP writes a map, and nothing where it writes nothing."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def digest(value: Any) -> str:
    """The same for the same content, in whatever order it came."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def is_plain(text: str, form: re.Pattern[str]) -> bool:
    """Whether all of a text has this form."""
    return form.fullmatch(text) is not None


def id_of(low: Mapping[str, Any], name: str) -> str:
    """The ``_str`` twin where there is one: numbers may exceed what JSON readers keep exact."""
    text = str(low.get(f"{name}_str") or low.get(name) or "")
    return text if is_plain(text, ID) else ""


def whole(value: Any) -> int:
    """A number that may come as text; 0 when it is none."""
    text = str(value if value is not None else 0)
    return int(text) if text.isdigit() and len(text) < 10 else 0


def records(rows: Sequence[Mapping[str, Any]]) -> int:
    """How many records a page has; rooms come grouped by property."""
    return sum(len(rows_of(row["rooms"])) if is_group(row) else 1 for row in rows)


def is_group(row: Mapping[str, Any]) -> bool:
    """Whether a row is a property with its rooms, not a room."""
    return "rooms" in row and "reservationID" not in row


def text(row: Mapping[str, Any], name: str) -> str:
    """A field as text; empty where the vendor has nothing to say."""
    value = row.get(name)
    return "" if value is None or value == "N/A" else str(value)


def stamp(moment: datetime) -> str:
    """The space form; the live API is reported to refuse ISO with T and Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def time_of(value: Any) -> time | None:
    """A time of day, or none."""
    try:
        return time.fromisoformat(str(value))
    except ValueError:
        return None


def _date(value: Any) -> date:
    return date.fromisoformat(str(value)[:10])


def _utc(value: Any) -> datetime | None:
    """A moment whose name ends in UTC; the vendor writes several things for none."""
    text = str(value or "")
    if not text or text.startswith("0000") or text == "N/A":
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "T"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def room(row: Mapping[str, Any]) -> RoomFacts:
    """One room of the list. Raises KeyError without an id."""
    linked = row.get("linkedRoomIDs")
    return RoomFacts(
        external_id=str(row["roomID"]),
        name=text(row, "roomName"),
        parent_name=text(row, "dormRoomName"),
        is_virtual=str(row.get("isVirtual")).lower() in {"true", "1"},
        linked_ids=tuple(str(each) for each in rows_of(linked)),
    )


def subscription(row: Any) -> tuple[str, str]:
    """The event and the address of one subscription, in whichever of the two forms it comes."""
    if not isinstance(row, dict):
        return "", ""
    event = row.get("event")
    data = row.get("subscriptionData")
    data = data if isinstance(data, dict) else {}
    address = row.get("endpoint") or row.get("url") or data.get("endpoint") or data.get("url") or ""
    if isinstance(event, dict):
        return f"{event.get('entity', '')}/{event.get('action', '')}", str(address)
    return str(event or ""), str(address)


def page(rows: Sequence[Mapping[str, Any]], online_field: str) -> Page:
    """Record by record: one that cannot be read keeps no other from being read."""
    stays: list[Stay] = []
    ended: list[Ended] = []
    failed = 0
    for row in rows:
        try:
            found = _stays(row, online_field)
            ended += [] if found else _ended(row)
        except (KeyError, ValueError, TypeError, AttributeError):
            failed += 1
            continue
        stays += found
    return Page(stays=tuple(stays), ended=tuple(ended), not_understood=failed)


def _ended(row: Mapping[str, Any]) -> list[Ended]:
    """A booking that ended as a whole may come without its rooms."""
    state = BOOKING_STATES.get(text(row, "status"), StayState.UNKNOWN)
    state = StayState.DELETED if row.get("isDeleted") is True else state
    if state not in ENDS_A_BOOKING:
        return []
    updated_at = _utc(row.get("dateModifiedUTC"))
    return [Ended(booking_ref=str(row["reservationID"]), state=state, updated_at=updated_at)]


def _stays(row: Mapping[str, Any], online_field: str) -> list[Stay]:
    """One booking as its stays: a line per room, with the room's own status and dates."""
    booking = str(row["reservationID"])
    status = BOOKING_STATES.get(text(row, "status"), StayState.UNKNOWN)
    deleted = row.get("isDeleted") is True
    guests = {
        str(guest.get("guestID", "")): guest
        for guest in rows_of(row.get("guestList"))
        if isinstance(guest, dict)
    }
    online = _checked_in_online(row, online_field)
    stays: list[Stay] = []
    for line in rows_of(row.get("rooms")):
        state = _state(status, text(line, "roomStatus"), deleted=deleted)
        sub = text(line, "subReservationID") or booking
        main = str(line.get("guestID") or row.get("guestID") or "")
        guest = guests.get(main, {})
        first_last = f"{text(guest, 'guestFirstName')} {text(guest, 'guestLastName')}".strip()
        stays.append(
            Stay(
                external_id=sub,
                booking_ref=booking,
                number=booking,
                state=state,
                checked_in=state is StayState.IN_HOUSE,
                checked_in_online=online,
                arrival_on=_date(line.get("roomCheckIn") or row["reservationCheckIn"]),
                departure_on=_date(line.get("roomCheckOut") or row["reservationCheckOut"]),
                room_ref=text(line, "roomID"),
                room_name=text(line, "roomName"),
                guest_ref=main,
                guest_name=text(line, "guestName") or first_last or text(row, "guestName"),
                guest_email=text(guest, "guestEmail"),
                guest_phone=text(guest, "guestCellPhone") or text(guest, "guestPhone"),
                companions=_companions(guests, sub, main),
                created_at=_utc(row.get("dateCreatedUTC")),
                updated_at=_utc(row.get("dateModifiedUTC")),
            )
        )
    return stays


def _companions(
    guests: Mapping[str, Mapping[str, Any]], sub: str, main: str
) -> tuple[Companion, ...]:
    return tuple(
        Companion(
            ref=ref,
            name=f"{text(guest, 'guestFirstName')} {text(guest, 'guestLastName')}".strip(),
        )
        for ref, guest in sorted(guests.items())
        if ref and ref != main and text(guest, "subReservationID") == sub
    )


def _state(booking: StayState, room_status: str, *, deleted: bool) -> StayState:
    """The room's status counts; the booking's only where it decides for all rooms."""
    if deleted:
        return StayState.DELETED
    if booking in DECIDED_BY_BOOKING or booking is StayState.UNKNOWN:
        return booking
    if room_status:
        return ROOM_STATES.get(room_status, StayState.UNKNOWN)
    return booking


def _checked_in_online(row: Mapping[str, Any], online_field: str) -> bool:
    """The vendor has no sign of online check-in: a custom field agreed with the property, filled in, is it."""
    wanted = online_field.strip().lower()
    if not wanted:
        return False
    said = (
        value.strip().lower() for value in _fields_named(row, {wanted, wanted.replace("_", " ")})
    )
    return any(value and value not in NOT_ONLINE for value in said)


def custom_field(row: Mapping[str, Any], shortcode: str) -> str:
    """What a reservation's custom field says; empty where it has none."""
    return next(_fields_named(row, {shortcode}), "")


def _fields_named(row: Mapping[str, Any], wanted: set[str]) -> Iterator[str]:
    """The fields are called now by their shortcode, now by their name."""
    for entry in rows_of(row.get("customFields")):
        if not isinstance(entry, dict):
            continue
        keys = ("customFieldShortcode", "shortcode", "customFieldName")
        if wanted & {text(entry, key).lower() for key in keys}:
            yield text(entry, "customFieldValue")
