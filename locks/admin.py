"""Support's view of properties, doors, locks and the door log."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from locks.admin_kit import (
    OfHotel,
    WithHistory,
    all_properties,
    at,
    key_link,
    number,
)
from locks.log_models import DoorLogEntry, Episode
from locks.models import Door, Gateway, Lock, LockAccount


@admin.register(LockAccount)
class LockAccountAdmin(OfHotel, WithHistory):
    """Logins at lock vendors; a broken one stops all its locks."""

    list_display = ("id", "name", "property", "driver", "state", "broken_at", "problem")
    list_filter = ("state", "property")
    hidden = frozenset({"token", "event_cursor", "next_poll_at"})


@admin.register(Gateway)
class GatewayAdmin(OfHotel):
    """Gateways and whether they answer."""

    list_display = (
        "id",
        "name",
        "property",
        "account",
        "external_id",
        "is_online",
        "offline_since",
    )
    list_filter = ("is_online", "property")
    list_select_related = ("property", "account")


@admin.register(Door)
class DoorAdmin(OfHotel, WithHistory):
    """Doors."""

    list_display = ("id", "name", "property", "type", "lock_on_it", "archived_at")
    list_filter = ("type", "property")
    list_select_related = ("property", "lock")
    search_fields = ("name",)
    search_help_text = "A door’s number here or its exact name."

    @admin.display(description="lock")
    def lock_on_it(self, door: Door) -> str:
        """The lock on the door."""
        return str(getattr(door, "lock", "No lock installed"))

    def find(self, rows: QuerySet[Door], term: str) -> QuerySet[Door]:
        return rows.filter(property_id__in=all_properties(), name=term) | super().find(rows, term)


@admin.register(Lock)
class LockAdmin(OfHotel):
    """Locks as last heard of; delivery keeps these columns, nobody edits them."""

    list_display = (
        "id",
        "name",
        "property",
        "door",
        "account",
        "reach",
        "battery",
        "last_heard_at",
    )
    list_filter = ("is_online", "property")
    list_select_related = ("property", "door", "account", "gateway")
    search_fields = ("external_id",)
    search_help_text = "A lock’s number here, the vendor’s id, or the exact name of its door."

    @admin.display(description="reach")
    def reach(self, lock: Lock) -> str:
        """Whether it can be spoken to, and since when not."""
        gateway = lock.gateway
        if gateway is not None and not gateway.is_online:
            return f"gateway offline since {at(gateway.offline_since, lock.property)}"
        if lock.is_online:
            return "online"
        return f"offline since {at(lock.offline_since, lock.property)}"

    def find(self, rows: QuerySet[Lock], term: str) -> QuerySet[Lock]:
        hotels = all_properties()
        accounts = list(LockAccount.objects.values_list("id", flat=True))
        doors = Door.objects.filter(property_id__in=hotels, name=term).values_list("id", flat=True)
        ids = set(Lock.objects.filter(door_id__in=list(doors)).values_list("id", flat=True))
        named = Lock.objects.filter(account_id__in=accounts, external_id=term)
        ids |= set(named.values_list("id", flat=True))
        pk = number(term)
        return rows.filter(pk__in=ids | ({pk} if pk else set()))


@admin.register(Episode)
class EpisodeAdmin(OfHotel):
    """4117 and its mirror: what was not where it had to be, from when to when, and how often it was tried."""

    list_display = (
        "id",
        "kind",
        "property",
        "door",
        "key",
        "cause",
        "tries",
        "opened_at",
        "closed_at",
    )
    list_filter = ("kind", ("closed_at", admin.EmptyFieldListFilter), "property")
    list_select_related = ("property", "door")
    search_fields = ("key_id",)
    search_help_text = "The number of a key."

    @admin.display(description="key")
    def key(self, episode: Episode) -> str:
        """A way to the key."""
        return key_link(episode.key_id)

    def find(self, rows: QuerySet[Episode], term: str) -> QuerySet[Episode]:
        pk = number(term)
        return rows.none() if pk is None else rows.filter(key_id=pk)


@admin.register(DoorLogEntry)
class DoorLogAdmin(OfHotel):
    """The door log: append-only, newest first."""

    list_display = (
        "happened_at",
        "property",
        "door",
        "code",
        "cause",
        "key",
        "attempt",
        "actor",
        "hint",
    )
    list_display_links = None
    list_filter = ("code", "property")
    list_select_related = ("property", "door")
    search_fields = ("key_id",)
    search_help_text = "The number of a key, or the exact name of a door."

    @admin.display(description="key")
    def key(self, line: DoorLogEntry) -> str:
        """A way to the key."""
        return key_link(line.key_id)

    def get_ordering(self, request: HttpRequest) -> Any:
        narrowed = "q" in request.GET or "property__id__exact" in request.GET
        return ("-happened_at", "-id") if narrowed else ("-id",)

    def find(self, rows: QuerySet[DoorLogEntry], term: str) -> QuerySet[DoorLogEntry]:
        pk = number(term.removeprefix("Key ").removeprefix("key "))
        doors = Door.objects.filter(property_id__in=all_properties(), name=term)
        ids = list(doors.values_list("id", flat=True))
        if ids:
            return rows.filter(door_id__in=ids)
        return rows.none() if pk is None else rows.filter(key_id=pk)
