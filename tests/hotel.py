"""A small hotel made of real parts, driven over HTTP alone, in sentences.

The portal with its worker and beat (``run.py --no-demo``), the simulated lock system and the simulated Cloudbeds are
processes of their own; the database and the broker are the configured ones. Clocks are short: retries and read-backs come
in fractions of a second. Nothing here looks at Portal's tables: what is true is on the locks and on the pages.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import httpx2

from tests import furnish
from tests.eventually import eventually
from tests.locks.simlock_server import SimlockServer, start_simlock
from tests.pages import Browser, Form, Page, words
from tests.pms.cloudbeds_server import CloudbedsServer, start_cloudbeds
from tests.ports import free_port
from tests.prepared import own_database
from tests.running import ROOT, Running, running

SHORT_CLOCKS = {
    "DRIVER_TIMEOUT_S": "2",
    "READ_BACK_AFTER_S": "0.5,1",
    "RETRY_SOON_S": "0.2,0.4,0.8,5",
    "RETRY_OFFLINE_S": "0.5,1,2",
    "SWEEP_EVERY_S": "1.2",
    "POLL_LOCKS_EVERY_S": "1.5",
    "PROBE_PMS_EVERY_S": "1",
    "READ_PMS_EVERY_S": "3",
    "PMS_CALLS_A_SECOND": "1000",
    "API_RATE": "100000/min",
    "BULK_PAUSE_S": "0.1",
    "ALERTS_EVERY_S": "2",
    "ALERT_GRACE_S": "1",
    "MESSAGES_EVERY_S": "2",
    "SMS_URL": "http://127.0.0.1:9/",  # nobody listens there
}
PMS_PROPERTY = "318267"
DAY = timedelta(days=1)


class DoorOnPage:
    """One door of a key, as the key's page shows it."""

    def __init__(self, page: Page, element: Element) -> None:
        self.page, self.element = page, element

    @property
    def text(self) -> str:
        """All that is said of the door."""
        return words(self.element)

    @property
    def tag(self) -> Element | None:
        """The Pending Provisioning tag, or none."""
        buttons = self.element.iter("button")
        return next((one for one in buttons if words(one) == "Pending Provisioning"), None)

    @property
    def is_pending(self) -> bool:
        """Whether the tag is there."""
        return self.tag is not None

    @property
    def is_allowed(self) -> bool:
        """Whether Allow Provisioning shows on."""
        said = re.search(r"Allow Provisioning: (on|off)", self.text)
        assert said, self.text
        return said[1] == "on"

    @property
    def reasons(self) -> list[str]:
        """Every reason to wait, headline first."""
        found = [one for one in self.element.iter() if "reason" in one.get("class", "").split()]
        return [words(one) for one in found]

    @property
    def next(self) -> list[str]:
        """What happens next by itself, reason by reason."""
        return [
            words(pair.find("dd"))
            for pair in self.element.iter("div")
            if pair.find("dt") is not None and words(pair.find("dt")) == "Next"
        ]


@dataclass(frozen=True)
class Key:
    """One key, seen and changed on the portal's pages."""

    hotel: Hotel
    id: int
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def path(self) -> str:
        """Where its page is."""
        return f"/keys/{self.id}/"

    def page(self, role: str = "team") -> Page:
        """Its page, now."""
        return self.hotel.page(self.path, role)

    def door(self, name: str) -> DoorOnPage:
        """One of its doors, now."""
        page = self.page()
        for item in page.all(".//li[@id]"):
            heading = item.find(".//h3")
            if (
                item.get("id", "").startswith("door-")
                and heading is not None
                and words(heading) == name
            ):
                return DoorOnPage(page, item)
        raise AssertionError(f"key {self.id} has no door {name}: {page.text}")

    @property
    def states(self) -> list[str]:
        """Upcoming, Current, Past or Revoked, and Active or Inactive."""
        head = self.page().all(".//p[@class='states']")[0]
        return [words(one) for one in head.iter("span")]

    def code(self) -> str:
        """Its first Door Code, by the Show button."""
        shown = self.page().press("Show").all(".//span[@class='code']")
        return next(words(one) for one in shown if words(one).isdigit())

    def edit_door(self, name: str, role: str = "team") -> Form:
        """The form behind Edit Door, to fill in and to Save."""
        return self.page(role).click(f"Edit Door {name}").form("Save")

    def hold(self, name: str) -> Page:
        """Edit Door, Allow Provisioning off, Save."""
        return self.edit_door(name).fill("Allow Provisioning", value=False).press("Save")

    def allow(self, name: str) -> Page:
        """Edit Door, Allow Provisioning on, Save."""
        return self.edit_door(name).fill("Allow Provisioning", value=True).press("Save")

    def try_now(self, name: str) -> Page:
        """The button that ends the pause before the next attempt at one of its doors."""
        return self.page().press(f"Try now at {name}")

    def revoke(self) -> Page:
        """Revoke, confirmed by the word."""
        form = self.page().click("Revoke").form("Revoke")
        return form.fill("Type the word revoke", "revoke").press("Revoke")


