"""MEWS Connector API (https://docs.mews.com/connector-api): the calls Portal needs, read tolerantly.

Every call is a POST with three credentials in its body. A 401 may mean a broken connection or only an operation that is
not permitted: the cheapest call tells which. Pages come newest first and are walked by a cursor.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pms.adapters import (
    App,
    CallRefused,
    ConnectionBroken,
    EventHint,
    Limit,
    Link,
    LiveChannel,
    NotUnderstood,
    Page,
    PMSError,
    PropertyFacts,
    Reconnect,
    RoomFacts,
    StayCode,
    Subject,
    Subscriptions,
    Tokens,
    mews_codes,
    mews_live,
)
from pms.adapters import mews_answers as answers
from pms.adapters.mews_answers import Guests, Unauthorized
from pms.adapters.wire import Wire

API = "/api/connector/v1"
RESERVATIONS = "reservations/getAll/2023-06-06"
PROBE = "configuration/get"
PAGE = 500
IDS_A_CALL = 1000
CALLS, PER_S, AHEAD, AHEAD_FOR_PEOPLE = 180, 30.0, 5, 20
"""200 calls per access token in a sliding window of 30 seconds, best effort:
https://docs.mews.com/connector-api/guidelines/requests"""
LONGEST_INTERVAL = timedelta(days=85)
OVERLAP = timedelta(minutes=10)
HORIZON = timedelta(days=400)
BROKEN = "MEWS no longer accepts Portal’s access token"
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,200}")
EVENT_NAME = re.compile(r"[A-Za-z]{1,60}")


class Mews:
    """The vendor, seen from Portal's client there: ``client_id`` is its name and version, ``client_secret`` the
    ClientToken."""

    title = "MEWS"
    reconnect = Reconnect.DISCONNECT_FIRST
    stamps_whole_seconds = True
    shared_hook = True

    def __init__(self, app: App) -> None:
        self.app = app
        calls = min(CALLS, app.calls_a_second * PER_S)
        limit = Limit(calls=calls, per_s=PER_S, ahead=AHEAD, ahead_for_people=AHEAD_FOR_PEOPLE)
        self.wire = Wire(self.title, app, limit)

    def read_token(self, typed: str) -> Tokens:
        """White space around it comes from copying."""
        token = typed.strip()
        if not TOKEN.fullmatch(token):
            raise CallRefused(
                "That is not an access token of MEWS: copy it whole, without spaces, from "
                "Marketplace > My subscriptions."
            )
        return Tokens(access=token)

    def open(self, link: Link) -> MewsHotel:
        """The property behind this token."""
        return MewsHotel(self.app, link, self.wire)

    @staticmethod
    def read_events(body: Mapping[str, Any]) -> Sequence[EventHint]:
        """General webhooks carry ``Events``, integration webhooks an ``Action``:
        https://docs.mews.com/connector-api/events"""
        if "Events" in body:
            return list(_general(body))
        return [_of_integration(body)]

    def live_channel(self, link: Link) -> LiveChannel:
        """The property's own, with both tokens."""
        return mews_live.channel(self.app, link)

    @staticmethod
    def read_live(body: Mapping[str, Any]) -> Sequence[EventHint]:
        """Only reservations are worth reading at once."""
        return mews_live.read(body)


def _general(body: Mapping[str, Any]) -> Iterator[EventHint]:
    """Neither id nor time tells a repeated event from a new one, so each counts; reading twice changes nothing."""
    owner, events = answers.id_of(body, "EnterpriseId"), body.get("Events")
    if not owner or not isinstance(events, list):
        raise NotUnderstood("This is not an event of MEWS.")
    for event in events:
        name = event.get("Discriminator") if isinstance(event, dict) else None
        if not isinstance(name, str) or not EVENT_NAME.fullmatch(name):
            raise NotUnderstood("This is not an event of MEWS.")
        value = event.get("Value")
        ref = answers.id_of(value, "Id") if isinstance(value, dict) else ""
        yield EventHint(
            key=f"{name}:{ref}:{uuid.uuid4().hex}",
            event=name,
            property_id=owner,
            connection_ref=answers.id_of(body, "IntegrationId"),
            subject=SUBJECTS.get(name, Subject.NOTHING) if ref else Subject.NOTHING,
            ref=ref,
        )


SUBJECTS: Mapping[str, Subject] = {
    "ServiceOrderUpdated": Subject.STAY,
    "CustomerAdded": Subject.GUEST,
    "CustomerUpdated": Subject.GUEST,
}


