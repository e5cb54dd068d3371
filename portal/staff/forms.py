"""The forms of the portal: what staff type, in the property's time, as wishes that the domain understands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.password_validation import validate_password

from keys.issuing import CredentialWish, DoorWish, PersonWish, Refused
from keys.keychain import ALL_WEEK
from keys.models import Credential
from locks.clock import TimeDoesNotExist, typed, zone, zone_names
from locks.drivers import Kind
from locks.models import Door, Property
from portal.models import Membership, Role, User
from portal.staff.happenings import DAYS

FIELD_OF = {
    "starts_at": "arrival_on",
    "ends_at": "departure_on",
    "code": "code",
    "people": "name",
    "policy": "policy",
    "requested": "code",
}
POLICIES = [(p.value, p.label) for p in Credential.Policy]


class Styled(forms.Form):
    """A form whose fields look alike and say their errors to screen readers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        _style(self)

    def refuse(self, refused: Refused) -> None:
        """Show the domain's no at the field that it names."""
        name = FIELD_OF.get(refused.field, refused.field)
        self.add_error(name if name in self.fields else None, refused.message)

    def full_clean(self) -> None:
        super().full_clean()
        _mark_invalid(self)

    def add_error(self, field: str | None, error: Any) -> None:
        super().add_error(field, error)
        _mark_invalid(self)


def _style(form: forms.BaseForm) -> None:
    for name, field in form.fields.items():
        widget = field.widget
        if isinstance(
            widget, forms.CheckboxInput | forms.CheckboxSelectMultiple | forms.RadioSelect
        ):
            continue
        widget.attrs["class"] = (
            "form-select" if isinstance(widget, forms.Select) else "form-control"
        )
        if field.help_text:
            widget.attrs["aria-describedby"] = f"{form[name].id_for_label}_helptext"


def _mark_invalid(form: forms.BaseForm) -> None:
    for name in getattr(form, "_errors", None) or {}:
        if name in form.fields:
            form.fields[name].widget.attrs["aria-invalid"] = "true"


def _day(label: str, *, required: bool = True) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=required,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": f"Choose the day of {label.lower().split()[0]}."},
    )


def _hour(label: str, *, required: bool = True) -> forms.TimeField:
    return forms.TimeField(
        label=label,
        required=required,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        error_messages={"required": f"Give a time for the {label.lower().split()[0]}."},
    )


