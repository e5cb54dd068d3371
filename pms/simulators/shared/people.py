"""Invented guests."""

from __future__ import annotations

import random
from dataclasses import dataclass

FIRST_NAMES = "Ada Bea Carl Dora Emil Fay Gus Hana Ivo June Kai Lena Milo Nora Otto Pia Quin Rosa"
LAST_NAMES = "Almeida Berg Costa Dahl Evans Fischer Grant Horn Ito Jansen Keller Lund Moreau Novak"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A guest to be written down; all contacts are invented."""

    first: str
    last: str
    email: str = ""
    phone: str = ""


def anybody() -> Person:
    """An invented guest."""
    first = random.choice(FIRST_NAMES.split())  # noqa: S311 - a name, not a secret
    return with_contacts(first, random.choice(LAST_NAMES.split()))  # noqa: S311 - likewise


def with_contacts(first: str, last: str) -> Person:
    """A person with an address and a telephone number made from the name."""
    address = ".".join(part for part in (first.lower(), last.lower()) if part)
    return Person(first=first, last=last, email=f"{address}@example.com", phone="+351910000000")
