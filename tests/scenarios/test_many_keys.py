"""Many keys changed at once: nothing without a look before, a typed word, a result per key, and a way to stop and back."""

from __future__ import annotations

import re

import pytest

from tests.eventually import eventually
from tests.pages import words

scenario = pytest.mark.scenario
MANY = 24


@scenario(78)
def test_many_keys_are_revoked_after_a_dry_run_stopped_in_the_middle_and_undone(hotel):
    """Two dozen keys instead of 120, which take longest to make; what is done is the same for any number.

    One lock is offline: its keys are counted apart, and their codes go when it is back.
    """
    rooms = [hotel.free_room() for _ in range(4)]
    keys = [hotel.api_key(f"Bulk Guest {chr(65 + n)}", rooms[n % 4]) for n in range(MANY)]
    held = [(hotel.lock(rooms[n % 4]), _code(hotel, key)) for n, key in enumerate(keys)]
    eventually(lambda: all(lock.holds(code) for lock, code in held))
    eventually(lambda: _effects(_asked(hotel)) == {"Come off their locks": MANY})
    hotel.lock(rooms[3]).offline()
    stuck = "Come off when their locks answer; until then they may still open"
    counted = {"Come off their locks": MANY * 3 // 4, stuck: MANY // 4}
    eventually(lambda: _effects(_asked(hotel)) == counted)
    asked = _asked(hotel)
    assert f"{MANY} of the guests are in house" in asked.text
    form = asked.form(f"Revoke {MANY} keys").fill("Reason", "Fire drill")
    refused = form.fill("Type", "revoke").press(f"Revoke {MANY} keys")
    assert f"Type revoke {MANY} to confirm." in refused.text
    assert all(lock.opens_for(code) for lock, code in held)
    form = refused.form(f"Revoke {MANY} keys").fill("Type", f"revoke {MANY}")
    report = form.press(f"Revoke {MANY} keys")
    _stop_in_the_middle(hotel, report)
    shown = hotel.page(report.path, "owner")
    done = shown.text.count("Revoked; its code was on")
    assert 0 < done < MANY
    assert shown.text.count("Not done: cancelled before.") == MANY - done
    gone = [(lock, code) for lock, code in held[:done] if lock.ref != rooms[3]]
    eventually(lambda: not any(lock.holds(code) for lock, code in gone))
    assert all(lock.opens_for(code) for lock, code in held[done:])
    hotel.lock(rooms[3]).online()
    eventually(lambda: not any(lock.holds(code) for lock, code in held[:done]))
    undo = shown.click("Undo").press(f"Undo {done} keys" if done > 1 else "Undo 1 key")
    eventually(lambda: "Revoke: Undone" in hotel.page(undo.path, "owner").text)
    restored = hotel.page(undo.path, "owner").text
    assert restored.count("Restored with the same code.") == done
    eventually(lambda: all(lock.opens_for(code) for lock, code in held))


def _code(hotel, key):
    return hotel.api("GET", f"/keys/{key.id}/")["people"][0]["credentials"][0]["code"]


def _asked(hotel):
    """Keys, found by the guests' name, all of the list, Revoke…: the dry run, of which nothing comes yet."""
    found = hotel.page("/keys/?q=Bulk Guest", "owner")
    return found.form("Revoke…").fill("All keys of this list", value=True).press("Revoke…")


def _effects(page):
    rows = page.all(".//tbody/tr")
    return {words(row.find("th")): int(words(row.find("td"))) for row in rows}


def _stop_in_the_middle(hotel, report):
    """Cancel the rest as soon as some are done."""

    def some_are_done():
        said = re.search(r"(\d+) of \d+ keys", hotel.page(report.path, "owner").text)
        return int(said[1]) if said else 0

    eventually(some_are_done, every=0.01)
    hotel.page(report.path, "owner").press("Cancel the rest")
