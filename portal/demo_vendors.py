"""Two lock systems of other makers in the demo hotel, connected, searched and paired by the same calls as from the portal.

The garden house hangs on the simulated TTLock, behind one gateway; the lofts are on the simulated Seam. Safe to run again:
what is there stays, and a simulator that listens elsewhere than last time is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings

from keys import installing, issuing
from keys.keychain import CredentialWish, DoorWish, PersonWish
from locks import accounts, discovering
from locks.clock import database_now
from locks.discovery_models import Discovery
from locks.drivers import Kind
from locks.history import acting
from locks.models import Door, LockAccount, Property
from portal.demo_hotel import BY, HOTEL, Peer, bare_door

GARDEN = tuple(f"Garden House {n}" for n in (1, 2, 3))
LOFTS = ("Loft 1", "Loft 2")
GATEWAY = 7


class System(NamedTuple):
    """An account as a person would connect it, and the doors whose locks it has."""

    driver: str
    name: str
    base_url: str
    typed: Mapping[str, str]
    doors: tuple[str, ...]


def systems() -> list[System]:
    """The two, with the logins that their simulators are started with."""
    app = {"client_id": "demo-client", "client_secret": "demo-client-secret"}
    owner = {"username": "hotel@example.com", "password": "demo-password"}
    key = {"api_key": "seam_demo1_key", "webhook_secret": ""}
    return [
        System("ttlock", "TTLock of the garden house", settings.TTLOCK_URL, app | owner, GARDEN),
        System("seam", "Seam of the lofts", settings.SEAM_URL, key, LOFTS),
    ]


def seed() -> None:
    """Hang up the locks, connect both systems, take in what they have, and give each a guest."""
    hotel = Property.objects.get(name=HOTEL)
    for system in systems():
        known = LockAccount.objects.filter(property=hotel, driver=system.driver).first()
        if known is None:
            _connect(hotel, system)
        elif known.base_url != system.base_url:
            with acting(BY):
                known.base_url = system.base_url
                known.save(update_fields=["base_url"])


def _connect(hotel: Property, system: System) -> None:
    _hang_up(system)
    for name in system.doors:
        if not Door.objects.filter(property=hotel, name=name, archived_at=None).exists():
            bare_door(hotel, name)
    account = accounts.connect(
        property=hotel,
        driver=system.driver,
        name=system.name,
        base_url=system.base_url,
        typed=system.typed,
        by=BY,
    )
    discovering.ask(account=account, now=database_now())
    discovering.work_off(now=database_now())
    found = [discovering.read_found(doc) for doc in Discovery.objects.get(account=account).found]
    installing.add_all(account=account, found=found, pairs_by_name=True, by=BY, now=database_now())
    _guest(hotel, system.doors[0])


def _hang_up(system: System) -> None:
    """Locks on the simulator's wall, unless an earlier run hung them there."""
    wall, path = Peer(system.base_url), "locks" if system.driver == "ttlock" else "devices"
    there = {str(one.get("alias") or one["name"]) for one in wall.get(path)[path]}
    for name in system.doors:
        if name not in there:
            wall.post(path, **_lock(system.driver, name))


def _lock(driver: str, name: str) -> dict[str, Any]:
    if driver == "ttlock":
        return {"alias": name, "gateway": GATEWAY}
    return {"device_id": name.lower().replace(" ", "-"), "name": name, "brand": "schlage"}


def _guest(hotel: Property, door: str) -> None:
    """A guest in house; the worker writes the code as soon as it runs."""
    now = database_now()
    issuing.make_key(
        property=hotel,
        people=[
            PersonWish(name=f"Gwen {door}", credentials=(CredentialWish(kind=Kind.DOOR_CODE),))
        ],
        doors=[DoorWish(door=Door.objects.get(property=hotel, name=door, archived_at=None))],
        starts_at=now - timedelta(minutes=5),
        ends_at=now + timedelta(days=14),
        by=BY,
        now=now,
    )
