"""Support's view of properties and people, and the name on the door of the admin."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from keys.house_rules import change_property
from keys.telling_models import Alert, GuestMessage
from locks.admin_kit import (
    Changeable,
    OfHotel,
    Support,
    actor_of,
    all_properties,
    key_link,
    number,
)
from locks.models import Property
from portal.members import end_access
from portal.models import AlertMail, ApiToken, Membership, User
from portal.tokens import revoke_token

admin.site.site_header = "Portal support"
admin.site.site_title = "Portal support"
admin.site.index_title = "What support can see"
admin.site.site_url = "/"
admin.site.disable_action("delete_selected")
admin.site.unregister(Group)


@admin.register(Property)
class PropertyAdmin(Changeable):
    """Hotels. A change of their rules asks the rule again for every door."""

    list_display = ("id", "name", "mode", "timezone", "check_in_rule", "after_outage")
    list_filter = ("mode", "check_in_rule")
    search_fields = ("name",)
    search_help_text = "A property’s number or part of its name."
    may_change: ClassVar[tuple[str, ...]] = (
        "timezone",
        "mode",
        "check_in_rule",
        "arrival_time",
        "departure_time",
        "after_outage",
        "write_lead_minutes",
        "common_doors",
        "code_length",
        "reopened_code",
        "guest_messages",
        "guest_channels",
        "guest_lead_hours",
    )

    def find(self, rows: QuerySet[Property], term: str) -> QuerySet[Property]:
        pk = number(term)
        return rows.filter(name__icontains=term) if pk is None else rows.filter(pk=pk)

    def save_model(self, request: HttpRequest, obj: Property, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        given = {name: form.cleaned_data[name] for name in form.changed_data if name != "reason"}
        by = actor_of(request, form.cleaned_data["reason"])
        change_property(property=obj, changes=given, by=by, now=timezone.now())


@admin.register(Membership)
class MembershipAdmin(OfHotel, Changeable):
    """Who works where, as what. Deactivating ends sessions and tokens at that property at once."""

    list_display = ("id", "user", "property", "role", "may_release_after_outage", "is_active")
    list_filter = ("role", "is_active", "property")
    list_select_related = ("property", "user")
    search_fields = ("user__email",)
    search_help_text = "The exact e-mail address of a person."
    may_change: ClassVar[tuple[str, ...]] = ("role", "may_release_after_outage", "is_active")

    def find(self, rows: QuerySet[Membership], term: str) -> QuerySet[Membership]:
        return rows.filter(user__email=term.lower())

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        super().save_model(request, obj, form, change)
        if "is_active" in form.changed_data and not obj.is_active:
            by = actor_of(request, form.cleaned_data["reason"])
            end_access(membership=obj, by=by, now=timezone.now())


@admin.register(Alert)
class AlertAdmin(OfHotel):
    """Alerts, open and past: what was in trouble, from when to when, with how many guests at risk."""

    list_display = (
        "id",
        "property",
        "kind",
        "subject",
        "guests",
        "most_guests",
        "opened_at",
        "closed_at",
    )
    list_filter = ("kind", ("closed_at", admin.EmptyFieldListFilter), "property")


@admin.register(GuestMessage)
class GuestMessageAdmin(OfHotel):
    """Messages to guests: why, by which channel, whether they went out. Address and text are not shown."""

    list_display = (
        "id",
        "property",
        "key_of_it",
        "why",
        "channel",
        "revision",
        "state",
        "made_at",
        "sent_at",
        "problem",
    )
    list_filter = ("state", "channel", "property")
    search_fields = ("key_id",)
    search_help_text = "The number of a key."
    hidden = frozenset({"address", "body"})

    @admin.display(description="key")
    def key_of_it(self, message: GuestMessage) -> str:
        """A way to the key."""
        return key_link(message.key_id)

    def get_queryset(self, request: HttpRequest) -> QuerySet[GuestMessage]:
        rows: QuerySet[GuestMessage] = super().get_queryset(request)
        return rows.defer("address", "body")

    def find(self, rows: QuerySet[GuestMessage], term: str) -> QuerySet[GuestMessage]:
        pk = number(term)
        return rows.none() if pk is None else rows.filter(key_id=pk)


@admin.register(AlertMail)
class AlertMailAdmin(OfHotel):
    """E-mails about alerts: to whom, what for, and whether they went out."""

    list_display = ("id", "property", "alert", "member", "what", "made_at", "sent_at", "result")
    list_filter = ("what", ("next_try_at", admin.EmptyFieldListFilter), "property")
    list_select_related = ("property", "alert", "membership__user")

    @admin.display(description="member")
    def member(self, mail: AlertMail) -> str:
        """Whom it is for."""
        return str(mail.membership.user)


@admin.register(ApiToken)
class ApiTokenAdmin(OfHotel):
    """Tokens of programs: their beginning, never the rest. They can be revoked here."""

    list_display = ("id", "name", "prefix", "property", "member", "role", "last_used_at", "ends")
    list_filter = ("role", "property")
    list_select_related = ("property", "membership__user")
    search_fields = ("prefix",)
    search_help_text = "A token’s number, or its beginning as shown."
    hidden = frozenset({"digest"})
    actions = ("revoke",)

    def find(self, rows: QuerySet[ApiToken], term: str) -> QuerySet[ApiToken]:
        pk = number(term)
        if pk is not None:
            return rows.filter(pk=pk)
        return rows.filter(property_id__in=all_properties(), prefix=term[:12])

    @admin.display(description="member")
    def member(self, token: ApiToken) -> str:
        """Whose rights the token borrows."""
        return str(token.membership.user)

    @admin.display(description="ends")
    def ends(self, token: ApiToken) -> str:
        """Until when it lives, or since when it does not."""
        if token.revoked_at:
            return f"revoked {token.revoked_at:%d %b %Y}"
        return f"{token.expires_at:%d %b %Y}"

    @admin.action(description="Revoke")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """End the chosen tokens now."""
        for token in queryset:
            revoke_token(token=token, now=timezone.now())
        self.message_user(request, "Revoked.", messages.SUCCESS)


@admin.register(User)
class PersonAdmin(Support, UserAdmin):
    """People who sign in. Only a superuser changes them, or support could promote itself."""

    list_display = ("id", "email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email",)
    search_help_text = "A number, or an exact e-mail address."
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("Support", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),
    )

    def find(self, rows: QuerySet[User], term: str) -> QuerySet[User]:
        pk = number(term)
        return rows.filter(email=term.lower()) if pk is None else rows.filter(pk=pk)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return UserAdmin.get_fields(self, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("last_login", "date_joined")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        obj.email = obj.email.lower()
        obj.save()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(getattr(request.user, "is_superuser", False))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(getattr(request.user, "is_superuser", False))
