"""``manage.py walkthrough``: the article as a running story, told against a running demo and judged from outside.

It acts over the REST API and the simulators' controls, and believes only what it sees there: the locks' own memory, the
API's answers. One line per sentence with what was observed after how long; it ends with 1 at the first that is not true.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from keys.wording import PENDING_TAG
from locks.clock import database_now
from locks.models import Door
from portal.demo_hotel import HOTEL, PEOPLE
from portal.models import Membership
from portal.tokens import make_token

PATIENCE_S = 20.0
ROOM = "106"
LOOK_EVERY_S = 0.05


class NotTrue(Exception):
    """A sentence that could not be observed."""


class Story:
    """The running demo, seen and touched from outside."""

    def __init__(self, say: Callable[[str], None]) -> None:
        told = json.loads((settings.VAR / "run.json").read_text())
        self.say = say
        self.locks = httpx2.Client(base_url=told["simlock"], timeout=15, trust_env=False)
        self.pms = httpx2.Client(base_url=told["cloudbeds"], timeout=15, trust_env=False)
        self.api = httpx2.Client(
            base_url=f"{told['web']}/api/v1",
            timeout=15,
            trust_env=False,
            headers={"Authorization": f"Bearer {_token()}"},
        )
        door = Door.objects.select_related("lock").get(property__name=HOTEL, name=ROOM)
        self.door_id, self.lock_ref = door.pk, door.lock.external_id
        self.lines = 0

    def see(self, sentence: str, seen: Callable[[], bool]) -> None:
        """Wait until the sentence is seen to be true, and say so; raises NotTrue when it is not in time."""
        begun = time.monotonic()
        while not seen():
            if time.monotonic() - begun > PATIENCE_S:
                raise NotTrue(sentence)
            time.sleep(LOOK_EVERY_S)
        self.lines += 1
        self.say(f"{(time.monotonic() - begun) * 1000:7.0f} ms  {sentence}")

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """One call of the API; raises NotTrue with its answer when it refuses."""
        answer = self.api.request(method, path, json=body or None)
        if answer.is_error:
            raise NotTrue(f"{method} {path}: {answer.text}")
        return answer.json() if answer.content else None

    def control(self, peer: httpx2.Client, path: str, **body: Any) -> Any:
        """One call of a simulator's controls."""
        return peer.post(f"/control/{path}", json=body).raise_for_status().json()

    def on_lock(self, key_id: int) -> bool:
        """Whether the room's lock itself holds a credential of this key."""
        memory = self.locks.get(f"/control/locks/{self.lock_ref}/memory").raise_for_status().json()
        return any(held["handle"].startswith(f"k{key_id}a") for held in memory["credentials"])

    def make(self, guest: str, *, allow: bool, starts_at: datetime) -> int:
        """Make a key for the room by hand; returns its id."""
        made = self.ask(
            "POST",
            "/keys/",
            people=[{"name": guest, "credentials": [{"kind": "door_code"}]}],
            doors=[{"door": self.door_id, "allow_provisioning": allow}],
            starts_at=starts_at.isoformat(),
            ends_at=(starts_at + timedelta(days=1)).isoformat(),
        )
        return int(made["id"])

    def door_of(self, key_id: int) -> Any:
        """What the API says of the key's first door."""
        first = self.ask("GET", f"/keys/{key_id}/doors/")
        rows = first["results"] if isinstance(first, dict) else first
        return self.ask("GET", f"/keys/{key_id}/doors/{rows[0]['id']}/")

    def switch(self, key_id: int, *, on: bool) -> None:
        """Switch Allow Provisioning of the key's first door."""
        self.ask(
            "PATCH", f"/keys/{key_id}/doors/{self.door_of(key_id)['id']}/", allow_provisioning=on
        )


def _token() -> str:
    membership = Membership.objects.get(property__name=HOTEL, user__email=PEOPLE[0][0])
    now = database_now()
    _, secret = make_token(
        membership=membership,
        role=membership.role,
        name="walkthrough",
        expires_at=now + timedelta(hours=1),
        now=now,
    )
    return str(secret)


class Command(BaseCommand):
    help = (
        "Tell the article's sentences about keys, locks and a reservation against the running demo."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            story = Story(self.stdout.write)
        except FileNotFoundError:
            raise CommandError("No demo is running here: start it with python3 run.py.") from None
        try:
            _allowed(story)
            _held(story)
            _offline(story)
            _reservation(story)
        except NotTrue as sentence:
            raise CommandError(f"not true: {sentence}") from None
        self.stdout.write(
            f"{story.lines} sentences are true. The outage part and MEWS are not built yet in this walkthrough."
        )


def _allowed(story: Story) -> None:
    key = story.make("Wanda Walkthrough", allow=True, starts_at=database_now())
    story.see("The Door Code or SmartKey is written to the lock.", lambda: story.on_lock(key))
    story.see(
        "Key becomes active for the selected time window.",
        lambda: bool(story.ask("GET", f"/keys/{key}/")["active"]),
    )
    story.ask("POST", f"/keys/{key}/revoke/", reason="walkthrough")
    story.see("A revoked key comes off its lock.", lambda: not story.on_lock(key))


def _held(story: Story) -> None:
    key = story.make("Hedda Held", allow=False, starts_at=database_now())
    story.see(
        f"If a door in a keychain is not allowed to be provisioned, it is {PENDING_TAG}.",
        lambda: bool(story.door_of(key)["pending"]),
    )
    story.see("The credential is not written to the lock.", lambda: not story.on_lock(key))
    story.switch(key, on=True)
    story.see("Staff must manually enable provisioning later.", lambda: story.on_lock(key))
    story.switch(key, on=False)
    story.see("Switched off, the code comes off the lock.", lambda: not story.on_lock(key))
    story.ask("POST", f"/keys/{key}/revoke/", reason="walkthrough")


def _offline(story: Story) -> None:
    story.control(story.locks, f"locks/{story.lock_ref}/offline")
    key = story.make("Otis Offline", allow=True, starts_at=database_now())
    story.see(
        "The lock was offline when Portal tried to write the code.",
        lambda: "offline" in story.door_of(key)["headline"],
    )
    story.control(story.locks, f"locks/{story.lock_ref}/online")
    story.see("It will retry automatically once back online.", lambda: story.on_lock(key))
    story.ask("POST", f"/keys/{key}/revoke/", reason="walkthrough")


def _reservation(story: Story) -> None:
    booked = story.control(story.pms, "reservations", guest="Paula PMS", room="any", nights=1)

    def found() -> Any:
        rows = story.ask("GET", f"/keys/?search={booked['id']}")["results"]
        return rows[0] if rows else None

    story.see("A reservation of the PMS becomes a key.", lambda: found() is not None)
    key = int(found()["id"])
    story.see(
        "The PMS reservation is not checked in.",
        lambda: "not checked in" in story.door_of(key)["headline"],
    )
    story.control(story.pms, f"reservations/{booked['id']}/check-in", force=True)
    story.see(
        "At check-in the code is written to the lock.",
        lambda: all(place["on_lock"] == "current" for place in story.door_of(key)["places"]),
    )
    story.control(story.pms, f"reservations/{booked['id']}/cancel", force=True)
