"""MEWS' way of writing reservations, guests and codes as JSON.

https://docs.mews.com/connector-api/operations ; fields this stand-in knows nothing of are null.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from pms.simulators.mews import moments
from pms.simulators.mews.records import (
    Companionship,
    Customer,
    DoorToken,
    Reservation,
)

Json = dict[str, Any]
ADULT = "1f67644f-052d-4863-acdf-ae1600c60ca0"
PROFILE = "3cd637ef-4728-47f9-8fb1-afb900c9cdcf"
RATE = "ed4b660b-19d0-434b-9360-a4de2ea42eda"


def reservation(one: Reservation) -> Json:
    """A reservation as version 2023-06-06 writes it; ``oddities`` may spoil it on purpose."""
    odd = one.oddities
    body = {
        "Id": one.id,
        "ServiceId": one.service_id,
        "AccountId": one.account_id,
        "AccountType": one.account_type,
        "CreatorProfileId": PROFILE,
        "UpdaterProfileId": PROFILE,
        "BookerId": None,
        "Number": one.number,
        "State": odd.get("state", one.state),
        "Origin": one.origin,
        "CommanderOrigin": one.commander_origin,
        "OriginDetails": None,
        "CreatedUtc": moments.wire(one.created_at),
        "UpdatedUtc": moments.wire(one.updated_at),
        "CancelledUtc": moments.wire_or_none(one.cancelled_at),
        "VoucherId": None,
        "BusinessSegmentId": None,
        "Options": {**_options(one), "ConnectorCheckIn": one.connector_check_in},
        "RateId": RATE,
        "CreditCardId": None,
        "GroupId": one.group_id,
        "RequestedResourceCategoryId": one.category_id,
        "AssignedResourceId": one.resource_id,
        "AvailabilityBlockId": None,
        "PartnerCompanyId": None,
        "TravelAgencyId": None,
        "AssignedResourceLocked": one.is_locked,
        "ChannelNumber": one.channel_number,
        "ChannelManagerNumber": None,
        "CancellationReason": one.cancellation_reason,
        "ReleasedUtc": moments.wire_or_none(one.released_at),
        **_times(one),
        "ScheduledStartUtc": moments.wire(one.starts_at),
        "ActualStartUtc": moments.wire_or_none(one.actual_starts_at),
        "ScheduledEndUtc": moments.wire(one.ends_at),
        "ActualEndUtc": moments.wire_or_none(one.actual_ends_at),
        "Purpose": None,
        "QrCodeData": None,
        "PersonCounts": _people(one),
    }
    return body | dict.fromkeys(odd.get("nulls", []))


def reservation_old(one: Reservation, companion_ids: list[str]) -> Json:
    """A reservation as the older operations write it."""
    return {
        "Id": one.id,
        "ServiceId": one.service_id,
        "GroupId": one.group_id,
        "Number": one.number,
        "ChannelNumber": one.channel_number,
        "State": "Enquired" if one.state == "Inquired" else one.state,
        "Origin": one.origin,
        "CreatedUtc": moments.wire(one.created_at),
        "UpdatedUtc": moments.wire(one.updated_at),
        "CancelledUtc": moments.wire_or_none(one.cancelled_at),
        **_times(one),
        "ReleasedUtc": moments.wire_or_none(one.released_at),
        "RequestedCategoryId": one.category_id,
        "AssignedResourceId": one.resource_id,
        "AssignedResourceLocked": one.is_locked,
        "RateId": RATE,
        "CancellationReason": one.cancellation_reason,
        "PersonCounts": _people(one),
        "OwnerId": one.account_id,
        "CustomerId": one.account_id,
        "CompanionIds": companion_ids,
        "Options": _options(one),
    }


def _options(one: Reservation) -> Json:
    return {
        "OwnerCheckedIn": one.owner_checked_in,
        "AllCompanionsCheckedIn": one.all_checked_in,
        "AnyCompanionCheckedIn": one.any_checked_in,
    }


def _times(one: Reservation) -> Json:
    starts = one.actual_starts_at if one.actual_starts_at is not None else one.starts_at
    ends = one.actual_ends_at if one.actual_ends_at is not None else one.ends_at
    return {"StartUtc": moments.wire(starts), "EndUtc": moments.wire(ends)}


def _people(one: Reservation) -> list[Json]:
    return [{"AgeCategoryId": ADULT, "Count": one.people}]


def companionship(one: Companionship) -> Json:
    """A guest's place; without a reservation it counts for the whole group."""
    return {
        "Id": one.id,
        "CustomerId": one.customer_id,
        "ReservationGroupId": one.group_id,
        "ReservationId": one.reservation_id,
    }


def customer(one: Customer) -> Json:
    """A guest's profile."""
    return {
        "Id": one.id,
        "ChainId": one.chain_id,
        "Number": one.number,
        "Title": None,
        "Sex": None,
        "FirstName": one.first,
        "LastName": one.last,
        "SecondLastName": None,
        "LanguageCode": one.language,
        "PreferredLanguageCode": one.language,
        "Email": one.email,
        "HasOtaEmail": one.has_ota_email,
        "Phone": one.phone,
        "Notes": None,
        "CreatedUtc": moments.wire(one.created_at),
        "UpdatedUtc": moments.wire(one.updated_at),
        "Address": None,
        "AddressId": None,
        "Classifications": [],
        "Options": [],
        "CompanyId": None,
        "MergeTargetId": one.merge_target_id,
        "ActivityState": "Active" if one.is_active else "Deleted",
        "IsActive": one.is_active,
        "PreferredSpaceFeatures": [],
        "CreatorProfileId": PROFILE,
        "UpdaterProfileId": PROFILE,
    }


def group(row: sqlite3.Row) -> Json:
    """The rooms of one booking."""
    return {
        "Id": row["id"],
        "Name": row["name"],
        "ChannelManager": row["channel_manager"],
        "ChannelManagerGroupNumber": row["channel_number"],
        "EnterpriseId": row["enterprise_id"],
    }


def door_token(one: DoorToken) -> Json:
    """A PIN or tag; permissions are plain booleans in answers."""
    return {
        "Id": one.id,
        "EnterpriseId": one.enterprise_id,
        "ServiceOrderId": one.reservation_id,
        "CompanionshipId": one.companionship_id,
        "ResourceId": one.resource_id,
        "Type": one.type,
        "Value": one.value,
        "SerialNumber": one.serial_number,
        "ValidityStartUtc": moments.wire(one.starts_at),
        "ValidityEndUtc": moments.wire(one.ends_at),
        "Permissions": {
            "Bed": one.opens_bed,
            "Room": one.opens_room,
            "Floor": one.opens_floor,
            "Building": one.opens_building,
        },
        "CreatedUtc": moments.wire(one.created_at),
        "UpdatedUtc": moments.wire(one.updated_at),
        "IsActive": one.is_active,
    }
