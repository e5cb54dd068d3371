"""The form of what a person wants to hear of alerts."""

from __future__ import annotations

from typing import Any

from django import forms

from keys.telling_models import Alert
from portal.staff.fields import Styled, hour


class PreferenceForm(Styled):
    """Alerts by e-mail: whether, which, and when not."""

    by_email = forms.BooleanField(
        label="Alerts by e-mail",
        required=False,
        help_text="Once when it begins and once when it is over. The portal shows every alert anyway.",
    )
    kinds = forms.MultipleChoiceField(
        label="Which",
        required=False,
        choices=Alert.Kind.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "There is no such alert: choose from the list."},
    )
    quiet_from = hour("Quiet from", required=False)
    quiet_to = hour("Quiet until", required=False)
    urgent_anyway = forms.BooleanField(
        label="Urgent alerts also in quiet hours",
        required=False,
        help_text="Urgent: a stranger may enter, or a guest is at risk. The others wait for the end of the quiet hours.",
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        for one, other in (("quiet_from", "quiet_to"), ("quiet_to", "quiet_from")):
            if given.get(one) is None and given.get(other) is not None and one not in self.errors:
                self.add_error(one, "Give both ends of the quiet hours, or neither.")
        if given.get("by_email") and not given.get("kinds") and "kinds" not in self.errors:
            self.add_error("kinds", "Choose which alerts to get, or switch alerts by e-mail off.")
        return given
