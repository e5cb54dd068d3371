"""Who is told: one address for all hotels of all customers, in batches, and whoever listens live.

One webhook address per integration client, set up by the vendor's support; calls are answered
within 5 seconds or sent again a few minutes later, a few times, then discarded; the usual lag is 2
to 5 minutes. https://docs.mews.com/connector-api/events/wh-faq . All of this can be scaled.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from pms.simulators.mews import events
from pms.simulators.mews.events import Event, Json
from pms.simulators.mews.records import Integration, integrations
from pms.simulators.shared.sender import Outbox, WebhookModes
from pms.simulators.shared.store import Store

GENERAL, INTEGRATION = "general", "integration"
MOST_IN_A_CALL = 500
Tell = Callable[[str, Sequence[Json]], None]


@dataclass(slots=True)
class Webhooks(WebhookModes):
    """``url`` is the one address (empty: nobody is told), ``batch_seconds`` how long events gather."""

    timeout_seconds: float = 5.0
    retry_seconds: float = 120.0
    tries: int = 4
    url: str = ""
    batch_seconds: float = 0.0


@dataclass(slots=True)
class Gathering:
    """A call that is still open for more events."""

    closes_at: float
    deliveries: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class Announcer(Outbox):
    """Puts what happened on its way."""

    def __init__(self, store: Store, modes: Webhooks, tell_live: Tell) -> None:
        """``tell_live`` is given each hotel's id and the messages for those who listen live."""
        super().__init__(store, modes)
        self._dials = modes
        self._tell_live = tell_live
        self._gathering: dict[tuple[str, str], Gathering] = {}

    def post(self, enterprise_ids: Sequence[str], happened: Sequence[Event]) -> None:
        """Tell of events at these hotels: live at once, by webhook with the usual lag.

        Both begin when the change holds; what is undone by a refusal is told to nobody.
        """
        self._store.after_commit(partial(self._tell, list(enterprise_ids), list(happened)))

    def _tell(self, enterprise_ids: Sequence[str], happened: Sequence[Event]) -> None:
        live = [event.live for event in happened if event.live]
        for enterprise_id in enterprise_ids:
            if live:
                self._tell_live(enterprise_id, live)
            for one in integrations(self._store):
                wants = one.sends_events and one.state == "enabled" and self._dials.url
                if wants and enterprise_id in one.enterprise_ids:
                    self._gather(enterprise_id, one, list(happened))

    def post_integration(self, body: Json) -> None:
        """Tell that an integration changed: one call, at once."""
        if self._dials.url:
            text = json.dumps(body)
            self.queue(
                url=self._dials.url,
                property_id="",
                name=str(body["Action"]),
                body=text,
                subscription_id=INTEGRATION,
            )

    def post_raw(self, body: str) -> None:
        """Send any text to the address: forged, broken, of nobody."""
        if self._dials.url:
            self.queue(url=self._dials.url, property_id="", name="raw", body=body)

    def forget(self) -> None:
        """Let no more events join a call that is on its way."""
        self._gathering.clear()

    def _gather(self, enterprise_id: str, one: Integration, happened: list[Event]) -> None:
        key = (enterprise_id, one.id)
        open_one = self._gathering.get(key)
        if open_one and self._is_open(open_one, len(happened)):
            open_one.events += happened
            self._rewrite(open_one, enterprise_id, one)
            return
        ids = self.queue(
            url=self._dials.url,
            property_id=enterprise_id,
            name=_names(happened),
            body=json.dumps(events.batch(enterprise_id, one.id, self._mixed(happened))),
            subscription_id=GENERAL,
        )
        closes_at = time.time() + self._dials.batch_seconds
        self._gathering[key] = Gathering(closes_at, ids, happened)

    def _is_open(self, one: Gathering, more: int) -> bool:
        return time.time() < one.closes_at and len(one.events) + more <= MOST_IN_A_CALL

    def _rewrite(self, open_one: Gathering, enterprise_id: str, one: Integration) -> None:
        for delivery_id in open_one.deliveries:
            self._store.run(
                "UPDATE deliveries SET body = ?, event = ? WHERE id = ? AND tries = 0",
                json.dumps(events.batch(enterprise_id, one.id, self._mixed(open_one.events))),
                _names(open_one.events),
                delivery_id,
            )

    def _mixed(self, happened: list[Event]) -> list[Event]:
        if not self._dials.shuffle_seconds:
            return happened
        return random.sample(happened, len(happened))

    def _wait(self) -> float:
        return self._dials.batch_seconds + super()._wait()


def _names(happened: list[Event]) -> str:
    return ", ".join(dict.fromkeys(event.discriminator for event in happened))
