"""A PMS connection that breaks and is mended by staff, and what is booked there."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.demo import HOTEL, Demo
from tests.browser.people import go
from tests.hotel import Hotel


def see_state(page: Page, state: str) -> None:
    """Settings, Integrations: the PMS is said to be so, without loading the page again."""
    go(page, "Settings")
    page.get_by_role("navigation").get_by_role("link", name="Integrations", exact=True).locator(
        "visible=true"
    ).first.click()
    expect(card(page).get_by_text(state, exact=True)).to_be_visible()


def card(page: Page) -> Locator:
    """Cloudbeds on the page of the integrations."""
    return page.get_by_role("region", name="Cloudbeds")


def reconnect(page: Page, portal: Demo | Hotel) -> None:
    """Settings, Integrations, Reconnect, authenticate at the PMS, and back."""
    see_state(page, "Broken")
    card(page).get_by_role("button", name="Reconnect", exact=True).click()
    expect(page).to_have_url(re.compile("/oauth"))
    assert not page.url.startswith(portal.url), "the PMS asks on its own pages"
    page.get_by_role("radio", name=re.compile(HOTEL)).first.check()
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page).to_have_url(re.compile("/settings/integrations/$"))
    expect(card(page).get_by_text("Connected", exact=True)).to_be_visible()


def book(demo: Demo, guest: str, bookings: list[str]) -> dict[str, str]:
    """A reservation from today for one night in any free room; its number, guest and room."""
    made = demo.pms("reservations", guest=guest, room="any", nights=1)
    bookings.append(made["id"])
    return {"id": made["id"], "guest": guest, "room": made["stays"][0]["room"]}
