"""Cloudbeds PMS API v1.3 (https://developers.cloudbeds.com/reference): the calls Portal needs, read tolerantly.

Forms out, JSON in. ``success: false`` comes with HTTP 200 and may mean a broken connection; 401 means that the access
token was not taken; everything above and every time-out means later. Unknown fields and words never fail an answer.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
import time as clock
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import httpx2

from pms.adapters import (
    App,
    CallRefused,
    Companion,
    ConnectionBroken,
    Ended,
    EventHint,
    Link,
    NotUnderstood,
    Page,
    PMSError,
    PropertyFacts,
    Reconnect,
    RoomFacts,
    Stay,
    StayState,
    Subject,
    Subscriptions,
    TokenExpired,
    Tokens,
    TryLater,
)

API = "/api/v1.3"
PAGE = 100
IDS_A_CALL = 50
NOT_ONLINE = {"0", "no", "false"}
LONGEST_PATIENCE_S = 5.0
LARGEST_ANSWER = 32 * 1024 * 1024
OVERLAP = timedelta(hours=26)
"""``modifiedFrom`` may be read as property time or as UTC: the vendor does not say. Asking this much earlier is right under both."""

SCOPES = "read:reservation write:reservation read:guest read:room read:hotel read:customFields write:customFields"
EVENTS: tuple[str, ...] = (
    "reservation/created",
    "reservation/status_changed",
    "reservation/dates_changed",
    "reservation/accommodation_status_changed",
    "reservation/accommodation_type_changed",
    "reservation/accommodation_changed",
    "reservation/deleted",
    "reservation/custom_fields_changed",
    "guest/assigned",
    "guest/removed",
    "guest/details_changed",
    "guest/accommodation_changed",
    "integration/appstate_changed",
)
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

EVENT_NAME = re.compile(r"[A-Za-z_]{1,40}/[A-Za-z_]{1,39}")
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


class Cloudbeds:
    """The vendor, seen from an app that is registered there."""

    title = "Cloudbeds"
    reconnect = Reconnect.IN_PLACE
    stamps_whole_seconds = True

    def __init__(self, app: App) -> None:
        self.app = app
        self.wire = Wire(app)

    def authorize_url(self, *, state: str, redirect_uri: str) -> str:
        """https://developers.cloudbeds.com/docs/alternative-oauth-20-authentication-method"""
        asked = {
            "client_id": self.app.client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": SCOPES,
            "state": state,
        }
        return f"{self.app.sign_in_url}{API}/oauth?{urlencode(asked)}"

    def exchange(self, *, code: str, redirect_uri: str) -> Tokens:
        """The code lives ten minutes and works once."""
        return self._tokens(
            {"grant_type": "authorization_code", "redirect_uri": redirect_uri, "code": code},
            refused=CallRefused("Cloudbeds did not accept the sign-in: start it again."),
        )

    def refresh(self, tokens: Tokens) -> Tokens:
        """Every use gives a new refresh token; the old one must be taken for dead."""
        fresh = self._tokens(
            {"grant_type": "refresh_token", "refresh_token": tokens.refresh},
            refused=ConnectionBroken("Cloudbeds no longer accepts Portal’s access"),
        )
        return fresh if fresh.refresh else replace(fresh, refresh=tokens.refresh)

    def _tokens(self, form: dict[str, str], *, refused: Exception) -> Tokens:
        whole = {
            **form,
            "client_id": self.app.client_id,
            "client_secret": self.app.client_secret,
        }
        response = self.wire.send("POST", f"{self.app.api_url}{API}/access_token", data=whole)
        if response.status_code in {408, 429} or response.status_code >= 500:
            raise _later(response)
        body = _json(response)
        if body.get("error") == "invalid_client":
            raise CallRefused("Cloudbeds does not know Portal’s client id and secret.")
        if 400 <= response.status_code < 500:
            raise refused
        if not body.get("access_token"):
            raise NotUnderstood("Cloudbeds answered the sign-in without a token.")
        life = body.get("expires_in")
        return Tokens(
            access=str(body["access_token"]),
            refresh=str(body.get("refresh_token") or ""),
            lives_s=float(life) if isinstance(life, int | float) else None,
        )

    def open(self, link: Link) -> CloudbedsHotel:
        """The property behind these tokens."""
        return CloudbedsHotel(self.app, link, self.wire)

    @staticmethod
    def read_event(body: Mapping[str, Any]) -> EventHint:
        """https://developers.cloudbeds.com/docs/webhooks-1: the case of keys differs from event to event."""
        low = {str(key).lower(): value for key, value in body.items()}
        event, property_id = low.get("event"), _id(low, "propertyid")
        if not isinstance(event, str) or not _plain(event, EVENT_NAME) or not property_id:
            raise NotUnderstood("This is not an event of Cloudbeds.")
        subject, ref = _subject(event, low)
        parts = [ref, *(_id(low, name) for name in ("subreservationid", "roomid", "guestid"))]
        stamp = str(low.get("timestamp") or "") or _digest(body)
        key = ":".join([event, property_id, *parts, stamp])
        return EventHint(
            key=key if len(key) <= 200 and key.isprintable() else _digest(key),
            event=event,
            property_id=property_id,
            subject=subject,
            ref=ref,
        )


