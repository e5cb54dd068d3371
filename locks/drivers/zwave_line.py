"""The line to a Z-Wave JS server: one WebSocket, calls answered by number, and what is known of the nodes behind it.

The protocol is that of zwave-js-server (``README.md`` and ``API_SCHEMA.md`` of github.com/zwave-js/zwave-js-server): the
server speaks first and names the schemas it knows, then commands and answers carry a ``messageId``, and events come
in between once ``start_listening`` was asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, InvalidURI, WebSocketException

from locks.drivers import Cause, LockError, Retry, Scope
from locks.drivers.in_order import NOT_SENT

quiet = logging.getLogger("locks.drivers.zwave.wire")
quiet.setLevel(logging.WARNING)  # below it the library logs what is sent, and that has codes in it
NEWEST_SCHEMA, OLDEST_SCHEMA = 50, 32
"""Errors are told in full, and events name their endpoint, since schema 32 (``API_SCHEMA.md``)."""
LARGEST_MESSAGE = 64 * 1024 * 1024
"""The first answer is the state of the whole network, some 20 kB per lock."""
NOT_LET_IN = {401, 403}
CLOSE_WITHIN_S = 1.0
TEXT_LIMIT = 200
ACCESS_CONTROL, NOT_ADDED_DUPLICATE = 6, 15
"""Of the registry of notifications (zwave-js, ``packages/core/src/registries/Notifications.ts``)."""
Event = Mapping[str, Any]


class Refused(Exception):
    """The server says no, or nothing could be sent: certainly nothing was changed."""

    def __init__(self, error: LockError) -> None:
        super().__init__(error.vendor_code)
        self.error = error


class Unsure(Exception):
    """Something was sent, and what became of it is not known. ``error`` is a hint."""

    def __init__(self, error: LockError) -> None:
        super().__init__(error.vendor_code)
        self.error = error


class ZWaveError(Exception):
    """The Z-Wave JS driver answered with an error of its own. ``number`` is that of its ``ZWaveErrorCodes``.

    Its text says what was wrong with what was asked, and may hold what was sent.
    """

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"ZW{number:04}")
        self.number, self.text = number, text

    @property
    def code(self) -> str:
        """The number as Z-Wave JS writes it."""
        return f"ZW{self.number:04}"


def lock_error(
    cause: Cause, retry: Retry, scope: Scope, *, code: str = "", text: str = ""
) -> LockError:
    """An error of this vendor; the text is shortened."""
    return LockError(
        cause=cause, retry=retry, scope=scope, vendor_code=code, vendor_text=text[:TEXT_LIMIT]
    )


def _unexplained(code: str) -> LockError:
    return lock_error(Cause.UNEXPLAINED, Retry.SOON, Scope.CREDENTIAL, code=code)


class Line:
    """One open connection. ``nodes`` is the server's word on each node by number, ``status`` kept up to date."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Event]] = {}
        self._listeners: list[Callable[[Event | None], None]] = []
        self._reader: asyncio.Task[None] | None = None
        self.home_id = 0
        self.schema = 0
        self.nodes: dict[int, dict[str, Any]] = {}
        self._duplicates: dict[int, float] = {}

    @property
    def is_open(self) -> bool:
        """Whether calls can be made."""
        return self._reader is not None and not self._reader.done()

    async def start(self, newest_schema: int) -> None:
        """Agree on a schema, learn the state of the network and have events from now on. Raises Refused."""
        try:
            hello = json.loads(await self._socket.recv())
            self.home_id = int(hello["homeId"])
            self.schema = min(int(hello["maxSchemaVersion"]), newest_schema)
            oldest = max(int(hello["minSchemaVersion"]), OLDEST_SCHEMA)
        except (ValueError, KeyError, TypeError):
            raise Refused(_not_zwave()) from None
        if self.schema < oldest:
            text = "The Z-Wave JS server is too old or too new."
            raise Refused(
                lock_error(Cause.UNSUPPORTED, Retry.NEVER, Scope.ACCOUNT, code="schema", text=text)
            )
        self._reader = asyncio.create_task(self._read())
        await self.call("set_api_schema", schemaVersion=self.schema)
        answer = await self.call("start_listening")
        try:
            self.nodes |= {int(node["nodeId"]): node for node in answer["state"]["nodes"]}
        except (KeyError, TypeError, ValueError):
            raise Refused(_not_zwave()) from None

    async def call(self, command: str, **arguments: Any) -> Event:
        """The result of one command. Raises Refused, Unsure or ZWaveError; the caller bounds it in time."""
        number = str(next(self._numbers))
        if not self.is_open:
            raise Refused(NOT_SENT)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"messageId": number, "command": command, **arguments}
        try:
            await self._socket.send(json.dumps(message))
            answer = await waiting
        except (WebSocketException, OSError):
            raise Unsure(_unexplained("line_lost")) from None
        finally:
            self._waiting.pop(number, None)
        return _result(answer)

    def heard_duplicate(self, node: int, *, since: float) -> bool:
        """Whether this lock said since then, in the loop's time, that it did not add a code because it has it already."""
        return self._duplicates.get(node, 0.0) >= since

    @contextlib.contextmanager
    def listening(self, listener: Callable[[Event | None], None]) -> Iterator[None]:
        """Pass on every event for so long, and None when the line is lost."""
        self._listeners.append(listener)
        if not self.is_open:
            listener(None)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    async def close(self) -> None:
        """Hang up; returns at once if that is done already."""
        with contextlib.suppress(WebSocketException, OSError):
            await self._socket.close()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                self._take(json.loads(message))
        except (WebSocketException, OSError, ValueError, TypeError):
            pass
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(OSError("The line was lost."))
            for listener in list(self._listeners):
                listener(None)

    def _take(self, message: Event) -> None:
        match message.get("type"):
            case "result":
                waiting = self._waiting.get(str(message.get("messageId")))
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            case "event" if isinstance(message.get("event"), dict):
                self._note(message["event"])
                for listener in list(self._listeners):
                    listener(message["event"])

    def _note(self, event: Event) -> None:
        """Keep what a later call must know: who is there, and who can be reached."""
        if event.get("source") == "controller":
            node = event.get("node")
            if not isinstance(node, dict):
                return
            if event.get("event") == "node removed":
                self.nodes.pop(node.get("nodeId", 0), None)
            elif event.get("event") == "node added":
                self.nodes[node.get("nodeId", 0)] = node
            return
        known = self.nodes.get(event.get("nodeId", 0))
        if event.get("event") == "ready" and isinstance(event.get("nodeState"), dict):
            self.nodes[event.get("nodeId", 0)] = event["nodeState"]
        elif known is not None and event.get("event") in STATUS:
            known["status"] = STATUS[event["event"]]
        elif _is_duplicate(event):
            self._duplicates[event.get("nodeId", 0)] = asyncio.get_running_loop().time()


