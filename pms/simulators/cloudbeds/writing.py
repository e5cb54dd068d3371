"""The methods that change something: reservations, custom fields, webhooks, the app's state."""

from __future__ import annotations

import secrets
from datetime import date
from urllib.parse import urlsplit

from pms.simulators.cloudbeds.calls import SCOPE_MISSING, Call, Json, Method
from pms.simulators.cloudbeds.events import EVENTS
from pms.simulators.cloudbeds.reading import own_booking
from pms.simulators.cloudbeds.records import Booking, BookingStatus, RoomStatus
from pms.simulators.shared.clock import read_date
from pms.simulators.shared.forms import BadParameter
from pms.simulators.shared.wishes import Manner, Refused

BY_API = Manner(actor="client")
APP_STATES = {"enabled", "disabled", "installing", "pending"}
FEWEST_CARD_DIGITS = 13
SCOPE_OF_OBJECT = {
    "reservation": "read:reservation",
    "guest": "read:guest",
    "roomblock": "read:roomblock",
    "housekeeping": "read:housekeeping",
    "doorLockKey": "read:doorLockKey",
}


def put_reservation(call: Call) -> Json:
    """``putReservation``: custom fields, status, arrival time and day of departure.

    Changing the booked room types (``rooms``) is refused here: this simulator does not know it.
    """
    booking = own_booking(call, call.params.need("reservationID"))
    if call.params.rows("rooms"):
        raise Refused("This simulator does not change booked rooms by putReservation.")
    desk = call.world.desk
    with call.world.store.transaction():
        for row in call.params.rows("customFields"):
            shortcode, value = row.need("customFieldName"), row.text("customFieldValue")
            _fits_field(call, shortcode, value)
            desk.set_field(booking.id, shortcode, value, BY_API)
        if call.params.text("estimatedArrivalTime"):
            desk.set_arrival_time(booking.id, call.params.text("estimatedArrivalTime"), BY_API)
        departure = _day(call, "checkoutDate")
        if departure:
            desk.change_dates(booking.id, "", (None, departure), BY_API)
        if call.params.text("status"):
            _become(call, booking, call.params.text("status"))
    changed = own_booking(call, booking.id)
    return {"success": True, "data": call.wire(call.hotel).full(changed)}


def _become(call: Call, booking: Booking, status: str) -> None:
    desk = call.world.desk
    if status == booking.status:
        return
    match status:
        case BookingStatus.CHECKED_IN:
            desk.check_in(booking.id, "", BY_API)
        case BookingStatus.CHECKED_OUT:
            desk.check_out(booking.id, "", BY_API)
        case BookingStatus.CANCELED:
            desk.cancel(booking.id, "", BY_API)
        case BookingStatus.NO_SHOW:
            desk.no_show(booking.id, BY_API)
        case BookingStatus.NOT_CONFIRMED:
            desk.unconfirm(booking.id, BY_API)
        case BookingStatus.CONFIRMED:
            _confirm(call, booking)
        case _:
            raise BadParameter("Invalid parameter: status")


def _confirm(call: Call, booking: Booking) -> None:
    in_house = any(stay.status == RoomStatus.IN_HOUSE for stay in booking.stays)
    if in_house:
        call.world.desk.undo_check_in(booking.id, "", BY_API)
    else:
        call.world.desk.restore(booking.id, BY_API)


def _fits_field(call: Call, shortcode: str, value: str) -> None:
    """A field must exist, the value must fit it, and must not look like a payment card."""
    sql = "SELECT max_characters FROM custom_fields WHERE property_id = ? AND shortcode = ?"
    row = call.world.store.row(sql, call.hotel.id, shortcode)
    if row is None:
        raise Refused(f"Custom field {shortcode} does not exist")
    if len(value) > row["max_characters"]:
        raise Refused(f"Custom field {shortcode} exceeds {row['max_characters']} characters")
    if looks_like_card(value):
        raise Refused("It is forbidden to send unencrypted payment data through the API")


