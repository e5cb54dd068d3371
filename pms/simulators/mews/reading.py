"""The operations that read reservations and guests."""

from __future__ import annotations

from pms.simulators.mews import wire
from pms.simulators.mews.bodies import (
    ACTIVITY,
    HUNDRED_IDS,
    IDS,
    TEXTS,
    Invalid,
    flags,
    interval,
    many,
    one_of,
    paged,
    text,
    uuid,
)
from pms.simulators.mews.calls import Call, Json, Operation, Search
from pms.simulators.mews.records import (
    Companionship,
    Customer,
    State,
    enterprise_of,
    made,
    reservation,
)
from pms.simulators.mews.relations import customers_of, groups_of, old_reservations_of

COMPANION_FILTERS = ("CompanionshipIds", "ReservationIds", "CustomerIds", "ReservationGroupIds")
ACTUAL_START = "coalesce(actual_starts_at, starts_at)"
ACTUAL_END = "coalesce(actual_ends_at, ends_at)"


def reservations_get_all(call: Call) -> Json:
    """``reservations/getAll/2023-06-06``; scheduled and actual times exclude each other."""
    for end in ("Start", "End"):
        if call.asked[f"Scheduled{end}Utc"] and call.asked[f"Actual{end}Utc"]:
            raise Invalid(f"Actual{end}Utc")
    search = Search(call, "reservations")
    search.among("enterprise_id", call.enterprise_ids)
    for name, column in RESERVATION_LISTS.items():
        search.listed(name, column)
    for name, column in RESERVATION_TIMES.items():
        search.within(name, column)
    search.colliding(ACTUAL_START, ACTUAL_END)
    if call.asked["States"] is None and not call.world.quirks.canceled_without_states:
        search.where("state <> 'Canceled'")
    rows, cursor = search.page()
    found = [wire.reservation(reservation(row)) for row in rows]
    return {"Reservations": found, "Cursor": cursor}


def companionships_get_all(call: Call) -> Json:
    """``companionships/getAll``: ``UpdatedUtc`` only together with another filter."""
    asked, extent = call.asked, call.asked["Extent"]
    if not any(asked[name] for name in COMPANION_FILTERS):
        raise Invalid("UpdatedUtc" if asked["UpdatedUtc"] else "ReservationIds")
    search = Search(call, "companionships")
    search.among("enterprise_id", call.enterprise_ids)
    search.listed("CompanionshipIds", "id")
    search.listed("CustomerIds", "customer_id")
    search.listed("ReservationGroupIds", "group_id")
    search.within("UpdatedUtc", "updated_at")
    wanted = asked["ReservationIds"]
    if wanted:
        listed = ", ".join("?" * len(wanted))
        groups = f"SELECT group_id FROM reservations WHERE id IN ({listed})"  # noqa: S608
        whole = f"reservation_id IS NULL AND group_id IN ({groups})"
        search.where(f"(reservation_id IN ({listed}) OR ({whole}))", *wanted, *wanted)
    rows, cursor = search.page()
    found = [made(Companionship, row) for row in rows]
    store = call.world.store
    return {
        "Companionships": [wire.companionship(one) for one in found],
        "Customers": customers_of(store, found) if extent["Customers"] else None,
        "Reservations": old_reservations_of(store, found) if extent["Reservations"] else None,
        "ReservationGroups": groups_of(store, found) if extent["ReservationGroups"] else None,
        "Cursor": cursor,
    }


def customers_get_all(call: Call) -> Json:
    """``customers/getAll``: guests belong to the chain; a portfolio token must name it."""
    asked, store = call.asked, call.world.store
    own = {enterprise_of(store, one).chain_id for one in call.caller.enterprise_ids}
    if call.caller.integration.is_portfolio and not asked["ChainIds"]:
        raise Invalid("ChainIds")
    if set(asked["ChainIds"] or []) - own:
        raise Invalid("ChainIds")
    search = Search(call, "customers")
    search.among("chain_id", sorted(own))
    for name, column in CUSTOMER_LISTS.items():
        search.listed(name, column)
    search.within("CreatedUtc", "created_at")
    search.within("UpdatedUtc", "updated_at")
    search.within("DeletedUtc", "CASE WHEN is_active THEN NULL ELSE updated_at END")
    search.active()
    if asked["CompanyIds"] or asked["LoyaltyCodes"]:
        search.where("0")
    rows, cursor = search.page()
    shown = [wire.customer(made(Customer, row)) for row in rows]
    return {"Customers": shown if asked["Extent"]["Customers"] else [], "Cursor": cursor}


def groups_get_all(call: Call) -> Json:
    """``reservationGroups/getAll``."""
    search = Search(call, "groups")
    search.among("enterprise_id", call.enterprise_ids)
    search.listed("ReservationGroupIds", "id")
    search.within("UpdatedUtc", "updated_at")
    rows, cursor = search.page()
    return {"ReservationGroups": [wire.group(row) for row in rows], "Cursor": cursor}


NOTHING = "NULL"
RESERVATION_LISTS = {
    "ReservationIds": "id",
    "ServiceIds": "service_id",
    "ReservationGroupIds": "group_id",
    "AccountIds": "account_id",
    "PartnerCompanyIds": NOTHING,
    "TravelAgencyIds": NOTHING,
    "Numbers": "number",
    "ChannelNumbers": "channel_number",
    "AssignedResourceIds": "resource_id",
    "AvailabilityBlockIds": NOTHING,
    "States": "state",
}
RESERVATION_TIMES = {
    "CreatedUtc": "created_at",
    "UpdatedUtc": "updated_at",
    "ScheduledStartUtc": "starts_at",
    "ActualStartUtc": "actual_starts_at",
    "ScheduledEndUtc": "ends_at",
    "ActualEndUtc": "actual_ends_at",
}
RESERVATION_FILTERS = {
    **dict.fromkeys(RESERVATION_LISTS, IDS),
    **dict.fromkeys(("PartnerCompanyIds", "TravelAgencyIds", "AvailabilityBlockIds"), HUNDRED_IDS),
    "Numbers": TEXTS,
    "ChannelNumbers": many(text, 100),
    "States": many(one_of(list(State))),
    **dict.fromkeys([*RESERVATION_TIMES, "CollidingUtc"], interval),
}
CUSTOMER_LISTS = {
    "ChainIds": "chain_id",
    "CustomerIds": "id",
    "Emails": "email",
    "FirstNames": "first",
    "LastNames": "last",
}


OPERATIONS = {
    "reservations/getAll/2023-06-06": Operation(paged(RESERVATION_FILTERS), reservations_get_all),
    "companionships/getAll": Operation(
        paged(
            {**dict.fromkeys(COMPANION_FILTERS, IDS), "UpdatedUtc": interval},
            Extent=flags("Reservations", "ReservationGroups", "Customers"),
        ),
        companionships_get_all,
    ),
    "customers/getAll": Operation(
        paged(
            {
                "ChainIds": IDS,
                "CustomerIds": IDS,
                "CompanyIds": many(uuid, 1),
                **dict.fromkeys(("Emails", "FirstNames", "LastNames", "LoyaltyCodes"), TEXTS),
                **dict.fromkeys(("CreatedUtc", "UpdatedUtc", "DeletedUtc"), interval),
                "ActivityStates": ACTIVITY,
            },
            Extent=flags("Customers", "Documents", "Addresses"),
        ),
        customers_get_all,
    ),
    "reservationGroups/getAll": Operation(
        paged({"ReservationGroupIds": IDS, "UpdatedUtc": interval}), groups_get_all
    ),
}
