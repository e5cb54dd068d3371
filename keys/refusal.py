"""How the domain says no to a person: the field, and what is wrong with it and how to mend it."""

from __future__ import annotations


class Refused(Exception):
    """A wish that cannot be granted. ``field`` is the form's name for it; ``message`` names the fix and no secret."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
