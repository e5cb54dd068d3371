"""Resource access tokens: the codes that are told to the hotel's staff.

https://docs.mews.com/connector-api/operations/resourceaccesstokens
"""

from __future__ import annotations

from uuid import uuid4

from pms.simulators.mews import events, wire
from pms.simulators.mews.bodies import (
    ACTIVITY,
    IDS,
    Invalid,
    body,
    flag,
    interval,
    many,
    moment,
    one_of,
    paged,
    record,
    short_text,
    text,
    update,
    uuid,
)
from pms.simulators.mews.calls import Call, Json, Operation, Search
from pms.simulators.mews.desk import write
from pms.simulators.mews.records import (
    DoorToken,
    Reservation,
    made,
    reservation_of,
    resources_of,
)
from pms.simulators.mews.writing import own_reservation
from pms.simulators.shared.store import Value

OPENS = {name: f"opens_{name.lower()}" for name in ("Bed", "Room", "Floor", "Building")}
TOKEN_FILTERS = ("ResourceAccessTokenIds", "ServiceOrderIds", "CollidingUtc", "UpdatedUtc")


def door_tokens_add(call: Call) -> Json:
    """``resourceAccessTokens/add``: no key against doubles, so the same again makes another."""
    with call.world.store.transaction():
        added = [_add(call, wish) for wish in call.asked["ResourceAccessTokenParameters"]]
    return {"ResourceAccessTokens": [wire.door_token(one) for one in added]}


def _add(call: Call, wish: Json) -> DoorToken:
    store = call.world.store
    one = own_reservation(call, wish["ServiceOrderId"], "ServiceOrderId")
    if wish["ResourceId"] and wish["ResourceId"] not in resources_of(store, one.enterprise_id):
        raise Invalid("ResourceId")
    _known_companionship(call, one, wish["CompanionshipId"])
    if wish["ValidityEndUtc"] <= wish["ValidityStartUtc"]:
        raise Invalid("ValidityEndUtc")
    at, token_id = call.now.timestamp(), str(uuid4())
    opens = dict.fromkeys(OPENS.values(), False) | _opens(wish["Permissions"])
    store.insert(
        "door_tokens",
        id=token_id,
        enterprise_id=one.enterprise_id,
        reservation_id=one.id,
        companionship_id=wish["CompanionshipId"],
        resource_id=wish["ResourceId"],
        type=wish["Type"],
        value=wish["Value"],
        serial_number=wish["SerialNumber"],
        starts_at=wish["ValidityStartUtc"],
        ends_at=wish["ValidityEndUtc"],
        created_at=at,
        updated_at=at,
        **opens,
    )
    _echo(call, one)
    return _door_token(call, token_id)


def _known_companionship(call: Call, one: Reservation, companionship_id: str | None) -> None:
    sql = "SELECT count(*) FROM companionships WHERE id = ? AND group_id = ?"
    if companionship_id and not call.world.store.number(sql, companionship_id, one.group_id):
        raise Invalid("CompanionshipId")


def door_tokens_update(call: Call) -> Json:
    """``resourceAccessTokens/update``: value, times and permissions; never the room."""
    hotel_id = call.one_enterprise()
    updated = []
    with call.world.store.transaction():
        for wish in call.asked["ResourceAccessTokenUpdates"] or []:
            token = _own_token(call, wish["ResourceAccessTokenId"], hotel_id)
            values = _opens(wish["Permissions"] or {})
            for name, column in (
                ("Value", "value"),
                ("ValidityStartUtc", "starts_at"),
                ("ValidityEndUtc", "ends_at"),
            ):
                if wish[name] is not None:
                    values[column] = wish[name]["Value"]
            values["updated_at"] = call.now.timestamp()
            write(call.world.store, "door_tokens", token.id, values)
            updated.append(_door_token(call, token.id))
    return {"ResourceAccessTokens": [wire.door_token(one) for one in updated]}


