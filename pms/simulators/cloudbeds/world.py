"""One running simulator: its store, clock, desk, tokens, webhooks and troubles, put together."""

from __future__ import annotations

from dataclasses import dataclass, field

from pms.simulators.cloudbeds.access import Access, Client, TokenRules
from pms.simulators.cloudbeds.clock import Clock
from pms.simulators.cloudbeds.desk import Desk
from pms.simulators.cloudbeds.hotels import found_hotels
from pms.simulators.cloudbeds.quirks import Quirks
from pms.simulators.cloudbeds.sender import Outbox, Sender, WebhookModes
from pms.simulators.cloudbeds.store import Store
from pms.simulators.cloudbeds.trouble import Faults, Limits, Pace, RequestLog


@dataclass(slots=True, kw_only=True)
class Options:
    """What the command line decides."""

    data: str = ":memory:"
    timezone: str = "Europe/Lisbon"
    client: Client
    webhooks: WebhookModes = field(default_factory=WebhookModes)
    limits: Limits = field(default_factory=Limits)
    tokens: TokenRules = field(default_factory=TokenRules)
    seed_stays: bool = False
    life: bool = False
    life_seconds: float = 20.0
    api_url: str = ""


@dataclass(slots=True)
class Life:
    """Whether random things happen by themselves, and every how many seconds on average."""

    on: bool = False
    every_seconds: float = 20.0


class World:
    """Everything that one process simulates; used from its event loop only."""

    def __init__(self, options: Options) -> None:
        """Open the store and put the hotels into it if it is new."""
        self.options = options
        self.store = Store(options.data)
        found_hotels(self.store, timezone=options.timezone)
        self.clock = Clock()
        self.quirks = Quirks()
        self.webhooks = options.webhooks
        self.outbox = Outbox(self.store, self.webhooks)
        self.sender = Sender(self.store, self.outbox, self.webhooks)
        self.desk = Desk(store=self.store, clock=self.clock, outbox=self.outbox, quirks=self.quirks)
        self.tokens = options.tokens
        self.access = Access(
            store=self.store,
            outbox=self.outbox,
            client=options.client,
            rules=self.tokens,
            quirks=self.quirks,
        )
        self.limits = options.limits
        self.pace = Pace()
        self.faults = Faults()
        self.log = RequestLog()
        self.life = Life(options.life, options.life_seconds)
