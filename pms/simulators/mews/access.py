"""Who may call: the ClientToken of the application, and one AccessToken per integration.

https://docs.mews.com/connector-api/guidelines/authentication . A token has no end of its own: it
lives until it is replaced, or its integration is disabled, cancelled or deleted.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pms.simulators.mews import events
from pms.simulators.mews.outbox import Announcer
from pms.simulators.mews.records import Integration, enterprise_of, integration, integrations
from pms.simulators.shared.store import Store
from pms.simulators.shared.wishes import Refused

ACTIONS = {
    "enable": ("enabled", "IntegrationEnabled"),
    "disable": ("disabled", "IntegrationDisabled"),
    "cancel": ("canceled", "IntegrationCanceled"),
    "reinstate": ("enabled", "IntegrationReinstated"),
}


class NotLetIn(Exception):
    """401: a token, the hotel, the integration or this one operation; the words are ours."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a living pair of tokens."""

    integration: Integration

    @property
    def enterprise_ids(self) -> tuple[str, ...]:
        """The hotels it opens."""
        return self.integration.enterprise_ids


class Access:
    """Checks tokens and changes integrations."""

    def __init__(self, store: Store, outbox: Announcer, client_token: str) -> None:
        """One application, known by its ClientToken."""
        self._store = store
        self._outbox = outbox
        self.client_token = client_token

    def caller(self, client_token: str, access_token: str) -> Caller:
        """Whose tokens these are; raises NotLetIn."""
        if not secrets.compare_digest(client_token.encode(), self.client_token.encode()):
            raise NotLetIn("Invalid ClientToken.")
        row = self._store.row("SELECT * FROM integrations WHERE token = ?", access_token)
        if row is None or row["state"] in {"deleted", "canceled"}:
            raise NotLetIn("Invalid AccessToken.")
        found = integration(row)
        if found.state != "enabled":
            raise NotLetIn("The integration is disabled.")
        if not any(enterprise_of(self._store, one).is_active for one in found.enterprise_ids):
            raise NotLetIn("The enterprise is disabled.")
        return Caller(found)

    def permit(self, caller: Caller, operation: str) -> None:
        """Raises NotLetIn if this one operation is not granted to the integration."""
        if operation in caller.integration.denied:
            raise NotLetIn("You are not permitted to perform this operation.")

    def of(self, wanted: str) -> Integration:
        """The integration of this id, or the one that opens just this hotel; Refused for none."""
        for one in integrations(self._store):
            if wanted == one.id or one.enterprise_ids == (wanted,):
                return one
        raise Refused(f"There is no integration {wanted} and none of a property of that id.")

    def change(self, one: Integration, verb: str, *, announce: bool) -> None:
        """``enable``, ``disable``, ``cancel`` or ``reinstate``."""
        state, action = ACTIONS[verb]
        if one.state == "deleted":
            raise Refused("The integration was deleted: create it anew.")
        self._store.run("UPDATE integrations SET state = ? WHERE id = ?", state, one.id)
        if announce:
            self._outbox.post_integration(events.integration_changed(action, one))

    def delete(self, one: Integration, now: datetime, *, announce: bool) -> None:
        """Gone for good; a hotel that wants us back gets another token."""
        self._store.run("UPDATE integrations SET state = 'deleted' WHERE id = ?", one.id)
        if announce:
            self._outbox.post_integration(events.integration_deleted(one, now.timestamp()))

    def regenerate(self, one: Integration, *, announce: bool) -> None:
        """Another token; the old one is dead at once."""
        first = one.token.partition("-")[0]
        token = f"{first}-{secrets.token_hex(16).upper()[:31]}"
        self._store.run("UPDATE integrations SET token = ? WHERE id = ?", token, one.id)
        if announce:
            self._outbox.post_integration(events.key_created(self.of(one.id)))

    def create(self, enterprise_id: str, now: datetime, *, announce: bool) -> Integration:
        """A hotel connects (again): a new integration with a new token, for this hotel alone."""
        hotel = enterprise_of(self._store, enterprise_id)
        alive = [one for one in integrations(self._store) if one.enterprise_ids == (hotel.id,)]
        if any(one.state != "deleted" for one in alive):
            raise Refused("The property has an integration: delete it first.")
        first = secrets.token_hex(16).upper()
        self._store.run("DELETE FROM integrations WHERE enterprise_ids = ?", hotel.id)
        self._store.insert(
            "integrations",
            id=str(UUID(first)),
            name="Portal",
            enterprise_ids=hotel.id,
            token=f"{first}-{secrets.token_hex(16).upper()[:31]}",
        )
        created = self.of(hotel.id)
        if announce:
            body = events.integration_created(created, hotel, now.timestamp())
            self._outbox.post_integration(body)
        return created

    def deny(self, one: Integration, operations: list[str]) -> None:
        """The operations that answer 401 from now on, although the token is good."""
        sql = "UPDATE integrations SET denied = ? WHERE id = ?"
        self._store.run(sql, json.dumps(operations), one.id)
