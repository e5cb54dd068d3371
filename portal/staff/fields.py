"""How the forms of the portal look and speak: fields alike, errors said to screen readers, the domain's no at its field."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from keys.refusal import Refused

FIELD_OF = {
    "starts_at": "arrival_on",
    "ends_at": "departure_on",
    "code": "code",
    "people": "name",
    "policy": "policy",
    "requested": "code",
}


class Styled(forms.Form):
    """A form whose fields look alike and say their errors to screen readers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        style(self)

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


def style(form: forms.BaseForm) -> None:
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


FIRST_YEAR, LAST_YEAR = 2000, 2199
NO_SUCH_DOOR = "That door does not exist at this property: choose one from the list."


def check_year(day: date) -> None:
    """Refuse days that nobody means and no clock can convert."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValidationError(f"Choose a year from {FIRST_YEAR} to {LAST_YEAR}.")


def day(label: str, *, required: bool = True) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=required,
        validators=[check_year],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={
            "required": f"Choose the day of {label.lower().split()[0]}.",
            "invalid": "Give the day as year-month-day, such as 2027-06-01.",
        },
    )


def hour(label: str, *, required: bool = True) -> forms.TimeField:
    return forms.TimeField(
        label=label,
        required=required,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        error_messages={
            "required": f"Give a time for the {label.lower().split()[0]}.",
            "invalid": "Give the time as hours and minutes, such as 15:00.",
        },
    )
