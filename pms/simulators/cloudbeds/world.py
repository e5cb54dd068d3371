"""One running simulator: its store, clock, desk, tokens, webhooks and troubles, put together."""

from __future__ import annotations

from dataclasses import dataclass, field

from pms.simulators.cloudbeds.access import Access, Client, TokenRules
from pms.simulators.cloudbeds.desk import Desk
from pms.simulators.cloudbeds.hotels import found_hotels
from pms.simulators.cloudbeds.outbox import SubscriptionOutbox
from pms.simulators.cloudbeds.quirks import Quirks
from pms.simulators.cloudbeds.store import open_store
from pms.simulators.cloudbeds.trouble import AFTERWARDS, FaultKind, Limits
from pms.simulators.shared.clock import Clock
from pms.simulators.shared.control import Machine
from pms.simulators.shared.life import Life
from pms.simulators.shared.sender import Sender, WebhookModes
from pms.simulators.shared.trouble import Faults, Pace, RequestLog


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


class World:
    """Everything that one process simulates; used from its event loop only."""

    def __init__(self, options: Options) -> None:
        """Open the store and put the hotels into it if it is new."""
        self.options = options
        self.store = open_store(options.data)
        found_hotels(self.store, timezone=options.timezone)
        self.clock = Clock()
        self.quirks = Quirks()
        self.webhooks = options.webhooks
        self.outbox = SubscriptionOutbox(self.store, self.webhooks)
        self.sender = Sender(
            self.store,
            self.outbox,
            self.webhooks,
            user_agent="Cloudbeds-Simulator-Webhooks",
        )
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
        self.faults = Faults(afterwards=AFTERWARDS)
        self.log = RequestLog()
        self.life = Life(options.life, options.life_seconds)

    @property
    def machine(self) -> Machine:
        """The parts that every simulator has, for the shared controls."""
        return Machine(
            store=self.store,
            clock=self.clock,
            outbox=self.outbox,
            faults=self.faults,
            fault_kinds=list(FaultKind),
            log=self.log,
            pace=self.pace,
            dials={
                "webhooks": self.webhooks,
                "limits": self.limits,
                "tokens": self.tokens,
                "quirks": self.quirks,
                "life": self.life,
                "clock": self.clock,
            },
        )
