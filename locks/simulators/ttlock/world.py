"""The cloud's book and the locks on the wall: two things, kept in memory and written through to the store.

The book (passcodes, cards, eKeys, records, gateways as last heard) is what the cloud API shows. A lock's memory is what
opens its door. Nothing but a command, a phone or a hand at the keypad carries something from one to the other.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from locks.simulators.ttlock.lock import MINUTE_MS, Lock, read_lock
from locks.simulators.ttlock.store import Store
from locks.simulators.ttlock.words import Err, Refusal

GATEWAY_CACHE_MS = 30 * MINUTE_MS
WIFI_CACHE_MS = 15 * MINUTE_MS
FIRST_NUMBER = 1_000_000


@dataclass(slots=True, kw_only=True)
class Gateway:
    """A box near some locks. ``online`` is the truth; the cloud notices a loss only after 30 minutes."""

    id: int
    name: str
    version: int = 2
    online: bool = True
    changed_ms: int = 0
    told: bool = True

    def seen_online(self, now_ms: int) -> bool:
        """What the cloud believes (TTLock documents, en/cloud/gateway/listByLock)."""
        return self.online or now_ms - self.changed_ms < GATEWAY_CACHE_MS


@dataclass(slots=True, kw_only=True)
class Entry:
    """One line of the book: a passcode, a card or an eKey. ``kind`` is code, card or ekey."""

    id: int
    kind: str
    lock: int
    name: str
    value: str
    start_ms: int = 0
    end_ms: int = 0
    type: int = 3
    custom: bool = True
    sent_ms: int = 0
    sender: str = ""
    status: str = "110401"
    remote: int = 2


@dataclass(slots=True, kw_only=True)
class Token:
    """The right to speak for one account."""

    access: str
    refresh: str
    username: str
    expires_ms: int
    refreshed: bool = False


@dataclass(slots=True, kw_only=True)
class Cloud:
    """What can be set for the cloud as a whole. ``outage``: empty, error, drop or hang; a quota of -1 has no end."""

    command_ms: float = 3000.0
    outage: str = ""
    quota: int = -1
    monthly_quota: int = -1
    callback_url: str = ""
    callback_again_s: float = 30.0
    callback_delay_s: float = 0.0
    callbacks_lost: int = 0
    token_days: float = 90.0


@dataclass(slots=True, kw_only=True)
class Account:
    """The application and the TTLock app account that it may speak for, and who else has the app."""

    client_id: str
    client_secret: str
    username: str
    password_md5: str
    receivers: set[str] = field(default_factory=set)


class World:
    """Everything the simulator knows. Used from one event loop only."""

    def __init__(self, store: Store, account: Account, cloud: Cloud) -> None:
        self.store, self.account, self.cloud = store, account, cloud
        self.first_cloud = asdict(cloud)
        self.requests: deque[dict[str, Any]] = deque(maxlen=2000)
        self.in_flight: set[str] = set()
        self.overlaps = 0
        self.news = asyncio.Event()
        self.callbacks: list[dict[str, Any]] = []
        self._load()

    def _load(self) -> None:
        store = self.store
        self.locks = {doc["id"]: read_lock(doc) for doc in store.all("lock")}
        self.gateways = {doc["id"]: Gateway(**doc) for doc in store.all("gateway")}
        self.book = {doc["id"]: Entry(**doc) for doc in store.all("entry")}
        self.records = {doc["recordId"]: doc for doc in store.all("record")}
        self.tokens = {doc["access"]: Token(**doc) for doc in store.all("token")}
        settings = {doc["name"]: doc["value"] for doc in store.all("setting")}
        self.shift_s = float(settings.get("shift_s", 0))
        self._number = int(settings.get("number", FIRST_NUMBER))
        self.account.receivers |= set(settings.get("receivers", []))
        self.spent_windows: set[str] = set(settings.get("spent_windows", []))

    def now_ms(self) -> int:
        """The vendor's clock."""
        return int((time.time() + self.shift_s) * 1000)

    def next_number(self) -> int:
        """The next id of anything."""
        self._number += 1
        self.set("number", self._number)
        return self._number

    def set(self, name: str, value: Any) -> None:
        """Store a setting."""
        self.store.save("setting", name, {"name": name, "value": value})

    def shift(self, shift_s: float) -> None:
        """Move the vendor's clock, and with it every lock's."""
        self.shift_s = shift_s
        self.set("shift_s", shift_s)
        self.news.set()

    def wipe(self) -> None:
        """An empty wall and an empty book, the right time, nobody signed in; numbers go on."""
        number = self._number
        self.store.wipe()
        self.account.receivers.clear()
        self._load()
        self._number = number
        for name, value in self.first_cloud.items():
            setattr(self.cloud, name, value)
        self.requests.clear()
        self.callbacks.clear()
        self.overlaps = 0

    # Locks and gateways.

    def lock(self, lock_id: int) -> Lock:
        """A lock of the account. Raises Refusal."""
        if lock_id not in self.locks:
            raise Refusal(Err.LOCK_GONE)
        return self.locks[lock_id]

    def save_lock(self, lock: Lock) -> None:
        """Store a lock."""
        self.locks[lock.id] = lock
        self.store.save("lock", lock.id, lock.doc())

    def save_gateway(self, gateway: Gateway) -> None:
        """Store a gateway."""
        self.gateways[gateway.id] = gateway
        self.store.save("gateway", gateway.id, asdict(gateway))

    def take_down(self, lock: Lock) -> None:
        """Remove a lock and all that the cloud knows of it."""
        del self.locks[lock.id]
        self.store.delete("lock", lock.id)
        for entry in self.entries(lock.id):
            self.strike(entry)

    def reaches(self, lock: Lock) -> bool:
        """Whether the cloud can reach it at this moment."""
        gateway = self.gateways.get(lock.gateway)
        return lock.in_reach and (lock.wifi or (gateway is not None and gateway.online))

    # The book.

    def entries(self, lock_id: int, kind: str = "") -> list[Entry]:
        """The lines of one lock."""
        return [e for e in self.book.values() if e.lock == lock_id and kind in {"", e.kind}]

    def write(self, entry: Entry) -> Entry:
        """Add a line to the book, or change it."""
        self.book[entry.id] = entry
        self.store.save("entry", entry.id, asdict(entry))
        return entry

    def strike(self, entry: Entry) -> None:
        """Take a line out of the book."""
        self.book.pop(entry.id, None)
        self.store.delete("entry", entry.id)

    # Who may speak.

    def issue_token(self, username: str) -> Token:
        """A new pair of tokens."""
        lives_ms = int(self.cloud.token_days * 86_400_000)
        token = Token(
            access=secrets.token_hex(16),
            refresh=secrets.token_hex(16),
            username=username,
            expires_ms=self.now_ms() + lives_ms,
        )
        self.save_token(token)
        return token

    def save_token(self, token: Token) -> None:
        """Store a token."""
        self.tokens[token.access] = token
        self.store.save("token", token.access, asdict(token))
