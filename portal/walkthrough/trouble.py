"""What Pending Provisioning and 4117 mean: a lock that is offline, and the two checks of the door log."""

from __future__ import annotations

import re
from functools import cache

from portal.walkthrough.article import ERROR_4117, quoted
from portal.walkthrough.by_hand import held
from portal.walkthrough.outage import CAME_IN
from portal.walkthrough.screens import allow_on_page, give_reason, has_tag
from portal.walkthrough.stage import GuestKey, Stage, Stay
from portal.walkthrough.telling import must, tells

OFF, ON = "Allow Provisioning: off.", "Allow Provisioning: on."
OFFLINE = re.compile(r"Lock: offline since \d\d:\d\d")


def offline(stage: Stage) -> None:
    """The lock of the room goes offline; online again at the end."""
    stage.take_back.append(lambda: online(stage))
    stage.locks.post(f"/control/locks/{stage.lock_ref}/offline")


def online(stage: Stage) -> None:
    """It is back."""
    stage.locks.post(f"/control/locks/{stage.lock_ref}/online")


@cache
def refused(stage: Stage) -> Stay:
    """A checked-in reservation whose code cannot reach the room: its door is held and its lock offline."""
    stay = stage.book("Rita Refused", room=stage.door["name"], arrival="+80")
    give_reason(stage, stay.key, "The reservation is not checked in")
    allow_on_page(stay.key, on=False, only_room=True)
    offline(stage)
    stay.check_in()
    return stay


def open_4117(stage: Stage, key: GuestKey) -> list[str]:
    """The 4117s of the key at the room that are open in the door log, as paragraphs."""
    page = stage.web.get("/doors/").follow("Door log").press("Show", door=str(stage.door["id"]))
    notes = [one for one in page.root.all("div") if "note-bad" in one["class"].split()]
    of_key = [one for one in notes if one.all("a", href=f"/keys/{key.id}/")]
    return [one.text for one in of_key if "4117" in one.text]


def checks(stage: Stage, key: GuestKey, switch: str) -> str:
    """Wait until the key's open 4117 shows the article's two sentences, the switch and the lock as they are now."""

    def seen() -> str:
        for said in open_4117(stage, key):
            lock = OFFLINE.search(said)
            if ERROR_4117 in said and switch in said and lock:
                return f"{switch} {lock[0]}."
        return ""

    return stage.wait(
        seen, lambda: f"the door log shows: {open_4117(stage, key) or 'no open 4117'}"
    )


@tells("The code exists in Portal but has not been written to the lock yet.")
def not_yet(stage: Stage) -> str:
    key = held(stage)
    must(has_tag(key), "the page of the key does not show the tag")
    page = key.page.press("Show")
    must(key.code in page.text.split(), "the page of the key does not show its code")
    must(key.is_nowhere(), f"{', '.join(key.held_by())} holds the code")
    return "the page of a pending key shows its Door Code when asked, and no lock holds it"


@tells("The PMS connection was broken when the reservation came in")
def came_in(stage: Stage) -> str:
    """The demo keeps one of an earlier outage; it is only looked at."""
    page = stage.web.get("/keys/?pending=someone")
    row = next(
        (one for one in page.root.all("tr") if CAME_IN in one.text and one["id"]),
        None,
    )
    must(row is not None, f"no key on Keys says “{CAME_IN}”")
    assert row is not None  # noqa: S101 - said above
    key = GuestKey.find(stage, int(row["id"].removeprefix("row-")))
    must(key.is_nowhere(), f"{', '.join(key.held_by())} holds the code of {key.guest}")
    return f"{key.guest} of an earlier outage still waits for staff, on no lock"


@tells("The lock was offline when Portal tried to write the code")
def offline_then_back(stage: Stage) -> str:
    offline(stage)
    key: GuestKey = stage.key("Otis Offline", allow=True)
    said = give_reason(stage, key, "The lock is offline since")
    must(key.is_nowhere(), "the lock is offline and got the code")
    online(stage)
    return f"“{said}”; back online, {key.written()} got it and nobody did anything"


@tells("The code was not successfully written to the lock.")
def error_4117(stage: Stage) -> str:
    stay = refused(stage)
    said = checks(stage, stay.key, OFF)
    must(quoted("The code was not") in ERROR_4117, "the words of 4117 are not the article’s")
    must(stage.lock_ref not in stay.key.held_by(), "the lock holds the code")
    return (
        f"the door log shows 4117 with the article’s two sentences and the checks made now: {said}"
    )


@tells("Check that Allow Provisioning is enabled on that reservation")
def both_checks(stage: Stage) -> str:
    stay = refused(stage)
    allow_on_page(stay.key, only_room=True)
    said = checks(stage, stay.key, ON)
    online(stage)
    where = stay.key.written()
    stage.wait(
        lambda: not open_4117(stage, stay.key),
        lambda: f"the door log still shows {open_4117(stage, stay.key)}",
    )
    return f"enabled, the log says {said} Back online, {where} hold the code and the 4117 is closed"
