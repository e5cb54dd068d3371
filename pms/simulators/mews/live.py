"""Those who listen live: each gets the messages of its hotels from now on, none of before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True, eq=False)
class Listener:
    """One open connection; ``None`` in the queue closes it."""

    integration_id: str
    enterprise_ids: tuple[str, ...]
    waiting: asyncio.Queue[Json | None] = field(default_factory=asyncio.Queue)


class Live:
    """The open connections."""

    def __init__(self) -> None:
        """Nobody listens at first."""
        self._listeners: set[Listener] = set()

    def __len__(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def join(self, listener: Listener) -> None:
        """Begin to listen."""
        self._listeners.add(listener)

    def leave(self, listener: Listener) -> None:
        """Stop listening."""
        self._listeners.discard(listener)

    def tell(self, enterprise_id: str, messages: Sequence[Json]) -> None:
        """One message with these events for everyone who listens to the hotel."""
        for listener in self._listeners:
            if enterprise_id in listener.enterprise_ids:
                listener.waiting.put_nowait({"Events": list(messages)})

    def close(self, integration_id: str = "") -> int:
        """Close the connections of one integration, or all; says how many."""
        closed = [one for one in self._listeners if integration_id in {"", one.integration_id}]
        for listener in closed:
            listener.waiting.put_nowait(None)
        return len(closed)