def door_tokens_delete(call: Call) -> Json:
    """``resourceAccessTokens/delete``: the rows stay, inactive."""
    with call.world.store.transaction():
        for token_id in call.asked["Ids"]:
            token = _own_token(call, token_id, "")
            values: dict[str, Value] = {"is_active": 0, "updated_at": call.now.timestamp()}
            write(call.world.store, "door_tokens", token.id, values)
    return {}


def _own_token(call: Call, token_id: str, hotel_id: str) -> DoorToken:
    token = _door_token(call, token_id)
    mine = (hotel_id,) if hotel_id else call.caller.enterprise_ids
    if token.enterprise_id not in mine or not token.is_active:
        raise Invalid("ResourceAccessTokenId")
    return token


def _door_token(call: Call, token_id: str) -> DoorToken:
    row = call.world.store.row("SELECT * FROM door_tokens WHERE id = ?", token_id)
    if row is None:
        raise Invalid("ResourceAccessTokenId")
    return made(DoorToken, row)


def _opens(permissions: Json) -> dict[str, Value]:
    return {
        column: bool(permissions[name]["Value"])
        for name, column in OPENS.items()
        if permissions.get(name) is not None
    }


def _echo(call: Call, one: Reservation) -> None:
    if call.world.quirks.token_touches_reservation:
        at: dict[str, Value] = {"updated_at": call.now.timestamp()}
        write(call.world.store, "reservations", one.id, at)
        after = reservation_of(call.world.store, one.id)
        call.world.outbox.post([one.enterprise_id], [events.reservation_updated(after)])


def door_tokens_get_all(call: Call) -> Json:
    """``resourceAccessTokens/getAll``: needs one of four filters."""
    if not any(call.asked[name] for name in TOKEN_FILTERS):
        raise Invalid("ServiceOrderIds")
    search = Search(call, "door_tokens")
    search.among("enterprise_id", call.enterprise_ids)
    search.listed("ResourceAccessTokenIds", "id")
    search.listed("ServiceOrderIds", "reservation_id")
    search.within("UpdatedUtc", "updated_at")
    search.colliding("starts_at", "ends_at")
    search.active()
    rows, cursor = search.page()
    found = [wire.door_token(made(DoorToken, row)) for row in rows]
    return {"ResourceAccessTokens": found, "Cursor": cursor}


PERMISSIONS = record({}, dict.fromkeys(OPENS, update(flag)))
ADDED = record(
    {
        "ServiceOrderId": uuid,
        "Type": one_of({"PinCode", "RfidTag"}),
        "Value": short_text,
        "ValidityStartUtc": moment,
        "ValidityEndUtc": moment,
        "Permissions": PERMISSIONS,
    },
    {"CompanionshipId": uuid, "ResourceId": uuid, "SerialNumber": text},
)
UPDATED = record(
    {"ResourceAccessTokenId": uuid},
    {
        "ValidityStartUtc": update(moment),
        "ValidityEndUtc": update(moment),
        "Value": update(short_text),
        "Permissions": PERMISSIONS,
    },
)

OPERATIONS = {
    "resourceAccessTokens/getAll": Operation(
        paged(
            {
                "ResourceAccessTokenIds": IDS,
                "ServiceOrderIds": IDS,
                "CollidingUtc": interval,
                "UpdatedUtc": interval,
                "ActivityStates": ACTIVITY,
            }
        ),
        door_tokens_get_all,
    ),
    "resourceAccessTokens/add": Operation(
        body({"ResourceAccessTokenParameters": many(ADDED)}, {}), door_tokens_add
    ),
    "resourceAccessTokens/update": Operation(
        body({}, {"EnterpriseId": uuid, "ResourceAccessTokenUpdates": many(UPDATED)}),
        door_tokens_update,
    ),
    "resourceAccessTokens/delete": Operation(body({"Ids": IDS}, {}), door_tokens_delete),
}