class SignInForm(AuthenticationForm):
    """E-mail address and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "E-mail address"
        self.fields["username"].widget.attrs |= {"type": "email", "autocomplete": "username"}
        _style(self)


class WindowForm(Styled):
    """Arrival and departure with date and time, in the zone of the property."""

    arrival_on = _day("Arrival date")
    arrival_at = _hour("Arrival Time")
    departure_on = _day("Departure date")
    departure_at = _hour("Departure Time")
    hotel: Property

    def __init__(self, *args: Any, hotel: Property, **kwargs: Any) -> None:
        self.hotel = hotel
        super().__init__(*args, **kwargs)

    @property
    def tz(self) -> ZoneInfo:
        """The zone in which the times are meant."""
        return zone(self.hotel.timezone)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        data["starts_at"] = self._moment(data, "arrival", later=False)
        data["ends_at"] = self._moment(data, "departure", later=True)
        return data

    def _moment(self, data: dict[str, Any], name: str, *, later: bool) -> datetime | None:
        day: date | None = data.get(f"{name}_on")
        at: time | None = data.get(f"{name}_at")
        if day is None and at is None:
            return None
        if day is None or at is None:
            if f"{name}_on" not in self.errors and f"{name}_at" not in self.errors:
                self.add_error(f"{name}_on", "Give both the day and the time, or neither.")
            return None
        try:
            return typed(datetime.combine(day, at), self.tz, later=later)
        except TimeDoesNotExist as missing:
            self.add_error(f"{name}_at", f"{missing}. Choose {missing.after:%H:%M} or later.")
            return None


def window_initial(
    starts_at: datetime | None, ends_at: datetime | None, tz: ZoneInfo
) -> dict[str, Any]:
    """The window as the form shows it."""
    start, end = (at.astimezone(tz) if at else None for at in (starts_at, ends_at))
    return {
        "arrival_on": start and start.date(),
        "arrival_at": start and start.time(),
        "departure_on": end and end.date(),
        "departure_at": end and end.time(),
    }


class LimitsForm(WindowForm):
    """A window with limits by day of the week and hour of the day."""

    weekdays = forms.MultipleChoiceField(
        label="Days",
        choices=[(str(bit), day) for bit, day in enumerate(DAYS)],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    from_hour = _hour("From", required=False)
    to_hour = _hour("To", required=False)

    def limits(self) -> dict[str, Any]:
        """The limits as the domain takes them."""
        data = self.cleaned_data
        bits = sum(1 << int(bit) for bit in data["weekdays"])
        return {"weekdays": bits, "from_hour": data["from_hour"], "to_hour": data["to_hour"]}


def weekdays_initial(bits: int = ALL_WEEK) -> list[str]:
    """The ticked days."""
    return [str(bit) for bit in range(7) if bits >> bit & 1]


class KeyForm(LimitsForm):
    """Add Key: doors, Access Period, limits and Allow Provisioning; the people have forms of their own."""

    doors = forms.MultipleChoiceField(
        label="Doors",
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": "Choose at least one door.",
            "invalid_choice": "That door does not exist at this property: choose one from the list.",
        },
    )
    linked = forms.BooleanField(label="Open linked doors too", required=False, initial=True)
    allow = forms.BooleanField(label="Allow Provisioning", required=False, initial=True)

    def __init__(self, *args: Any, doors: Iterable[Door], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = {str(door.pk): door for door in doors}
        self.fields["doors"].choices = [(pk, door.name) for pk, door in self.known.items()]  # type: ignore[attr-defined]

    def wishes(self) -> list[DoorWish]:
        """The chosen doors, all with the same switch and limits."""
        data, limits = self.cleaned_data, self.limits()
        return [
            DoorWish(door=self.known[pk], allow=data["allow"], **limits) for pk in data["doors"]
        ]


class CredentialFields(Styled):
    """Which credentials a person gets; a Door Code can be asked for."""

    door_code = forms.BooleanField(label="Door Code", required=False, initial=True)
    policy = forms.ChoiceField(label="Policy", choices=POLICIES, initial="random", required=False)
    code = forms.CharField(
        label="Code",
        required=False,
        max_length=12,
        strip=True,
        help_text="Preferred takes it if it is free, Strict takes it or refuses.",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    smartkey = forms.BooleanField(label="SmartKey", required=False)
    keycard = forms.BooleanField(label="Keycard", required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("door_code") and data.get("policy") in {"preferred", "strict"}:
            if not data.get("code"):
                self.add_error("code", "Type the code, or choose Random.")
            elif not str(data["code"]).isdigit():
                self.add_error("code", "A Door Code has digits only.")
        return data

    def wishes(self) -> tuple[CredentialWish, ...]:
        """The ticked credentials."""
        data = self.cleaned_data
        found: list[CredentialWish] = []
        if data["door_code"]:
            policy = data["policy"] or "random"
            requested = data["code"] if policy != "random" else ""
            found.append(CredentialWish(kind=Kind.DOOR_CODE, policy=policy, requested=requested))
        found += [
            CredentialWish(kind=kind)
            for kind, on in ((Kind.SMARTKEY, data["smartkey"]), (Kind.KEYCARD, data["keycard"]))
            if on
        ]
        return tuple(found)


class PersonForm(CredentialFields):
    """One person of a key."""

    field_order = ["name", "email", "phone"]
    name = forms.CharField(
        label="Name", max_length=200, error_messages={"required": "Name the person."}
    )
    email = forms.EmailField(label="E-mail (optional)", required=False)
    phone = forms.CharField(label="Phone (optional)", required=False, max_length=40)

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if not any(data.get(kind) for kind in ("door_code", "smartkey", "keycard")):
            self.add_error("door_code", "Choose at least one credential.")
        return data

    def wish(self) -> PersonWish:
        """The person as the domain takes it."""
        data = self.cleaned_data
        return PersonWish(
            name=data["name"], email=data["email"], phone=data["phone"], credentials=self.wishes()
        )


class AddCredentialForm(Styled):
    """One more credential, or a new secret for one."""

    kind = forms.ChoiceField(
        label="Credential",
        choices=[("door_code", "Door Code"), ("smartkey", "SmartKey"), ("keycard", "Keycard")],
    )
    policy = forms.ChoiceField(label="Policy", choices=POLICIES, initial="random", required=False)
    code = CredentialFields.base_fields["code"]


class RegenerateForm(Styled):
    """A new secret."""

    policy = forms.ChoiceField(label="Policy", choices=POLICIES, initial="random")
    code = CredentialFields.base_fields["code"]
    revision = forms.IntegerField(widget=forms.HiddenInput)


class EditDoorForm(LimitsForm):
    """Edit Door: the switch, the box beside it, own times and limits."""

    arrival_on = _day("Arrival date", required=False)
    arrival_at = _hour("Arrival Time", required=False)
    departure_on = _day("Departure date", required=False)
    departure_at = _hour("Departure Time", required=False)
    allow = forms.BooleanField(label="Allow Provisioning", required=False)
    before_check_in = forms.BooleanField(label="Write now, before check-in", required=False)
    reason = forms.CharField(
        label="Why (optional)", required=False, max_length=200, help_text="Kept in the history."
    )


class AddDoorToKeyForm(Styled):
    """One more door for a keychain."""

    doors = forms.ChoiceField(label="Door")
    allow = forms.BooleanField(label="Allow Provisioning", required=False, initial=True)

    def __init__(self, *args: Any, doors: Iterable[Door], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = {str(door.pk): door for door in doors}
        offered = [("", "Choose a door"), *((pk, d.name) for pk, d in self.known.items())]
        self.fields["doors"].choices = offered  # type: ignore[attr-defined]

    def wish(self) -> DoorWish:
        """The door as the domain takes it."""
        return DoorWish(
            door=self.known[self.cleaned_data["doors"]], allow=self.cleaned_data["allow"]
        )


class RevokeForm(Styled):
    """The word that confirms."""

    word = forms.CharField(
        label="Type the word revoke",
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    reason = forms.CharField(label="Why (optional)", required=False, max_length=200)

    def clean_word(self) -> str:
        word = str(self.cleaned_data["word"]).strip().lower()
        if word != "revoke":
            raise forms.ValidationError("Type the word revoke to confirm.")
        return word


class DoorForm(forms.ModelForm):  # type: ignore[type-arg]
    """Add or edit a door."""

    rooms = forms.MultipleChoiceField(
        label="Rooms of the PMS", required=False, widget=forms.CheckboxSelectMultiple
    )
    links = forms.MultipleChoiceField(
        label="Linked doors", required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Door
        fields = ["name", "type", "location", "arrival_time", "departure_time"]
        labels = {"arrival_time": "Own Arrival Time", "departure_time": "Own Departure Time"}
        widgets = {
            "arrival_time": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "departure_time": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        }

    def __init__(
        self, *args: Any, others: Iterable[Door], rooms: Iterable[tuple[str, str]], **kwargs: Any
    ) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.fields["links"].choices = [(str(door.pk), door.name) for door in others]  # type: ignore[attr-defined]
        self.fields["rooms"].choices = list(rooms)  # type: ignore[attr-defined]
        _style(self)

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"]).strip()
        twin = Door.objects.filter(
            property_id=self.instance.property_id, name=name, archived_at=None
        )
        if twin.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(
                "This property already has a door of that name: choose another."
            )
        return name


class PropertyForm(forms.ModelForm):  # type: ignore[type-arg]
    """Settings of the property."""

    class Meta:
        model = Property
        fields = [
            "name",
            "timezone",
            "mode",
            "check_in_rule",
            "arrival_time",
            "departure_time",
            "after_outage",
            "write_lead_minutes",
            "code_length",
        ]
        labels = {
            "timezone": "Time zone",
            "arrival_time": "Arrival Time",
            "departure_time": "Departure Time",
            "after_outage": "Reservations that came in while the PMS was broken",
        }
        help_texts = {
            "timezone": "All times of this property are typed and shown in it.",
            "mode": "In Setup nothing is written to locks.",
            "write_lead_minutes": "Such a lock opens up to this many minutes early. 0 writes at the arrival.",
        }
        widgets = {
            "timezone": forms.Select,
            "arrival_time": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "departure_time": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        names = sorted(
            name
            for name in zone_names()
            if "/" in name and not name.startswith(("Etc", "posix", "right"))
        )
        self.fields["timezone"].widget.choices = [(n, n) for n in (*names, "UTC")]
        _style(self)


class InviteForm(Styled):
    """Whom to invite, as what."""

    email = forms.EmailField(label="E-mail address")
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.TEAM)


class MemberForm(forms.ModelForm):  # type: ignore[type-arg]
    """A person's role at the property."""

    class Meta:
        model = Membership
        fields = ["role", "may_release_after_outage"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        _style(self)


class JoinForm(Styled):
    """The name and password of someone who was invited."""

    name = forms.CharField(label="Your name", max_length=120)
    password = forms.CharField(
        label="Password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters.",
    )

    def clean_password(self) -> str:
        validate_password(
            self.cleaned_data["password"], User(email="", name=self.cleaned_data.get("name", ""))
        )
        return str(self.cleaned_data["password"])


class PairForm(Styled):
    """The door of a lock."""

    door = forms.ChoiceField(label="Door", required=False)

    def __init__(self, *args: Any, doors: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["door"].choices = [("", "No door"), *doors]  # type: ignore[attr-defined]
