"""The forms of signing in, of doors and of the settings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.password_validation import validate_password

from keys.ending import Ends
from keys.keychain import doors_without_rooms
from keys.refusal import Refused
from locks.clock import zone_names
from locks.models import Door, Property
from portal.models import Role, User
from portal.staff.fields import NO_SUCH_DOOR, Styled, day, style


class SignInForm(AuthenticationForm):
    """E-mail address and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "E-mail address"
        self.fields["username"].widget.attrs |= {"type": "email", "autocomplete": "username"}
        style(self)


class AccessTokenForm(Styled, forms.Form):
    """An access token that a PMS gave; it is never shown again."""

    token = forms.CharField(
        label="Access token",
        max_length=300,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class DoorForm(forms.ModelForm):  # type: ignore[type-arg]
    """Add or edit a door."""

    rooms = forms.MultipleChoiceField(
        label="Rooms of the PMS",
        help_text="A reservation of such a room gets this door. Rooms appear when a PMS is connected.",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "The PMS has no such room now: choose from the list."},
    )
    links = forms.MultipleChoiceField(
        label="Linked doors",
        help_text="A key of this door opens these too, such as the entrance.",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": NO_SUCH_DOOR},
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
        style(self)

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

    code_length = forms.IntegerField(
        label="Digits of a random Door Code",
        min_value=4,
        max_value=12,
        error_messages=dict.fromkeys(("min_value", "max_value"), "Choose 4 to 12 digits."),
    )
    guests_kept_days = forms.IntegerField(
        label="Days that guests’ names and contacts are kept after their stay",
        min_value=7,
        max_value=3650,
        help_text="Then a name becomes a number, and contacts, messages and notes go. Doors and times stay in the log.",
        error_messages=dict.fromkeys(("min_value", "max_value"), "Choose 7 to 3650 days."),
    )

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
            "backup_codes",
            "common_doors",
            "code_length",
            "whole_hours",
            "keypad_changes",
            "reopened_code",
            "guest_messages",
            "guest_channels",
            "guest_lead_hours",
            "guests_kept_days",
        ]
        labels = {
            "timezone": "Time zone",
            "arrival_time": "Arrival Time",
            "departure_time": "Departure Time",
            "after_outage": "Reservations that came in while the PMS was broken",
        }
        error_messages = {"name": {"unique": "Another property has that name: choose another."}}
        help_texts = {
            "keypad_changes": "Kept is what the lock shows, of guests who may enter now, on that lock only; their key’s page says so. A lock that hides its codes keeps it until Portal writes there again.",
            "whole_hours": "Some locks open and close on the hour only. Where times are refused, staff choose others, and a reservation with such times waits.",
            "timezone": "All times of this property are typed and shown in it.",
            "mode": "In Setup nothing is written to locks.",
            "common_doors": "Entrances, lifts and the like with an empty list of rooms. Nothing is assumed: choose before going Live.",
            "guest_messages": "A message is sent once the code is confirmed on all doors of the key, and says from when it works. Guests who are in house already get none.",
            "guest_lead_hours": "0 sends as soon as the code is on its locks.",
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
        not_chosen = ("", "Not chosen: no key of a room opens them")
        self.fields["common_doors"].choices = [not_chosen, *Property.CommonDoors.choices]  # type: ignore[attr-defined]
        style(self)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("mode") == Property.Mode.LIVE and not cleaned.get("common_doors"):
            doors = doors_without_rooms(self.instance.pk)
            if doors:
                names = ", ".join(door.name for door in doors[:5])
                self.add_error("common_doors", f"No room is linked to {names}: choose for them.")
        return cleaned


class InviteForm(Styled):
    """Whom to invite, as what."""

    email = forms.EmailField(label="E-mail address")
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.TEAM)


