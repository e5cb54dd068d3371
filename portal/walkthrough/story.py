"""Tells the article from its first sentence to its last, a line each, and stops at the first that is not true."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx2

from portal.walkthrough import by_hand, check_in, outage, trouble
from portal.walkthrough.article import ARTICLE, SENTENCES, Heading, Sentence
from portal.walkthrough.pages import NotTrue
from portal.walkthrough.stage import Stage
from portal.walkthrough.telling import TELLINGS

SCENES = (by_hand, check_in, outage, trouble)
UNTOLD = [one.text for one in SENTENCES if one.text not in TELLINGS]


class Stopped(Exception):
    """A sentence is not true; the text names it and what was seen instead."""


def tell(stages: Sequence[Stage], say: Callable[[str], None]) -> None:
    """Tell it all and leave the demo as it was found. Raises Stopped at the first sentence that is not true.

    The first stage sees every sentence, the others those that are about every PMS.
    """
    begun = time.monotonic()
    try:
        for stage in stages:
            stage.api  # noqa: B018 - signs in and makes the token
            if outage.connect(stage):
                say(f"{stage.place.title} was not connected: reconnected first.")
        for item in ARTICLE:
            if isinstance(item, Heading):
                say(f"\n{item.text}")
            else:
                _tell(stages if item.of_each_pms else stages[:1], item, say)
    finally:
        left = [problem for stage in stages for problem in stage.close()]
    _as_found(stages, left)
    pms = " and ".join(stage.place.title for stage in stages)
    say(
        f"\n{len(SENTENCES)} sentences are true, seen from outside with {pms} in "
        f"{time.monotonic() - begun:.1f} s."
    )


def _tell(stages: Sequence[Stage], sentence: Sentence, say: Callable[[str], None]) -> None:
    """See it in every hotel, at the same time; a line for each."""
    begun = time.monotonic()
    with ThreadPoolExecutor(len(stages)) as hotels:
        for stage, seeing in [(s, hotels.submit(TELLINGS[sentence.text], s)) for s in stages]:
            where = f"{stage.place.title}: " if len(stages) > 1 else ""
            try:
                seen = seeing.result()
            except (NotTrue, httpx2.HTTPError, KeyError) as reason:
                raise Stopped(f"{sentence.text} [{where}{reason}]") from reason
            ms = (time.monotonic() - begun) * 1000
            say(f"{ms:7.0f} ms  {sentence.text} [{where}{seen}]")


def _as_found(stages: Sequence[Stage], left: list[str]) -> None:
    if left:
        raise Stopped(f"The demo is left as it was found. [{'; '.join(left)}]")
    for stage in stages:
        try:
            stage.wait(stage.is_clean, "a lock still holds a code of the story")
        except NotTrue as reason:
            raise Stopped(f"The demo is left as it was found. [{reason}]") from None
