"""The troubleshooting part of the article: a broken PMS connection, Reconnect, and the reservations of the outage."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import urljoin, urlsplit

from portal.walkthrough.pages import Browser, Element, Page
from portal.walkthrough.screens import allow_on_page, give_reason
from portal.walkthrough.stage import Stage, Stay
from portal.walkthrough.telling import must, tells

CAME_IN = "The PMS connection was broken when the reservation came in"


@cache
def known(stage: Stage) -> Stay:
    """A reservation that Portal knew before the connection broke."""
    stay = stage.book("Konrad Known")
    give_reason(stage, stay.key, "The reservation is not checked in")
    return stay


@cache
def meanwhile(stage: Stage) -> list[Stay]:
    """Four reservations made while the connection was broken, the last one checked in already."""
    names = ("Mira Meanwhile", "Milo Meanwhile", "Moira Meanwhile", "Mats Meanwhile")
    stays = [stage.book(name) for name in names]
    stays[-1].check_in()
    return stays


def state(stage: Stage) -> str:
    """What Settings → Integrations says of the PMS."""
    return _card(_integrations(stage.web), stage).all("span")[0].text


def _integrations(browser: Browser) -> Page:
    return browser.get("/").follow("Settings").follow("Integrations")


def _card(page: Page, stage: Stage) -> Element:
    return page.root.one("section", aria_label=stage.place.title)


def connect(stage: Stage) -> bool:
    """Reconnect unless it is Connected; whether that was needed."""
    if state(stage) == "Connected":
        return False
    reconnect(stage)
    await_connected(stage)
    return True


def await_connected(stage: Stage) -> None:
    """Wait until Settings → Integrations says Connected."""
    stage.wait(
        lambda: state(stage) == "Connected", lambda: f"Settings → Integrations says {state(stage)}"
    )


def break_connection(stage: Stage) -> None:
    """The hotel takes Portal's access away at the PMS; reconnected at the end, if it still is broken."""
    known(stage)
    stage.take_back.append(lambda: connect(stage))
    stage.pms.post("/control/access/revoke", property=hotel(stage))


def hotel(stage: Stage) -> str:
    """The hotel's id at the PMS, by its name."""
    hotels = stage.pms.get("/control/state")["properties"]
    return str(next(one["id"] for one in hotels if one["name"] == stage.place.hotel))


def reconnect(stage: Stage) -> Page:
    """Settings → Integrations → Reconnect, as this PMS wants it; the page that one comes back to."""
    return _by_token(stage) if stage.place.title == "MEWS" else _by_signing_in(stage)


def _by_signing_in(stage: Stage) -> Page:
    """Sign in at the PMS and allow."""
    page = _integrations(stage.web)
    asked = page.press("Reconnect", within=_card(page, stage))
    must(
        urlsplit(asked.url).netloc == urlsplit(stage.place.pms).netloc,
        f"Reconnect does not lead to the PMS but to {asked.url}",
    )
    return asked.press("Allow", property_id=hotel(stage))


def _by_token(stage: Stage) -> Page:
    """Disconnect, get a new token at the PMS, and connect again with it."""
    page = _integrations(stage.owner)
    if links := [one for one in _card(page, stage).all("a") if one.text == "Disconnect"]:
        stage.owner.get(urljoin(page.url, links[0]["href"])).press("Disconnect")
    stage.pms.post("/control/access/delete", property=hotel(stage))
    fresh = stage.pms.post("/control/access/create", property=hotel(stage))
    page = _integrations(stage.web)
    asked = page.press("Reconnect", within=_card(page, stage))
    return asked.press("Reconnect", token=fresh["access_token"])


@tells("This is almost always a broken PMS connection.")
def broken(stage: Stage) -> str:
    break_connection(stage)
    stage.wait(
        lambda: state(stage) == "Broken", lambda: f"Settings → Integrations says {state(stage)}"
    )
    keys = stage.web.get("/keys/").text
    must(
        f"{stage.place.title} is Broken" in keys,
        f"Keys does not say that {stage.place.title} is Broken",
    )
    return "access taken away at the PMS: Settings → Integrations and Keys say Broken"


