"""The demo hotel: people, doors, simulated locks, a connected PMS, and one key for every reason to wait.

Everything comes about as it would in a hotel: locks are hung up in the simulator, Cloudbeds is connected by its sign-in
page and MEWS by its token, the outage is a real one, and what waits does so because of the simulators' state. Safe to run again: what is
there stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from django.conf import settings

from keys import delivery, following, issuing
from keys.keychain import CredentialWish, DoorWish, PersonWish
from keys.models import Key
from keys.rules import Hold
from locks.clock import database_now
from locks.drivers import Kind
from locks.history import Actor, Source, acting
from locks.models import Door, DoorLink, Gateway, Lock, LockAccount, Property, Writer
from pms import connecting, watching
from pms.models import Integration
from portal.models import Membership, Role, User

PASSWORD = "portal-demo-1"  # noqa: S105 - printed for everyone who starts the demo
BY = Actor(source=Source.COMMAND, label="seed_demo", reason="demo hotel")
HOTEL, LODGE, ANNEX, SEASIDE = "Harbor House", "Canyon Lodge", "New Annex", "Seaside Rooms"
PEOPLE: tuple[tuple[str, str, Role], ...] = (
    ("owner@demo.example", "Olga Owner", Role.OWNER),
    ("manager@demo.example", "Miguel Manager", Role.GENERAL_MANAGER),
    ("team@demo.example", "Nina Night Porter", Role.TEAM),
    ("housekeeping@demo.example", "Hugo Housekeeping", Role.HOUSEKEEPING),
    ("installer@demo.example", "Ines Installer", Role.INSTALLER),
)
SUPPORT = "support@demo.example"
SEASIDE_ROOMS = [f"{floor}{n}" for floor in (1, 2) for n in range(1, 7) if (floor, n) < (2, 5)]
ROOMS = [f"{floor}0{n}" for floor in (1, 2) for n in range(1, 7)] + ["301", "302"]
PINNED = {
    "Boat House": Hold.ACCOUNT_BROKEN,
    "Cabin Gateway": Hold.GATEWAY_OFFLINE,
    "Cabin Offline": Hold.LOCK_OFFLINE,
    "Cabin Full": Hold.LOCK_FULL,
    "Cabin Refusing": Hold.REFUSED_BY_LOCK,
    "Cabin Silent": Hold.NOT_CONFIRMED,
    "Cabin Busy": Hold.RETRYING,
    "Cabin Held": Hold.DISABLED_BY_STAFF,
    "Cabin Still Open": Hold.STILL_ON_LOCK,
    "Cabin Ghost": Hold.REMOVAL_PENDING,
    "Cabin Card": Hold.UNSUPPORTED,
    "Garden Gate": Hold.NOT_DUE_YET,
    "Storage": Hold.NO_LOCK,
}
"""Doors whose pinned key shows one reason; the reasons that need a PMS or another property have their own below."""


class Peer:
    """The controls of one simulator, over HTTP like everyone else's."""

    def __init__(self, url: str) -> None:
        self.client = httpx2.Client(base_url=url, timeout=20, trust_env=False)

    def post(self, path: str, **body: Any) -> Any:
        """POST to the control interface; raises on a refusal."""
        response = self.client.post(f"/control/{path}", json=body)
        response.raise_for_status()
        return response.json()

    def get(self, path: str) -> Any:
        """GET of the control interface."""
        response = self.client.get(f"/control/{path}")
        response.raise_for_status()
        return response.json()

    def allow(self, authorize_url: str, *, property_id: str) -> dict[str, str]:
        """Press Allow on the PMS's sign-in page; returns the query that leads back to Portal."""
        parts = urlsplit(authorize_url)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        form = {**asked, "property_id": property_id, "decision": "allow"}
        response = self.client.post(parts.path, data=form, follow_redirects=False)
        back = parse_qs(urlsplit(response.headers["location"]).query)
        return {name: values[0] for name, values in back.items()}


