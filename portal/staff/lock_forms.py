"""The forms of lock systems: what a vendor says that it needs, and which door a found lock hangs on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from locks.accounts import NotConnected
from locks.vendors import AccountField, vendor
from portal.staff.fields import Styled, style

KEPT = "Leave it empty to keep the one that Portal has."


class AccountForm(Styled):
    """An account at one vendor: its name here, its address, and the fields that its driver declares.

    ``kept`` is what Portal has already. Secrets among it need not be typed again; none is ever shown.
    """

    account_name = forms.CharField(
        label="Name",
        max_length=100,
        help_text="What staff call it, such as TTLock of the garden house.",
    )
    base_url = forms.CharField(
        label="Address",
        max_length=300,
        widget=forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, driver: str, kept: Mapping[str, str], **kwargs: Any) -> None:
        its = vendor(driver)
        plain = {one.name: kept.get(one.name, one.default) for one in its.fields if not one.secret}
        begin = {"account_name": its.title, "base_url": its.default_url} | plain
        kwargs["initial"] = begin | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)
        self.names = [field.name for field in its.fields]
        self.fields |= {field.name: _field(field, kept) for field in its.fields}
        self.fields["base_url"].help_text = f"{its.title}’s own is {its.default_url}."
        style(self)

    def typed(self) -> dict[str, str]:
        """What was typed for the vendor, by the names that its driver knows."""
        return {name: str(self.cleaned_data[name]) for name in self.names}

    def say_no(self, problem: NotConnected) -> None:
        """Show why the account cannot be used at the field that can mend it."""
        name = "account_name" if problem.field == "name" else problem.field
        self.add_error(name if name in self.fields else None, problem.message)


def _field(of: AccountField, kept: Mapping[str, str]) -> forms.CharField:
    has = of.secret and of.name in kept
    words = " ".join(one for one in (of.help, KEPT if has else "") if one)
    attrs = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
    widget: forms.Widget = forms.TextInput(attrs=attrs)
    if of.is_long:
        widget = forms.Textarea(attrs={"rows": 5, **attrs})
    elif of.secret:
        widget = forms.PasswordInput(attrs=attrs)
    return forms.CharField(
        label=of.label if of.required or of.secret else f"{of.label} (optional)",
        help_text=words or ("" if of.required else "May be left empty."),
        required=of.required and not has,
        max_length=10_000 if of.is_long else 500,
        widget=widget,
        error_messages={"required": f"Type the {of.label}: the lock system asks for it."},
    )


class DisconnectLocksForm(Styled):
    """The name of the account, typed by the person who disconnects it."""

    word = forms.CharField(
        label="Type the name of the account",
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["word"].help_text = name

    def clean_word(self) -> str:
        word = str(self.cleaned_data["word"]).strip()
        if word.casefold() != self.name.casefold():
            raise forms.ValidationError(f"Type {self.name} to confirm, or leave it connected.")
        return word


class AddLockForm(Styled):
    """Where a lock that was found hangs: on a door that has no lock yet, on a new one, or on none for now."""

    door = forms.ChoiceField(
        label="Door",
        required=False,
        error_messages={
            "invalid_choice": "That door has a lock already or does not exist: choose one from the list."
        },
    )
    new_door = forms.CharField(
        label="Or the name of a new door",
        max_length=60,
        required=False,
        help_text="A Private Room until you edit it. Leave it empty to use the door above.",
    )

    def __init__(self, *args: Any, doors: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["door"].choices = [("", "No door yet"), *doors]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("door") and cleaned.get("new_door"):
            self.add_error("new_door", "Choose a door or name a new one, not both.")
        return cleaned
