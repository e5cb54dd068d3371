"""Where the story plays: the running demo's pages, API, locks and PMS, with everything it makes taken back at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import httpx2

from portal.walkthrough.pages import LIMITS, Browser, NotTrue, Page

T = TypeVar("T")
LOOK_FIRST_S, LOOK_AT_LEAST_S = 0.04, 0.4
FAR_DAYS = 40  # stays that begin then find a room in the fullest demo


class Peer:
    """JSON over HTTP: the API, or the controls of a simulator."""

    def __init__(self, base_url: str, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.client = httpx2.Client(
            base_url=base_url, timeout=30, trust_env=False, headers=headers, limits=LIMITS
        )

    def get(self, path: str, **asked: Any) -> Any:
        """Read. Raises NotTrue with the answer when it is refused."""
        return self._json(self.client.get(path, params=asked or None))

    def post(self, path: str, **body: Any) -> Any:
        """Act."""
        return self._json(self.client.post(path, json=body))

    def _json(self, answer: httpx2.Response) -> Any:
        if answer.is_error:
            raise NotTrue(
                f"{answer.request.method} {answer.url.path} answered {answer.status_code}: {answer.text[:300]}"
            )
        return answer.json()


@dataclass(frozen=True, slots=True)
class Place:
    """One hotel of the demo, and the PMS that it uses, called ``title`` on the screens."""

    hotel: str
    title: str
    pms: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the running demo says of itself. The first place is where the whole story plays."""

    web: str
    locks: str
    places: tuple[Place, ...]
    logins: dict[str, tuple[str, str]]

    @classmethod
    def read(cls, run: Mapping[str, Any]) -> Told:
        """From run.json. Raises KeyError or TypeError when no demo wrote it."""
        logins = {each["role"]: (each["email"], each["password"]) for each in run["logins"]}
        places = (
            Place("Harbor House", "Cloudbeds", run["cloudbeds"]),
            Place("Seaside Rooms", "MEWS", run["mews"]),
        )
        return cls(run["web"], run["simlock"], places, logins)


