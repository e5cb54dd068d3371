"""How fast a webhook is verified, stored durably and answered, and how long one waits while a worker is busy."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from statistics import median
from typing import Any
from urllib.request import urlopen

from locks.vault import digest
from pms.connection import HOOK_SCOPE
from pms.models import Integration, WebhookEvent
from tests.bench import delivery
from tests.bench.figures import Figure, interleave, must, percentile
from tests.bench.hotel import tidy
from tests.bench.processes import ROOT, Kit, wait_until
from tests.factories import PropertyFactory

PACE = 100
LONGEST_S = 0.05
_numbers = count(1)


@dataclass(slots=True)
class Address:
    """An integration with its webhook address, and the port of the server that answers there."""

    integration: Integration
    path: str
    port: int


@contextlib.contextmanager
def served(kit: Kit) -> Iterator[int]:
    """gunicorn as docs/deploy.md starts it; gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    words = ["gunicorn", "tests.bench.hooks_server:application", "-b", f"127.0.0.1:{port}"]
    words += ["-w", str(kit.size(2, 1)), "--threads", "8", "--worker-class", "gthread"]
    words += ["--no-control-socket"]
    server = kit.start("gunicorn", *words)
    try:
        wait_until(lambda: answers(port), "the server did not start", within_s=60, every_s=0.1)
        yield port
    finally:
        kit.end(server)


@contextlib.contextmanager
def serving(kit: Kit) -> Iterator[Address]:
    """The server, and a connected PMS."""
    secret = uuid.uuid4().hex
    integration = Integration.objects.create(
        property=PropertyFactory(),
        adapter="cloudbeds",
        state=Integration.State.BROKEN,  # events stay in the inbox, so that they can be counted
        state_since=datetime.now(UTC),
        external_property_id=str(next(_numbers) + 500_000),
        hook_digest=digest(secret, scope=HOOK_SCOPE),
    )
    with served(kit) as port:
        yield Address(integration, f"/hooks/cloudbeds/{secret}/", port)


def answers(port: int) -> bool:
    """Whether the server answers there."""
    with contextlib.suppress(OSError):
        return urlopen(f"http://127.0.0.1:{port}/limit/empty", timeout=5).status == 200
    return False


def send(kit: Kit, at: Address, path: str, number: int, pace: float = 0) -> dict[str, Any]:
    """Send that many events and return what the sender saw; all must have been answered with 200."""
    out, first = kit.folder / "seen.json", next(_numbers) * 1_000_000
    words = ["tests.bench.load", path, "--port", str(at.port), "--count", str(number)]
    words += ["--first", str(first), "--hotel", at.integration.external_property_id]
    words += ["--out", str(out), "--pace", str(pace)]
    subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=True, timeout=300)
    seen: dict[str, Any] = json.loads(out.read_text())
    must(seen["statuses"] == {"200": number}, f"the answers were {seen['statuses']}")
    return seen


def a_second(kit: Kit, at: Address, path: str, number: int, *, stored: bool = True) -> float:
    """Requests a second to this path; as many new rows must be in the inbox as were answered."""
    tidy("pms_webhookevent")
    mine = WebhookEvent.objects.filter(integration=at.integration)
    before = mine.count()
    took = send(kit, at, path, number)["took"]
    must(mine.count() - before == (number if stored else 0), "not every answered event is stored")
    return number / took


def against_insert(kit: Kit) -> Figure:
    """Verified, parsed and stored, against stored only."""
    figure = Figure(
        name="webhooks",
        says="Webhook receipt / a view that does only the raw INSERT",
        target=0.9,
        unit="requests/s",
        if_missed="Reading the JSON, the keyed digest of the address and the event's own unique key come on top of the INSERT.",
    )
    number = kit.size(3000, 40)
    with serving(kit) as at:
        insert = f"/limit/insert/{at.integration.property_id}/{at.integration.pk}"
        interleave(
            figure,
            kit.rounds,
            lambda: a_second(kit, at, insert, number),
            lambda: a_second(kit, at, at.path, number),
        )
    figure.checked = "every request answered with 200, every event a row"
    figure.beside = ["gunicorn with 2 processes of 8 threads, 16 connections, events of 1 kB"]
    return figure


def against_empty(kit: Kit) -> Figure:
    """What is stored durably against what does nothing."""
    figure = Figure(
        name="webhooks-empty",
        says="Webhook receipt / an empty view",
        target=0.25,
        unit="requests/s",
        if_missed="One durable INSERT and its commit per request; several events in one transaction would mend it, at the "
        "price of answers that wait for each other.",
    )
    number = kit.size(3000, 40)
    with serving(kit) as at:
        interleave(
            figure,
            kit.rounds,
            lambda: a_second(kit, at, "/limit/empty", number, stored=False),
            lambda: a_second(kit, at, at.path, number),
        )
    figure.checked = "every request answered with 200, every event a row"
    return figure


def while_busy(kit: Kit) -> Figure:
    """Open loop: a request is sent when it is due, whether or not the ones before were answered."""
    figure = Figure(
        name="webhooks-busy",
        says=f"99th percentile of webhooks at {PACE} a second, a worker busy / {LONGEST_S * 1000:.0f} ms",
        target=1,
        unit="ms",
        if_missed="The worker and PostgreSQL take all cores; a lower priority for the worker (nice) would mend it.",
        at_most=True,
    )
    number = kit.size(1000, 20)
    quiet = []
    with serving(kit) as at:
        send(kit, at, at.path, number // 10, pace=PACE)
        for _ in range(kit.size(3, 1)):
            quiet.append(slowest(kit, at, number // 2))
            with delivery.busy_worker(kit) as written:
                busy = slowest(kit, at, number)
                must(written() > 0, "the worker was not busy")
            figure.limit.append(LONGEST_S * 1000)
            figure.product.append(busy)
    figure.beside = [f"without the worker the same percentile is {median(quiet):.1f} ms"]
    figure.checked = (
        "every request answered with 200, every event a row, the worker wrote all the while"
    )
    return figure


def slowest(kit: Kit, at: Address, number: int) -> float:
    """The 99th percentile in milliseconds, from the moment a request was due."""
    mine = WebhookEvent.objects.filter(integration=at.integration)
    before = mine.count()
    seen = send(kit, at, at.path, number, pace=PACE)
    must(mine.count() - before == number, "not every answered event is stored")
    return 1000 * percentile(seen["each"], 0.99)
