"""What MEWS tells: general webhooks, integration webhooks, and messages of the WebSocket.

https://docs.mews.com/connector-api/events/wh-general , .../wh-integration , .../websockets
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pms.simulators.mews import moments
from pms.simulators.mews.records import Customer, Enterprise, Integration, Reservation, Resource

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; ``live`` is what the WebSocket says of it, None for nothing."""

    discriminator: str
    id: str
    live: Json | None = None

    def body(self) -> Json:
        """Its line in a general webhook."""
        return {"Discriminator": self.discriminator, "Value": {"Id": self.id}}


def reservation_updated(one: Reservation) -> Event:
    """A reservation was made or changed."""
    starts = one.starts_at if one.actual_starts_at is None else one.actual_starts_at
    ends = one.ends_at if one.actual_ends_at is None else one.actual_ends_at
    live = {
        "Type": "Reservation",
        "Id": one.id,
        "State": one.oddities.get("state", one.state),
        "StartUtc": moments.wire(starts),
        "EndUtc": moments.wire(ends),
    }
    if one.resource_id:
        live["AssignedResourceId"] = one.resource_id
    return Event("ServiceOrderUpdated", one.id, live)


def customer_added(one: Customer) -> list[Event]:
    """A new guest: both events come together."""
    return [Event("CustomerAdded", one.id), customer_updated(one)]


def customer_updated(one: Customer) -> Event:
    """A guest's profile changed."""
    return Event("CustomerUpdated", one.id)


def resource_updated(one: Resource) -> Event:
    """A room was renamed, cleaned, closed."""
    return Event("ResourceUpdated", one.id, {"Type": "Resource", "Id": one.id, "State": one.state})


def block_updated(block_id: str) -> Event:
    """A room was taken out of sale, or put back."""
    return Event("ResourceBlockUpdated", block_id)


def batch(enterprise_id: str, integration_id: str, events: list[Event]) -> Json:
    """The body of one general webhook."""
    return {
        "EnterpriseId": enterprise_id,
        "IntegrationId": integration_id,
        "Events": [event.body() for event in events],
    }


def integration_created(one: Integration, hotel: Enterprise, at: float) -> Json:
    """A hotel connected; the only one of its kind that names the hotel."""
    data = {
        "Enterprise": {"Id": hotel.id, "Name": hotel.name},
        "Service": {"Id": hotel.service_id, "Name": "Stay"},
        "Requestor": {"Name": "Olga Owner", "Email": "owner@hotel.example"},
        "AccessToken": one.token,
        "CreatedUtc": moments.wire(at),
        "IsEnabled": one.state == "enabled",
        "Integration": _named(one),
    }
    return {"Action": "IntegrationCreated", "Data": data}


def integration_changed(action: str, one: Integration) -> Json:
    """Enabled, disabled, cancelled or reinstated."""
    return {"Action": action, "Data": {"Integration": _named(one)}}


def integration_deleted(one: Integration, at: float) -> Json:
    """Gone for good."""
    data = {"DeletedUtc": moments.wire(at), "Integration": _named(one)}
    return {"Action": "IntegrationDeleted", "Data": data}


def key_created(one: Integration) -> Json:
    """A new AccessToken; the old one is dead."""
    data = {"Integration": _named(one), "ApiKey": one.token}
    return {"Action": "IntegrationApiKeyCreated", "Data": data}


def _named(one: Integration) -> Json:
    return {"Id": one.id, "Name": one.name}
