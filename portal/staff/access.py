"""Who may enter a view, and what the view then knows: the person, the property and the membership between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.db.models import F, FilteredRelation, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django_htmx.middleware import HtmxDetails

from locks.clock import zone
from locks.history import Actor, Source
from locks.models import Property
from pms.models import Integration
from portal.models import Membership, User
from portal.roles import Right, allowed, note_refusal, roles_with

P = ParamSpec("P")
SESSION_PROPERTY = "property_id"
PMS_FIELDS = ("id", "adapter", "state", "state_since")


@dataclass(frozen=True, slots=True)
class Staff:
    """The signed-in person at the property they are looking at; ``others`` are the properties they can switch to."""

    user: User
    membership: Membership
    memberships: tuple[Membership, ...]

    @property
    def hotel(self) -> Property:
        """The property on the screen."""
        return self.membership.property

    @property
    def pms_in_trouble(self) -> Integration | None:
        """The property's PMS as far as it is not simply working, read along with the membership; nothing else of it."""
        told = {name: getattr(self.membership, f"pms_{name}", None) for name in PMS_FIELDS}
        return Integration(**told) if told["id"] else None

    @property
    def pulse(self) -> int:
        """The property's change number as it was before the page was read."""
        pulse = getattr(self.hotel, "pulse", None)
        return int(pulse.number) if pulse else 0

    def may(self, right: Right) -> bool:
        """Whether the person has that right here."""
        return allowed(self.membership, right)

    def actor(self, reason: str = "") -> Actor:
        """The person as history names them."""
        return Actor(
            source=Source.PORTAL, user_id=self.user.pk, label=str(self.user), reason=reason
        )


class StaffRequest(HttpRequest):
    """A request that passed ``needs``."""

    staff: Staff
    user: User
    htmx: HtmxDetails


StaffView = Callable[Concatenate[StaffRequest, P], HttpResponseBase]
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def needs(right: Right) -> Callable[[StaffView[P]], View[P]]:
    """Let in only who has the right at the property that the session shows, with the clock of that property."""

    def decorate(view: StaffView[P]) -> View[P]:
        @wraps(view)
        def entered(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            staff = _staff_of(request)
            if staff is None:
                return render(request, "account/no_property.html", status=403)
            ours = cast(StaffRequest, request)
            ours.staff = staff
            with timezone.override(zone(staff.hotel.timezone)):
                if not staff.may(right):
                    return refused(ours, right)
                return view(ours, *args, **kwargs)

        entered.right = right  # type: ignore[attr-defined]
        return cast("View[P]", entered)

    return decorate


def signed_in(view: View[P]) -> View[P]:
    """Let in everyone who is signed in, whatever their role."""

    @wraps(view)
    def entered(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        return view(request, *args, **kwargs)

    entered.right = "signed in"  # type: ignore[attr-defined]
    return cast("View[P]", entered)


def public(view: Any) -> Any:
    """Say out loud that anybody may open this view."""
    view.right = "public"
    return view


def refused(request: StaffRequest, right: Right) -> HttpResponse:
    """A page that says what is missing and who has it; the log keeps who tried."""
    member = request.staff.membership
    note_refusal(
        role=member.role,
        user_id=member.user_id,
        property_id=member.property_id,
        asked=f"{request.method} {request.path}",
        right=right,
    )
    context = {"right": right.value, "whom": roles_with(right)}
    return render(request, "staff/refused.html", context, status=403)


def _to_sign_in(request: HttpRequest) -> HttpResponseBase:
    if request.headers.get("X-Live") or request.headers.get("HX-Request"):
        answer = HttpResponse(status=401)
        answer["HX-Redirect"] = "/sign-in/"
        return answer
    return redirect_to_login(request.get_full_path())


def _pms_in_trouble() -> FilteredRelation:
    """At most one: a property has one live integration. Made anew, since a query uses it up."""
    troubled = Q(property__integrations__state__in=["catching_up", "delayed", "broken"])
    return FilteredRelation("property__integrations", condition=troubled)


def _staff_of(request: HttpRequest) -> Staff | None:
    user = cast(User, request.user)
    mine = tuple(
        Membership.objects.filter(user_id=user.pk, is_active=True)
        .annotate(pms=_pms_in_trouble())
        .select_related("property", "property__pulse")
        .annotate(**{f"pms_{name}": F(f"pms__{name}") for name in PMS_FIELDS})
        .order_by("id")
    )
    if not mine:
        return None
    wanted = request.session.get(SESSION_PROPERTY)
    chosen = next((one for one in mine if one.property_id == wanted), mine[0])
    return Staff(user, chosen, mine)