@dataclass(slots=True)
class Seed:
    """One run of the seeding, with its two peers."""

    locks: Peer
    pms: Peer
    mews: Peer
    say: Callable[[str], None]


def seed(say: Callable[[str], None]) -> list[dict[str, str]]:
    """Make the demo hotel unless it is there; returns the logins."""
    run = Seed(
        locks=Peer(settings.SIMLOCK_URL),
        pms=Peer(settings.CLOUDBEDS_URL),
        mews=Peer(settings.MEWS_API_URL),
        say=say,
    )
    hotel = Property.objects.filter(name=HOTEL).first()
    if hotel is None:
        hotel = _hotel(HOTEL)
        _people(hotel)
        account = _account(hotel, "Simulated locks", settings.SIMLOCK_TOKEN)
        _rooms(run, hotel, account)
        _connect(run, hotel, "318267")
        _pinned(run, hotel, account)
        _outage(run, hotel)
        _broken_lodge(run)
        _annex(run)
        _seaside(run)
        delivery.look(now=database_now())
        say("The demo hotel is ready.")
    else:
        _addresses(hotel)
    return [
        {"role": str(role.label), "email": email, "password": PASSWORD} for email, _, role in PEOPLE
    ] + [{"role": "Support (admin)", "email": SUPPORT, "password": PASSWORD}]


def _addresses(hotel: Property) -> None:
    """The simulators may listen elsewhere than last time."""
    with acting(BY):
        for account in LockAccount.objects.filter(driver="simulated").exclude(
            base_url=settings.SIMLOCK_URL
        ):
            account.base_url = settings.SIMLOCK_URL
            account.save()
    for integration in Integration.objects.exclude(base_url=""):
        with acting(BY):
            integration.base_url = ""
            integration.save()


def _hotel(name: str, **extra: Any) -> Property:
    with acting(BY):
        rules = {"mode": Property.Mode.LIVE, "common_doors": Property.CommonDoors.NONE}
        made = Property(name=name, **{**rules, **extra})
        made.save()
    return made


def _people(hotel: Property) -> None:
    for email, name, role in PEOPLE:
        user = User.objects.filter(email=email).first()
        user = user or User.objects.create_user(email, PASSWORD, name=name)
        with acting(BY):
            Membership.objects.get_or_create(property=hotel, user=user, defaults={"role": role})
    if not User.objects.filter(email=SUPPORT).exists():
        User.objects.create_superuser(SUPPORT, PASSWORD, name="Sam Support")


def _account(hotel: Property, name: str, token: str) -> LockAccount:
    with acting(BY):
        account = LockAccount(
            property=hotel,
            driver="simulated",
            name=name,
            base_url=settings.SIMLOCK_URL,
            token=token,
        )
        account.save()
    return account


def _door(
    run: Seed,
    account: LockAccount,
    name: str,
    *,
    type: str = Door.Type.PRIVATE_ROOM,  # noqa: A002
    gateway: Gateway | None = None,
    **lock: Any,
) -> Door:
    """A door with its lock, here and on the simulator's wall."""
    door = bare_door(account.property, name, type=type)
    ref = f"{account.property_id}-{name.lower().replace(' ', '-')}"
    hung = {"id": ref, "name": name, **lock}
    if gateway is not None:
        hung["gateway"] = gateway.external_id
    run.locks.post("locks", locks=[hung])
    writer = gateway.writer if gateway else Writer.objects.create(property=account.property)
    Lock.objects.create(
        property=account.property,
        account=account,
        gateway=gateway,
        writer=writer,
        door=door,
        external_id=ref,
        name=f"Lock of {name}",
        model="SimLock One",
        native_window=lock.get("native_window", True),
        max_codes=lock.get("max_codes", 250),
    )
    return door


def bare_door(hotel: Property, name: str, *, type: str = Door.Type.PRIVATE_ROOM) -> Door:  # noqa: A002
    """A door without a lock."""
    with acting(BY):
        door = Door(property=hotel, name=name, type=type)
        door.save()
    return door


