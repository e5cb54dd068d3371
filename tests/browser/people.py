"""People at browsers: a desk or a phone, light or dark, with or without scripts; and what they do in the portal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.demo import PASSWORD, PEOPLE
from tests.eventually import eventually

DESK, PHONE = 1280, 360
WIDTHS = (DESK, PHONE)
NAMES = {DESK: "Desk", PHONE: "Phone"}
SOON_MS = 20_000
"""The longest wait for what other processes do."""

expect.set_options(timeout=SOON_MS)


class Visits:
    """The browsers of one test."""

    def __init__(self, chromium: Browser, url: str) -> None:
        self._chromium, self._url = chromium, url
        self._contexts: list[BrowserContext] = []
        self._traced: set[BrowserContext] = set()

    def open(self, width: int = DESK, *, is_traced: bool = True, **options: Any) -> Page:
        """A browser of nobody, at its first empty page; a narrow one is a phone with a touch screen. A trace takes time
        at every step."""
        phone = {"has_touch": True, "is_mobile": True} if width < 600 else {}
        context = self._chromium.new_context(
            base_url=self._url,
            viewport={"width": width, "height": 800},
            reduced_motion="reduce",
            **(phone | options),
        )
        context.set_default_timeout(SOON_MS)
        if is_traced:
            context.tracing.start(snapshots=True)
            self._traced.add(context)
        self._contexts.append(context)
        return context.new_page()

    def keep(self, folder: Path) -> str:
        """Write down what every page shows and how it came to it; says where that is."""
        said = []
        for number, context in enumerate(self._contexts, 1):
            for place, page in enumerate(context.pages, 1):
                picture = folder / f"screen-{number}-{place}.png"
                page.screenshot(path=picture, full_page=True)
                said.append(f"screenshot of {page.url}: {picture}")
            if context in self._traced:
                trace = folder / f"trace-{number}.zip"
                context.tracing.stop(path=trace)
                said.append(f"trace: {trace} (playwright show-trace {trace})")
        return "\n".join(said)

    def close(self) -> None:
        """Close them all."""
        for context in self._contexts:
            context.close()


def sign_in(page: Page, role: str = "team", *, to: str = "Keys") -> None:
    """Sign in as one of the demo's people; ends at the screen that this role begins with."""
    sign_in_as(page, PEOPLE[role], PASSWORD, to=to)


def sign_in_as(page: Page, email: str, password: str, *, to: str = "Keys") -> None:
    """Sign in by the form; ends at the screen with this heading."""
    page.goto("/sign-in/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(to)


def go(page: Page, name: str) -> None:
    """A link of the main navigation, wherever this width has it."""
    page.locator("nav:visible").get_by_role("link", name=name, exact=True).first.click()


def go_to_pending(page: Page) -> None:
    """Keys, Pending Provisioning, what waits for someone."""
    page.get_by_role("link", name=re.compile(r"^Waits for someone \d")).click()
    expect(page).to_have_url(re.compile("pending=someone"))


def open_key(page: Page, guest: str) -> None:
    """Keys, search, open. Waits until the guest's key is there."""
    go(page, "Keys")
    page.get_by_label("Search keys").fill(guest)
    page.get_by_role("button", name="Search", exact=True).click()
    link = page.get_by_role("link", name=guest, exact=True)
    eventually(lambda: link.count() or _again(page))
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(guest)


def _again(page: Page) -> int:
    page.reload()
    return 0


def door(page: Page, name: str) -> Locator:
    """One door of the keychain on the page of a key."""
    heading = page.get_by_role("heading", level=3, name=name, exact=True)
    return page.locator("ul.chain > li").filter(has=heading)


def tag(place: Locator | Page) -> Locator:
    """The Pending Provisioning tag."""
    return place.get_by_role("button", name="Pending Provisioning", exact=True)


def edit_door(page: Page, name: str, *, allow: bool) -> None:
    """Edit Door, Allow Provisioning, Save."""
    page.get_by_role("link", name=f"Edit Door {name}", exact=True).click()
    page.get_by_label("Allow Provisioning", exact=True).set_checked(allow)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url(re.compile(r"/keys/\d+/$"))


def show_code(page: Page) -> str:
    """The Door Code on the page of a key, by its Show button; leaves it hidden again."""
    page.get_by_role("button", name="Show", exact=True).first.click()
    shown = page.locator(".code").filter(has_text=re.compile(r"^\d+$"))
    code = shown.inner_text()
    page.get_by_role("link", name="Hide", exact=True).click()
    return code
