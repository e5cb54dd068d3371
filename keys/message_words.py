"""The texts of messages to guests, in one place and ready for gettext. Pure: words in, subject and text out.

Nothing is said here that the locks do not hold: the caller passes what is confirmed, and what a lock without time windows
of its own will get at the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.utils.translation import gettext as _

MADE, CODE_CHANGED, ROOM_CHANGED, BACK, SENT_AGAIN = "made", "code", "room", "back", "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one guest is told. Times are aware; ``zone`` is the property's. The window is the one in which all
    doors open; ``is_written_later`` says that some lock gets the code only when it begins."""

    why: str
    hotel: str
    code: str
    doors: tuple[str, ...]
    is_written_later: bool
    starts_at: datetime
    ends_at: datetime
    zone: tzinfo
    now: datetime

    def __repr__(self) -> str:
        return f"Told({self.why})"


def subject(told: Told) -> str:
    """The subject of an e-mail; it never carries the code."""
    match told.why:
        case "code":
            return _("Your new door code for {hotel}").format(hotel=told.hotel)
        case "room":
            return _("Your room at {hotel} has changed").format(hotel=told.hotel)
        case "back":
            return _("Your stay at {hotel} is booked again").format(hotel=told.hotel)
        case _other:
            return _("Your door code for {hotel}").format(hotel=told.hotel)


def text(told: Told) -> str:
    """The whole message, short enough for an SMS of a few parts."""
    doors = _listed(told.doors)
    lines = [_opening(told).format(hotel=told.hotel, code=told.code, doors=doors)]
    start, until = _clock(told.starts_at, told), _clock(told.ends_at, told)
    if told.is_written_later:
        line = _("It will work from {start} until {until}; it is put on the lock then.")
    elif told.starts_at > told.now:
        line = _("It works from {start} until {until}.")
    else:
        line = _("It works now, until {until}.")
    lines.append(line.format(start=start, until=until))
    if told.why == CODE_CHANGED:
        lines.append(_("The code that you had before no longer counts."))
    lines.append(_("Times are local to {hotel}.").format(hotel=told.hotel))
    return "\n".join(lines)


def _opening(told: Told) -> str:
    match told.why:
        case "code":
            return _("{hotel}: your new door code is {code}. It opens {doors}.")
        case "room":
            return _("{hotel}: your room has changed. Your door code is {code}. It opens {doors}.")
        case "back":
            return _("{hotel}: your door code is valid again: {code}. It opens {doors}.")
        case _other:
            return _("{hotel}: your door code is {code}. It opens {doors}.")


def _listed(names: tuple[str, ...]) -> str:
    if len(names) < 2:
        return "".join(names)
    return _("{some} and {last}").format(some=", ".join(names[:-1]), last=names[-1])


def _clock(moment: datetime, told: Told) -> str:
    local = moment.astimezone(told.zone)
    return f"{local:%H:%M}, {local:%a} {local.day} {local:%b} {local.year}"
