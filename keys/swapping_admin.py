"""Support's way to swap a lock: the same function as the hotel's, with a reason."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from keys import swapping
from keys.refusal import Refused
from locks.admin import LockAdmin
from locks.admin_kit import actor_of
from locks.clock import database_now
from locks.models import Lock

ONE_LOCK = "Choose one lock that hangs on a door."


class SwapForm(forms.Form):
    """Which lock takes the place, and what became of the old one."""

    new = forms.ModelChoiceField(queryset=Lock.objects.none(), label="New lock")
    was_reset = forms.BooleanField(
        required=False, label="The old lock was reset: nothing is stored in it any more"
    )
    reason = forms.CharField(
        max_length=300, error_messages={"required": "Say why: it is kept in the history."}
    )

    def __init__(self, *args: Any, old: Lock, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        free = Lock.objects.filter(property_id=old.property_id, door=None).exclude(pk=old.pk)
        self.fields["new"].queryset = free.order_by("name", "id")  # type: ignore[attr-defined]


admin.site.unregister(Lock)


@admin.register(Lock)
class SwappableLockAdmin(LockAdmin):
    """Locks as last heard of, and the swap of one."""

    actions = ("swap",)

    @admin.action(description="Swap lock…")
    def swap(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask which lock takes its place, and why."""
        chosen = list(queryset.filter(door__isnull=False).values_list("id", flat=True)[:2])
        if len(chosen) != 1:
            self.message_user(request, ONE_LOCK, messages.ERROR)
            return None
        return HttpResponseRedirect(reverse("admin:locks_lock_swap", args=chosen))

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "<int:lock_id>/swap/", self.admin_site.admin_view(self.swapped), name="locks_lock_swap"
        )
        return [own, *super().get_urls()]

    def swapped(self, request: HttpRequest, lock_id: int) -> HttpResponse:
        """The page that asks, and what it does."""
        old = get_object_or_404(Lock.objects.select_related("door", "property"), pk=lock_id)
        form = SwapForm(request.POST if request.method == "POST" else None, old=old)
        if form.is_valid():
            data = form.cleaned_data
            by = actor_of(request, data["reason"])
            try:
                door = swapping.swap_lock(
                    old=old, new=data["new"], was_reset=data["was_reset"], by=by, now=database_now()
                )
            except Refused as refused:
                form.add_error(None, refused.message)
            else:
                self.message_user(request, f"{data['new']} hangs on {door.name} now.")
                return HttpResponseRedirect(reverse("admin:locks_lock_change", args=[old.pk]))
        context = self.admin_site.each_context(request) | {
            "title": f"Swap {old}",
            "form": form,
            "opts": Lock._meta,
            "lock": old,
            "seen": swapping.preview(lock=old, now=database_now()),
        }
        return TemplateResponse(request, "admin/keys/swap.html", context)
