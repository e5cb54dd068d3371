"""One running simulator: its store, clock, desk, tokens, webhooks and troubles, put together."""

from __future__ import annotations

from dataclasses import dataclass, field

from pms.simulators.mews.access import Access
from pms.simulators.mews.desk import Desk
from pms.simulators.mews.hotels import found_hotels
from pms.simulators.mews.live import Live
from pms.simulators.mews.outbox import Announcer, Webhooks
from pms.simulators.mews.quirks import Quirks
from pms.simulators.mews.registry import Registry
from pms.simulators.mews.store import open_store
from pms.simulators.mews.trouble import AFTERWARDS, FaultKind, Limits
from pms.simulators.shared.clock import Clock
from pms.simulators.shared.control import Machine
from pms.simulators.shared.life import Life
from pms.simulators.shared.sender import Sender
from pms.simulators.shared.trouble import Faults, Pace, RequestLog

CLIENT_TOKEN = "portal-demo-client-token"  # noqa: S105 - of an invented service


@dataclass(slots=True, kw_only=True)
class Options:
    """What the command line decides."""

    data: str = ":memory:"
    timezone: str = ""
    client_token: str = CLIENT_TOKEN
    webhooks: Webhooks = field(default_factory=Webhooks)
    limits: Limits = field(default_factory=Limits)
    seed_stays: bool = False
    life: bool = False
    life_seconds: float = 20.0


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
        self.live = Live()
        self.outbox = Announcer(self.store, self.webhooks, self.live.tell)
        self.sender = Sender(
            self.store,
            self.outbox,
            self.webhooks,
            user_agent="Mews-Simulator-Webhooks",
            follows=(307, 308),
        )
        self.desk = Desk(store=self.store, clock=self.clock, outbox=self.outbox, quirks=self.quirks)
        self.registry = Registry(store=self.store, clock=self.clock, outbox=self.outbox)
        self.access = Access(self.store, self.outbox, options.client_token)
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
                "quirks": self.quirks,
                "life": self.life,
                "clock": self.clock,
            },
        )