@dataclass(frozen=True)
class LockAtHotel:
    """A lock on the wall, as it truly is."""

    simlock: SimlockServer
    ref: str

    def memory(self, key: Key | None = None) -> list[dict[str, Any]]:
        """What it holds, read past all faults; of one key, if given."""
        held = self.simlock.memory(self.ref)
        mine = "" if key is None else f"k{key.id}a"
        return [one for handle, one in held.items() if handle.startswith(mine)]

    def kinds(self, key: Key) -> set[str]:
        """Which kinds of credential of this key it holds."""
        return {one["kind"] for one in self.memory(key)}

    def holds(self, code: str) -> bool:
        """Whether this Door Code is in its memory."""
        return any(one["value"] == code for one in self.memory())

    def opens_for(self, value: str, kind: str = "door_code") -> bool:
        """Whether it opens for who types this code or holds this SmartKey to it, now."""
        return bool(self.simlock.try_door(self.ref, value, kind=kind)["opened"])

    def act(self, action: str, **values: Any) -> None:
        """Any trouble that the simulator can make."""
        self.simlock.act(self.ref, action, **values)

    def offline(self) -> None:
        """Nobody reaches it from now on, and the lock system knows."""
        self.simlock.offline(self.ref)

    def online(self) -> None:
        """It is back."""
        self.simlock.online(self.ref)


@dataclass(frozen=True)
class Stay:
    """A reservation at the PMS."""

    id: str
    guest: str
    room: str