class TokenForm(Styled):
    """A token for a program: what it is for, what it may do, and its last day in the property's zone."""

    name = forms.CharField(
        label="Name", max_length=60, help_text="The program that will use it, such as Kiosk."
    )
    role = forms.ChoiceField(
        label="Role", choices=Role.choices, initial=Role.TEAM, help_text="What it may do here."
    )
    expires_on = day("Last day")

    def __init__(self, *args: Any, roles: Iterable[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role.value, role.label) for role in roles]  # type: ignore[attr-defined]

    def clean_expires_on(self) -> date:
        chosen: date = self.cleaned_data["expires_on"]
        if chosen.year > datetime.now(UTC).year + 10:
            raise forms.ValidationError("Choose a day within the next ten years.")
        return chosen

    def refuse(self, refused: Refused) -> None:
        name = "expires_on" if refused.field == "expires_at" else refused.field
        super().refuse(Refused(name, refused.message))


class MemberForm(Styled):
    """A person's role at the property."""

    role = forms.ChoiceField(label="Role", choices=Role.choices)
    may_release_after_outage = forms.BooleanField(
        label="May release after an outage",
        required=False,
        help_text="A right of its own for a Team member such as a night porter; managers have it anyway.",
    )


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


class ReleaseForm(Styled):
    """Confirming a recovery. ``up_to`` and ``seen_at`` are the newest reservation and the moment of the dry run."""

    links_keys = forms.BooleanField(
        label="Link keys made by hand",
        required=False,
        help_text="They keep their codes and become the keys of the reservations.",
    )
    before_check_in = forms.BooleanField(
        label="Write now, before check-in",
        required=False,
        help_text="Not ticked, the doors return to the property’s rule.",
    )
    reason = forms.CharField(
        label="Reason",
        max_length=200,
        help_text="Kept in the history of every door.",
        error_messages={"required": "Say why: it is kept in the history of every door."},
    )
    up_to = forms.IntegerField(min_value=0, max_value=2**63 - 1, widget=forms.HiddenInput)
    seen_at = forms.DateTimeField(widget=forms.HiddenInput)


class DisconnectForm(Styled):
    """What becomes of the keys when a PMS is disconnected. Nothing ends unless it is chosen and confirmed by a word."""

    ends = forms.ChoiceField(
        label="Keys of its reservations",
        choices=[
            (Ends.NONE.value, "Keep them all until their own end"),
            (Ends.COMING.value, "Revoke those to come"),
            (Ends.ALL.value, "Revoke all, in house too"),
        ],
        help_text="Revoked keys stay revoked after the next Connect, until staff restore them.",
    )
    word = forms.CharField(
        label="To revoke keys, type the word revoke",
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        word = str(cleaned.get("word", "")).strip().lower()
        if cleaned.get("ends", Ends.NONE.value) != Ends.NONE.value and word != "revoke":
            self.add_error("word", "Type the word revoke to confirm, or keep the keys.")
        return cleaned


class EndMissingForm(Styled):
    """The word that ends the keys of missing reservations; some must have been ticked."""

    word = forms.CharField(
        label="Type the word revoke",
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )

    def __init__(self, *args: Any, chosen: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.chosen = chosen

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.chosen:
            self.add_error(None, "Tick the keys that shall end.")
        if str(cleaned.get("word", "revoke")).strip().lower() != "revoke":
            self.add_error("word", "Type the word revoke to confirm.")
        return cleaned


class SwapForm(Styled):
    """The lock that takes the place of another, and what became of that."""

    lock = forms.ChoiceField(
        label="New lock",
        error_messages={
            "required": "Choose the new lock.",
            "invalid_choice": "That lock hangs on a door already or does not exist: choose one from the list.",
        },
    )
    was_reset = forms.BooleanField(
        label="The old lock was reset: nothing is stored in it any more",
        required=False,
        help_text="If not, its codes stay under “Should be gone”, and an alarm, until they are removed or you say so later.",
    )

    def __init__(self, *args: Any, locks: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["lock"].choices = [("", "Choose a lock"), *locks]  # type: ignore[attr-defined]


class PairForm(Styled):
    """The door of a lock."""

    door = forms.ChoiceField(
        label="Door",
        required=False,
        error_messages={
            "invalid_choice": "That door has a lock already or does not exist: choose one from the list."
        },
    )

    def __init__(self, *args: Any, doors: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["door"].choices = [("", "No door"), *doors]  # type: ignore[attr-defined]
