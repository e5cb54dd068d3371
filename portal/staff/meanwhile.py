"""Two people with one form open: the second to save sees what the first changed and chooses; nothing typed is lost.

A form carries, hidden, the version of what it shows and the values that it showed. Fields that were left alone take the
other's change, fields that were typed in keep what was typed, and the form is shown again instead of saved.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Model
from django.http import QueryDict

from locks.history import version_of

SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that someone else changed; ``typed`` is what this person wants instead, if they typed something."""

    label: str
    was: str
    now: str
    typed: str


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What someone else saved while the form was open, and the form's data with it taken in."""

    who: str
    at: datetime
    differences: list[Difference]
    data: QueryDict


def carry(form: forms.BaseForm, version: int) -> str:
    """What a form that is shown now carries in the hidden field."""
    return json.dumps([version, initial_of(form)], separators=(",", ":"))


def version_seen(data: Mapping[str, Any]) -> int | None:
    """The version that the sender of this form saw; none when the form does not say."""
    seen = _seen(data)
    return seen[0] if seen else None


def look(form: forms.BaseForm, row: Model, version: int) -> Meanwhile | None:
    """What others changed of what this bound form shows; none when the sender knew, or wants the same.

    The form was made with the values of ``version``, which is now.
    """
    seen = _seen(form.data)
    if seen is None or seen[0] == version:
        return None
    was, current, typed = seen[1], initial_of(form), typed_in(form)
    changed = [name for name in current if name in was and was[name] != current[name]]
    if not changed or typed == current:
        return None
    data = form.data.copy()  # type: ignore[attr-defined]
    for name in form.fields:
        if typed[name] == was.get(name):
            data.setlist(form.add_prefix(name), current[name])
    data[SEEN] = carry(form, version)
    last = row.history.order_by("-history_id").first()  # type: ignore[attr-defined]
    return Meanwhile(
        who=last.actor_label or "Portal",
        at=last.history_date,
        differences=[_difference(form, name, was, current, typed) for name in changed],
        data=data,
    )


def initial_of(form: forms.BaseForm) -> dict[str, list[str]]:
    """The values that the form shows before anyone types, as a browser would send them."""
    return {
        name: _sent(field, form.get_initial_for_field(field, name))
        for name, field in form.fields.items()
    }


def typed_in(form: forms.BaseForm) -> dict[str, list[str]]:
    """The values that were sent."""
    return {
        name: _sent(
            field, field.widget.value_from_datadict(form.data, form.files, form.add_prefix(name))
        )
        for name, field in form.fields.items()
    }


def _sent(field: forms.Field, value: Any) -> list[str]:
    if isinstance(field.widget, forms.CheckboxInput):
        return ["on"] if value else []
    shown = field.widget.format_value(value)
    parts = shown if isinstance(shown, list | tuple) else [shown]
    return sorted(str(part).strip() for part in parts if part not in {None, ""})


def _seen(data: Mapping[str, Any]) -> tuple[int, dict[str, list[str]]] | None:
    try:
        version, values = json.loads(data.get(SEEN, ""))
        return int(version), {str(name): [str(v) for v in given] for name, given in values.items()}
    except (ValueError, TypeError, AttributeError):
        return None


def _difference(
    form: forms.BaseForm,
    name: str,
    was: Mapping[str, list[str]],
    current: Mapping[str, list[str]],
    typed: Mapping[str, list[str]],
) -> Difference:
    field = form.fields[name]
    mine = typed[name] not in (was[name], current[name])
    return Difference(
        label=str(form[name].label),
        was=_words(field, was[name]),
        now=_words(field, current[name]),
        typed=_words(field, typed[name]) if mine else "",
    )


def _words(field: forms.Field, values: list[str]) -> str:
    if isinstance(field.widget, forms.CheckboxInput):
        return "on" if values else "off"
    names = {str(value): str(label) for value, label in getattr(field, "choices", [])}
    return ", ".join(names.get(value, value) for value in values) or "empty"


__all__ = ["Difference", "Meanwhile", "carry", "look", "version_of", "version_seen"]