class Hotel:
    """The hotel: see the verbs."""

    def __init__(self, run: Running, simlock: SimlockServer, pms: CloudbedsServer) -> None:
        self.run, self.simlock, self.pms = run, simlock, pms
        self.url: str = run.told["web"]
        self.free_rooms = list(furnish.OTHER_ROOMS)
        self.free_rooms_without_window = list(furnish.NO_WINDOW_ROOMS)
        self.browsers: dict[str, Browser] = {}
        self.touched: set[str] = set()
        self.booked: list[str] = []
        self.changed: dict[str, str] = {}
        self.doors: dict[str, int] = {}
        simlock.add_locks([{"id": name, **_on_the_wall(name)} for name in _all_rooms()])
        self.access = self._furnish()
        self.client = httpx2.Client(
            headers={"Authorization": f"Bearer {self.access['token']}"},
            timeout=30,
            trust_env=False,
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    def _furnish(self) -> dict[str, Any]:
        command = [sys.executable, "-m", "tests.furnish", self.simlock.url, self.simlock.token]
        done = subprocess.run(
            command, cwd=ROOT, env=self.run.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    # People and pages.

    def sign_in(self, role: str) -> Browser:
        """Sign in as the hotel's person of this role, once; returns their browser."""
        if role not in self.browsers:
            browser = Browser(self.url)
            form = browser.open("/sign-in/").form("Sign in")
            form.fill("E-mail address", self.access["people"][role])
            page = form.fill("Password", self.access["password"]).press("Sign in")
            assert page.path != "/sign-in/", page.text
            self.browsers[role] = browser
        return self.browsers[role]

    def support(self) -> Page:
        """The admin's first page, as Portal's support sees it."""
        browser = self.browsers.setdefault("support", Browser(self.url))
        page = browser.open("/admin/")
        if page.path != "/admin/":
            form = page.form("Log in").fill("E-mail address", self.access["support"])
            page = form.fill("Password", self.access["password"]).press("Log in")
        assert page.path == "/admin/", page.text
        return page

    def page(self, path: str, role: str = "team") -> Page:
        """A page as someone of this role sees it."""
        page = self.sign_in(role).open(path)
        assert page.status < 400, f"{path}: {page.status} {page.text}"
        return page

    def api(self, method: str, path: str, **body: Any) -> Any:
        """Ask the REST API with the owner's token; ``path`` begins after /api/v1. Fails on a refusal."""
        answer = self.client.request(method, f"{self.url}/api/v1{path}", json=body or None)
        assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    # Rooms and locks.

    def free_room(self) -> str:
        """The name of a room that no other test uses. Its lock keeps time windows."""
        return self.free_rooms.pop(0)

    def free_room_without_window(self) -> str:
        """The same, with a lock that knows no time windows."""
        return self.free_rooms_without_window.pop(0)

    def lock(self, room: str) -> LockAtHotel:
        """The lock of a room."""
        self.touched.add(room)
        return LockAtHotel(self.simlock, room)

    # Keys.

    def add_key(
        self,
        guest: str,
        *rooms: str,
        allow: bool | None = None,
        starts_in: timedelta = -timedelta(hours=1),
        lasts: timedelta = 2 * DAY,
        role: str = "team",
        **typed: str | bool,
    ) -> Key:
        """Keys → Add Key → Save. ``allow`` None leaves Allow Provisioning as the form offers it; ``typed`` fills in any
        other field by its label with underscores. Times are to the minute, by the property's clock."""
        form = self.page("/keys/", role).click("Add Key").form("Save").fill("Name", guest)
        for room in rooms:
            form.fill(room, value=True)
        start, end = fill_window(form, starts_in, lasts)
        if allow is not None:
            form.fill("Allow Provisioning", value=allow)
        for label, value in typed.items():
            form.fill(label.replace("_", " "), value)
        page = form.press("Save")
        made = re.fullmatch(r"/keys/(\d+)/", page.path)
        assert made, page.text
        return Key(self, int(made[1]), start, end)

    def api_key(self, guest: str, *rooms: str, ends_at: datetime | None = None) -> Key:
        """A current key made over the API, which keeps seconds; for two days unless told otherwise."""
        now = datetime.now(UTC)
        ends_at = ends_at or now + 2 * DAY
        made = self.api(
            "POST",
            "/keys/",
            people=[{"name": guest}],
            doors=[{"door": self.door_ids()[room]} for room in rooms],
            starts_at=(now - timedelta(hours=1)).isoformat(),
            ends_at=ends_at.isoformat(),
        )
        return Key(self, made["id"], now - timedelta(hours=1), ends_at)

    def door_ids(self) -> dict[str, int]:
        """The ids by their names of the doors that were there in the beginning."""
        if not self.doors:
            answer = self.api("GET", "/doors/?limit=200")
            assert answer["next"] is None
            self.doors.update({row["name"]: row["id"] for row in answer["results"]})
        return self.doors

    def meanwhile(self, room: str) -> Key:
        """Another guest's key is added for the room and its code arrives there: the lock was written to since."""
        other = self.add_key("Mia Meanwhile", room, allow=True)
        eventually(lambda: self.lock(room).memory(other))
        return other

    def key_of(self, stay: Stay) -> Key:
        """The key that came of a reservation, by the search on Keys; waits for it."""

        def found() -> Key | None:
            links = self.page(f"/keys/?q={stay.id}").all(".//a[@class='main-link']")
            return Key(self, int(links[0].get("href", "").split("/")[-2])) if links else None

        key = eventually(found)
        assert key is not None
        return key

    # The PMS.

    def book(self, guest: str, room: str = "any", **wish: Any) -> Stay:
        """A reservation is made in the PMS, arriving today unless told otherwise."""
        made = self.pms.book(guest=guest, room=room, **wish)
        self.booked.append(made["id"])
        return Stay(made["id"], guest, made["stays"][0]["room"])

    def vacant_room(self) -> str:
        """The name of a room at the PMS, with a door here, for which nobody is booked."""
        booked = self.pms.get("reservations")["reservations"]
        taken = {stay["room"] for one in booked if not one["is_deleted"] for stay in one["stays"]}
        return next(name for name in furnish.PMS_ROOMS if name not in taken)

    def rooms(self) -> Page:
        """Settings → Integrations → Rooms of the PMS, all of them."""
        card = self.page("/settings/integrations/", "owner")
        link = next(words(a) for a in card.root.iter("a") if "/rooms/" in a.get("href", ""))
        return card.click(link).click("All")

    def check_in(self, stay: Stay) -> None:
        """The guest checks in at the front desk."""
        self.pms.act(stay.id, "check-in", force=True)

    def check_in_online(self, stay: Stay) -> None:
        """The guest checks in online."""
        self.pms.act(stay.id, "online-check-in")

    def move(self, stay: Stay, room: str = "") -> Stay:
        """The guest is given another room, one where nobody is unless told otherwise; the stay as it is then."""
        room = room or self.vacant_room()
        self.pms.act(stay.id, "move", room=room, force=True)
        return replace(stay, room=room)

    def break_pms(self) -> None:
        """The PMS takes Portal's access back; waits until Portal knows."""
        self.pms.post("access/revoke")
        eventually(lambda: self.pms_state() == "Broken")

    def pms_state(self) -> str:
        """The state that Settings → Integrations shows."""
        panel = self.page("/settings/integrations/", "owner").all(
            ".//section[@aria-label='Cloudbeds']"
        )
        return words(panel[0].find(".//span"))

    def reconnect(self, *, caught_up: bool = True) -> Page:
        """Settings → Integrations → Reconnect, sign in at the PMS, Allow; waits until Portal has caught up, if told."""
        self.pms.post("access/restore")
        page = self.sign_in_at_pms("Reconnect")
        if caught_up:
            eventually(lambda: self.pms_state() == "Connected")
        return page

    def connect(self) -> Page:
        """The same for the first time."""
        page = self.sign_in_at_pms("Connect")
        eventually(lambda: self.pms_state() == "Connected")
        return page

    def sign_in_at_pms(self, button: str, pms_hotel: str = "") -> Page:
        """Settings → Integrations → the button, then Allow at the PMS, there for another hotel if one is named."""
        settings = self.page("/settings/", "owner").click("Integrations")
        asked = settings.press(button)
        assert asked.url.startswith(self.pms.url), asked.text
        form = asked.form("Allow")
        if pms_hotel:
            form.fill(pms_hotel, value=True)
        back = form.press("Allow")
        assert back.url.startswith(self.url), back.text
        return back

    def disconnect_page(self) -> Page:
        """Settings → Integrations → Disconnect: what stays and what stops, before it is confirmed."""
        return self.page("/settings/integrations/", "owner").click("Disconnect")

    def pms_fails(self, kind: str, **wish: Any) -> None:
        """Calls of the PMS end in this trouble, until ``pms_answers`` or the end of the test."""
        self.pms.post("faults", kind=kind, **wish)

    def pms_answers(self) -> None:
        """The PMS is well again."""
        self.pms.post("faults/clear")

    def pms_webhooks(self, **modes: float) -> None:
        """How webhooks go out, until the end of the test: ``drop=1`` loses them, ``repeat=2`` sends each three times."""
        self.pms.post("webhooks", **modes)

    def pms_calls(self, since: int = 0) -> list[dict[str, Any]]:
        """What Portal asked of the PMS after the call of this number, in order."""
        return list(self.pms.get("requests", since=since)["requests"])

    def pms_events(self, *events: dict[str, Any]) -> None:
        """Webhooks of the PMS arrive, in this order. Each names its ``event`` and ids, and is answered with 200."""
        hook = self.pms.get("subscriptions")["subscriptions"][0]["url"]
        for number, event in enumerate(events):
            body = {"propertyID": int(PMS_PROPERTY), "timestamp": time.time() + number} | event
            answer = httpx2.post(hook, json=body, trust_env=False, timeout=10)
            assert answer.status_code == 200, answer.text

    def settings(self, **changes: str) -> None:
        """Settings → Property → Save with other values, by label with underscores; until the end of the test. What asks
        first is confirmed."""
        page = self.ask_settings(**changes)
        for button in ("Go Live", "Change the rules"):
            if page.has_button(button):
                page = page.press(button)
        assert "Saved." in page.text, page.text

    def ask_settings(self, **changes: str) -> Page:
        """The same, but without confirming: the page that comes after Save, which may ask first."""
        form = self.page("/settings/property/", "owner").form("Save")
        for name, value in changes.items():
            label = name.replace("_", " ")
            self.changed.setdefault(name, form.value(label))
            form.fill(label, value)
        return form.press("Save")

    # In order again.

    def tidy(self) -> None:
        """After a test: locks are well, settings as before, the PMS is connected, and booked rooms are free."""
        for room in self.touched:
            self.simlock.act(room, "heal")
            self.simlock.online(room)
        self.touched.clear()
        self.simlock.gateway(furnish.GATEWAY, "online")
        if self.changed:
            self.settings(**self.changed)
            self.changed.clear()
        self.pms_answers()
        self.pms_webhooks(drop=0, repeat=0)
        if self.pms_state() != "Connected":
            self.reconnect()
        for stay in self.booked:
            self.pms.act(stay, "delete", force=True)
        self.booked.clear()

    def close(self) -> None:
        """Close the browsers."""
        self.client.close()
        for browser in self.browsers.values():
            browser.close()


def fill_window(form: Form, starts_in: timedelta, lasts: timedelta) -> tuple[datetime, datetime]:
    """Type an Access Period, from now, by the clock of the hotel (which is UTC's); returns it, to the minute."""
    start = (datetime.now(UTC) + starts_in).replace(second=0, microsecond=0)
    end = start + lasts
    for name, moment in (("Arrival", start), ("Departure", end)):
        form.fill(f"{name} date", f"{moment:%Y-%m-%d}").fill(f"{name} Time", f"{moment:%H:%M}")
    return start, end


def _all_rooms() -> list[str]:
    rooms = [furnish.PMS_ROOMS, furnish.OTHER_ROOMS, furnish.NO_WINDOW_ROOMS]
    rooms += [furnish.SMALL_ROOMS, furnish.GATEWAY_ROOMS]
    return [name for some in rooms for name in some]


def _on_the_wall(room: str) -> dict[str, Any]:
    small = {"max_codes": furnish.SMALL} if room in furnish.SMALL_ROOMS else {}
    gateway = {"gateway": furnish.GATEWAY} if room in furnish.GATEWAY_ROOMS else {}
    return {"native_window": room not in furnish.NO_WINDOW_ROOMS, **small, **gateway}


@contextmanager
def open_hotel(folder: Path, **variables: str) -> Iterator[Hotel]:
    """A hotel that is open: everything runs, the PMS is connected, nobody has booked yet.

    ``variables`` go before the configured ones, so that a test can bring a database and a broker of its own.
    """
    with ExitStack() as stack:
        simlock = stack.enter_context(start_simlock())
        options = ("--per-second", "0", "--retry-seconds", "0.2", "--timezone", furnish.TIMEZONE)
        pms = stack.enter_context(start_cloudbeds(*options))
        given = "DATABASE_URL" in variables
        own = {} if given else stack.enter_context(own_database(folder))
        more = SHORT_CLOCKS | own | variables
        more |= {"CLOUDBEDS_URL": pms.url, "CLOUDBEDS_API_URL": pms.url}
        words_ = ("--no-demo", "--port", str(free_port()))
        run = stack.enter_context(running(folder, *words_, **more))
        hotel = Hotel(run, simlock, pms)
        stack.callback(hotel.close)
        hotel.connect()
        yield hotel
