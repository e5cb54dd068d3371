"""The control interface that all simulators share: trouble, logs and settings below ``/control/``.

A form posted to the same addresses is answered by a redirect to the control page.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from pms.simulators.shared.clock import Clock
from pms.simulators.shared.forms import read_pairs
from pms.simulators.shared.sender import Outbox
from pms.simulators.shared.store import Store
from pms.simulators.shared.trouble import Fault, Faults, Pace, RequestLog
from pms.simulators.shared.wishes import Refused, Wish

Json = dict[str, Any]
Handler = Callable[[Request, Wish], Json]
MOST_LISTED = 5000


@dataclass(slots=True, kw_only=True)
class Machine:
    """What every simulator has: its store and clock, its webhooks on their way, and its troubles."""

    store: Store
    clock: Clock
    outbox: Outbox
    faults: Faults
    fault_kinds: Collection[str]
    log: RequestLog
    pace: Pace
    dials: Mapping[str, Any]


class Controls(ABC):
    """The routes below ``/control/`` that mean the same for every vendor."""

    def __init__(self, machine: Machine) -> None:
        """Changes this machine; its dials are set back to what they are now by a reset."""
        self._machine = machine
        self._first_dials = {name: asdict(dial) for name, dial in machine.dials.items()}

    def common_routes(self) -> list[BaseRoute]:
        """For the application, after the vendor's own: the last two take any name."""
        return [
            self.route("deliveries", "GET", self.deliveries),
            self.route("deliveries", "DELETE", self.clear_deliveries),
            self.route("faults", "GET", self.faults),
            self.route("faults", "POST", self.add_fault),
            self.route("faults", "DELETE", self.clear_faults),
            self.route("faults/clear", "POST", self.clear_faults),
            self.route("requests", "GET", self.requests),
            self.route("requests", "DELETE", self.clear_requests),
            self.route("reset", "POST", self.reset),
            self.route("{dial}", "GET", self.dial),
            self.route("{dial}", "POST", self.turn),
        ]

    def route(self, path: str, verb: str, handler: Handler) -> Route:
        """One address below ``/control/``, for JSON and for forms; a refusal is a 409."""

        async def answer(request: Request) -> Response:
            is_form, wish = await _read(request)
            try:
                body = handler(request, wish)
            except Refused as refused:
                body, status = {"error": str(refused)}, 409
            else:
                status = 200
            return _page_again(wish, body) if is_form else JSONResponse(body, status)

        endpoint: Callable[[Request], Awaitable[Response]] = answer
        return Route(f"/control/{path}", endpoint, methods=[verb])

    def common_state(self) -> Json:
        """The clock, everything that can be turned, the faults, and how many webhooks wait."""
        machine = self._machine
        return {
            "now": machine.clock.now().isoformat(),
            "dials": {name: asdict(dial) for name, dial in machine.dials.items()},
            "faults": machine.faults.listed(),
            "waiting_deliveries": machine.store.number(
                "SELECT count(*) FROM deliveries WHERE state = 'waiting'"
            ),
        }

    def deliveries(self, request: Request, wish: Wish) -> Json:
        """Webhooks, oldest first, with what became of them."""
        sql = "SELECT * FROM deliveries WHERE id > ? ORDER BY id LIMIT ?"
        rows = self._machine.store.rows(sql, wish.whole("since", 0), MOST_LISTED)
        return {"deliveries": [{**dict(row), "body": read_json(row["body"])} for row in rows]}

    def clear_deliveries(self, request: Request, wish: Wish) -> Json:
        """Forget them all, the waiting ones too."""
        return {"cleared": self._machine.store.run("DELETE FROM deliveries")}

    def requests(self, request: Request, wish: Wish) -> Json:
        """Calls of the vendor's API after number ``since``, secrets masked."""
        return {"requests": self._machine.log.since(wish.whole("since", 0))}

    def clear_requests(self, request: Request, wish: Wish) -> Json:
        """Forget the log."""
        self._machine.log.clear()
        return {}

    def faults(self, request: Request, wish: Wish) -> Json:
        """The trouble in force."""
        return {"faults": self._machine.faults.listed(), "kinds": list(self._machine.fault_kinds)}

    def add_fault(self, request: Request, wish: Wish) -> Json:
        """``kind``, and optionally ``method``, ``property_id``, ``times``, ``seconds``, ``message``."""
        if wish.text("kind") not in self._machine.fault_kinds:
            kinds = ", ".join(self._machine.fault_kinds)
            raise Refused(f"There is no such kind of fault: {kinds}.")
        fault = Fault(
            kind=wish.text("kind"),
            method=wish.text("method"),
            property_id=wish.text("property_id"),
            times=wish.whole("times", 0) or None,
            seconds=number_of("seconds", wish.text("seconds", "30")),
            message=wish.text("message"),
        )
        self._machine.faults.add(fault)
        return {"faults": self._machine.faults.listed()}

    def clear_faults(self, request: Request, wish: Wish) -> Json:
        """All is well again."""
        self._machine.faults.clear()
        return {"faults": []}

    def dial(self, request: Request, wish: Wish) -> Json:
        """One group of settings."""
        described: Json = asdict(self._dial(request))
        return described

    def turn(self, request: Request, wish: Wish) -> Json:
        """Change settings of a group; those not named stay."""
        dial = self._dial(request)
        for setting in fields(dial):
            if setting.name in wish.values:
                setattr(dial, setting.name, _converted(setting.name, str(setting.type), wish))
        self._machine.outbox.news.set()
        return asdict(dial)

    def _dial(self, request: Request) -> Any:
        name = request.path_params["dial"]
        if name not in self._machine.dials:
            raise Refused(f"There is no /control/{name}.")
        return self._machine.dials[name]

    def reset(self, request: Request, wish: Wish) -> Json:
        """Clear faults and logs; ``dials``: all settings too; ``records``: see `forget_records`."""
        if wish.flag("dials"):
            for name, values in self._first_dials.items():
                for setting, value in values.items():
                    setattr(self._machine.dials[name], setting, value)
        self._machine.faults.clear()
        self._machine.log.clear()
        self._machine.pace.forget()
        with self._machine.store.transaction():
            self._machine.store.run("DELETE FROM deliveries")
            if wish.flag("records"):
                self.forget_records()
        return {}

    @abstractmethod
    def forget_records(self) -> None:
        """As on the first day: nothing booked, nobody connected."""


async def _read(request: Request) -> tuple[bool, Wish]:
    """Whether it came from a form, and the values of form, JSON body or query."""
    raw = (await request.body()).decode("utf-8", "replace")
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return True, Wish(read_pairs(raw))
    found = read_json(raw) if raw else read_pairs(request.url.query)
    return False, Wish(found if isinstance(found, dict) else {})


def _page_again(wish: Wish, body: Json) -> Response:
    said = {"property": wish.text("property"), "said": str(body.get("error") or "Done.")}
    return RedirectResponse(f"/?{urlencode(said)}", 303)


def read_json(text: str) -> Any:
    """What a JSON text says, or the text itself if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _converted(name: str, kind: str, wish: Wish) -> Any:
    text = wish.text(name)
    if kind == "bool":
        return wish.flag(name)
    if kind == "str":
        return text
    if "None" in kind and text.lower() in {"", "none", "null"}:
        return None
    number = number_of(name, text)
    return number if kind == "float" else int(number)


def number_of(name: str, text: str) -> float:
    """A number, else Refused."""
    try:
        return float(text)
    except ValueError:
        raise Refused(f"{name} must be a number.") from None
