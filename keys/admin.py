"""Support's view of keys: find any of them, see the rule's answer per door, switch doors with a reason.

Nothing here decides or writes by itself: ``keys/explaining.py`` says why, ``keys/issuing.py`` changes, and both speak the
words of the portal. No code is shown.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from keys import issuing
from keys.api_shapes import public_notices
from keys.continuing import numbered
from keys.explaining import KeyAnswer, explain_key, explain_keys, state_of
from keys.models import Assignment, Key, KeychainDoor
from keys.recovery_admin import RecoveryAdmin, SupportRequestAdmin
from keys.refusal import Refused
from keys.rules import Hold, Permission, Waits
from keys.swapping_admin import SwappableLockAdmin
from keys.wording import PENDING_TAG
from locks.admin_kit import Changeable, OfHotel, ReasonForm, actor_of, at, key_link, number
from pms.admin import stays_numbered

__all__ = [
    "RecoveryAdmin",
    "SupportRequestAdmin",
    "SwappableLockAdmin",
]  # registered by being imported here
BULK = 5000
FIND = (
    "A key’s number, a reservation’s or booking’s number, or 3 letters or more of a guest’s name."
)


# Filters that have an index -------------------------------------------------------------------------


class StateFilter(admin.SimpleListFilter):
    """Where now lies in the key's life."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word.lower(), word) for word in ("Upcoming", "Current", "Past", "Revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Key]) -> QuerySet[Key]:
        now = timezone.now()
        live = queryset.filter(revoked_at=None)
        match self.value():
            case "revoked":
                return queryset.filter(revoked_at__isnull=False)
            case "upcoming":
                return live.filter(starts_at__gt=now, departed_at=None)
            case "current":
                return live.filter(starts_at__lte=now, over_at__gt=now)
            case "past":
                return live.filter(over_at__lte=now)
            case _:
                return queryset


class WaitsFilter(admin.SimpleListFilter):
    """What a pending door waits for, by the rule's last answer."""

    title = PENDING_TAG
    parameter_name = "waits"
    column = "waits"
    field = "key_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (Waits.SOMEONE.value, "waits for someone"),
            (Waits.LOCK.value, "waits for the lock"),
            (Waits.TIME.value, "waits for its time"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        waiting = Assignment.objects.exclude(waits="").filter(**{self.column: self.value()})
        return queryset.filter(pk__in=waiting.values(self.field))


class HoldFilter(WaitsFilter):
    """The first reason, by the rule's last answer."""

    title = "reason"
    parameter_name = "hold"
    column = "headline"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(hold.value, hold.value.replace("_", " ")) for hold in Hold]


class DoorWaitsFilter(WaitsFilter):
    """What a door of a keychain waits for."""

    field = "keychain_door_id"


class DoorHoldFilter(HoldFilter):
    """The first reason of a door of a keychain."""

    field = "keychain_door_id"


def keys_named(term: str) -> list[int] | None:
    """Ids of the keys meant by a number or reservation's number; none when the term is a name."""
    if not any(character.isdigit() for character in term):
        return None
    pk = number(term)
    found = Key.objects.filter(numbered(stays_numbered(term))).values_list("id", flat=True)
    return [*found, *([pk] if pk else [])]


# Acting on many at once, with a reason ----------------------------------------------------------------


class ManyForm(forms.Form):
    """Why many doors are switched at once; ``doors`` carries their ids from page to page."""

    doors = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
        help_text="Goes into the history of every door.",
    )
    before_check_in = forms.BooleanField(
        required=False,
        label="Write now, before check-in",
        help_text="Not ticked, the doors return to their property’s rule.",
    )

    def clean_doors(self) -> list[int]:
        """The ids of the keychain doors."""
        ids = [number(text) for text in self.cleaned_data["doors"].split(",")]
        if None in ids or not 0 < len(ids) <= BULK:
            raise forms.ValidationError("Choose the doors again.")
        return [pk for pk in ids if pk is not None]


class Switching(OfHotel):
    """Pages from which many doors can be switched: an action leads to a page that asks why.

    ``row_of_door`` is the field by which a keychain door knows the rows of the page.
    """

    actions = ("switch_on", "switch_off")
    row_of_door: ClassVar[str] = "pk"

    @admin.action(description="Allow Provisioning on…")
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask why, then switch on."""
        return self._ask(request, queryset, on=True)

    @admin.action(description="Allow Provisioning off…")
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask why, then switch off."""
        return self._ask(request, queryset, on=False)

    def _ask(self, request: HttpRequest, chosen: QuerySet[Any], *, on: bool) -> HttpResponse | None:
        of_rows = {f"{self.row_of_door}__in": chosen.order_by().values("pk")}
        doors = KeychainDoor.objects.filter(removed_at=None, **of_rows)
        ids = list(doors.order_by("id").values_list("id", flat=True)[: BULK + 1])
        if not 0 < len(ids) <= BULK:
            text = (
                f"That is more than {BULK:,} doors: narrow the list." if ids else "No doors there."
            )
            self.message_user(request, text, messages.ERROR)
            return None
        form = ManyForm(initial={"doors": ",".join(map(str, ids))})
        return self._page(request, form, ids, on=on)

    def _page(
        self, request: HttpRequest, form: ManyForm, ids: Sequence[int], *, on: bool
    ) -> HttpResponse:
        shown = KeychainDoor.objects.filter(pk__in=ids[:20]).select_related("key__property", "door")
        if not on:
            del form.fields["before_check_in"]
        name = f"admin:keys_keychaindoor_switch_{'on' if on else 'off'}"
        context = self.admin_site.each_context(request) | {
            "title": f"Allow Provisioning {'on' if on else 'off'}",
            "form": form,
            "opts": KeychainDoor._meta,
            "on": on,
            "count": len(ids),
            "shown": shown,
            "more": max(len(ids) - 20, 0),
            "address": reverse(name),
        }
        return TemplateResponse(request, "admin/keys/switch.html", context)


