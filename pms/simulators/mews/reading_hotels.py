"""The operations that read the hotel: itself, its service, rooms and blocks."""

from __future__ import annotations

from pms.simulators.mews import moments, wire_hotels
from pms.simulators.mews.bodies import (
    ACTIVITY,
    IDS,
    TEXTS,
    Invalid,
    body,
    flags,
    interval,
    one_of,
    paged,
    uuid,
)
from pms.simulators.mews.calls import Call, Json, Operation, Search
from pms.simulators.mews.records import (
    Block,
    Enterprise,
    Resource,
    enterprise_of,
    made,
)


def configuration_get(call: Call) -> Json:
    """``configuration/get``: the hotel and the vendor's clock."""
    named = call.asked["EnterpriseId"]
    portfolio = call.caller.integration.is_portfolio
    if portfolio and named and named not in call.caller.enterprise_ids:
        raise Invalid("EnterpriseId")
    hotel_id = named if portfolio and named else call.caller.enterprise_ids[0]
    hotel = enterprise_of(call.world.store, hotel_id)
    dummy = portfolio and not named
    return {
        "NowUtc": moments.wire(call.now.timestamp()),
        "Enterprise": wire_hotels.portfolio(hotel) if dummy else wire_hotels.configured(hotel),
        "Service": None if dummy else wire_hotels.service(hotel),
        "PaymentCardStorage": None,
        "IsIdentityDocumentNumberRequired": False,
    }


def enterprises_get_all(call: Call) -> Json:
    """``enterprises/getAll``: more than one for a portfolio token."""
    search = Search(call, "enterprises")
    search.among("id", call.enterprise_ids)
    search.within("LinkedUtc", "created_at")
    search.within("UpdatedUtc", "updated_at")
    if call.asked["ExternalIdentifiers"]:
        search.where("0")
    rows, cursor = search.page()
    return {
        "Enterprises": [wire_hotels.linked(made(Enterprise, row)) for row in rows],
        "Cursor": cursor,
    }


def services_get_all(call: Call) -> Json:
    """``services/getAll``: the one bookable service of each hotel."""
    search = Search(call, "enterprises", key="service_id")
    search.among("id", call.enterprise_ids)
    search.listed("ServiceIds", "service_id")
    search.within("UpdatedUtc", "updated_at")
    if call.asked["ServiceType"] == "Additional":
        search.where("0")
    rows, cursor = search.page()
    return {
        "Services": [wire_hotels.service(made(Enterprise, row)) for row in rows],
        "Cursor": cursor,
    }


def resources_get_all(call: Call) -> Json:
    """``resources/getAll``: rooms and beds; inactive ones only if asked for."""
    extent = call.asked["Extent"]
    search = Search(call, "resources")
    search.among("enterprise_id", call.enterprise_ids)
    search.listed("ResourceIds", "id")
    search.listed("Names", "name")
    search.within("CreatedUtc", "created_at")
    search.within("UpdatedUtc", "updated_at")
    if not extent["Inactive"]:
        search.where("is_active")
    rows, cursor = search.page()
    found = (
        [wire_hotels.resource(made(Resource, row)) for row in rows] if extent["Resources"] else None
    )
    return {"Resources": found, "Cursor": cursor}


def resource_categories_get_all(call: Call) -> Json:
    """``resourceCategories/getAll`` of named services."""
    search = Search(call, "categories")
    search.among("enterprise_id", call.enterprise_ids)
    search.listed("ServiceIds", "service_id")
    search.listed("ResourceCategoryIds", "id")
    search.within("UpdatedUtc", "updated_at")
    search.active("1")
    rows, cursor = search.page()
    return {"ResourceCategories": [wire_hotels.category(row) for row in rows], "Cursor": cursor}


def assignments_get_all(call: Call) -> Json:
    """``resourceCategoryAssignments/getAll`` of named categories."""
    search = Search(call, "assignments")
    search.listed("ResourceCategoryAssignmentIds", "id")
    search.listed("ResourceCategoryIds", "category_id")
    search.listed("ResourceIds", "resource_id")
    search.within("UpdatedUtc", "created_at")
    search.active("1")
    ids = call.enterprise_ids
    own = f"SELECT id FROM categories WHERE enterprise_id IN ({', '.join('?' * len(ids))})"  # noqa: S608
    search.where(f"category_id IN ({own})", *ids)
    rows, cursor = search.page()
    found = [wire_hotels.assignment(row) for row in rows]
    return {"ResourceCategoryAssignments": found, "Cursor": cursor}


def blocks_get_all(call: Call) -> Json:
    """``resourceBlocks/getAll``: rooms out of order or used by the house."""
    search = Search(call, "blocks")
    search.among("enterprise_id", call.enterprise_ids)
    search.listed("ResourceBlockIds", "id")
    search.listed("AssignedResourceIds", "resource_id")
    search.within("CreatedUtc", "created_at")
    search.within("UpdatedUtc", "updated_at")
    search.colliding("starts_at", "ends_at")
    search.active()
    extent = call.asked["Extent"]
    if extent is not None and not extent["Inactive"]:
        search.where("is_active")
    rows, cursor = search.page()
    return {
        "ResourceBlocks": [wire_hotels.block(made(Block, row)) for row in rows],
        "Cursor": cursor,
    }


OPERATIONS = {
    "configuration/get": Operation(body({}, {"EnterpriseId": uuid}), configuration_get),
    "enterprises/getAll": Operation(
        paged({"ExternalIdentifiers": TEXTS, "LinkedUtc": interval, "UpdatedUtc": interval}),
        enterprises_get_all,
    ),
    "services/getAll": Operation(
        paged(
            {
                "ServiceIds": IDS,
                "ServiceType": one_of({"Bookable", "Additional"}),
                "UpdatedUtc": interval,
            }
        ),
        services_get_all,
    ),
    "resources/getAll": Operation(
        paged(
            {"ResourceIds": IDS, "Names": TEXTS, "CreatedUtc": interval, "UpdatedUtc": interval},
            Extent=flags(
                "Resources",
                "ResourceCategories",
                "ResourceCategoryAssignments",
                "ResourceCategoryImageAssignments",
                "ResourceFeatures",
                "ResourceFeatureAssignments",
                "Inactive",
            ),
        ),
        resources_get_all,
    ),
    "resourceCategories/getAll": Operation(
        paged(
            {"ResourceCategoryIds": IDS, "UpdatedUtc": interval, "ActivityStates": ACTIVITY},
            ServiceIds=IDS,
        ),
        resource_categories_get_all,
    ),
    "resourceCategoryAssignments/getAll": Operation(
        paged(
            {
                "ResourceCategoryAssignmentIds": IDS,
                "ResourceIds": IDS,
                "UpdatedUtc": interval,
                "ActivityStates": ACTIVITY,
            },
            ResourceCategoryIds=IDS,
        ),
        assignments_get_all,
    ),
    "resourceBlocks/getAll": Operation(
        paged(
            {
                "Extent": flags("Inactive"),
                "ResourceBlockIds": IDS,
                "AssignedResourceIds": IDS,
                "ActivityStates": ACTIVITY,
                **dict.fromkeys(("CollidingUtc", "CreatedUtc", "UpdatedUtc"), interval),
            }
        ),
        blocks_get_all,
    ),
}
