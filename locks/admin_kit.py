"""The manners of every admin page of Portal.

Pages are read first and changed rarely: lists never count and never scan for their filters, what has a history cannot be
deleted, and every change asks for a reason that history keeps.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from simple_history.admin import SimpleHistoryAdmin
from simple_history.template_utils import HistoricalRecordContextHelper

from locks.clock import zone
from locks.history import Actor, Source, acting
from locks.models import (
    Property,
)

PAGE, PAGES = 50, 20
MAX_ID = 2**63 - 1


def actor_of(request: HttpRequest, reason: str) -> Actor:
    """The support person as history names them."""
    user = request.user
    return Actor(source=Source.ADMIN, user_id=user.pk, label=str(user), reason=reason)


def at(moment: datetime | None, hotel: Property) -> str:
    """A moment by the clock of the hotel, with its zone, or a dash."""
    if moment is None:
        return "-"
    local = moment.astimezone(zone(hotel.timezone))
    return f"{local:%d %b %Y %H:%M} {local:%Z}"


def number(term: str) -> int | None:
    """The id that was typed, or none."""
    text = term.strip().lstrip("#")
    return int(text) if text.isascii() and text.isdigit() and int(text[:19]) <= MAX_ID else None


def all_properties() -> list[int]:
    """Ids of all hotels: their indexes begin with the property, so a search across hotels names them all."""
    return list(Property.objects.values_list("id", flat=True))


class Page(ChangeList):
    """A page of a list by one query for one row more than it shows: no count, and no page beyond the twentieth.

    Whoever would turn that far has a filter or the search for it.
    """

    def get_results(self, request: HttpRequest) -> None:
        self.page_num = min(max(self.page_num, 1), PAGES)
        start = (self.page_num - 1) * PAGE
        rows = list(self.queryset[start : start + PAGE + 1])
        if start and not rows:
            raise IncorrectLookupParameters
        more = len(rows) > PAGE and self.page_num < PAGES
        self.result_count = start + min(len(rows), PAGE) + int(more)
        self.result_list = cast(Support, self.model_admin).prepared(rows[:PAGE])
        self.full_result_count = self.result_count  # the page says nothing about how many there are
        self.show_full_result_count = self.can_show_all = False
        self.show_admin_actions = True
        self.multi_page = self.page_num > 1 or more
        self.paginator = Paginator(range(self.result_count), PAGE)


class Support(admin.ModelAdmin):
    """Base of all pages: for everybody with ``is_staff``, read-only, in the hotel's own time."""

    list_per_page = PAGE
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    sortable_by: ClassVar[Any] = ()
    ordering: ClassVar[Any] = ("-id",)
    hidden: ClassVar[frozenset[str]] = frozenset()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Page

    def prepared(self, rows: list[Any]) -> list[Any]:
        """The rows of a page, with whatever they show loaded for all of them together."""
        return rows

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.fields:
            return self.fields
        names = [field.name for field in self.model._meta.fields]
        return [name for name in names if name not in self.hidden]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.replace("\0", "").strip()
        return (self.find(queryset, term) if term else queryset), False

    def find(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        """The rows meant by the form of what was typed, each form with an index of its own."""
        pk = number(term)
        return rows.none() if pk is None else rows.filter(pk=pk)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        with self._hotel_time(request, object_id):
            response = super().changeform_view(request, object_id, form_url, extra_context)
            if isinstance(response, TemplateResponse):
                response.render()
            return response

    def _hotel_time(self, request: HttpRequest, object_id: str | None) -> Any:
        row = self.get_object(request, object_id) if object_id else None
        hotel = row if isinstance(row, Property) else getattr(row, "property", None)
        return timezone.override(zone(hotel.timezone)) if hotel else contextlib.nullcontext()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_support(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_support(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _is_support(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_staff", False))


class Readable(HistoricalRecordContextHelper):
    """Old and new values as people read them: the words of a choice, not its letters."""

    def prepare_delta_change_value(self, change: Any, value: Any) -> Any:
        field = self.model._meta.get_field(change.field)
        words = dict(getattr(field, "flatchoices", ()))
        return words.get(value, super().prepare_delta_change_value(change, value))


class WithHistory(Support, SimpleHistoryAdmin):
    """A page whose rows show who changed what, when, through which door and why; old versions cannot be put back."""

    object_history_list_template = "admin/history_list.html"

    def get_historical_record_context_helper(
        self, request: HttpRequest, historical_record: Any
    ) -> Readable:
        return Readable(self.model, historical_record)

    def history_form_view(
        self,
        request: HttpRequest,
        object_id: str,
        version_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method != "GET":
            raise PermissionDenied
        answer: HttpResponse = super().history_form_view(
            request, object_id, version_id, extra_context
        )
        return answer

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class ReasonForm(forms.ModelForm):
    """A form that wants to know why, once something was changed in it."""

    reason = forms.CharField(
        required=False,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
        help_text="Needed for every change; history keeps it.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        changed = set(self.changed_data) - {"reason"}
        if changed and not cleaned.get("reason", "").strip():
            self.add_error("reason", "Say why: history keeps it.")
        return dict(cleaned)


class Changeable(WithHistory):
    """A page on which support may change the fields of ``may_change``, with a reason."""

    form = ReasonForm
    may_change: ClassVar[tuple[str, ...]] = ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_support(request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_fields(request, obj), "reason"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        open_fields = {*self.may_change, "reason"}
        return [name for name in self.get_fields(request, obj) if name not in open_fields]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        if not form.has_changed():
            return
        with acting(actor_of(request, form.cleaned_data["reason"])):
            self.store(obj, form)

    def store(self, obj: Any, form: Any) -> None:
        """Save the row. Pages whose rows have a domain function call that instead."""
        obj.save()

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None  # the model's own history says more than Django's log of the admin


class OfHotel(Support):
    """A page of rows that belong to a hotel, which is the first thing to filter by."""

    list_filter: ClassVar[Any] = ("property",)
    list_select_related: ClassVar[Any] = ("property",)


def key_link(key_id: int | None) -> str:
    """A link to a key's page; locks know keys by number only."""
    if key_id is None:
        return "-"
    return format_html(
        '<a href="{}">Key {}</a>', reverse("admin:keys_key_change", args=[key_id]), key_id
    )