@admin.register(Key)
class KeyAdmin(Switching, Changeable):
    """Keys of all hotels, with the rule's answer per door."""

    row_of_door = "key"
    list_display = ("number_of", "guest", "property", "stay", "starts", "ends", "state", "pending")
    list_filter = (StateFilter, WaitsFilter, HoldFilter, "property")
    list_select_related = ("property", "reservation")
    search_fields = ("label",)
    search_help_text = FIND
    may_change: ClassVar[tuple[str, ...]] = ("starts_at", "ends_at")
    fields = (
        "why",
        "property",
        "label",
        "reservation",
        "starts_at",
        "ends_at",
        "starts_by_staff",
        "ends_by_staff",
        "pms_starts_at",
        "pms_ends_at",
        "departed_at",
        "revoked_at",
        "revoked_because",
        "people",
        "created_at",
        "reason",
    )

    def prepared(self, rows: list[Key]) -> list[Key]:
        told = explain_keys(keys=rows, now=timezone.now())
        for key in rows:
            key.told = told[key.pk]  # type: ignore[attr-defined]
        return rows

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    @admin.display(description="key")
    def number_of(self, key: Key) -> str:
        """The key's number."""
        return f"Key {key.pk}"

    @admin.display(description="guest")
    def guest(self, key: Key) -> str:
        """The main guest."""
        return key.label

    @admin.display(description="reservation")
    def stay(self, key: Key) -> str:
        """The reservation's number."""
        return key.reservation.number if key.reservation else "made by staff"

    @admin.display(description="starts")
    def starts(self, key: Key) -> str:
        """From when, by the hotel's clock."""
        return at(key.starts_at, key.property)

    @admin.display(description="ends")
    def ends(self, key: Key) -> str:
        """Until when, by the hotel's clock."""
        return at(key.ends_at, key.property)

    @admin.display(description="state")
    def state(self, key: Key) -> str:
        """Where now lies in its life."""
        return state_of(key, now=timezone.now())

    @admin.display(description=PENDING_TAG)
    def pending(self, key: Key) -> str:
        """The most urgent reason."""
        told: KeyAnswer = key.told  # type: ignore[attr-defined]
        return told.headline or ("on its locks" if told.is_active else "-")

    @admin.display(description="why")
    def why(self, key: Key) -> str:
        """The rule's answer about every door, in the words of the portal."""
        told = explain_key(key=key, now=timezone.now())
        context = {"told": told, "notices": public_notices(told), "tag": PENDING_TAG}
        return render_to_string("admin/keys/why.html", context)

    @admin.display(description="people")
    def people(self, key: Key) -> str:
        """Who holds what, without codes."""
        people = key.people.select_related("guest").prefetch_related("credentials")
        context = {"people": people.order_by("-is_main", "id")}
        return render_to_string("admin/keys/people.html", context)

    def find(self, rows: QuerySet[Key], term: str) -> QuerySet[Key]:
        ids = keys_named(term)
        if ids is None:
            return rows.filter(label__icontains=term) if len(term) >= 3 else rows.none()
        return rows.filter(pk__in=ids)

    def save_model(self, request: HttpRequest, obj: Key, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        given = {name: form.cleaned_data[name] for name in form.changed_data if name != "reason"}
        if given:
            by = actor_of(request, form.cleaned_data["reason"])
            issuing.edit_key(key=obj, by=by, now=timezone.now(), **given)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refused as refused:
            self.message_user(request, refused.message, messages.ERROR)
            return HttpResponseRedirect(request.path)


class SwitchForm(ReasonForm):
    """Allow Provisioning of one door, as in the portal's Edit Door."""

    allow = forms.BooleanField(required=False, label="Allow Provisioning")
    before_check_in = forms.BooleanField(required=False, label="Write now, before check-in")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        door: KeychainDoor = self.instance
        if door.pk:
            self.initial["allow"] = Permission(door.permission).is_on
            self.initial["before_check_in"] = issuing.default_permission_before_check_in(door)


@admin.register(KeychainDoor)
class KeychainDoorAdmin(Switching, Changeable):
    """Doors of keychains: who switched Allow Provisioning, when and why."""

    form = SwitchForm
    list_display = ("id", "key", "guest", "door", "property", "permission", "since", "first_reason")
    list_filter = ("permission", DoorWaitsFilter, DoorHoldFilter, "property")
    list_select_related = ("key__reservation", "door", "property")
    search_fields = ("id",)
    search_help_text = FIND
    fields = (
        "why",
        "key",
        "property",
        "door",
        "origin",
        "permission",
        "permission_since",
        "outage",
        "starts_at",
        "ends_at",
        "removed_at",
        "allow",
        "before_check_in",
        "reason",
    )
    may_change: ClassVar[tuple[str, ...]] = ("allow", "before_check_in")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002 - Django's
        **kw: Any,
    ) -> Any:
        return super().get_form(request, obj, change, **(kw | {"fields": ()}))

    def prepared(self, rows: list[KeychainDoor]) -> list[KeychainDoor]:
        told = explain_keys(keys=[door.key for door in rows], now=timezone.now())
        by_door = {door.keychain_door.pk: door for key in told.values() for door in key.doors}
        for row in rows:
            row.told = by_door.get(row.pk)  # type: ignore[attr-defined]
        return rows

    @admin.display(description="guest")
    def guest(self, door: KeychainDoor) -> str:
        """The main guest of the key."""
        return door.key.label

    @admin.display(description="since")
    def since(self, door: KeychainDoor) -> str:
        """Since when the switch is as it is."""
        return at(door.permission_since, door.property)

    @admin.display(description="reason")
    def first_reason(self, door: KeychainDoor) -> str:
        """The first reason of this door."""
        told = door.told  # type: ignore[attr-defined]
        return told.headline if told else "-"

    @admin.display(description="why")
    def why(self, door: KeychainDoor) -> str:
        """The rule's answer about the key of this door."""
        told = explain_key(key=door.key, now=timezone.now())
        told.doors[:] = [each for each in told.doors if each.keychain_door.pk == door.pk]
        context = {"told": told, "notices": [], "tag": PENDING_TAG}
        return format_html(
            "{}{}", key_link(door.key_id), render_to_string("admin/keys/why.html", context)
        )

    def find(self, rows: QuerySet[KeychainDoor], term: str) -> QuerySet[KeychainDoor]:
        ids = keys_named(term)
        if ids is not None:
            return rows.filter(key_id__in=ids)
        return rows.filter(key__label__icontains=term) if len(term) >= 3 else rows.none()

    def save_model(self, request: HttpRequest, obj: KeychainDoor, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        if not set(form.changed_data) & set(self.may_change):
            return
        given = form.cleaned_data
        issuing.set_permission(
            keychain_door=obj,
            on=given["allow"],
            before_check_in=given["before_check_in"],
            by=actor_of(request, given["reason"]),
            now=timezone.now(),
        )

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"switch-{word}/",
                self.admin_site.admin_view(self.switch),
                {"on": word == "on"},
                name=f"keys_keychaindoor_switch_{word}",
            )
            for word in ("on", "off")
        ]
        return own + super().get_urls()

    def switch(self, request: HttpRequest, *, on: bool) -> HttpResponse:
        """Switch the doors of the page that asked why."""
        form = ManyForm(request.POST)
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:keys_keychaindoor_changelist"))
        if not form.is_valid():
            ids = form.cleaned_data.get("doors", [])
            return self._page(request, form, ids, on=on)
        batch = uuid.uuid4()
        changed = issuing.set_permissions(
            door_ids=form.cleaned_data["doors"],
            property_id=None,
            on=on,
            before_check_in=on and form.cleaned_data["before_check_in"],
            by=replace(actor_of(request, form.cleaned_data["reason"]), batch_id=batch),
            now=timezone.now(),
        )
        text = f"Allow Provisioning is {'on' if on else 'off'} for {len(changed)} doors. Batch {batch}."
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:keys_keychaindoor_changelist"))


@admin.register(Assignment)
class AssignmentAdmin(OfHotel):
    """Places of credentials on locks, as delivery keeps them: what is wanted, what is out, what is known."""

    list_display = (
        "id",
        "key",
        "property",
        "door",
        "kind",
        "waits",
        "headline",
        "revision",
        "sent_revision",
        "written_revision",
        "tries",
        "next_attempt_at",
        "proof",
    )
    list_filter = ("kind", "waits", "headline", "property")
    list_select_related = ("property", "key", "door")
    search_fields = ("id",)
    search_help_text = FIND
    hidden = frozenset({"reserved_digest", "lock_digest", "credential", "writer"})

    def find(self, rows: QuerySet[Assignment], term: str) -> QuerySet[Assignment]:
        ids = keys_named(term)
        if ids is not None:
            return rows.filter(key_id__in=ids)
        return rows.filter(key__label__icontains=term) if len(term) >= 3 else rows.none()
