"""Sends HTTP requests as fast as they are answered, or at a steady pace whatever the answers do.

A program of its own: it must not share a Python with the server that it measures.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path


class Line:
    """One kept-alive connection; answers are read by their length."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None

    async def ask(self, request: bytes) -> int:
        """Send one request; returns the status. A line that the server closed while it was idle is opened again."""
        if self.reader is not None:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                return await self._ask(self.reader, request)
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return await self._ask(self.reader, request)

    async def _ask(self, reader: asyncio.StreamReader, request: bytes) -> int:
        self.writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        low = head.lower()
        at = low.find(b"content-length:")
        length = int(low[at + 15 : low.index(b"\r\n", at)]) if at >= 0 else 0
        if length:
            await reader.readexactly(length)
        while b"transfer-encoding: chunked" in low:
            size = int(await reader.readline(), 16)
            await reader.readexactly(size + 2)
            if not size:
                break
        if b"connection: close" in low:
            self.writer.close()
            self.reader = None
        return int(head[9:12])


def requests(path: str, count: int, hotel: str, first: int) -> list[bytes]:
    """Events of Cloudbeds' form, each of another booking."""
    made = []
    for n in range(first, first + count):
        body = json.dumps(
            {
                "version": "1.0",
                "timestamp": 1_700_000_000 + n / 1000,
                "event": "reservation/status_changed",
                "propertyID": int(hotel),
                "propertyID_str": hotel,
                "reservationID": f"{10_000_000 + n}",
                "status": "checked_in",
                "note": "x" * 700,
            }
        ).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        made.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return made


async def closed(port: int, queue: Iterator[bytes], lines: int) -> list[int]:
    """Each connection sends the next request when it has its answer."""
    statuses: list[int] = []

    async def one() -> None:
        line = Line(port)
        for request in queue:
            statuses.append(await line.ask(request))

    await asyncio.gather(*(one() for _ in range(lines)))
    return statuses


async def steady(port: int, made: list[bytes], pace: float) -> tuple[list[int], list[float]]:
    """Send one request every ``1 / pace`` seconds; its time runs from when it was due, also when it had to queue."""
    free: list[Line] = []
    statuses: list[int] = []
    seconds: list[float] = []

    async def one(request: bytes, due: float) -> None:
        line = free.pop() if free else Line(port)
        statuses.append(await line.ask(request))
        seconds.append(time.perf_counter() - due)
        free.append(line)

    start = time.perf_counter() + 0.05
    tasks = []
    for n, request in enumerate(made):
        due = start + n / pace
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        tasks.append(asyncio.create_task(one(request, due)))
    await asyncio.gather(*tasks)
    return statuses, seconds


def main() -> int:
    """Print what was seen as JSON: seconds in all, statuses, and with a pace the seconds of each."""
    words = argparse.ArgumentParser()
    words.add_argument("path")
    words.add_argument("--port", type=int, required=True)
    words.add_argument("--count", type=int, required=True)
    words.add_argument("--first", type=int, required=True)
    words.add_argument("--hotel", required=True)
    words.add_argument("--lines", type=int, default=16)
    words.add_argument("--pace", type=float, default=0)
    words.add_argument("--out", type=Path, required=True)
    asked = words.parse_args()
    made = requests(asked.path, asked.count, asked.hotel, asked.first)
    began = time.perf_counter()
    if asked.pace:
        statuses, each = asyncio.run(steady(asked.port, made, asked.pace))
    else:
        statuses, each = asyncio.run(closed(asked.port, iter(made), asked.lines)), []
    took = time.perf_counter() - began
    counted = {str(status): statuses.count(status) for status in set(statuses)}
    asked.out.write_text(json.dumps({"took": took, "statuses": counted, "each": each}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
