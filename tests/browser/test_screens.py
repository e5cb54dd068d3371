"""Every screen of staff, light at a desk and dark on a phone: readable for everyone, and no wider than the screen.

Without CI=true each screen is read by axe in one of the two only, by turns; its width is looked at in both.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import resolve
from playwright.sync_api import Page, expect

from portal.staff.urls import urlpatterns
from tests.browser.demo import Demo
from tests.browser.outage import book, reconnect, see_state
from tests.browser.people import DESK, NAMES, PHONE, Visits, open_key, sign_in

NOT_SCREENS = {
    # Answers for programs.
    "healthz",
    "pulse",
    # A download.
    "export_guest",
    "tonight_worker",
    # Ways to another screen.
    "start",
    "settings",
    "pms_callback",
    # Buttons.
    "sign_out",
    "switch_property",
    "theme",
    "take_over",
    "mail_handover",
    "switch_key",
    "try_key_door",
    "release_times",
    "restore_key",
    "show_code",
    "show_codes",
    "send_code",
    "withdraw_invitation",
    "deactivate",
    "connect",
    "test_locks",
    "demo_sign_in",
    "demo_step",
    "contact_support",
    "cancel_recovery",
    "cancel_bulk",
    "read_lock",
    "sync_clock",
    "unlock",
    "try_lock",
    # Comes only where a lock takes keycards from an encoder, which no lock of the demo does.
    "encode_card",
    # Comes only while something may be on a lock that was taken off its door.
    "was_reset",
    # Come only after something that an outage held was released.
    "recovery",
    "undo_recovery",
}
FOR_STRANGERS = (
    "/sign-in/",
    "/password/reset/",
    "/password/reset/sent/",
    "/password/reset/who/an-old-link/",
    "/password/reset/done/",
    "/invitation/an-old-link/",
)
CI = os.environ.get("CI") == "true"
LINKS = "all => all.map((one) => one.href)"


class Inspector:
    """Looks at one screen after the other and writes down what is wrong with it."""

    def __init__(self, page: Page, turn: int) -> None:
        self.page, self.axe, self.turn = page, Axe().axe_script, turn
        self.wrong: list[str] = []
        self.seen: set[str] = set()

    def look(self, name: str) -> None:
        """Inspect what the browser shows now."""
        self.seen.add(name)
        needed = self.page.evaluate("document.documentElement.scrollWidth")
        width = self.page.viewport_size["width"]
        if needed > width:
            self.wrong.append(f"{name}: {needed} px wide on a screen of {width} px")
        if not CI and (len(self.seen) + self.turn) % 2:
            return
        self.page.evaluate(self.axe)
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        for broken in found["violations"]:
            nodes = "; ".join(node["html"][:160] for node in broken["nodes"][:3])
            self.wrong.append(f"{name}: {broken['id']}: {broken['help']}: {nodes}")


@pytest.mark.parametrize(("width", "scheme"), [(DESK, "light"), (PHONE, "dark")])
def test_every_screen_is_clean(
    visits: Visits, demo: Demo, bookings: list[str], width: int, scheme: str
):
    page = visits.open(width, is_traced=False, color_scheme=scheme)
    inspector = Inspector(page, turn=width == PHONE)
    for path in FOR_STRANGERS:
        page.goto(path)
        inspector.look(_name(page.url))
    sign_in(page, "owner")
    break_and_mend_the_pms(page, demo, bookings)
    make_a_token(page)
    for screen in every_screen(page):
        inspector.look(screen)
    for name, bring in STATES.items():
        bring(page)
        inspector.look(name)
    assert inspector.wrong == []
    wanted = {one.name for one in urlpatterns} - NOT_SCREENS
    assert wanted - inspector.seen == set(), "these screens were not reached by any link"


def every_screen(page: Page) -> Iterator[str]:
    """Follow links from the key that has the most to tell; each kind of screen once."""
    open_key(page, "Otto Outage")
    ways, known = deque([page.url, "/keys/affected/"]), {"start", *NOT_SCREENS}
    while ways:
        url = ways.popleft()
        name = _name(url)
        if name in known:
            continue
        known.add(name)
        page.goto(url)
        yield name
        here = f"{urlsplit(page.url).scheme}://{urlsplit(page.url).netloc}/"
        found = page.locator("a[href]").evaluate_all(LINKS)
        ways.extend(link for link in found if link.startswith(here) and _is_ours(link))


def _name(url: str) -> str:
    return resolve(urlsplit(url).path).view_name


def _is_ours(url: str) -> bool:
    return not urlsplit(url).path.startswith(("/admin/", "/api/", "/static/"))


def break_and_mend_the_pms(page: Page, demo: Demo, bookings: list[str]) -> None:
    """Leaves a reservation that waits to be released."""
    demo.pms("access/revoke")
    see_state(page, "Broken")
    made = book(demo, f"Rita Released at the {NAMES[page.viewport_size['width']]}", bookings)
    reconnect(page, demo)
    open_key(page, made["guest"])


def make_a_token(page: Page) -> None:
    """An API token, which the demo does not have."""
    page.goto("/settings/tokens/")
    page.get_by_label("Name", exact=True).fill("Kiosk")
    page.get_by_label("Last day").fill(f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}")
    page.get_by_role("main").get_by_role("button").first.click()


def _errors(page: Page) -> None:
    page.goto("/keys/add/")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved.")


def _code(page: Page) -> None:
    open_key(page, "Otto Outage")
    page.get_by_role("button", name="Show", exact=True).first.click()
    expect(page.get_by_role("link", name="Hide", exact=True)).to_be_visible()


def _tooltip(page: Page) -> None:
    open_key(page, "Otto Outage")
    page.get_by_role("button", name="Pending Provisioning", exact=True).first.focus()
    expect(page.get_by_role("tooltip").first).to_be_visible()


def _menu(page: Page) -> None:
    page.goto("/doors/")
    page.locator("details.menu:visible > summary").click()
    expect(page.get_by_role("button", name="Sign out").locator("visible=true")).to_be_visible()


def _nothing(page: Page) -> None:
    page.goto("/keys/?q=Nobody of that name")
    expect(page.get_by_role("heading", name="No keys here")).to_be_visible()


def _missing(page: Page) -> None:
    page.goto("/keys/999999/")


def _refused(page: Page) -> None:
    page.context.clear_cookies()
    sign_in(page, "housekeeping", to="Doors")
    page.goto("/keys/")
    expect(page.get_by_role("heading", level=1)).to_have_text("This is not yours to do")


def _invited(page: Page) -> None:
    page.goto("/settings/team/invite/")
    page.get_by_label("E-mail address").fill(f"new-{page.viewport_size['width']}@demo.example")
    page.get_by_role("button", name="Make the link").click()
    page.goto(page.get_by_label("Link of the invitation").input_value())
    expect(page.get_by_label("Your name")).to_be_visible()


def _recovery(page: Page) -> None:
    page.goto("/keys/affected/")
    page.get_by_role("link", name="Release all that wait").click()
    page.get_by_role("button", name=re.compile("^Release [0-9]")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery: Done")
    expect(page.get_by_text("Released: Allow Provisioning is on").first).to_be_visible()


def _undo(page: Page) -> None:
    page.get_by_role("link", name="Undo", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Undo the recovery")


def _make_doors(page: Page) -> None:
    """Every room of the demo opens a door, so no link leads there."""
    page.goto("/settings/integrations/")
    page.get_by_role("link", name=re.compile("^[0-9]+ rooms")).first.click()
    page.goto(f"{urlsplit(page.url).path}doors/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Make doors of rooms")


def _none_missing(page: Page) -> None:
    """The PMS of the demo mentions all of its reservations, so no link leads there."""
    page.goto("/settings/integrations/")
    page.get_by_role("link", name=re.compile("^[0-9]+ rooms")).first.click()
    page.goto(urlsplit(page.url).path.replace("/rooms/", "/missing/"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Missing")


def _backup_code(page: Page) -> None:
    """Offered where a code is allowed and not on its lock."""
    open_key(page, "Pia Cabin Offline")
    page.get_by_role("link", name="Give backup code").first.click()
    expect(page.get_by_label("Why")).to_be_visible()


def _found_locks(page: Page) -> None:
    """Locks that a worker found at the lock system, some of them new: the simulated one has those of all hotels."""
    page.goto("/settings/lock-systems/")
    page.get_by_role("link", name="Discover locks of Simulated locks").click()
    page.get_by_role("button", name=re.compile("^Discover")).click()
    expect(page.get_by_text(re.compile("found .* of them new"))).to_be_visible(timeout=20_000)


def _add_a_lock(page: Page) -> None:
    page.get_by_role("link", name=re.compile("^Add ")).first.click()
    expect(page.get_by_label("Or the name of a new door")).to_be_visible()


def _lock_errors(page: Page) -> None:
    page.goto("/settings/lock-systems/ttlock/connect/")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved.")


def _many_keys(page: Page) -> None:
    page.goto("/keys/?q=Rita Released")
    page.get_by_label("All keys of this list").check()
    page.get_by_role("button", name="Switch off…").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Allow Provisioning off for")


def _many_changed(page: Page) -> None:
    page.get_by_label("Reason").fill("A look at the screens")
    page.get_by_role("button", name=re.compile("^Switch off [0-9]")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("off: Done")


def _undo_many(page: Page) -> None:
    page.get_by_role("link", name="Undo", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Undo: ")


def _undone_many(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Undo [0-9]")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("off: Undone")


STATES: dict[str, Callable[[Page], None]] = {
    "a form with errors": _errors,
    "a code in clear": _code,
    "an open tooltip": _tooltip,
    "an open menu": _menu,
    "a search without result": _nothing,
    "a key that is not there": _missing,
    "an invitation": _invited,
    "a recovery after an outage": _recovery,
    "undoing a recovery": _undo,
    "bulk_keys": _many_keys,
    "bulk_change": _many_changed,
    "undo_bulk": _undo_many,
    "many keys that were changed back": _undone_many,
    "give_backup": _backup_code,
    "locks that were found": _found_locks,
    "add_locks": _add_a_lock,
    "a lock system with errors": _lock_errors,
    "make_room_doors": _make_doors,
    "missing": _none_missing,
    "a screen that is not yours": _refused,
}
