"""How the domain says no to a person: the field, and what is wrong with it and how to mend it."""

from __future__ import annotations


class Refused(Exception):
    """A wish that cannot be granted. ``field`` is the form's name for it; ``message`` names the fix and no secret.

    ``place`` is which one is meant, from 0, where there are several of the kind, such as the people of a new key.
    """

    def __init__(self, field: str, message: str, *, place: int = 0) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.place = place