def _rooms(run: Seed, hotel: Property, account: LockAccount) -> None:
    entrance = _door(run, account, "Entrance", type=Door.Type.ENTRANCE)
    lift = _door(run, account, "Lift", type=Door.Type.LIFT)
    for name in ROOMS:
        room = _door(run, account, name)
        _link(room, entrance)
        if not name.startswith("1"):
            _link(room, lift)
    dorm = _door(run, account, "Dorm 1", type=Door.Type.SHARED_ROOM)
    _link(dorm, entrance)


def _link(door: Door, linked: Door) -> None:
    DoorLink.objects.create(property=door.property, door=door, linked=linked)


def _connect(run: Seed, hotel: Property, property_id: str) -> Integration:
    """Connect Cloudbeds as staff would: sign-in page, Allow, back again, then read everything."""
    owner = User.objects.get(email=PEOPLE[0][0])
    now = database_now()
    url = connecting.begin_connect(
        property=hotel, adapter="cloudbeds", user_id=owner.pk, by=BY, now=now
    )
    back = run.pms.allow(url, property_id=property_id)
    made = connecting.finish_connect(
        state=back["state"], code=back["code"], user_id=owner.pk, by=BY, now=database_now()
    )
    _catch_up()
    return made


def _catch_up() -> None:
    watching.read_all_due(now=database_now())
    following.follow_all(now=database_now())


def _pinned(run: Seed, hotel: Property, account: LockAccount) -> None:
    """One key for each reason that a lock, a door or staff can give."""
    bad = _account(hotel, "Boat locks", "revoked-token")
    writer = Writer.objects.create(property=hotel)
    gateway = Gateway.objects.create(
        property=hotel,
        account=account,
        writer=writer,
        external_id=f"{hotel.pk}-gw",
        name="Gateway of the cabins",
    )
    doors = {"Storage": bare_door(hotel, "Storage", type=Door.Type.SERVICE_AREA)}
    for name in PINNED:
        if name == "Storage":
            continue
        via = gateway if name == "Cabin Gateway" else None
        owner = bad if name == "Boat House" else account
        own_window = name != "Garden Gate"
        doors[name] = _door(run, owner, name, gateway=via, native_window=own_window)
    _trouble(run, hotel)
    _bunks(run, account)
    for name, hold in PINNED.items():
        _pin(run, hotel, doors[name], hold)
    for _ in range(8):
        delivery.look(now=database_now())


def _bunks(run: Seed, account: LockAccount) -> None:
    """A lock with few places, of which someone at its keypad took one: next week it is too full."""
    door = _door(
        run, account, "Bunk Room", type=Door.Type.SHARED_ROOM, native_window=False, max_codes=2
    )
    lock, now = Lock.objects.get(door=door), database_now()
    run.locks.post(f"locks/{lock.external_id}/keypad-add", value="480215")
    Lock.objects.filter(pk=lock.pk).update(read_back_at=now)
    for name in ("Bela Bunk", "Bruno Bunk"):
        issuing.make_key(
            property=account.property,
            people=[PersonWish(name=name)],
            doors=[DoorWish(door=door)],
            starts_at=now + timedelta(days=6),
            ends_at=now + timedelta(days=8),
            by=BY,
            now=now,
        )


def _trouble(run: Seed, hotel: Property) -> None:
    def act(name: str, action: str, **values: Any) -> None:
        run.locks.post(f"locks/{hotel.pk}-{name.lower().replace(' ', '-')}/{action}", **values)

    run.locks.post(f"gateways/{hotel.pk}-gw/offline")
    act("Cabin Offline", "offline")
    act("Cabin Full", "memory-full")
    act("Cabin Refusing", "refuse", calls=-1)
    act("Cabin Silent", "server-error", calls=-1)
    act("Cabin Busy", "busy", calls=-1)


