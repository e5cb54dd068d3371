"""Sections 1, 4 and 5 of the article: keys made by hand, with Allow Provisioning on and off."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from portal.walkthrough.article import quoted
from portal.walkthrough.pages import Page
from portal.walkthrough.screens import (
    allow_on_page,
    has_switch,
    info_tooltip,
    shows_on_hover,
)
from portal.walkthrough.stage import GuestKey, Stage
from portal.walkthrough.telling import must, tells


@cache
def allowed(stage: Stage) -> GuestKey:
    """A current key with Allow Provisioning on, made over the API."""
    return stage.key("Wanda Walkthrough", allow=True)


@cache
def held(stage: Stage) -> GuestKey:
    """A current key with Allow Provisioning off, made over the API."""
    return stage.key("Hedda Held", allow=False)


@cache
def forms_of(stage: Stage) -> list[tuple[str, Page]]:
    """Add Key, Edit Key and Edit Door as staff reach them."""
    web, key = stage.web, held(stage)
    edit = key.page
    return [
        ("Add Key", web.get("/keys/").follow("Add Key")),
        ("Edit Key", edit.follow("Edit Key")),
        ("Edit Door", edit.follow("Edit Door")),
    ]


def made_on_page(stage: Stage, guest: str, *, allow: bool, smartkey: bool = False) -> GuestKey:
    """A key made on Add Key as it stands there, from its own start until tomorrow."""
    page = stage.web.get("/keys/").follow("Add Key")
    start = stage.moment()
    changes: dict[str, Any] = {
        "p0-name": guest,
        "p0-smartkey": smartkey,
        "doors": [str(stage.door["id"])],
        "linked": False,
        "allow": allow,
        "arrival_on": f"{start:%Y-%m-%d}",
        "arrival_at": f"{start:%H:%M}",
        "departure_on": f"{stage.moment(days=1):%Y-%m-%d}",
        "departure_at": f"{start:%H:%M}",
    }
    made = page.press("Save", **changes)
    at = made.url.rstrip("/").rpartition("/")[2]
    must(at.isdigit(), f"Add Key did not make a key: {made.text[:200]}")
    return stage.keep(GuestKey.find(stage, int(at)))


@cache
def by_page_on(stage: Stage) -> GuestKey:
    """Made on Add Key with the switch as it is there, which is on, and with a SmartKey."""
    box = dict(forms_of(stage))["Add Key"].root.one("input", name="allow")
    must("checked" in box.attributes, "Allow Provisioning is not on when Add Key opens")
    return made_on_page(stage, "Paul Page", allow=True, smartkey=True)


@cache
def by_page_off(stage: Stage) -> GuestKey:
    """Made on Add Key with the switch off."""
    return made_on_page(stage, "Pia Page", allow=False)


# 1. What Does Provisioning Mean?


@tells("Provisioning is the process where the system writes credentials to the door lock.")
def writes(stage: Stage) -> str:
    return f"the lock {allowed(stage).written()} holds the Door Code of a new key"


@tells("The Door Code or SmartKey is written to the lock.")
def both_kinds(stage: Stage) -> str:
    before = set(stage.memory()[stage.lock_ref])
    key = by_page_on(stage)
    key.written()

    def smartkeys() -> list[str]:
        rows = stage.memory()[stage.lock_ref]
        new = [held["kind"] for value, held in rows.items() if value not in before | {key.code}]
        return new if rows[key.code]["kind"] == "door_code" and "smartkey" in new else []

    stage.wait(smartkeys, "the lock holds the Door Code of the new key and no SmartKey")
    return "its memory holds the new key’s Door Code and its SmartKey"


@tells("The credential becomes valid for the selected date and time.")
def valid(stage: Stage) -> str:
    key = allowed(stage)
    told, on_lock = key.told, stage.memory()[stage.lock_ref][key.code]
    for name in ("starts_at", "ends_at"):
        same = _moment(on_lock[name]) == _moment(told[name])
        must(same, f"{name} is {told[name]} in Portal and {on_lock[name]} on the lock")
    must(stage.try_at_door(stage.lock_ref, key.code)["opened"], "the code does not open the door")
    later = stage.key("Tomas Tomorrow", allow=True, starts_in_days=1)
    later.written()
    early = stage.try_at_door(stage.lock_ref, later.code)
    must(early["reason"] == "not_yet_valid", f"tomorrow’s code today: {early['said']}")
    return "typed at the door, today’s code opens and tomorrow’s does not yet"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@tells("The credential is not written to the lock.")
def not_written(stage: Stage) -> str:
    held(stage).kept_off()
    return "a code asked for later is on the lock, this one is not"


@tells("The credential exists but is not active.")
def exists(stage: Stage) -> str:
    key = held(stage)
    must(len(key.code) >= 4, f"the code is {key.code}")
    must(not key.told["active"], "Portal calls the key active")
    tried = stage.try_at_door(stage.lock_ref, key.code)
    must(not tried["opened"], "the code opens the door")
    return "Portal shows a Door Code and “Inactive”; typed at the door it does not open"


@tells("Staff must enable provisioning manually later.")
def enabled_later(stage: Stage) -> str:
    key = stage.key("Enno Enabled", allow=False)
    key.kept_off()
    allow_on_page(key)
    return f"not there before; after Edit Door → Allow Provisioning → Save {key.written()} holds it"


# 4. Allow Provisioning Setting When Creating or Updating a Key


@tells("When creating or editing a Key, staff will see the Allow Provisioning setting.")
def setting(stage: Stage) -> str:
    for _, page in forms_of(stage):
        has_switch(page)
    return f"on {', '.join(name for name, _ in forms_of(stage))}"


@tells("Hovering over the info icon shows:")
def info_icon(stage: Stage) -> str:
    for _, page in forms_of(stage):
        info_tooltip(page)
    shown = shows_on_hover(stage, forms_of(stage)[0][1])
    return f"beside the setting on all three pages, {shown}"


@tells("Once provisioning is allowed, the credentials will be written to the door")
def tooltip_on(stage: Stage) -> str:
    said = {info_tooltip(page) for _, page in forms_of(stage)}
    must(all(quoted("Once provisioning is allowed") in one for one in said), str(said))
    return f"word for word; and {by_page_on(stage).written()} holds such a key"


@tells("If provisioning is disabled, the system will not write the credentials yet")
def tooltip_off(stage: Stage) -> str:
    said = {info_tooltip(page) for _, page in forms_of(stage)}
    must(all(quoted("If provisioning is disabled") in one for one in said), str(said))
    must(held(stage).is_nowhere(), f"{', '.join(held(stage).held_by())} holds the held key’s code")
    return "word for word; and the held key is still not on its lock"


# 5. How Provisioning Affects Key Creation


@tells("Credentials are written to the door automatically.")
def automatically(stage: Stage) -> str:
    key = made_on_page(stage, "Anna Automatic", allow=True)
    return f"Add Key, Save, nothing else: {key.written()} holds it"


@tells("Key becomes active for the selected time window.")
def becomes_active(stage: Stage) -> str:
    key = by_page_on(stage)
    stage.wait(lambda: key.told["active"], lambda: f"Portal says: {key.said}")
    page = key.page.text
    must("Active" in page.split() and "Inactive" not in page, "the page of the key says Inactive")
    return "its page says Current, Active"


@tells("Credentials are created but not written to the door.")
def created(stage: Stage) -> str:
    key = by_page_off(stage)
    key.kept_off()
    return f"a Door Code of {len(key.code)} digits in Portal, none on the lock"


@tells("Key remains inactive.")
def inactive(stage: Stage) -> str:
    key = by_page_off(stage)
    told = key.told
    must(told["state"] == "current" and not told["active"], f"the API says {told['state']}")
    must("Inactive" in key.page.text.split(), "the page of the key does not say Inactive")
    return "its page says Current, Inactive"


@tells("Staff must manually enable provisioning later.")
def manually(stage: Stage) -> str:
    key = by_page_off(stage)
    allow_on_page(key)
    where = key.written()
    stage.wait(lambda: key.told["active"], lambda: f"Portal says: {key.said}")
    return f"Edit Door → Allow Provisioning → Save: {where} holds it, and the key is Active"
