"""The WebSocket of MEWS (https://docs.mews.com/connector-api/events/websockets): where it is, and what its messages hint at.

One connection per property; the two tokens let Portal in as cookies. Nothing is told again after a break.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pms.adapters import App, EventHint, Link, LiveChannel, NotUnderstood, Subject
from pms.adapters import mews_answers as answers

PATH = "/ws/connector"


def channel(app: App, link: Link) -> LiveChannel:
    """Beside the platform's address: ``ws.`` where that begins with ``api.``
    (https://docs.mews.com/connector-api/guidelines/environments)."""
    platform = urlsplit(link.base_url or app.api_url)
    scheme = "ws" if platform.scheme == "http" else "wss"
    host = platform.netloc
    if host.startswith("api."):
        host = f"ws.{host.removeprefix('api.')}"
    cookies = f"ClientToken={app.client_secret}; AccessToken={link.tokens.access}"
    return LiveChannel(url=f"{scheme}://{host}{PATH}", headers=(("Cookie", cookies),))


def read(body: Mapping[str, Any]) -> Sequence[EventHint]:
    """One hint per reservation; the state that comes with it is not believed, what is no reservation not kept."""
    events = body.get("Events")
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise NotUnderstood("This is not a message of MEWS.")
    refs = {answers.id_of(event, "Id") for event in events if event.get("Type") == "Reservation"}
    return [
        EventHint(
            key=f"live:{ref}:{uuid.uuid4().hex}",
            event="Reservation",
            subject=Subject.STAY,
            ref=ref,
        )
        for ref in sorted(refs - {""})
    ]