@tells("When Portal loses the connection to your PMS")
def nothing_arrives(stage: Stage) -> str:
    stays = meanwhile(stage)
    known(stage).check_in()
    said = give_reason(stage, known(stage).key, f"No word from {stage.place.title} since")
    known(stage).key.kept_off()
    found = [stay.id for stay in stays if stay.find() is not None]
    must(not found, f"Portal made keys for {', '.join(found)}")
    return f"four reservations made meanwhile have no key and no code; one checked in meanwhile: “{said}”"


@tells("Fix: Go to Settings → Integrations → find your PMS → click Reconnect")
def fixed(stage: Stage) -> str:
    page = reconnect(stage)
    must(f"{stage.place.title} is connected." in page.text, f"the page says {page.text[:300]}")
    await_connected(stage)
    done = (
        "disconnected, a new token pasted"
        if stage.place.title == "MEWS"
        else "signed in and allowed"
    )
    return f"{done}: Connected; who was known and checked in meanwhile is on {known(stage).key.written()}"


def _affected(stage: Stage) -> Page:
    """Settings → Integrations → the reservations that came in while the connection was broken."""
    links = _card(_integrations(stage.web), stage).all("a")
    found = [one["href"] for one in links if "came in while the connection was broken" in one.text]
    must(found, "Settings → Integrations names no reservations that wait for someone")
    return stage.web.get(found[0])


@tells("Once reconnected, new reservations will provision automatically.")
def new_ones(stage: Stage) -> str:
    stay = stage.book("Nora New")
    stay.key.kept_off()
    stay.check_in()
    return f"a new reservation, checked in: {stay.key.written()} holds its code, nobody touched it"


@tells("For reservations that already came in while the connection was broken")
def held_ones(stage: Stage) -> str:
    for stay in meanwhile(stage):
        give_reason(stage, stay.key, CAME_IN)
    stage.kept_off(*(stay.key for stay in meanwhile(stage)))
    shown = _affected(stage).text
    for stay in meanwhile(stage):
        must(stay.guest in shown, f"{stay.guest} is not among the affected")
    return f"all four have the tag, also the one that is checked in: “{CAME_IN}.”"


@tells("Keys → open the reservation → Edit Door → enable Allow Provisioning → Save.")
def released(stage: Stage) -> str:
    key = meanwhile(stage)[0].key
    doors = allow_on_page(key)
    return f"done as written for its {doors} doors: {key.written()} holds the code"


@tells("⚠️ There is no bulk fix")
def one_by_one(stage: Stage) -> str:
    _, second, third, last = (stay.key for stay in meanwhile(stage))
    allow_on_page(second)
    second.written()
    stage.kept_off(third, last)
    page = _affected(stage).follow("Release all that wait")
    button = next(one.text for one in page.root.all("button") if one.text.startswith("Release "))
    page.press(button, before_check_in=True, reason="walkthrough")
    where = third.written()
    last.written()
    return f"each by itself works as written; a bulk fix exists too: {button} put the others on {where} and more"


@tells("Contact support if the number of affected reservations is too large")
def by_support(stage: Stage) -> str:
    last = meanwhile(stage)[-1]
    allow_on_page(last.key, on=False, only_room=True)
    room = last.key.locks[0]
    stage.wait(lambda: room not in last.key.held_by(), f"{room} still holds the code")
    page = stage.support.get("/admin/keys/key/").press("Search", q=last.number)
    rows = page.root.all("input", name="_selected_action")
    must(len(rows) == 1, f"support finds {len(rows)} keys for the reservation {last.number}")
    chosen: dict[str, Any] = {"_selected_action": [rows[0]["value"]], "action": "switch_on"}
    page.press("Go", **chosen).press("Save", reason="asked by the hotel", before_check_in=True)
    return f"support finds a held one by its number and switches it on in bulk with a reason: {last.key.written()} hold it"
