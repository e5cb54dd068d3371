"""Starts the real MEWS simulator in a process of its own and holds its controls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.pms.simulator_server import SimulatorServer

CLIENT_TOKEN = "portal-demo-client-token"
SEASIDE, MESA, LANTERN = (
    "5ea51de0-0000-4000-8000-000000000001",
    "4e5a1000-0000-4000-8000-000000000002",
    "1a47e240-0000-4000-8000-000000000003",
)


class MewsServer(SimulatorServer):
    """One running simulator, and the tokens that open its hotels."""

    module = "pms.simulators.mews"

    def integration(self, property_id: str = SEASIDE) -> dict[str, Any]:
        """The integration that opens just this hotel, as the simulator holds it now."""
        for one in self.get("state")["integrations"]:
            if one["enterprise_ids"] == [property_id]:
                return one
        raise AssertionError(f"No integration opens {property_id}.")

    def access_token(self, property_id: str = SEASIDE) -> str:
        """The AccessToken that opens just this hotel now."""
        return self.integration(property_id)["access_token"]

    def portfolio_token(self) -> str:
        """The AccessToken that opens Seaside Rooms and Mesa Inn."""
        found = [one for one in self.get("state")["integrations"] if one["is_portfolio"]]
        return found[0]["access_token"]


@contextmanager
def start_mews(*options: str) -> Iterator[MewsServer]:
    """A running simulator for the length of a ``with`` block; its webhooks go out at once."""
    server = MewsServer("--delay-seconds", "0", "--batch-seconds", "0", *options)
    try:
        yield server
    finally:
        server.stop()
