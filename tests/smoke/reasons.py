"""The pinned keys of the demo hotel: whom each belongs to, and the words in which its reason to wait shows."""

from __future__ import annotations

import re

from keys.rules import Hold
from portal.demo_hotel import ANNEX, HOTEL, LODGE, PASSWORD, PEOPLE, PINNED
from tests.pages import Browser, words

CLOCK = r"\d\d:\d\d( on \d+ \w{3})?"
PINNED_KEYS: dict[Hold, tuple[str, str]] = {
    hold: (HOTEL, f"Pia {door}") for door, hold in PINNED.items()
} | {
    Hold.NOT_CHECKED_IN: (HOTEL, "Carla Check-in"),
    Hold.CAME_IN_DURING_OUTAGE: (HOTEL, "Otto Outage"),
    Hold.CHECK_IN_UNKNOWN: (LODGE, "Ursula Unknown"),
    Hold.SETUP_MODE: (ANNEX, "Pia A1"),
}
"""The hotel and the guest of the key that shows each reason."""
HEADLINES: dict[Hold, str] = {
    Hold.STILL_ON_LOCK: r"Switched off, still on the lock, may still open\.",
    Hold.REMOVAL_PENDING: r"Removal pending – code may still open\.",
    Hold.DISABLED_BY_STAFF: r"Allow Provisioning was switched off( by .+)?\.",
    Hold.CAME_IN_DURING_OUTAGE: r"The PMS connection was broken when the reservation came in\.",
    Hold.CHECK_IN_UNKNOWN: rf"No word from Cloudbeds since {CLOCK}, its check-in is unknown\.",
    Hold.NOT_CHECKED_IN: r"The reservation is not checked in \(at the front desk or online\)\.",
    Hold.SETUP_MODE: r"The property is in Setup Mode, nothing is written to locks\.",
    Hold.NO_LOCK: r"No lock is installed on .+\.",
    Hold.UNSUPPORTED: r"The lock on .+ cannot hold a Keycard\.",
    Hold.ACCOUNT_BROKEN: r".+ is refused by the lock system\.",
    Hold.GATEWAY_OFFLINE: rf"Gateway .+ is offline since {CLOCK}\.",
    Hold.LOCK_OFFLINE: rf"The lock is offline since {CLOCK}\.",
    Hold.LOCK_FULL: r"The lock’s memory is full\.",
    Hold.REFUSED_BY_LOCK: r"The lock refused it: .+\.",
    Hold.NOT_CONFIRMED: r"Not confirmed: .+ may or may not be there\.",
    Hold.RETRYING: r"The last attempt failed: .+\.",
    Hold.NOT_DUE_YET: rf"will be written at {CLOCK}.*",
}
ELSEWHERE = {Hold.AT_WORK}
"""What only a lock system can show that answers later; the demo's own answers at once."""
AT_IT = "Being written to the lock now."


class Eyes:
    """Someone who looks at the list of keys of each of the demo's hotels."""

    def __init__(self, web: str) -> None:
        self.browsers = {hotel: self._signed_in(web, hotel) for hotel in (HOTEL, LODGE, ANNEX)}

    def _signed_in(self, web: str, hotel: str) -> Browser:
        browser = Browser(web)
        form = browser.open("/sign-in/").form("Sign in").fill("E-mail address", PEOPLE[0][0])
        form.fill("Password", PASSWORD).press("Sign in").press(hotel)
        return browser

    def headlines(self) -> dict[str, tuple[str, bool]]:
        """What the pinned keys show: by guest the reason in words, and whether the tag is there."""
        seen: dict[str, tuple[str, bool]] = {}
        for hotel, first in sorted({(at, guest.split()[0]) for at, guest in PINNED_KEYS.values()}):
            for row in self.browsers[hotel].open(f"/keys/?q={first}").all(".//tbody/tr"):
                guest = words(row.find(".//a"))
                if (hotel, guest) in PINNED_KEYS.values():
                    why = [e for e in row.iter() if "reason" in e.get("class", "").split()]
                    tags = [b for b in row.iter("button") if words(b) == "Pending Provisioning"]
                    seen[guest] = (words(why[0]) if why else "", bool(tags))
        return seen

    def by_reason(self) -> dict[Hold, list[str]]:
        """The guests whose keys show each reason as headline, by its words."""
        found: dict[Hold, list[str]] = {}
        for guest, (said, _) in self.headlines().items():
            for hold in reasons_in(said):
                found.setdefault(hold, []).append(guest)
        return found

    def add_key(self, *, guest: str, door: str) -> None:
        """Make a key by hand, so that the worker has something to do."""
        form = self.browsers[HOTEL].open("/keys/add/").form("Save").fill("Name", guest)
        page = form.fill(door, value=True).press("Save")
        assert "The key is made." in page.text, page.text

    def close(self) -> None:
        """Look away."""
        for browser in self.browsers.values():
            browser.close()


def reasons_in(said: str) -> list[Hold]:
    """The reasons that these words may stand for."""
    return [hold for hold, words_ in HEADLINES.items() if re.fullmatch(words_, said)]
