"""MEWS' way of writing hotels, their service, rooms and blocks as JSON.

https://docs.mews.com/connector-api/operations ; fields this stand-in knows nothing of are null.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from pms.simulators.mews import moments
from pms.simulators.mews.hotels import FOUNDED, id_of
from pms.simulators.mews.records import (
    Block,
    Enterprise,
    Resource,
)

Json = dict[str, Any]
LANGUAGE = "en-US"
DUMMY_ENTERPRISE = "00000000-0000-4000-8000-00000000f011"
HISTORY = "P0M5DT0H0M0S"
CHAINS = "Example Chain"


def enterprise(hotel: Enterprise) -> Json:
    """What ``configuration/get`` and ``enterprises/getAll`` say alike."""
    address_id = id_of(hotel.id, "address")
    return {
        "Id": hotel.id,
        "ExternalIdentifier": None,
        "HoldingKey": None,
        "ChainId": hotel.chain_id,
        "ChainName": f"{CHAINS} {hotel.chain_id[:4]}",
        "CreatedUtc": moments.wire(hotel.created_at),
        "UpdatedUtc": moments.wire(hotel.updated_at),
        "Name": hotel.name,
        "ShortName": None,
        "TimeZoneIdentifier": hotel.timezone,
        "LegalEnvironmentCode": "SIM",
        "AccommodationEnvironmentCode": "SIM",
        "AccountingEnvironmentCode": "SIM",
        "TaxEnvironmentCode": "SIM",
        "DefaultLanguageCode": LANGUAGE,
        "EditableHistoryInterval": HISTORY,
        "AccountingEditableHistoryInterval": HISTORY,
        "OperationalEditableHistoryInterval": HISTORY,
        "BusinessDayClosingOffset": None,
        "WebsiteUrl": None,
        "Email": "desk@hotel.example",
        "Phone": None,
        "LogoImageId": None,
        "CoverImageId": None,
        "Pricing": "Gross",
        "TaxPrecision": None,
        "AddressId": address_id,
        "Address": {"Id": address_id, "Line1": "1 Example Street", "City": "Example"},
        "GroupNames": [],
        "Subscription": {"TaxIdentifier": None},
    }


def configured(hotel: Enterprise) -> Json:
    """The hotel of ``configuration/get``."""
    return {
        **enterprise(hotel),
        "Currencies": [{"Currency": "EUR", "IsDefault": True, "IsEnabled": True}],
        "AccountingConfiguration": None,
        "IsPortfolio": False,
    }


def portfolio(hotel: Enterprise) -> Json:
    """The dummy hotel of a token that opens several, when none is named."""
    return {
        **configured(hotel),
        "Id": DUMMY_ENTERPRISE,
        "Name": "Portfolio",
        "TimeZoneIdentifier": "Etc/UTC",
        "IsPortfolio": True,
    }


def linked(hotel: Enterprise) -> Json:
    """A row of ``enterprises/getAll``."""
    return {**enterprise(hotel), "LinkedUtc": moments.wire(hotel.created_at)}


def service(hotel: Enterprise) -> Json:
    """The bookable service; its offsets are the usual times of arrival and departure."""
    starts, ends = moments.offset(hotel.starts), moments.offset(hotel.ends)
    value = {
        "StartOffset": starts,
        "EndOffset": ends,
        "OccupancyStartOffset": starts,
        "OccupancyEndOffset": ends,
        "TimeUnit": "Day",
        "TimeUnitPeriod": "Day",
    }
    return {
        "Id": hotel.service_id,
        "EnterpriseId": hotel.id,
        "IsActive": True,
        "Name": "Stay",
        "Names": {LANGUAGE: "Stay"},
        "Options": {"BillAsPackage": False},
        "Ordering": 0,
        "Data": {"Discriminator": "Bookable", "Value": value},
        "ExternalIdentifier": None,
        "CreatedUtc": moments.wire(FOUNDED),
        "UpdatedUtc": moments.wire(hotel.updated_at),
    }


def resource(one: Resource) -> Json:
    """A room or a bed."""
    return {
        "Id": one.id,
        "EnterpriseId": one.enterprise_id,
        "IsActive": one.is_active,
        "ParentResourceId": one.parent_id,
        "Name": one.name,
        "State": one.state,
        "Descriptions": {},
        "CreatedUtc": moments.wire(one.created_at),
        "UpdatedUtc": moments.wire(one.updated_at),
        "Data": {
            "Discriminator": "Space",
            "Value": {"FloorNumber": one.floor, "LocationNotes": ""},
        },
        "ExternalNames": {},
        "Directions": {},
    }


def category(row: sqlite3.Row) -> Json:
    """A kind of room."""
    return {
        "Id": row["id"],
        "EnterpriseId": row["enterprise_id"],
        "ServiceId": row["service_id"],
        "IsActive": True,
        "Type": row["type"],
        "Classification": row["classification"],
        "Names": {LANGUAGE: row["name"]},
        "ShortNames": {LANGUAGE: row["short"]},
        "Descriptions": {},
        "Ordering": row["seq"],
        "Capacity": row["capacity"],
        "ExtraCapacity": 0,
        "ExternalIdentifier": None,
        "AccountingCategoryId": None,
    }


def assignment(row: sqlite3.Row) -> Json:
    """Which room is of which kind."""
    at = moments.wire(row["created_at"])
    return {
        "Id": row["id"],
        "IsActive": True,
        "ResourceId": row["resource_id"],
        "CategoryId": row["category_id"],
        "CreatedUtc": at,
        "UpdatedUtc": at,
    }


def block(one: Block) -> Json:
    """A room taken out of sale."""
    return {
        "Id": one.id,
        "EnterpriseId": one.enterprise_id,
        "AssignedResourceId": one.resource_id,
        "IsActive": one.is_active,
        "Type": one.type,
        "StartUtc": moments.wire(one.starts_at),
        "EndUtc": moments.wire(one.ends_at),
        "CreatedUtc": moments.wire(one.created_at),
        "UpdatedUtc": moments.wire(one.updated_at),
        "DeletedUtc": moments.wire_or_none(one.deleted_at),
        "Name": one.name,
        "Notes": one.notes,
    }
