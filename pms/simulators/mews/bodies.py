"""Reads request bodies as strictly as the vendor: unknown properties and wrong kinds are refused.

A reader takes a JSON value and the name it stands under, and gives it as the kind that the
operation works with; it raises `Invalid` with the vendor's words.
https://docs.mews.com/connector-api/guidelines/requests
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pms.simulators.mews import moments

Reader = Callable[[Any, str], Any]
IDS_AT_MOST = 1000
ROWS_AT_MOST = 1000


class Invalid(Exception):
    """A malformed request, an id that does not exist, or one in the wrong state."""

    def __init__(self, parameter: str) -> None:
        """Named as the vendor does: ``Invalid ReservationIds``."""
        super().__init__(f"Invalid {parameter}")


@dataclass(frozen=True, slots=True)
class Interval:
    """Half-open: ``StartUtc <= x < EndUtc``; equal bounds mean that instant; None is open."""

    starts_at: float | None
    ends_at: float | None


@dataclass(frozen=True, slots=True)
class Limitation:
    """How many rows a page has, and after which row it begins."""

    count: int
    cursor: str | None


def text(value: Any, name: str) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise Invalid(name)
    return value


def short_text(value: Any, name: str) -> str:
    """A text of at most 255 characters."""
    if len(text(value, name)) > 255:
        raise Invalid(name)
    return str(value)


def uuid(value: Any, name: str) -> str:
    """An id, in small letters."""
    try:
        return str(UUID(text(value, name)))
    except ValueError:
        raise Invalid(name) from None


def flag(value: Any, name: str) -> bool:
    """True or false, nothing else."""
    if not isinstance(value, bool):
        raise Invalid(name)
    return value


def moment(value: Any, name: str) -> float:
    """Epoch seconds of an ISO 8601 date-time in UTC."""
    at = moments.read(text(value, name))
    if at is None:
        raise Invalid(name)
    return at


def one_of(choices: Collection[str]) -> Reader:
    """One of these words, in this spelling."""

    def read(value: Any, name: str) -> str:
        if value not in choices:
            raise Invalid(name)
        return str(value)

    return read


def many(inner: Reader, most: int = IDS_AT_MOST) -> Reader:
    """A list that is not empty and not too long."""

    def read(value: Any, name: str) -> list[Any]:
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise Invalid(name)
        return [inner(item, name) for item in value]

    return read


def record(required: Mapping[str, Reader], optional: Mapping[str, Reader]) -> Reader:
    """An object of these properties and no others; what is absent or null is None."""
    known = {**required, **optional}

    def read(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Invalid(name or "JSON")
        for stranger in value:
            if stranger not in known:
                raise Invalid(stranger)
        for needed in required:
            if value.get(needed) is None:
                raise Invalid(needed)
        return {
            key: None if value.get(key) is None else reader(value[key], key)
            for key, reader in known.items()
        }

    return read


def update(inner: Reader) -> Reader:
    """``{"Value": ...}``: a new value, where null is a value too; absent means unchanged."""

    def read(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict) or set(value) != {"Value"}:
            raise Invalid(name)
        given = value["Value"]
        return {"Value": None if given is None else inner(given, name)}

    return read


def flags(*names: str) -> Reader:
    """An extent: an object of booleans."""
    return record({}, dict.fromkeys(names, flag))


def interval(value: Any, name: str) -> Interval:
    """At most three months from start to end."""
    bounds = record({}, {"StartUtc": moment, "EndUtc": moment})(value, name)
    starts_at, ends_at = bounds["StartUtc"], bounds["EndUtc"]
    both = starts_at is not None and ends_at is not None
    if both and (ends_at < starts_at or moments.too_long(starts_at, ends_at)):
        raise Invalid(name)
    return Interval(starts_at, ends_at)


def limitation(value: Any, name: str) -> Limitation:
    """``Count`` from 1 to 1000 and perhaps a ``Cursor``."""
    given = record({"Count": _count}, {"Cursor": uuid})(value, name)
    return Limitation(given["Count"], given["Cursor"])


def _count(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= ROWS_AT_MOST:
        raise Invalid(name)
    return value


IDS = many(uuid)
HUNDRED_IDS = many(uuid, 100)
TEXTS = many(text)
CREDENTIALS: dict[str, Reader] = {"ClientToken": text, "AccessToken": text, "Client": text}
LANGUAGE: dict[str, Reader] = {"LanguageCode": text, "CultureCode": text}
ACTIVITY = many(one_of({"Active", "Deleted"}))


def body(required: Mapping[str, Reader], optional: Mapping[str, Reader]) -> Reader:
    """A whole request: the three credentials, perhaps a language, and the operation's own.

    ``LanguageCode`` and ``CultureCode`` come both or not at all.
    """
    inner = record({**CREDENTIALS, **required}, {**LANGUAGE, **optional})

    def read(value: Any, name: str) -> dict[str, Any]:
        given: dict[str, Any] = inner(value, name)
        if (given["LanguageCode"] is None) != (given["CultureCode"] is None):
            raise Invalid("LanguageCode" if given["LanguageCode"] is None else "CultureCode")
        return given

    return read


def paged(optional: Mapping[str, Reader], **required: Reader) -> Reader:
    """A whole request of a paged operation."""
    return body({"Limitation": limitation, **required}, {"EnterpriseIds": IDS, **optional})
