"""Cloudbeds PMS API v1.3 (https://developers.cloudbeds.com/reference): the calls Portal needs, read tolerantly.

Forms out, JSON in. ``success: false`` comes with HTTP 200 and may mean a broken connection; 401 means that the access
token was not taken; everything above and every time-out means later. Unknown fields and words never fail an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from pms.adapters import (
    App,
    CallRefused,
    ConnectionBroken,
    EventHint,
    Limit,
    Link,
    NotUnderstood,
    Page,
    PropertyFacts,
    Reconnect,
    RoomFacts,
    StayCode,
    Subject,
    Subscriptions,
    Tokens,
)
from pms.adapters import cloudbeds_answers as answers
from pms.adapters.cloudbeds_codes import CodesField
from pms.adapters.wire import Wire, later

API = "/api/v1.3"
PAGE = 100
IDS_A_CALL = 50
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
EVENT_NAME = re.compile(r"[A-Za-z_]{1,40}/[A-Za-z_]{1,39}")


class Cloudbeds:
    """The vendor, seen from an app that is registered there.

    Partners get 10 calls a second for all properties together, and may be suspended above that:
    https://developers.cloudbeds.com/docs/faq
    """

    title = "Cloudbeds"
    reconnect = Reconnect.IN_PLACE
    stamps_whole_seconds = True
    shared_hook = False

    def __init__(self, app: App) -> None:
        self.app = app
        limit = Limit(calls=app.calls_a_second, per_s=1.0, ahead=1, ahead_for_people=2)
        self.wire = Wire(self.title, app, limit)
        self.with_field: set[str] = set()

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
            raise later(self.title, response)
        body = answers.json_body(response)
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
        return CloudbedsHotel(self.app, link, self.wire, self.with_field)

    @staticmethod
    def read_events(body: Mapping[str, Any]) -> Sequence[EventHint]:
        """https://developers.cloudbeds.com/docs/webhooks-1: the case of keys differs from event to event."""
        low = {str(key).lower(): value for key, value in body.items()}
        event, property_id = low.get("event"), answers.id_of(low, "propertyid")
        if not isinstance(event, str) or not answers.is_plain(event, EVENT_NAME) or not property_id:
            raise NotUnderstood("This is not an event of Cloudbeds.")
        subject, ref = _subject(event, low)
        parts = [
            ref,
            *(answers.id_of(low, name) for name in ("subreservationid", "roomid", "guestid")),
        ]
        stamp = str(low.get("timestamp") or "") or answers.digest(body)
        key = ":".join([event, property_id, *parts, stamp])
        hint = EventHint(
            key=key if len(key) <= 200 and key.isprintable() else answers.digest(key),
            event=event,
            property_id=property_id,
            subject=subject,
            ref=ref,
        )
        return [hint]


def _subject(event: str, low: Mapping[str, Any]) -> tuple[Subject, str]:
    """What to read again. Ids that do not look like ids are none: nothing of a webhook is believed."""
    if event.startswith("integration/"):
        return Subject.CONNECTION, ""
    if booking := answers.id_of(low, "reservationid"):
        return Subject.BOOKING, booking
    if guest := answers.id_of(low, "guestid"):
        return Subject.GUEST, guest
    return Subject.NOTHING, ""


class CloudbedsHotel:
    """One property through one set of tokens. ``with_field`` are the properties known to have the field for codes."""

    def __init__(self, app: App, link: Link, wire: Wire, with_field: set[str]) -> None:
        self.app = app
        self.link = link
        self.wire = wire
        self.with_field = with_field
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
        response = self.wire.send_patiently(
            verb,
            f"{self.base}{API}/{method}",
            headers=headers,
            params=query or None,
            data=dict(form) if form is not None else None,
        )
        return answers.judged(response)

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
            rows = [row for row in answers.rows_of(body["data"]) if isinstance(row, dict)]
            new = {answers.digest(row) for row in rows} - seen
            seen |= new
            count += answers.records(rows)
            total = answers.whole(body.get("total"))
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
            for row in answers.rows_of(body.get("data"))
            if isinstance(row, dict) and row.get("propertyID")
        ]

    def details(self, facts: PropertyFacts) -> PropertyFacts:
        """The same with the times of ``propertyPolicy``."""
        data = self._call("GET", "getHotelDetails", {"propertyID": facts.external_id}).get("data")
        policy = data.get("propertyPolicy") if isinstance(data, dict) else None
        policy = policy if isinstance(policy, dict) else {}
        return replace(
            facts,
            arrival_time=answers.time_of(policy.get("propertyCheckInTime")),
            departure_time=answers.time_of(policy.get("propertyCheckOutTime")),
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
                rows = answers.rows_of(group.get("rooms")) if answers.is_group(group) else [group]
                for row in rows:
                    if isinstance(row, dict) and row.get("roomID"):
                        found[str(row["roomID"])] = answers.room(row)
        return list(found.values())

    # Stays ----------------------------------------------------------------------------------------

    def bookings(self, refs: Sequence[str]) -> Iterator[Page]:
        """By id, fifty a call. What was not asked for is left out: unknown filters are ignored by the vendor."""
        for start in range(0, len(refs), IDS_A_CALL):
            asked = refs[start : start + IDS_A_CALL]
            yield from self._detailed(only=set(asked), reservationID=",".join(asked))

    def stays(self, refs: Sequence[str]) -> Iterator[Page]:
        """By their bookings: the id of a room line is the booking's, or that with a dash and a number."""
        wanted = set(refs)
        for page in self.bookings(sorted({ref.partition("-")[0] for ref in refs})):
            yield replace(page, stays=tuple(s for s in page.stays if s.external_id in wanted))

    def bookings_of_guests(self, refs: Sequence[str]) -> Iterator[Page]:
        """One by one; ``guestID`` includes additional guests."""
        for ref in refs:
            yield from self._detailed(guestID=ref)

    def changed(self, since: datetime, *, now: datetime) -> Iterator[Page]:
        """By time of change, with a fixed upper bound so that records that change meanwhile do not move the pages."""
        yield from self._detailed(
            modifiedFrom=answers.stamp(since - OVERLAP), modifiedTo=answers.stamp(now + OVERLAP)
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
            meant = [r for r in rows if only is None or answers.text(r, "reservationID") in only]
            yield answers.page(meant, self.link.online_check_in_field)

    # Door Codes -----------------------------------------------------------------------------------

    def write_codes(self, booking_ref: str, codes: Sequence[StayCode]) -> Mapping[str, str]:
        """Into one custom field of the booking."""
        return CodesField(self._call, self.link.property_id, self.with_field).write(
            booking_ref, codes
        )

    # Webhooks and leaving -------------------------------------------------------------------------

    def mend_webhooks(self, url: str, *, own_prefix: str) -> Subscriptions:
        """Look before subscribing: doubled subscriptions double every event. The address is called url or endpoint."""
        there: set[str] = set()
        removed, added, refused = 0, 0, []
        for row in answers.rows_of(self._call("GET", "getWebhooks").get("data")):
            event, address = answers.subscription(row)
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
