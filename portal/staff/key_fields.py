"""The forms of a key: what staff type, in the property's time, as wishes that the domain understands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from keys.issuing import CredentialWish, DoorWish, PersonWish
from keys.keychain import ALL_WEEK
from keys.models import Credential
from locks.clock import TimeDoesNotExist, typed, zone
from locks.drivers import Kind
from locks.models import Door, Property
from portal.staff.fields import NO_SUCH_DOOR, Styled, day, hour
from portal.staff.happenings import DAYS

POLICIES = [(p.value, p.label) for p in Credential.Policy]


class WindowForm(Styled):
    """Arrival and departure with date and time, in the zone of the property."""

    arrival_on = day("Arrival date")
    arrival_at = hour("Arrival Time")
    departure_on = day("Departure date")
    departure_at = hour("Departure Time")
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
    from_hour = hour("From", required=False)
    to_hour = hour("To", required=False)

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
            "invalid_choice": NO_SUCH_DOOR,
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
        max_length=40,
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


class EncodeCardForm(Styled):
    """Which unused card is written, and whether the one before is lost."""

    card = forms.ChoiceField(
        label="Card on the encoder",
        help_text="The number is printed on the card. Only cards that nobody holds are listed.",
        error_messages={
            "required": "Choose the card that lies on the encoder.",
            "invalid_choice": "This card is in use, or was replaced: take another one.",
        },
    )
    lost = forms.BooleanField(
        label="The card before is lost: block it now",
        required=False,
        initial=True,
        help_text="Without this it is blocked when the new card is written.",
    )

    def __init__(self, *args: Any, cards: Iterable[str], replaces: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["card"].choices = [("", "Choose a card"), *((c, c) for c in cards)]  # type: ignore[attr-defined]
        if not replaces:
            del self.fields["lost"]


class EditDoorForm(LimitsForm):
    """Edit Door: the switch, the box beside it, own times and limits."""

    arrival_on = day("Arrival date", required=False)
    arrival_at = hour("Arrival Time", required=False)
    departure_on = day("Departure date", required=False)
    departure_at = hour("Departure Time", required=False)
    allow = forms.BooleanField(label="Allow Provisioning", required=False)
    before_check_in = forms.BooleanField(label="Write now, before check-in", required=False)
    reason = forms.CharField(
        label="Why (optional)", required=False, max_length=200, help_text="Kept in the history."
    )


class AddDoorToKeyForm(Styled):
    """One more door for a keychain."""

    doors = forms.ChoiceField(
        label="Door",
        error_messages={"required": "Choose a door.", "invalid_choice": NO_SUCH_DOOR},
    )
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
