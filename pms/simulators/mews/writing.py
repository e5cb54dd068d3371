"""The operation that changes reservations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pms.simulators.mews.bodies import (
    Invalid,
    Reader,
    body,
    flag,
    many,
    moment,
    record,
    text,
    update,
    uuid,
)
from pms.simulators.mews.calls import Call, Json, Operation
from pms.simulators.mews.records import (
    Reservation,
    reservation_of,
    resources_of,
)
from pms.simulators.mews.relations import old_reservations
from pms.simulators.shared.wishes import Manner, Refused

BY_API = Manner(actor="client")
NOT_HERE = "This simulator does not change {} by reservations/update."
RESULT_EXTENTS = (
    "ReservationGroups",
    "Customers",
    "Services",
    "Products",
    "Resources",
    "ResourceCategories",
    "ResourceCategoryAssignments",
    "BusinessSegments",
    "Rates",
    "RateGroups",
    "Items",
    "OrderItems",
    "Notes",
    "QrCodeData",
    "Companies",
    "ResourceAccessTokens",
    "Cursor",
)


def own_reservation(call: Call, reservation_id: str, name: str) -> Reservation:
    """A reservation of the caller's hotels; raises Invalid."""
    try:
        one = reservation_of(call.world.store, reservation_id)
    except Refused:
        raise Invalid(name) from None
    if one.enterprise_id not in call.caller.enterprise_ids or one.id != reservation_id:
        raise Invalid(name)
    return one


def reservations_update(call: Call) -> Json:
    """``reservations/update``: online check-in, times and the room.

    Other documented fields are refused (403): this simulator does not know them.
    """
    hotel_id, done = call.one_enterprise(), []
    with call.world.store.transaction():
        for wish in call.asked["ReservationUpdates"]:
            one = own_reservation(call, wish["ReservationId"], "ReservationId")
            if one.enterprise_id != hotel_id:
                raise Invalid("ReservationId")
            for name, change in CHANGES.items():
                if wish[name] is not None:
                    change(call, one, wish[name])
            _times(call, one, wish)
            strangers = [name for name in UNKNOWN if wish[name] is not None]
            if strangers:
                raise Refused(NOT_HERE.format(strangers[0]))
            done.append(one.id)
    found = old_reservations(call.world.store, done)
    return {"Reservations": found, **dict.fromkeys(RESULT_EXTENTS)}


def _online(call: Call, one: Reservation, given: Json) -> None:
    if given["OwnerCheckedIn"] is not None:
        done = bool(given["OwnerCheckedIn"]["Value"])
        call.world.desk.check_in_online(one.id, BY_API, done=done)


def _times(call: Call, one: Reservation, wish: Json) -> None:
    starts_at, ends_at = (
        kept if wish[name] is None else wish[name]["Value"]
        for name, kept in (("StartUtc", one.starts_at), ("EndUtc", one.ends_at))
    )
    if starts_at is None or ends_at is None or ends_at <= starts_at:
        raise Invalid("EndUtc")
    if (starts_at, ends_at) != (one.starts_at, one.ends_at):
        call.world.desk.change_times(one.id, starts_at, ends_at, BY_API)


def _room(call: Call, one: Reservation, given: Json) -> None:
    room_id = given["Value"]
    if room_id is not None and room_id not in resources_of(call.world.store, one.enterprise_id):
        raise Invalid("AssignedResourceId")
    if room_id != one.resource_id:
        call.world.desk.move(one.id, room_id, BY_API)


def _lock(call: Call, one: Reservation, given: Json) -> None:
    call.world.desk.lock_room(one.id, BY_API, locked=bool(given["Value"]))


CHANGES: dict[str, Callable[[Call, Reservation, Json], None]] = {
    "Options": _online,
    "AssignedResourceId": _room,
    "AssignedResourceLocked": _lock,
}


def _anything(value: Any, name: str) -> Any:
    return value


UNKNOWN: dict[str, Reader] = dict.fromkeys(
    (
        "ChannelNumber",
        "ReleasedUtc",
        "PersonCounts",
        "RequestedCategoryId",
        "TravelAgencyId",
        "CompanyId",
        "BusinessSegmentId",
        "Purpose",
        "RateId",
        "CreditCardId",
        "TimeUnitPrices",
        "BookerId",
        "AvailabilityBlockId",
    ),
    _anything,
)
UPDATE_FIELDS: dict[str, Reader] = {
    "StartUtc": update(moment),
    "EndUtc": update(moment),
    "AssignedResourceId": update(uuid),
    "AssignedResourceLocked": update(flag),
    "Options": record({}, {"OwnerCheckedIn": update(flag)}),
    **UNKNOWN,
}


CREDENTIALS_AGAIN: dict[str, Reader] = dict.fromkeys(
    ("ClientToken", "AccessToken", "Client", "EnterpriseId"), text
)
UPDATES = many(record({"ReservationId": uuid}, {**CREDENTIALS_AGAIN, **UPDATE_FIELDS}))

OPERATIONS = {
    "reservations/update": Operation(
        body(
            {"ReservationUpdates": UPDATES},
            {
                "EnterpriseId": uuid,
                "ReservationId": uuid,
                "Reprice": flag,
                "ApplyCancellationFee": flag,
                "Reason": text,
                **UPDATE_FIELDS,
            },
        ),
        reservations_update,
    ),
}
