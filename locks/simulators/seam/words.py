"""How the simulated vendor says no, what it calls things, and how it writes a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Silence(StrEnum):
    """What a caller gets instead of an answer."""

    HANG = "hang"
    DROP = "drop"


class Refusal(Exception):
    """The cloud says no, in the vendor's words. The message never holds a code."""

    def __init__(
        self, type_: str, message: str, *, status: int = 400, field: str = "", after_s: float = 0
    ) -> None:
        super().__init__(message)
        self.type = type_
        self.message = message
        self.status = status
        self.field = field
        self.after_s = after_s

    def doc(self) -> dict[str, Any]:
        """The body: type and message, and which parameter was wrong, if one was."""
        error: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.field:
            error["validation_errors"] = {"_errors": [], self.field: {"_errors": [self.message]}}
        return {"error": error, "ok": False}


class NoAnswer(Exception):
    """The caller is left without an answer."""

    def __init__(self, silence: Silence) -> None:
        super().__init__(silence)
        self.silence = silence


class Garbage(Exception):
    """The caller gets a 200 with a page of HTML, as from a captive proxy."""


def invalid(field: str, message: str) -> Refusal:
    """A parameter that is missing or wrong."""
    return Refusal("invalid_input", message, field=field)


def not_found(what: str) -> Refusal:
    """There is no such device, access code, and so on."""
    return Refusal(f"{what}_not_found", f"The {what.replace('_', ' ')} was not found.", status=404)


def read_time(given: object, *, field: str) -> datetime | None:
    """An ISO 8601 instant; None stays None. Raises Refusal for anything else."""
    if given is None or given == "":
        return None
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise invalid(field, f"{field} must be an ISO 8601 date and time.")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def say_time(moment: datetime) -> str:
    """An instant as the vendor writes it, in UTC with microseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def flag(given: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """A parameter that is true or false, also in the words of a query or a form."""
    value = given.get(name)
    if value is None or value == "":
        return default
    return value if isinstance(value, bool) else str(value).lower() in {"true", "1", "yes", "on"}
