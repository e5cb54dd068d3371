"""The forms of rooms and their doors; doors for everybody are chosen apart, so that nobody takes one by mistake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from locks.models import Door
from portal.staff.fields import NO_SUCH_DOOR, Styled


def is_common(door: Door) -> bool:
    """Whether the door is for more than one room, such as an entrance or a lift."""
    return door.type not in Door.OF_A_ROOM


def choice(door: Door) -> tuple[str, str]:
    """The door as one box."""
    return str(door.pk), door.name


class SeenIds(forms.CharField):
    """The ids that the page showed, to notice what changed meanwhile."""

    def clean(self, value: Any) -> set[int]:
        text = str(super().clean(value))
        return {int(one) for one in text.split(",") if one.isascii() and one.isdigit()}


class MakeDoorsForm(Styled):
    """The common doors that new doors are linked to, none unless ticked, and the mark of the plan that was seen."""

    common = forms.MultipleChoiceField(
        label="Link the new doors to",
        help_text="A key of a new door then opens these too. None is linked unless it is ticked.",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": NO_SUCH_DOOR},
    )
    seen = forms.CharField(max_length=40, widget=forms.HiddenInput)

    def __init__(self, *args: Any, doors: Sequence[Door], **kwargs: Any) -> None:
        self.offered = [door for door in doors if is_common(door)]
        super().__init__(*args, **kwargs)
        self.fields["common"].choices = [choice(door) for door in self.offered]  # type: ignore[attr-defined]

    def chosen(self) -> list[Door]:
        """The common doors that were ticked."""
        return [door for door in self.offered if str(door.pk) in self.cleaned_data["common"]]


class RoomDoorsForm(Styled):
    """The doors of one room."""

    doors = forms.MultipleChoiceField(
        label="Doors of the room",
        help_text="One or several. Beds of one dorm share a door.",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": NO_SUCH_DOOR},
    )
    common = forms.MultipleChoiceField(
        label="Common doors",
        help_text="Only for this room. A door that is linked to the room’s door opens anyway.",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": NO_SUCH_DOOR},
    )
    had = SeenIds(required=False, max_length=2000, widget=forms.HiddenInput)
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, doors: Sequence[Door], had: Sequence[Door], **kwargs: Any
    ) -> None:
        self.by_id = {str(door.pk): door for door in doors}
        mapped = [str(door.pk) for door in had]
        kwargs.setdefault("initial", {"doors": mapped, "common": mapped})
        super().__init__(*args, **kwargs)
        own, common = self.fields["doors"], self.fields["common"]
        own.choices = [choice(door) for door in doors if not is_common(door)]  # type: ignore[attr-defined]
        common.choices = [choice(door) for door in doors if is_common(door)]  # type: ignore[attr-defined]

    def chosen(self) -> list[Door]:
        """The doors that were ticked, by name."""
        ticked = {*self.cleaned_data["doors"], *self.cleaned_data["common"]}
        return [door for pk, door in self.by_id.items() if pk in ticked]

    def is_same(self) -> bool:
        """Whether the choice is what the page showed as mapped."""
        return bool({door.pk for door in self.chosen()} == self.cleaned_data["had"])
