"""Support's view of recoveries after outages, and the queue of hotels that asked support to release what waits."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from keys import support
from keys.models import Recovery, RecoveryRow, SupportRequest
from locks.admin_kit import OfHotel, actor_of, at, key_link, number

BULK = 50
NEEDS_REASON = "Say why: it is kept in the history of every door."


@admin.register(Recovery)
class RecoveryAdmin(OfHotel):
    """Recoveries of all hotels: who confirmed what, and how many reservations have which result."""

    list_display = (
        "id",
        "property",
        "outage",
        "where_it_stands",
        "actor_label",
        "started",
        "planned",
        "done",
        "failed",
        "skipped",
        "undone",
    )
    list_select_related = ("property", "outage")
    search_fields = ("id",)
    search_help_text = "A recovery’s number."

    @admin.display(description="state")
    def where_it_stands(self, recovery: Recovery) -> str:
        """Where it stands, in words."""
        return recovery.state()

    @admin.display(description="started")
    def started(self, recovery: Recovery) -> str:
        """When it was confirmed."""
        return at(recovery.started_at, recovery.property)


@admin.register(RecoveryRow)
class RecoveryRowAdmin(OfHotel):
    """The reservations of recoveries and their results, without guests."""

    list_display = ("id", "property", "recovery", "key_of_it", "action", "state", "result")
    list_filter = ("state", "property")
    list_select_related = ("property", "recovery")
    search_fields = ("recovery",)
    search_help_text = "A recovery’s number."

    @admin.display(description="key")
    def key_of_it(self, row: RecoveryRow) -> str:
        """A way to the key."""
        return key_link(row.key_id)

    def find(self, rows: QuerySet[RecoveryRow], term: str) -> QuerySet[RecoveryRow]:
        pk = number(term)
        return rows.none() if pk is None else rows.filter(recovery_id=pk)


class ReleaseForm(forms.Form):
    """Why support releases; ``requests`` carries the chosen ones from page to page."""

    requests = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
        help_text="Goes into the history of every door.",
        error_messages={"required": NEEDS_REASON},
    )

    def clean_requests(self) -> list[int]:
        """The ids of the requests."""
        ids = [number(text) for text in self.cleaned_data["requests"].split(",")]
        if None in ids or not 0 < len(ids) <= BULK:
            raise forms.ValidationError("Choose the requests again.")
        return [pk for pk in ids if pk is not None]


@admin.register(SupportRequest)
class SupportRequestAdmin(OfHotel):
    """Hotels whose staff may not release in bulk and asked support to: the outage and the count, no guests."""

    list_display = ("id", "property", "outage", "keys", "asked_by", "asked", "answer")
    list_filter = (("answered_at", admin.EmptyFieldListFilter), "property")
    list_select_related = ("property", "outage", "recovery")
    actions = ("release",)

    @admin.display(description="asked")
    def asked(self, request: SupportRequest) -> str:
        """When, by the hotel's clock."""
        return at(request.asked_at, request.property)

    @admin.display(description="answer")
    def answer(self, request: SupportRequest) -> str:
        """What support did about it, or that it waits."""
        if request.answered_at is None:
            return format_html("<b>{}</b>", "waiting")
        if request.recovery_id is None:
            return "nothing was left"
        where = reverse("admin:keys_recovery_change", args=[request.recovery_id])
        return format_html('<a href="{}">{}</a>', where, f"Recovery {request.recovery_id}")

    @admin.action(description="Release what these outages hold…")
    def release(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask why, then release."""
        ids = list(queryset.filter(answered_at=None).order_by("id").values_list("id", flat=True))
        if not 0 < len(ids) <= BULK:
            text = "These were answered already." if not ids else f"Choose {BULK} at most."
            self.message_user(request, text, messages.ERROR)
            return None
        form = ReleaseForm(initial={"requests": ",".join(map(str, ids))})
        return self._page(request, form, ids)

    def _page(self, request: HttpRequest, form: ReleaseForm, ids: list[int]) -> HttpResponse:
        rows = SupportRequest.objects.filter(pk__in=ids).select_related("property", "outage")
        context = self.admin_site.each_context(request) | {
            "title": "Release what outages hold",
            "form": form,
            "opts": SupportRequest._meta,
            "shown": rows.order_by("id"),
            "address": reverse("admin:keys_supportrequest_release"),
        }
        return TemplateResponse(request, "admin/keys/release.html", context)

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "release/",
            self.admin_site.admin_view(self.released),
            name="keys_supportrequest_release",
        )
        return [own, *super().get_urls()]

    def released(self, request: HttpRequest) -> HttpResponse:
        """Release what the outages of the page that asked why hold."""
        back = HttpResponseRedirect(reverse("admin:keys_supportrequest_changelist"))
        if request.method != "POST":
            return back
        form = ReleaseForm(request.POST)
        if not form.is_valid():
            return self._page(request, form, form.cleaned_data.get("requests", []))
        by = actor_of(request, form.cleaned_data["reason"])
        chosen = SupportRequest.objects.filter(
            pk__in=form.cleaned_data["requests"], answered_at=None
        )
        for one in chosen.order_by("id"):
            recovery = support.answer(request=one, by=by, now=timezone.now())
            said = f"Outage {one.outage_id}: {recovery or 'nothing was left'}."
            self.message_user(request, said, messages.SUCCESS)
        return back