def looks_like_card(value: str) -> bool:
    """Whether a numeric value of more than 12 digits passes the Luhn check."""
    if not value.isdigit() or len(value) < FEWEST_CARD_DIGITS:
        return False
    digits = [int(digit) for digit in reversed(value)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def post_room_check_in(call: Call) -> Json:
    """``postRoomCheckIn``: one room of a booking."""
    booking = own_booking(call, call.params.need("reservationID"))
    which = call.params.text("subReservationID") or call.params.need("roomID")
    call.world.desk.check_in(booking.id, which, BY_API)
    return {"success": True}


def post_room_check_out(call: Call) -> Json:
    """``postRoomCheckOut``: with the last room the booking becomes ``checked_out`` by itself."""
    booking = own_booking(call, call.params.need("reservationID"))
    which = call.params.text("subReservationID") or call.params.need("roomID")
    call.world.desk.check_out(booking.id, which, BY_API)
    return {"success": True}


def get_custom_fields(call: Call) -> Json:
    """``getCustomFields``: all, or by id or shortcode."""
    shortcode, field_id = call.params.text("shortcode"), call.params.text("customFieldID")
    sql = "SELECT * FROM custom_fields WHERE property_id = ? ORDER BY id"
    data = [
        {
            "propertyID": row["property_id"],
            "customFieldID": row["id"],
            "name": row["name"],
            "shortcode": row["shortcode"],
            "applyTo": row["apply_to"],
            "required": bool(row["required"]),
            "isPersonal": bool(row["is_personal"]),
            "maxCharacters": row["max_characters"],
            "type": row["type"],
            "displayed": row["displayed"].split(","),
        }
        for row in call.world.store.rows(sql, call.hotel.id)
        if shortcode in {"", row["shortcode"]} and field_id in {"", row["id"]}
    ]
    return {"success": True, "data": data}


def post_custom_field(call: Call) -> Json:
    """``postCustomField``: a shortcode can be taken once."""
    params, store = call.params, call.world.store
    name, shortcode = params.need("name"), params.need("shortcode")
    sql = "SELECT count(*) FROM custom_fields WHERE property_id = ? AND shortcode = ?"
    if store.number(sql, call.hotel.id, shortcode):
        raise Refused("Shortcode already in use")
    displayed = params.values.get("displayed", "reservation")
    field_id = str(store.next_number("field"))
    store.insert(
        "custom_fields",
        id=field_id,
        property_id=call.hotel.id,
        name=name,
        shortcode=shortcode,
        apply_to=params.text("applyTo") or "reservation",
        type=params.text("type") or "input",
        max_characters=params.whole("maxCharacters", 40),
        displayed=",".join(displayed.values() if isinstance(displayed, dict) else [displayed]),
        required=params.flag("required"),
        is_personal=params.flag("isPersonal"),
    )
    return {"success": True, "data": {"fieldID": field_id, "name": name, "shortcode": shortcode}}


def post_webhook(call: Call) -> Json:
    """``postWebhook``: one event to one address; the same again makes a second subscription."""
    params = call.params
    entity, action, url = params.need("object"), params.need("action"), params.need("endpointUrl")
    if f"{entity}/{action}" not in EVENTS:
        raise Refused(f"Invalid webhook event {entity}/{action}")
    scope = SCOPE_OF_OBJECT.get(entity)
    if scope and scope not in call.caller.scopes:
        raise Refused(SCOPE_MISSING)
    if urlsplit(url).scheme not in {"http", "https"}:
        raise Refused("Invalid endpointUrl")
    subscription_id = secrets.token_hex(8)
    call.world.store.insert(
        "subscriptions",
        id=subscription_id,
        client_id=call.caller.client_id,
        property_id=call.hotel.id,
        entity=entity,
        action=action,
        url=url,
    )
    return {"success": True, "data": {"subscriptionID": subscription_id}}


def get_webhooks(call: Call) -> Json:
    """``getWebhooks``: the caller's own subscriptions at this hotel."""
    sql = "SELECT * FROM subscriptions WHERE property_id = ? AND client_id = ? ORDER BY rowid"
    data = [
        {
            "id": row["id"],
            "key": {"type": "property", "id": row["property_id"]},
            "event": {"entity": row["entity"], "action": row["action"]},
            "owner": {"type": "client", "id": row["client_id"]},
            "subscriptionType": "webhook",
            "subscriptionData": {call.world.quirks.webhook_url_key: row["url"]},
        }
        for row in call.world.store.rows(sql, call.hotel.id, call.caller.client_id)
    ]
    return {"success": True, "data": data}


def delete_webhook(call: Call) -> Json:
    """``deleteWebhook``; the live one is reported to answer success without deleting."""
    subscription_id = call.params.need("subscriptionID")
    if not call.world.quirks.delete_webhook_works:
        return {"success": True}
    gone = call.world.store.run(
        "DELETE FROM subscriptions WHERE id = ? AND client_id = ? AND property_id = ?",
        subscription_id,
        call.caller.client_id,
        call.hotel.id,
    )
    if not gone:
        raise Refused("Subscription not found")
    call.world.outbox.forget(subscription_id)
    return {"success": True}


def get_app_state(call: Call) -> Json:
    """``getAppState`` of the calling app at this hotel."""
    return {"success": True, "data": {"app_state": call.hotel.app_state}}


def post_app_state(call: Call) -> Json:
    """``postAppState``; ``disabled`` ends all access and deletes the subscriptions."""
    state = call.params.need("app_state")
    if state not in APP_STATES:
        raise BadParameter("Invalid parameter: app_state")
    if state == "disabled":
        call.world.access.revoke(call.hotel.id, call.now, announce=True)
    else:
        call.world.access.set_app_state(call.hotel.id, state, call.now)
    return {"success": True}


def get_userinfo(call: Call) -> Json:
    """``userinfo``: who approved the connection; an answer without ``success``."""
    person = {
        "user_id": "568158",
        "first_name": "Olga",
        "last_name": "Owner",
        "email": "owner@hotel.example",
    }
    if not call.params.flag("role_details"):
        return person
    role = {"id": "1", "name": "Administrator", "description": "Everything"}
    return {**person, "acl": [], "roles": [role]}


def get_metadata(call: Call) -> Json:
    """``oauth/metadata``: the address of this property's API; the document types success as text."""
    return {"success": "true", "data": {"api": {"url": call.api_url}}}


def _day(call: Call, name: str) -> date | None:
    text = call.params.day(name)
    return read_date(text) if text else None


METHODS = {
    "putReservation": Method("PUT", "write:reservation", put_reservation),
    "postRoomCheckIn": Method("POST", "write:room", post_room_check_in),
    "postRoomCheckOut": Method("POST", "write:room", post_room_check_out),
    "getCustomFields": Method("GET", "read:customFields", get_custom_fields),
    "postCustomField": Method("POST", "write:customFields", post_custom_field),
    "postWebhook": Method("POST", "", post_webhook),
    "getWebhooks": Method("GET", "", get_webhooks),
    "deleteWebhook": Method("DELETE", "", delete_webhook),
    "getAppState": Method("GET", "", get_app_state),
    "postAppState": Method("POST", "", post_app_state),
    "userinfo": Method("GET", "", get_userinfo, many=True),
    "oauth/metadata": Method("GET", "", get_metadata, many=True),
}
