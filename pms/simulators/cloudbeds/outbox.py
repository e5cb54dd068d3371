"""Who is told of an event: the subscriptions to it.

An answer other than 2xx, or none within two seconds, is tried again up to five times a minute
apart, then dropped: https://developers.cloudbeds.com/docs/webhooks-1 . The minute can be scaled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from pms.simulators.cloudbeds.events import Event
from pms.simulators.shared.sender import Outbox


class SubscriptionOutbox(Outbox):
    """Puts an event on its way to every subscription to it."""

    def post(self, *, property_id: str, events: Iterable[Event], now: datetime) -> None:
        """Queue each event for every subscription to it; unsubscribed events vanish."""
        for index, event in enumerate(events):
            body = json.dumps(event.body(property_id, now, index))
            self.post_raw(property_id=property_id, name=event.name, body=body)

    def post_raw(self, *, property_id: str, name: str, body: str) -> None:
        """Queue a body as it is (also one that is not what the vendor would send)."""
        entity, _, action = name.partition("/")
        sql = (
            "SELECT id, url FROM subscriptions WHERE property_id = ? AND entity = ? AND action = ?"
        )
        for row in self._store.rows(sql, property_id, entity, action):
            self.queue(
                url=row["url"],
                property_id=property_id,
                name=name,
                body=body,
                subscription_id=row["id"],
            )

    def forget(self, subscription_id: str) -> None:
        """Stop what is on its way to a deleted subscription, except the news of its end."""
        self._store.run(
            "UPDATE deliveries SET state = 'unsubscribed' WHERE state = 'waiting'"
            " AND subscription_id = ? AND event <> 'integration/appstate_changed'",
            subscription_id,
        )
