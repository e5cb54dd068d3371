"""Starts the real Cloudbeds simulator in a process of its own and holds its controls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from tests.pms.simulator_server import SimulatorServer


class CloudbedsServer(SimulatorServer):
    """One running simulator, and the sign-in page that a hotel would press Allow on."""

    module = "pms.simulators.cloudbeds"

    def allow(self, authorize_url: str, *, property_id: str = "318267") -> dict[str, str]:
        """Press Allow on the sign-in page that this address leads to; returns the query of the way back."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(authorize_url).query).items()}
        form = {**asked, "property_id": property_id, "decision": "allow"}
        page = urlsplit(authorize_url).path
        response = self.client.post(page, data=form, follow_redirects=False)
        assert response.status_code in {302, 303}, response.text
        back = parse_qs(urlsplit(response.headers["location"]).query)
        return {name: values[0] for name, values in back.items()}


@contextmanager
def start_cloudbeds(*options: str) -> Iterator[CloudbedsServer]:
    """A running simulator for the length of a ``with`` block."""
    server = CloudbedsServer(*options)
    try:
        yield server
    finally:
        server.stop()