def _subject(event: str, low: Mapping[str, Any]) -> tuple[Subject, str]:
    """What to read again. Ids that do not look like ids are none: nothing of a webhook is believed."""
    if event.startswith("integration/"):
        return Subject.CONNECTION, ""
    if booking := _id(low, "reservationid"):
        return Subject.BOOKING, booking
    if guest := _id(low, "guestid"):
        return Subject.GUEST, guest
    return Subject.NOTHING, ""


class Wire:
    """Sends requests: one connection pool, no faster than the vendor allows, never longer than it may take.

    Partners get 10 calls a second for all properties together, and may be suspended above that:
    https://developers.cloudbeds.com/docs/faq"""

    def __init__(self, app: App) -> None:
        self._timeout_s = app.timeout_s
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None
        self._sent: deque[float] = deque(maxlen=app.calls_a_second)

    def send(self, verb: str, url: str, **options: Any) -> httpx2.Response:
        """One call. Raises TryLater when there was no whole answer in time."""
        self._wait_for_a_place()
        end = clock.monotonic() + 2 * self._timeout_s
        try:
            with self._opened().stream(verb, url, **options) as response:
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if clock.monotonic() > end or len(content) > LARGEST_ANSWER:
                        raise TryLater("Cloudbeds did not finish its answer.")
        except httpx2.TimeoutException:
            raise TryLater("Cloudbeds did not answer in time.") from None
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise TryLater("Cloudbeds cannot be reached.") from None
        headers = {"Date": response.headers.get("Date", "")}
        if wish := response.headers.get("Retry-After"):
            headers["Retry-After"] = wish
        return httpx2.Response(response.status_code, headers=headers, content=bytes(content))

    def _opened(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                self._client = httpx2.Client(timeout=self._timeout_s, follow_redirects=False)
            return self._client

    def _wait_for_a_place(self) -> None:
        with self._lock:
            if len(self._sent) == self._sent.maxlen:
                clock.sleep(max(0.0, self._sent[0] + 1.0 - clock.monotonic()))
            self._sent.append(clock.monotonic())


class CloudbedsHotel:
    """One property through one set of tokens."""

    def __init__(self, app: App, link: Link, wire: Wire) -> None:
        self.app = app
        self.link = link
        self.wire = wire
        self.base = (link.base_url or app.api_url).rstrip("/")

    # Calls ----------------------------------------------------------------------------------------

    def _call(
        self,
        verb: str,
        method: str,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.link.tokens.access}"}
        if self.link.property_id:
            headers["X-PROPERTY-ID"] = self.link.property_id
        for patience in (1.0, 2.0, None):
            response = self.wire.send(
                verb,
                f"{self.base}{API}/{method}",
                headers=headers,
                params=query or None,
                data=dict(form) if form is not None else None,
            )
            if response.status_code != 429 or patience is None:
                break
            wish = _retry_after(response)
            if wish is not None and wish > LONGEST_PATIENCE_S:
                break
            clock.sleep(wish if wish is not None else patience * random.uniform(0.5, 1.0))  # noqa: S311
        return _judged(response)

    def _walk(self, method: str, **query: str) -> Iterator[list[dict[str, Any]]]:
        """All pages. Stops at a short one and at one that brings nothing new.

        Raises NotUnderstood when fewer records came than the vendor said there are: half a list is no list.
        """
        seen: set[str] = set()
        count, total = 0, 0
        for number in range(1, 1000):
            body = self._call(
                "GET", method, {**query, "pageNumber": str(number), "pageSize": str(PAGE)}
            )
            if not isinstance(body.get("data"), list | dict):
                raise NotUnderstood("Cloudbeds answered a list without its records.")
            rows = [row for row in _list(body["data"]) if isinstance(row, dict)]
            new = {_digest(row) for row in rows} - seen
            seen |= new
            count += _records(rows)
            total = _whole(body.get("total"))
            yield rows
            if not new or count >= total:
                break
        if count < total:
            raise NotUnderstood(f"Cloudbeds answered with {count} of {total} records.")

    # What the property is -------------------------------------------------------------------------

    def properties(self) -> Sequence[PropertyFacts]:
        """All properties that the tokens open."""
        body = self._call("GET", "getHotels", {"pageSize": str(PAGE)})
        offset = body.get("_clock_offset_s", 0.0)
        return [
            PropertyFacts(
                external_id=str(row.get("propertyID", "")),
                name=str(row.get("propertyName", "")),
                timezone=str(row.get("propertyTimezone") or ""),
                clock_offset_s=float(offset),
            )
            for row in _list(body.get("data"))
            if isinstance(row, dict) and row.get("propertyID")
        ]

    def details(self, facts: PropertyFacts) -> PropertyFacts:
        """The same with the times of ``propertyPolicy``."""
        data = self._call("GET", "getHotelDetails", {"propertyID": facts.external_id}).get("data")
        policy = data.get("propertyPolicy") if isinstance(data, dict) else None
        policy = policy if isinstance(policy, dict) else {}
        return replace(
            facts,
            arrival_time=_time(policy.get("propertyCheckInTime")),
            departure_time=_time(policy.get("propertyCheckOutTime")),
        )

    def address(self) -> str:
        """The island that serves this property."""
        data = self._call("GET", "oauth/metadata").get("data")
        api = data.get("api") if isinstance(data, dict) else None
        return str(api.get("url") or "").rstrip("/") if isinstance(api, dict) else ""

    def rooms(self) -> Sequence[RoomFacts]:
        """Rooms come grouped by property; beds name their dorm."""
        found: dict[str, RoomFacts] = {}
        for page in self._walk("getRooms", includeRoomRelations="1"):
            for group in page:
                rows = _list(group.get("rooms")) if _is_group(group) else [group]
                for row in rows:
                    if isinstance(row, dict) and row.get("roomID"):
                        found[str(row["roomID"])] = _room(row)
        return list(found.values())

    # Stays ----------------------------------------------------------------------------------------

    def bookings(self, refs: Sequence[str]) -> Iterator[Page]:
        """By id, fifty a call. What was not asked for is left out: unknown filters are ignored by the vendor."""
        for start in range(0, len(refs), IDS_A_CALL):
            asked = refs[start : start + IDS_A_CALL]
            yield from self._detailed(only=set(asked), reservationID=",".join(asked))

    def bookings_of_guest(self, ref: str) -> Iterator[Page]:
        """``guestID`` includes additional guests."""
        yield from self._detailed(guestID=ref)

    def changed(self, since: datetime, *, now: datetime) -> Iterator[Page]:
        """By time of change, with a fixed upper bound so that records that change meanwhile do not move the pages."""
        yield from self._detailed(
            modifiedFrom=_stamp(since - OVERLAP), modifiedTo=_stamp(now + OVERLAP)
        )

    def current_and_coming(self, today: date) -> Iterator[Page]:
        """The safety net for changes that touch no time of change: every booking that ended yesterday or later."""
        yield from self._detailed(reservationCheckOutFrom=str(today - timedelta(days=1)))

    def _detailed(self, *, only: set[str] | None = None, **query: str) -> Iterator[Page]:
        asked = {
            "includeDeleted": "true",
            "includeGuestsDetails": "true",
            "includeCustomFields": "true",
        }
        for rows in self._walk("getReservationsWithRateDetails", **asked, **query):
            meant = [r for r in rows if only is None or _text(r, "reservationID") in only]
            yield _page(meant, self.link.online_check_in_field)

    # Webhooks and leaving -------------------------------------------------------------------------

    def mend_webhooks(self, url: str, *, own_prefix: str) -> Subscriptions:
        """Look before subscribing: doubled subscriptions double every event. The address is called url or endpoint."""
        there: set[str] = set()
        removed, added, refused = 0, 0, []
        for row in _list(self._call("GET", "getWebhooks").get("data")):
            event, address = _subscription(row)
            if address == url and event not in there:
                there.add(event)
            elif address.startswith(own_prefix):
                removed += self._unsubscribe(str(row.get("id") or ""))
        for event in EVENTS:
            if event not in there:
                done = self._subscribe(event, url)
                added += done
                refused += [] if done else [event]
        return Subscriptions(added=added, removed=removed, refused=tuple(refused))

    def _subscribe(self, event: str, url: str) -> bool:
        subject, _, action = event.partition("/")
        form = {"object": subject, "action": action, "endpointUrl": url}
        try:
            self._call("POST", "postWebhook", form=form)
        except CallRefused:
            return False
        return True

    def _unsubscribe(self, subscription_id: str) -> bool:
        try:
            self._call("DELETE", "deleteWebhook", {"subscriptionID": subscription_id})
        except CallRefused:
            return False
        return True

    def leave(self) -> None:
        """https://developers.cloudbeds.com/docs/connecting-disconnecting-apps"""
        self._call("POST", "postAppState", form={"app_state": "disabled"})


# Reading answers ----------------------------------------------------------------------------------


def _retry_after(response: httpx2.Response) -> float | None:
    wish = str(response.headers.get("Retry-After", ""))
    return min(float(wish), 300.0) if wish.isdigit() else None


def _later(response: httpx2.Response) -> TryLater:
    if response.status_code == 429:
        return TryLater(
            "Cloudbeds asks Portal to call less often.", retry_after_s=_retry_after(response)
        )
    text = f"Cloudbeds has trouble of its own ({response.status_code})."
    return TryLater(text, retry_after_s=_retry_after(response))


def _json(response: httpx2.Response) -> dict[str, Any]:
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        raise NotUnderstood("Cloudbeds answered with something that is not JSON.") from None
    if not isinstance(body, dict):
        raise NotUnderstood("Cloudbeds answered with an unexpected form.")
    return body


def _judged(response: httpx2.Response) -> dict[str, Any]:
    """Classify before counting: authentication, refusal, overload and fault are different things."""
    status = response.status_code
    if status == 401:
        raise TokenExpired("Cloudbeds no longer accepts Portal’s access")
    if status in {408, 429} or status >= 500:
        raise _later(response)
    if status >= 400:
        raise CallRefused(f"Cloudbeds refused the call ({status}).")
    if status >= 300:
        raise NotUnderstood(f"Cloudbeds answered with {status}.")
    body = _json(response)
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


def _list(value: Any) -> list[Any]:
    """A list, also where PHP writes a map, and nothing where it writes nothing."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(text: str, form: re.Pattern[str]) -> bool:
    return form.fullmatch(text) is not None


def _id(low: Mapping[str, Any], name: str) -> str:
    """The ``_str`` twin where there is one: numbers may exceed what JSON readers keep exact."""
    text = str(low.get(f"{name}_str") or low.get(name) or "")
    return text if _plain(text, ID) else ""


def _whole(value: Any) -> int:
    text = str(value if value is not None else 0)
    return int(text) if text.isdigit() and len(text) < 10 else 0


def _records(rows: Sequence[Mapping[str, Any]]) -> int:
    """How many records a page has; rooms come grouped by property."""
    return sum(len(_list(row["rooms"])) if _is_group(row) else 1 for row in rows)


def _is_group(row: Mapping[str, Any]) -> bool:
    return "rooms" in row and "reservationID" not in row


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None or value == "N/A" else str(value)


def _stamp(moment: datetime) -> str:
    """The space form; the live API is reported to refuse ISO with T and Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _time(value: Any) -> time | None:
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


def _room(row: Mapping[str, Any]) -> RoomFacts:
    linked = row.get("linkedRoomIDs")
    return RoomFacts(
        external_id=str(row["roomID"]),
        name=_text(row, "roomName"),
        parent_name=_text(row, "dormRoomName"),
        is_virtual=str(row.get("isVirtual")).lower() in {"true", "1"},
        linked_ids=tuple(str(each) for each in _list(linked)),
    )


def _subscription(row: Any) -> tuple[str, str]:
    if not isinstance(row, dict):
        return "", ""
    event = row.get("event")
    data = row.get("subscriptionData")
    data = data if isinstance(data, dict) else {}
    address = row.get("endpoint") or row.get("url") or data.get("endpoint") or data.get("url") or ""
    if isinstance(event, dict):
        return f"{event.get('entity', '')}/{event.get('action', '')}", str(address)
    return str(event or ""), str(address)


def _page(rows: Sequence[Mapping[str, Any]], online_field: str) -> Page:
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
    state = BOOKING_STATES.get(_text(row, "status"), StayState.UNKNOWN)
    state = StayState.DELETED if row.get("isDeleted") is True else state
    if state not in ENDS_A_BOOKING:
        return []
    updated_at = _utc(row.get("dateModifiedUTC"))
    return [Ended(booking_ref=str(row["reservationID"]), state=state, updated_at=updated_at)]


def _stays(row: Mapping[str, Any], online_field: str) -> list[Stay]:
    """One booking as its stays: a line per room, with the room's own status and dates."""
    booking = str(row["reservationID"])
    status = BOOKING_STATES.get(_text(row, "status"), StayState.UNKNOWN)
    deleted = row.get("isDeleted") is True
    guests = {
        str(guest.get("guestID", "")): guest
        for guest in _list(row.get("guestList"))
        if isinstance(guest, dict)
    }
    online = _checked_in_online(row, online_field)
    stays: list[Stay] = []
    for line in _list(row.get("rooms")):
        state = _state(status, _text(line, "roomStatus"), deleted=deleted)
        sub = _text(line, "subReservationID") or booking
        main = str(line.get("guestID") or row.get("guestID") or "")
        guest = guests.get(main, {})
        first_last = f"{_text(guest, 'guestFirstName')} {_text(guest, 'guestLastName')}".strip()
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
                room_ref=_text(line, "roomID"),
                room_name=_text(line, "roomName"),
                guest_ref=main,
                guest_name=_text(line, "guestName") or first_last or _text(row, "guestName"),
                guest_email=_text(guest, "guestEmail"),
                guest_phone=_text(guest, "guestCellPhone") or _text(guest, "guestPhone"),
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
            name=f"{_text(guest, 'guestFirstName')} {_text(guest, 'guestLastName')}".strip(),
        )
        for ref, guest in sorted(guests.items())
        if ref and ref != main and _text(guest, "subReservationID") == sub
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
    for entry in _list(row.get("customFields")):
        said = _text(entry, "customFieldValue").strip().lower() if isinstance(entry, dict) else ""
        if said and said not in NOT_ONLINE:
            names = {
                _text(entry, name).lower()
                for name in ("customFieldShortcode", "shortcode", "customFieldName")
            }
            if names & {wanted, wanted.replace("_", " ")}:
                return True
    return False