def _of_integration(body: Mapping[str, Any]) -> EventHint:
    action, data = body.get("Action"), body.get("Data")
    if (
        not isinstance(action, str)
        or not EVENT_NAME.fullmatch(action)
        or not isinstance(data, dict)
    ):
        raise NotUnderstood("This is not an event of MEWS.")
    integration, owner = data.get("Integration"), data.get("Enterprise")
    token = data.get("ApiKey") or data.get("AccessToken")
    return EventHint(
        key=f"{action}:{uuid.uuid4().hex}",
        event=action,
        property_id=answers.id_of(owner, "Id") if isinstance(owner, dict) else "",
        connection_ref=answers.id_of(integration, "Id") if isinstance(integration, dict) else "",
        subject=Subject.CONNECTION,
        token=token if isinstance(token, str) and TOKEN.fullmatch(token) else "",
    )


class MewsHotel:
    """One property through one access token."""

    def __init__(self, app: App, link: Link, wire: Wire) -> None:
        self.app = app
        self.link = link
        self.wire = wire
        self.base = (link.base_url or app.api_url).rstrip("/")

    # Calls ----------------------------------------------------------------------------------------

    def _call(self, operation: str, **body: Any) -> dict[str, Any]:
        """One call; on a 401 the probe decides whether all is lost or only this."""
        try:
            return self._once(operation, body)
        except Unauthorized:
            if operation != PROBE and self._gets_in():
                raise CallRefused(
                    f"MEWS does not permit Portal to use {operation}: ask MEWS to grant it."
                ) from None
            raise ConnectionBroken(BROKEN) from None

    def _gets_in(self) -> bool:
        try:
            self._once(PROBE, {})
        except Unauthorized:
            return False
        return True

    def _once(self, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        whole = {
            "ClientToken": self.app.client_secret,
            "AccessToken": self.link.tokens.access,
            "Client": self.app.client_id,
            **body,
        }
        address = f"{self.base}{API}/{operation}"
        token = self.link.tokens.access
        response = self.wire.send_patiently("POST", address, payer=token, json=whole)
        return answers.judged(response)

    def _walk(self, operation: str, name: str, **body: Any) -> Iterator[list[dict[str, Any]]]:
        """All pages, newest first. Ends without a cursor, at a short page, and at a cursor that comes again."""
        cursor, seen = None, set[str]()
        while True:
            answer = self._call(operation, Limitation={"Count": PAGE, "Cursor": cursor}, **body)
            rows = answers.rows_of(answer, name)
            yield rows
            cursor = answers.id_of(answer, "Cursor")
            if not cursor or len(rows) < PAGE or cursor in seen:
                return
            seen.add(cursor)

    def _all(self, operation: str, name: str, **body: Any) -> list[dict[str, Any]]:
        return [row for rows in self._walk(operation, name, **body) for row in rows]

    # What the property is -------------------------------------------------------------------------

    def properties(self) -> Sequence[PropertyFacts]:
        """The one enterprise of the token, or all of a portfolio's: the token itself does not tell which it is."""
        answer = self._call(PROBE)
        own, offset = answer.get("Enterprise"), _offset(answer.get("NowUtc"))
        if not isinstance(own, dict):
            raise NotUnderstood("MEWS answered without its property.")
        rows = [own]
        if own.get("IsPortfolio") is True:
            rows = self._all("enterprises/getAll", "Enterprises")
        return [
            PropertyFacts(
                external_id=answers.id_of(row, "Id"),
                name=answers.text(row, "Name"),
                timezone=answers.text(row, "TimeZoneIdentifier"),
                clock_offset_s=offset,
                connection_ref=_guessed_connection(self.link.tokens.access),
            )
            for row in rows
            if answers.id_of(row, "Id")
        ]

    def details(self, facts: PropertyFacts) -> PropertyFacts:
        """The same with the times of its first bookable service; a stay brings its own."""
        for row in self._all("services/getAll", "Services"):
            data = row.get("Data")
            if (
                isinstance(data, dict)
                and data.get("Discriminator") == "Bookable"
                and row.get("IsActive")
            ):
                times = data.get("Value") or {}
                return replace(
                    facts,
                    arrival_time=answers.time_of_day(times.get("StartOffset")),
                    departure_time=answers.time_of_day(times.get("EndOffset")),
                )
        return facts

    def address(self) -> str:
        """All properties are served at one address."""
        return ""

    def rooms(self) -> Sequence[RoomFacts]:
        """Rooms, and beds with the room they stand in."""
        extent = {"Resources": True, "Inactive": False}
        return answers.rooms(self._all("resources/getAll", "Resources", Extent=extent))

    # Stays ----------------------------------------------------------------------------------------

    def stays(self, refs: Sequence[str]) -> Iterator[Page]:
        """By id, a thousand a call."""
        for some in _some(refs):
            yield from self._reservations(only=set(some), ReservationIds=some)

    def bookings(self, refs: Sequence[str]) -> Iterator[Page]:
        """By the group that joins the rooms of one booking."""
        for some in _some(refs):
            yield from self._reservations(ReservationGroupIds=some)

    def bookings_of_guests(self, refs: Sequence[str]) -> Iterator[Page]:
        """Customers belong to the whole chain: only their stays here are looked for, as owner or as companion."""
        groups: set[str] = set()
        for some in _some(refs):
            yield from self._reservations(AccountIds=some)
            found = self._all(
                "companionships/getAll",
                "Companionships",
                CustomerIds=some,
                Extent={"Reservations": False, "ReservationGroups": False, "Customers": False},
            )
            groups |= {
                group for row in found if (group := answers.id_of(row, "ReservationGroupId"))
            }
        yield from self.bookings(sorted(groups))

    def changed(self, since: datetime, *, now: datetime) -> Iterator[Page]:
        """By time of change, in pieces that the vendor allows."""
        for interval in _pieces(since - OVERLAP, now + OVERLAP):
            yield from self._reservations(UpdatedUtc=interval)

    def current_and_coming(self, today: date) -> Iterator[Page]:
        """Every stay that touches the time from yesterday to the horizon: the net that trusts no time of change."""
        start = datetime.combine(today - timedelta(days=1), time(0), UTC)
        for interval in _pieces(start, start + HORIZON):
            yield from self._reservations(CollidingUtc=interval)

    def _reservations(self, *, only: set[str] | None = None, **wanted: Any) -> Iterator[Page]:
        states = list(answers.ASKED_STATES)
        zone = ZoneInfo(self.link.timezone)
        for rows in self._walk(RESERVATIONS, "Reservations", States=states, **wanted):
            yield answers.page(rows, self._guests_of(rows), zone, only=only)

    def _guests_of(self, rows: Sequence[Mapping[str, Any]]) -> Guests | None:
        """Who belongs to these; none when they cannot be read now: a missing name must not stop a key."""
        if not rows:
            return Guests()
        try:
            return self._read_guests(rows)
        except ConnectionBroken:
            raise
        except PMSError:
            return None

    def _read_guests(self, rows: Sequence[Mapping[str, Any]]) -> Guests:
        groups = sorted({group for row in rows if (group := answers.id_of(row, "GroupId"))})
        companionships: list[dict[str, Any]] = []
        for some in _some(groups):
            companionships += self._all(
                "companionships/getAll",
                "Companionships",
                ReservationGroupIds=some,
                Extent={"Reservations": False, "ReservationGroups": False, "Customers": False},
            )
        refs = {answers.id_of(row, "CustomerId") for row in companionships}
        refs |= {answers.id_of(row, "AccountId") for row in rows if answers.is_person(row)}
        customers: dict[str, Mapping[str, Any]] = {}
        while missing := sorted(refs - set(customers) - {""}):
            for some in _some(missing):
                extent = {"Customers": True, "Documents": False, "Addresses": False}
                found = self._all("customers/getAll", "Customers", CustomerIds=some, Extent=extent)
                customers |= {ref: {} for ref in some}
                customers |= {answers.id_of(row, "Id"): row for row in found}
                refs |= answers.merge_targets(found)
        return Guests(customers, companionships)

    # Door Codes -----------------------------------------------------------------------------------

    def write_codes(self, booking_ref: str, codes: Sequence[StayCode]) -> Mapping[str, str]:
        """Each reservation has tokens of its own; the booking does not matter."""
        owner = self.link.property_id
        return mews_codes.write(self._all, self._call, codes, property_id=owner)

    # Webhooks and leaving -------------------------------------------------------------------------

    def mend_webhooks(self, url: str, *, own_prefix: str) -> Subscriptions:
        """The vendor's support sets up webhooks; there is nothing to list or to subscribe."""
        return Subscriptions()

    def leave(self) -> None:
        """There is no call for it: the property disconnects Portal in its Marketplace."""


def _some(refs: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(refs), IDS_A_CALL):
        yield list(refs[start : start + IDS_A_CALL])


def _pieces(start: datetime, end: datetime) -> Iterator[dict[str, str]]:
    """Half-open intervals, which the vendor takes up to three months long."""
    while start < end:
        until = min(start + LONGEST_INTERVAL, end)
        yield {"StartUtc": answers.stamp(start), "EndUtc": answers.stamp(until)}
        start = until


def _offset(now_utc: Any) -> float:
    theirs = answers.moment(now_utc)
    if theirs is None:
        return 0.0
    return (theirs - datetime.now(UTC)).total_seconds()  # noqa: TID251 - compares two wall clocks


def _guessed_connection(token: str) -> str:
    """In all public examples the first half of a token is the id of its integration without dashes; a first guess until
    an event names it."""
    head = token.partition("-")[0].lower()
    try:
        return str(uuid.UUID(head)) if len(head) == 32 else ""
    except ValueError:
        return ""