def _pin(run: Seed, hotel: Property, door: Door, hold: Hold) -> Key:
    now = database_now()
    kind = Kind.KEYCARD if hold is Hold.UNSUPPORTED else Kind.DOOR_CODE
    later = timedelta(days=180) if hold is Hold.NOT_DUE_YET else timedelta(0)
    wish = CredentialWish(kind=kind, policy="strict", requested="CARD-0007")
    if kind is Kind.DOOR_CODE:
        wish = CredentialWish(kind=kind)
    key = issuing.make_key(
        property=hotel,
        people=[PersonWish(name=f"Pia {door.name}", credentials=(wish,))],
        doors=[DoorWish(door=door, allow=hold is not Hold.DISABLED_BY_STAFF)],
        starts_at=now + later - timedelta(minutes=5),
        ends_at=now + later + timedelta(days=365),
        by=BY,
        now=now,
    )
    if hold in {Hold.STILL_ON_LOCK, Hold.REMOVAL_PENDING}:
        delivery.look(now=database_now())
        run.locks.post(f"locks/{hotel.pk}-{door.name.lower().replace(' ', '-')}/offline")
        _withdraw(key, hold)
    return key


def _withdraw(key: Key, hold: Hold) -> None:
    now = database_now()
    if hold is Hold.REMOVAL_PENDING:
        issuing.revoke(key=key, by=BY, now=now)
        return
    issuing.set_permission(keychain_door=key.doors.get(), on=False, by=BY, now=now)


def _outage(run: Seed, hotel: Property) -> None:
    """A real one: access revoked, one reservation comes in, Reconnect. And one that waits for its check-in."""
    run.pms.post("reservations", guest="Carla Check-in", room="any", nights=60, pinned=True)
    _probe(hotel)
    run.pms.post("access/revoke")
    _probe(hotel)
    run.pms.post("reservations", guest="Otto Outage", room="any", nights=60, pinned=True)
    run.pms.post("access/restore")
    _connect(run, hotel, "318267")


def _probe(hotel: Property) -> None:
    Integration.objects.filter(property=hotel).update_untracked(
        next_read_at=database_now(), swept_at=None
    )
    _catch_up()


def _broken_lodge(run: Seed) -> None:
    """A second hotel whose PMS connection is broken: check-ins there are unknown."""
    lodge = _hotel(LODGE, timezone="America/Los_Angeles")
    _people(lodge)
    account = _account(lodge, "Lodge locks", settings.SIMLOCK_TOKEN)
    _door(run, account, "Cabin 1")
    run.pms.post(
        "reservations",
        property="318268",
        guest="Ursula Unknown",
        room="Cabin 1",
        nights=60,
        pinned=True,
    )
    _connect(run, lodge, "318268")
    run.pms.post("access/revoke", property="318268")
    _probe(lodge)


def _annex(run: Seed) -> None:
    """A third hotel that is still being set up: nothing is written there."""
    annex = _hotel(ANNEX, mode=Property.Mode.SETUP)
    _people(annex)
    account = _account(annex, "Annex locks", settings.SIMLOCK_TOKEN)
    _pin(run, annex, _door(run, account, "A1"), Hold.SETUP_MODE)


def _seaside(run: Seed) -> None:
    """A fourth hotel, whose PMS is MEWS: connected by the token that its owner pastes."""
    seaside = _hotel(SEASIDE, timezone="Europe/Berlin")
    _people(seaside)
    account = _account(seaside, "Seaside locks", settings.SIMLOCK_TOKEN)
    entrance = _door(run, account, "Entrance", type=Door.Type.ENTRANCE)
    for name in SEASIDE_ROOMS:
        _link(_door(run, account, name), entrance)
    _link(_door(run, account, "Dorm 1", type=Door.Type.SHARED_ROOM), entrance)
    told = run.mews.get("state")
    at_pms = next(one["id"] for one in told["properties"] if one["name"] == SEASIDE)
    token = next(i["access_token"] for i in told["integrations"] if i["enterprise_ids"] == [at_pms])
    connecting.connect_with_token(property=seaside, adapter="mews", typed=token, by=BY)
    _catch_up()