UNKNOWN_STATUS, ASLEEP, AWAKE, DEAD, ALIVE = 0, 1, 2, 3, 4
STATUS = {"sleep": ASLEEP, "wake up": AWAKE, "dead": DEAD, "alive": ALIVE}


async def open_line(
    *, url: str, token: str, within_s: float, newest_schema: int = NEWEST_SCHEMA
) -> Line:
    """A line that is ready for calls. Raises Refused, also when it is not ready within that many seconds.

    The server itself lets everybody in. The token is for a proxy in front of it that does not.
    """
    headers = [("Authorization", f"Bearer {token}")] if token else []
    socket: ClientConnection | None = None
    line: Line | None = None
    try:
        async with asyncio.timeout(within_s):
            socket = await connect(
                url,
                additional_headers=headers,
                open_timeout=None,
                close_timeout=CLOSE_WITHIN_S,
                max_size=LARGEST_MESSAGE,
                max_queue=None,
                logger=quiet,
                proxy=None,
            )
            line = Line(socket)
            await line.start(newest_schema)
            return line
    except InvalidStatus as error:
        raise Refused(_not_let_in(error.response.status_code)) from None
    except (InvalidURI, ValueError):
        raise Refused(
            lock_error(Cause.BAD_REQUEST, Retry.NEVER, Scope.ACCOUNT, code="bad_address")
        ) from None
    except (ZWaveError, Unsure, WebSocketException, OSError, TimeoutError):
        raise Refused(NOT_SENT) from None
    finally:
        if socket is not None and (line is None or not line.nodes):
            await (line or socket).close()


def _is_duplicate(event: Event) -> bool:
    said = event.get("args")
    return (
        event.get("event") == "notification"
        and isinstance(said, dict)
        and (said.get("type"), said.get("event")) == (ACCESS_CONTROL, NOT_ADDED_DUPLICATE)
    )


def _result(answer: Event) -> Event:
    if answer.get("success") is True:
        result = answer.get("result")
        return result if isinstance(result, dict) else {}
    code = str(answer.get("errorCode", ""))
    if code == "zwave_error":
        number = answer.get("zwaveErrorCode")
        text = str(answer.get("zwaveErrorMessage") or "")
        raise ZWaveError(number if isinstance(number, int) else 0, text)
    if code == "node_not_found":
        text = "The Z-Wave network has no such node."
        raise Refused(lock_error(Cause.LOCK_REMOVED, Retry.NEVER, Scope.LOCK, code=code, text=text))
    if code in {"unknown_command", "invalid_params_passed_to_command", "endpoint_not_found"}:
        raise Refused(lock_error(Cause.UNSUPPORTED, Retry.NEVER, Scope.CREDENTIAL, code=code))
    raise Unsure(_unexplained(code or "not_understood"))


def _not_zwave() -> LockError:
    text = "What answers there is no Z-Wave JS server."
    return lock_error(
        Cause.VENDOR_UNREACHABLE, Retry.SOON, Scope.ACCOUNT, code="not_understood", text=text
    )


def _not_let_in(status: int) -> LockError:
    code = f"http_{status}"
    if status in NOT_LET_IN:
        text = "The proxy in front of the Z-Wave JS server refused the token."
        return lock_error(Cause.AUTH, Retry.NEVER, Scope.ACCOUNT, code=code, text=text)
    return lock_error(Cause.VENDOR_UNREACHABLE, Retry.SOON, Scope.ACCOUNT, code=code)
