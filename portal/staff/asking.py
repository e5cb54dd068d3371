"""The two questions about a door and a moment: why a code did not work, and who could open it then."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET

from keys import past
from keys.opening import ORDER, WORDS, Answer
from locks.clock import TimeDoesNotExist, exists, typed, zone
from locks.models import Door
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.fields import NO_SUCH_DOOR, Styled, day
from portal.staff.pages import PAGE, form_page, now

SOON = timedelta(minutes=1)


class MomentForm(Styled):
    """A door and a moment by the property's clock. ``moment`` is set when it is valid.

    ``is_doubtful``: the time occurs twice that night, and the form asks which is meant.
    """

    door = forms.ChoiceField(
        label="Door",
        error_messages={"invalid_choice": NO_SUCH_DOOR, "required": "Choose the door."},
    )
    day = day("Day")
    time = forms.TimeField(
        label="Time",
        widget=forms.TimeInput(attrs={"type": "time", "step": "1"}, format="%H:%M:%S"),
        error_messages={
            "required": "Give a time.",
            "invalid": "Give the time as hours and minutes, such as 03:10.",
        },
    )
    later = forms.BooleanField(
        label="The second time, after the clocks went back",
        required=False,
    )

    def __init__(self, *args: Any, doors: list[Door], tz: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["door"].choices = [("", "Choose a door"), *((str(d.pk), d.name) for d in doors)]  # type: ignore[attr-defined]
        self.fields["time"].help_text = f"By the clock of the property: {tz}."
        self.tz, self.is_doubtful = zone(tz), False
        self.moment: datetime | None = None

    def clean(self) -> None:
        super().clean()
        on, at = self.cleaned_data.get("day"), self.cleaned_data.get("time")
        if on is None or at is None:
            return
        wall = datetime.combine(on, at)
        try:
            self.moment = typed(wall, self.tz, later=bool(self.cleaned_data.get("later")))
        except TimeDoesNotExist as error:
            self.add_error(
                "time",
                f"{error.wall:%H:%M} does not exist that night: the clocks go forward. Use {error.after:%H:%M} or later.",
            )
            return
        self.is_doubtful = exists(wall, self.tz) and typed(wall, self.tz, later=True) != typed(
            wall, self.tz, later=False
        )
        if self.moment > now() + SOON:
            self.add_error("day", "That is still to come: choose a moment that is past.")


class WhyForm(MomentForm):
    """The code as well. It is compared and forgotten: the page never shows it again."""

    code = forms.CharField(
        label="Code that was typed",
        max_length=20,
        strip=True,
        widget=forms.PasswordInput(
            attrs={"inputmode": "numeric", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text="Compared with what this property’s keys have and had. It is not kept.",
        error_messages={"required": "Type the code."},
    )

    def clean_code(self) -> str:
        code = "".join(str(self.cleaned_data["code"]).split())
        if not code.isascii() or not code.isdigit():
            raise forms.ValidationError("A Door Code has digits only: type the digits.")
        return code


def _doors(request: StaffRequest) -> list[Door]:
    rows = Door.objects.filter(property_id=request.staff.hotel.pk, archived_at=None)
    return list(rows.order_by("name").only("id", "name", "property_id"))


def _asked(request: StaffRequest) -> dict[str, Any]:
    """What a link filled in: the door, and the moment as UTC; now where it says none."""
    given = request.GET.get("at", "")
    try:
        moment = parse_datetime(given.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 2000 <= moment.year <= 2199:
        moment = now()
    local = moment.astimezone(zone(request.staff.hotel.timezone))
    fields = {"day": local.date(), "time": local.time().replace(microsecond=0)}
    return fields | {"door": request.GET.get("door", ""), "later": bool(local.fold)}


def _door(form: MomentForm, doors: list[Door], request: StaffRequest) -> Door:
    door = next(one for one in doors if str(one.pk) == form.cleaned_data["door"])
    door.property = request.staff.hotel
    return door


@sensitive_post_parameters("code")
@never_cache
@form_page
@needs(Right.SEE_CODES)
def why(request: StaffRequest) -> HttpResponseBase:
    """Why did this code not work?"""
    doors, tz = _doors(request), request.staff.hotel.timezone
    form = WhyForm(request.POST or None, doors=doors, tz=tz, initial=_asked(request))
    context: dict[str, Any] = {"form": form, "zone": tz}
    if request.method == "POST" and form.is_valid() and form.moment:
        door = _door(form, doors, request)
        result = past.why(door=door, moment=form.moment, code=form.cleaned_data["code"])
        context |= {"result": result, "door": door, "moment": form.moment}
    return render(request, "staff/why.html", context)


@never_cache
@require_GET
@needs(Right.SEE_KEYS)
def who_could_open(request: StaffRequest) -> HttpResponse:
    """Who could open this door then?"""
    doors, tz = _doors(request), request.staff.hotel.timezone
    is_asked = "day" in request.GET
    form = MomentForm(
        request.GET if is_asked else None, doors=doors, tz=tz, initial=_asked(request)
    )
    context: dict[str, Any] = {"form": form, "zone": tz}
    if is_asked and form.is_valid() and form.moment:
        door = _door(form, doors, request)
        found = past.who_could(door=door, moment=form.moment)
        rows, after = page_of(found.answers, request.GET.get("after", ""), PAGE)
        context |= {
            "found": found,
            "groups": _groups(rows),
            "next": after,
            "door": door,
            "moment": form.moment,
            "address": _address(request),
        }
    return render(request, "staff/who_could_open.html", context)


def _address(request: StaffRequest) -> str:
    """The question without its place in the list."""
    asked = request.GET.copy()
    asked.pop("after", None)
    return asked.urlencode()


def _groups(answers: list[Answer]) -> list[tuple[str, list[Answer]]]:
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        found.setdefault(WORDS[answer.could], []).append(answer)
    return list(found.items())


def place_of(answer: Answer) -> tuple[int, int, int]:
    """Where an answer stands in the list."""
    return ORDER[answer.could], answer.place.key_id, answer.place.assignment_id


def page_of(answers: list[Answer], after: str, size: int) -> tuple[list[Answer], str]:
    """The answers after a place in the list, and the place where the next page begins; empty on the last."""
    numbers = [int(part) for part in after.split("-") if part.isascii() and part.isdigit()]
    begin = tuple(numbers) if len(numbers) == 3 else (-1, 0, 0)
    rest = [answer for answer in answers if place_of(answer) > begin]
    page = rest[:size]
    return page, "-".join(map(str, place_of(page[-1]))) if len(rest) > size else ""
