"""Door Codes in Cloudbeds: one custom field of a booking says the codes of all its rooms.

https://developers.cloudbeds.com/docs/door-locks
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pms.adapters import CallRefused, StayCode
from pms.adapters import cloudbeds_answers as answers

SHORTCODE = "portal_door_code"
LENGTH = 1000
"""Characters, for bookings of many rooms; the vendor gives 40 where nothing is said."""


class Call(Protocol):
    """One call of the vendor's API, judged."""

    def __call__(
        self,
        verb: str,
        method: str,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> dict[str, Any]: ...


def text_of(codes: Sequence[StayCode]) -> str:
    """One line: ``101: 482913; 102: 559310``. Long numbers never run together, or the vendor takes them for a payment
    card."""
    shown = sorted((code.room_name, code.stay_ref, code.code) for code in codes if code.code)
    return "; ".join(f"{room}: {code}" if room else code for room, _, code in shown)


class CodesField:
    """The field of one property. ``known`` are the properties that are known to have it, kept between calls."""

    def __init__(self, call: Call, property_id: str, known: set[str]) -> None:
        self._call, self._property_id, self._known = call, property_id, known

    def write(self, booking_ref: str, codes: Sequence[StayCode]) -> dict[str, str]:
        """Have the field say these codes; the whole text is what the next write knows of this one."""
        text = text_of(codes)
        if any(code.maybe for code in codes):
            there = self._read(booking_ref) == text
        else:
            there = all(code.ref == text for code in codes)
        if not there:
            self._put(booking_ref, text)
        return {code.stay_ref: text for code in codes}

    def _read(self, booking_ref: str) -> str:
        data = self._call("GET", "getReservation", {"reservationID": booking_ref}).get("data")
        return answers.custom_field(data if isinstance(data, dict) else {}, SHORTCODE)

    def _put(self, booking_ref: str, text: str) -> None:
        """A property may have deleted the field: it is made again, once."""
        made = self._ensure()
        try:
            self._fill_in(booking_ref, text)
        except CallRefused:
            self._known.discard(self._property_id)
            if made or not self._ensure():
                raise
            self._fill_in(booking_ref, text)

    def _fill_in(self, booking_ref: str, text: str) -> None:
        form = {
            "reservationID": booking_ref,
            "customFields[0][customFieldName]": SHORTCODE,
            "customFields[0][customFieldValue]": text,
        }
        self._call("PUT", "putReservation", form=form)

    def _ensure(self) -> bool:
        """Make the field unless it is there; true if it was made now."""
        if self._property_id in self._known:
            return False
        rows = answers.rows_of(self._call("GET", "getCustomFields").get("data"))
        there = any(
            answers.text(row, "shortcode") == SHORTCODE for row in rows if isinstance(row, dict)
        )
        if not there:
            form = {
                "name": "Door code",
                "shortcode": SHORTCODE,
                "applyTo": "reservation",
                "type": "input",
                "displayed[0]": "reservation",
                "maxCharacters": str(LENGTH),
            }
            self._call("POST", "postCustomField", form=form)
        self._known.add(self._property_id)
        return not there