class Stage:
    """One telling of the story in one hotel. ``patience_s`` is how long something may take to be seen."""

    def __init__(self, told: Told, *, patience_s: float, place: Place | None = None) -> None:
        self.told, self.patience_s = told, patience_s
        self.place = place or told.places[0]
        self.web = Browser(told.web)
        self.locks, self.pms = Peer(told.locks), Peer(self.place.pms)
        self.take_back: list[Callable[[], object]] = []
        self.codes: set[str] = set()

    # Who looks and acts

    @cached_property
    def api(self) -> Peer:
        """The API with a token of its own, made and later revoked on Settings → API tokens."""
        self._enter(self.web, "General Manager")
        now = datetime.now(UTC)
        name, last_day = f"Walkthrough {now:%H:%M:%S}", now + timedelta(days=1)
        page = self.web.get("/settings/").follow("API tokens")
        page = page.press(
            "Make the token",
            name=name,
            role="general_manager",
            expires_on=f"{last_day:%Y-%m-%d}",
        )
        secret = page.root.one("input", id="secret")["value"]
        self.take_back.append(
            lambda: self.web.get("/settings/tokens/").follow(f"Revoke {name}").press("Revoke")
        )
        return Peer(f"{self.told.web}/api/v1", secret)

    @cached_property
    def owner(self) -> Browser:
        """The hotel's owner, who alone may disconnect."""
        browser = Browser(self.told.web)
        self._enter(browser, "Owner")
        return browser

    def _enter(self, browser: Browser, role: str) -> None:
        """Sign in, and go over to this hotel."""
        page = browser.sign_in(*self.told.logins[role])
        page.press(self.place.hotel)

    @cached_property
    def support(self) -> Browser:
        """Support, signed in at the admin."""
        browser = Browser(self.told.web)
        browser.sign_in(*self.told.logins["Support (admin)"], at="/admin/login/?next=/admin/")
        return browser

    @cached_property
    def zone(self) -> ZoneInfo:
        """The property's time zone."""
        return ZoneInfo(self.api.get("/property/")["timezone"])

    def rows(self, path: str, **asked: Any) -> Iterator[Any]:
        """All rows of a list of the API."""
        answer = self.api.get(path, **asked)
        while True:
            yield from answer["results"]
            if not answer["next"]:
                return
            answer = self.api.get(answer["next"])

    # Seeing

    def wait(self, seen: Callable[[], T], otherwise: str | Callable[[], str]) -> T:
        """Look until it is there. Raises NotTrue with what is seen instead when patience is over."""
        end, pause = time.monotonic() + self.patience_s, LOOK_FIRST_S
        while True:
            found, why = self._look(seen)
            if found:
                return found
            if time.monotonic() > end:
                raise NotTrue(why or (otherwise() if callable(otherwise) else otherwise))
            time.sleep(pause)
            pause = min(pause * 1.5, LOOK_AT_LEAST_S)

    @staticmethod
    def _look(seen: Callable[[], T]) -> tuple[T | None, str]:
        try:
            return seen(), ""
        except NotTrue as reason:
            return None, str(reason)

    def memory(self) -> dict[str, dict[str, Any]]:
        """What each lock holds, by its own memory: lock, then value."""
        locks = self.locks.get("/control/memory")["locks"]
        return {ref: {held["value"]: held for held in rows} for ref, rows in locks.items()}

    def try_at_door(self, ref: str, code: str) -> Any:
        """Type the code at the lock's keypad; what the lock answers."""
        return self.locks.post(f"/control/locks/{ref}/try", kind="door_code", value=code)

    # Doors and keys

    @cached_property
    def lock_refs(self) -> dict[int, str]:
        """The lock's own name by door."""
        return {row["door"]: row["external_id"] for row in self.rows("/locks/") if row["door"]}

    @cached_property
    def door(self) -> Any:
        """A room whose lock works, one that no living key opens if there is one, so that nobody is disturbed."""
        in_pms = {room["name"] for room in self.pms.get("/control/rooms")["rooms"]}
        rooms = [door for door in self.rows("/doors/") if door["name"] in in_pms and door["lock"]]
        working = [door for door in rooms if door["lock"]["is_online"]]
        if not working:
            raise NotTrue("the demo hotel has no room whose lock is online")
        return min(working, key=self._opened_by)

    def _opened_by(self, door: Any) -> int:
        states = ("current", "upcoming")
        asked = (self.api.get("/keys/", door=door["id"], state=state) for state in states)
        return sum(len(answer["results"]) for answer in asked)

    @property
    def lock_ref(self) -> str:
        """The lock of that room."""
        return self.lock_refs[self.door["id"]]

    def moment(self, **later: float) -> datetime:
        """Now in the property's zone, or later, to the minute."""
        return datetime.now(self.zone).replace(second=0, microsecond=0) + timedelta(**later)

    def key(
        self, guest: str, *, allow: bool, starts_in_days: float = 0, door: int | None = None
    ) -> GuestKey:
        """A key for one day made over the API, for the room unless another door is named."""
        starts_at = self.moment(days=starts_in_days)
        made = self.api.post(
            "/keys/",
            people=[{"name": guest}],
            doors=[{"door": door or self.door["id"], "allow_provisioning": allow}],
            starts_at=starts_at.isoformat(),
            ends_at=(starts_at + timedelta(days=1)).isoformat(),
            with_linked_doors=False,
        )
        return self.keep(GuestKey.from_api(self, made))

    def keep(self, key: GuestKey) -> GuestKey:
        """A key that the story made: taken back at the end."""
        self.codes.add(key.code)
        self.take_back.append(key.revoke)
        return key

    def kept_off(self, *keys: GuestKey) -> None:
        """See that no lock got a code of these keys although codes asked for later were written. Raises NotTrue.

        Locks take what is due in the order of arrival; once a code that arrives last of all is on a key's first lock,
        whatever of that key was to be written there has been.
        """
        doors = {key.rooms[0] for key in keys}
        fences = [
            self.key("Fenna Fence", allow=True, starts_in_days=300, door=door) for door in doors
        ]
        for last in fences:
            last.written()
            last.revoke()
        memory = self.memory()
        for key in keys:
            if held := [ref for ref, codes in memory.items() if key.code in codes]:
                raise NotTrue(f"{', '.join(held)} holds the code of {key.guest}, which is to wait")

    def book(self, guest: str, *, room: str = "any", arrival: str = "", nights: int = 1) -> Stay:
        """A reservation made at the PMS; cancelled at the end."""
        day = arrival or f"+{FAR_DAYS}"
        made = self.pms.post(
            "/control/reservations", guest=guest, room=room, arrival=day, nights=nights
        )
        stay = Stay(self, made["id"], guest, str(made.get("number") or made["id"]))
        self.take_back.append(stay.cancel)
        return stay

    # The end

    def close(self) -> list[str]:
        """Take back everything, the last first; what could not be taken back, in words."""
        left: list[str] = []
        while self.take_back:
            try:
                self.take_back.pop()()
            except (NotTrue, httpx2.HTTPError) as problem:
                left.append(str(problem))
        return left

    def is_clean(self) -> bool:
        """Whether no lock holds a code of the story any more."""
        return not any(self.codes & set(held) for held in self.memory().values())


