"""Support's view of what the PMS said: integrations, outages, reservations and the inbox of events. All read-only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.utils.html import format_html

from locks.admin_kit import OfHotel, Support, WithHistory, all_properties, at, key_link, number
from pms.models import Integration, Outage, Reservation, RoomDoor, WebhookEvent, WriteBack


@admin.register(Integration)
class IntegrationAdmin(OfHotel, WithHistory):
    """Links to a PMS: their state, since when, and the last good word. Reconnecting is the hotel's, in the portal."""

    list_display = ("id", "property", "adapter", "state", "since", "last_word", "problem")
    list_filter = ("state", "property")
    search_fields = ("external_property_id",)
    search_help_text = "The PMS’s id of a property, or part of the property’s name."
    hidden = frozenset(
        {"tokens", "hook_secret", "hook_digest", "reader", "token_version", "refreshing_until_at"}
    )

    @admin.display(description="since")
    def since(self, integration: Integration) -> str:
        """Since when it is in this state."""
        return at(integration.state_since, integration.property)

    @admin.display(description="last word")
    def last_word(self, integration: Integration) -> str:
        """When the PMS last answered well."""
        return at(integration.last_word_at, integration.property)

    def find(self, rows: QuerySet[Integration], term: str) -> QuerySet[Integration]:
        return rows.filter(Q(external_property_id=term) | Q(property__name__icontains=term))


@admin.register(RoomDoor)
class RoomDoorAdmin(OfHotel, WithHistory):
    """Which door a room of the PMS opens, with who mapped it. Staff choose doors in the portal."""

    list_display = ("id", "property", "integration", "room_ref", "door")
    list_filter = ("property",)
    list_select_related = ("property", "integration__property", "door")
    search_fields = ("room_ref",)
    search_help_text = "Exactly the PMS’s id of a room."

    def find(self, rows: QuerySet[RoomDoor], term: str) -> QuerySet[RoomDoor]:
        return rows.filter(room_ref=term)


@admin.register(Outage)
class OutageAdmin(OfHotel):
    """Breaks of the connection, from the last good word to the Reconnect that succeeded."""

    list_display = (
        "id",
        "property",
        "integration",
        "began_at",
        "last_word_at",
        "ended_at",
        "cause",
    )
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "property")
    list_select_related = ("property", "integration__property")


@admin.register(Reservation)
class ReservationAdmin(OfHotel):
    """Stays as the PMS last said; their contacts are not shown."""

    list_display = (
        "id",
        "number",
        "guest_name",
        "property",
        "state",
        "room_name",
        "stay",
        "key_of_it",
    )
    list_filter = ("state", "property")
    list_select_related = ("property", "key")
    search_fields = ("number",)
    search_help_text = (
        "Exactly a reservation’s or booking’s number, or a number here with # before it."
    )
    hidden = frozenset({"guest_email", "guest_phone", "companions", "fingerprint", "guest_ref"})

    @admin.display(description="stay")
    def stay(self, reservation: Reservation) -> str:
        """From which day to which."""
        return f"{reservation.arrival_on:%d %b} to {reservation.departure_on:%d %b %Y}"

    @admin.display(description="key")
    def key_of_it(self, reservation: Reservation) -> str:
        """A way to the key."""
        key = getattr(reservation, "key", None)
        return key_link(key.pk if key else None)

    def find(self, rows: QuerySet[Reservation], term: str) -> QuerySet[Reservation]:
        if term.startswith("#"):
            pk = number(term)
            return rows.none() if pk is None else rows.filter(pk=pk)
        return rows.filter(pk__in=stays_numbered(term))


def stays_numbered(term: str) -> list[int]:
    """Ids of the stays of any hotel with this number, vendor's id, or booking's number; at most 500."""
    hotels = all_properties()
    links = list(Integration.objects.values_list("id", flat=True))
    found: set[int] = set()
    for asked in (
        Reservation.objects.filter(property_id__in=hotels, number=term),
        Reservation.objects.filter(integration_id__in=links, external_id=term),
        Reservation.objects.filter(integration_id__in=links, booking_ref=term),
    ):
        found |= set(asked.values_list("id", flat=True)[:500])
    return sorted(found)


@admin.register(WebhookEvent)
class WebhookEventAdmin(Support):
    """The inbox of events. What they carried is kept but not shown: it may name guests."""

    list_display = ("id", "integration", "event", "entity", "received_at", "tries", "outcome")
    list_filter = ("property", ("processed_at", admin.EmptyFieldListFilter))
    list_select_related = ("integration__property",)
    hidden = frozenset({"payload"})

    @admin.display(description="outcome")
    def outcome(self, event: WebhookEvent) -> str:
        """How it ended, or that it has not."""
        if event.processed_at is None:
            return format_html("<b>{}</b>", event.result or "waiting")
        return event.result or "done"


@admin.register(WriteBack)
class WriteBackAdmin(OfHotel):
    """Door Codes shown in the PMS: whether they are, when they were written, and why not. Without the codes."""

    list_display = ("id", "reservation", "property", "shown", "written_at", "tries", "problem")
    list_filter = (("next_try_at", admin.EmptyFieldListFilter), "property")
    list_select_related = ("property", "reservation")
    hidden = frozenset({"wanted", "sent", "ref", "wanted_digest", "written_digest"})

    @admin.display(description="shown")
    def shown(self, row: WriteBack) -> str:
        """Whether the PMS shows what is wanted."""
        if row.wanted_digest != row.written_digest:
            return "waiting" if row.wanted_digest else "to be removed"
        return "yes" if row.wanted_digest else "no"
