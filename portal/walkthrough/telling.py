"""Which function tells which sentence of the article; one sentence, one telling."""

from __future__ import annotations

from collections.abc import Callable

from portal.walkthrough.article import SENTENCES
from portal.walkthrough.pages import NotTrue
from portal.walkthrough.stage import Stage

Telling = Callable[[Stage], str]
TELLINGS: dict[str, Telling] = {}


def tells(sentence: str) -> Callable[[Telling], Telling]:
    """Say that this function makes the sentence happen, and answers with what was seen; it raises NotTrue otherwise.

    A long sentence may be named by its beginning.
    """
    found = [one.text for one in SENTENCES if one.text.startswith(sentence)]
    if len(found) != 1 or found[0] in TELLINGS:
        raise ValueError(sentence)

    def keep(telling: Telling) -> Telling:
        TELLINGS[found[0]] = telling
        return telling

    return keep


def must(condition: object, otherwise: str) -> None:
    """Raise NotTrue with what was seen instead unless it holds."""
    if not condition:
        raise NotTrue(otherwise)