@dataclass(frozen=True)
class GuestKey:
    """A key, with what never changes of it."""

    stage: Stage
    id: int
    guest: str
    code: str
    rooms: tuple[int, ...]
    doors: tuple[tuple[int, str], ...]
    number: str
    kept: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_api(cls, stage: Stage, told: Any) -> GuestKey:
        """As the API tells of it. Raises NotTrue when it shows no Door Code."""
        held = [one for person in told["people"] for one in person["credentials"]]
        codes = [one["code"] for one in held if one["kind"] == "door_code" and one["code"]]
        if not codes:
            raise NotTrue(f"the key of {told['guest']} has no Door Code")
        return cls(
            stage,
            told["id"],
            told["guest"],
            code=codes[0],
            rooms=tuple(one["door"] for one in told["doors"]),
            doors=tuple((one["id"], one["name"]) for one in told["doors"]),
            number=told["reservation_number"] or "",
        )

    @classmethod
    def find(cls, stage: Stage, key_id: int) -> GuestKey:
        """By its number, as in the address of its page."""
        return cls.from_api(stage, stage.api.get(f"/keys/{key_id}/"))

    @property
    def told(self) -> Any:
        """What the API says of it now."""
        return self.stage.api.get(f"/keys/{self.id}/")

    @property
    def locks(self) -> list[str]:
        """The locks of its doors, the room's first."""
        return [self.stage.lock_refs[door] for door in self.rooms]

    def held_by(self) -> list[str]:
        """The locks, of all that there are, whose memory holds its code."""
        return [ref for ref, held in self.stage.memory().items() if self.code in held]

    def is_written(self) -> bool:
        """Whether every lock of its doors holds its code."""
        return bool(self.locks) and set(self.locks) <= set(self.held_by())

    def is_nowhere(self) -> bool:
        """Whether no lock holds its code."""
        return not self.held_by()

    @property
    def said(self) -> str:
        """The API's first reason or state, for when something is not as it should be."""
        told = self.told
        place = next((p for d in told["doors"] for p in d["places"]), None)
        return str(told["headline"] or (place and place["state_text"]) or "nothing")

    @property
    def page(self) -> Page:
        """Its page, as the signed-in General Manager sees it."""
        return self.stage.web.get(f"/keys/{self.id}/")

    def written(self) -> str:
        """Wait for its code on all its locks; which these are. Raises NotTrue."""
        self.stage.wait(
            self.is_written,
            lambda: (
                f"{', '.join(sorted(set(self.locks) - set(self.held_by())))} does not hold the code of "
                f"{self.guest}; Portal says: {self.said}"
            ),
        )
        return ", ".join(self.locks)

    def gone(self) -> None:
        """Wait until no lock holds its code."""
        self.stage.wait(
            self.is_nowhere,
            lambda: f"{', '.join(self.held_by())} still holds the code; Portal says: {self.said}",
        )

    def kept_off(self) -> None:
        """See that no lock gets its code. Raises NotTrue."""
        self.stage.kept_off(self)

    def revoke(self) -> None:
        """End it over the API; a key that ended already stays so."""
        if not self.kept.get("revoked"):
            self.stage.api.post(f"/keys/{self.id}/revoke/", reason="walkthrough")
            self.kept["revoked"] = True


@dataclass(frozen=True)
class Stay:
    """A reservation of the story at the PMS."""

    stage: Stage
    id: str
    guest: str
    number: str
    kept: dict[str, Any] = field(default_factory=dict)

    def find(self) -> GuestKey | None:
        """The key that Portal made for it, if it did."""
        rows = self.stage.api.get("/reservations/", number=self.number)["results"]
        if not rows or rows[0]["key"] is None or not rows[0]["room_name"]:
            return None
        key = GuestKey.find(self.stage, rows[0]["key"])
        return key if key.doors else None

    @property
    def key(self) -> GuestKey:
        """Its key, waited for. Raises NotTrue when none comes."""
        if "key" not in self.kept:
            found = self.stage.wait(
                self.find, f"the reservation {self.number} of {self.guest} has no key in Portal"
            )
            assert found is not None  # noqa: S101 - wait returns what is true
            self.stage.codes.add(found.code)
            self.kept["key"] = found
        key: GuestKey = self.kept["key"]
        return key

    def act(self, action: str, **values: Any) -> None:
        """One action of the front desk, or of the guest online."""
        self.stage.pms.post(f"/control/reservations/{self.id}/{action}", force=True, **values)

    def check_in(self) -> None:
        """At the front desk."""
        self.act("check-in")

    def check_in_online(self) -> None:
        """By the guest, on their phone."""
        self.act("online-check-in")

    def cancel(self) -> None:
        """Take it back; one that is cancelled already stays so."""
        if not self.kept.get("cancelled"):
            self.act("cancel")
            self.kept["cancelled"] = True
