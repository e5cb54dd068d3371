"""The line to the MQTT broker of one Zigbee2MQTT: getting on it, and who hears what.

Everything the driver keeps is here and ends with the line: what the bridge said of itself, and which locks it calls
reachable. The broker hands retained messages to each new subscriber, so a new line knows both within moments.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from aiomqtt import Client, MqttError
from aiomqtt.exceptions import MqttConnectError

from locks.drivers import Cause, LockError, Retry, Scope
from locks.drivers import zigbee2mqtt_words as words
from locks.drivers.zigbee2mqtt_words import Bridge, Device

PORTS = {"mqtt": 1883, "mqtts": 8883}
AT_LEAST_ONCE = 1
# CONNACK codes of MQTT 3.1.1 (section 3.2.2.3), and what the library makes of them in the words of MQTT 5.
REFUSED = frozenset({4, 5, 134, 135})
SUBSCRIPTION_FAILED = 0x80
NO_ACCESS = words.error(
    Cause.AUTH,
    Retry.NEVER,
    Scope.ACCOUNT,
    code="no_access",
    text="The MQTT broker does not let this login read the topics of Zigbee2MQTT.",
)


class Refused(Exception):
    """The line cannot be had, or was lost."""

    def __init__(self, error: LockError) -> None:
        super().__init__(error.vendor_code)
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where Zigbee2MQTT is and who may talk to it.

    ``session`` is a name under which the broker keeps what was said while nobody listened; none keeps nothing.
    ``ca`` is the certificate, in PEM, of whoever signed the broker's, where that is no public authority.
    """

    host: str
    port: int
    tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    base_topic: str = "zigbee2mqtt"
    session: str = ""
    ca: str = ""


def account(base_url: str, token: str) -> Account:
    """From an address like ``mqtts://host:8883`` and a token, which is a JSON object of the other fields or ``user:password``.

    Raises ValueError for an address or a token that is none.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("The address must be like mqtt://host:1883.")
    own = _fields(token)
    base = own.get("base_topic") or "zigbee2mqtt"
    if not set(base).isdisjoint("#+") or base != base.strip("/ "):
        raise ValueError("This is no base topic.")
    return Account(
        host=parts.hostname,
        port=parts.port or PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        user=own.get("user", ""),
        password=own.get("password", ""),
        base_topic=base,
        session=own.get("session", ""),
        ca=own.get("ca", ""),
    )


def _fields(token: str) -> Mapping[str, str]:
    if token.lstrip().startswith("{"):
        doc = json.loads(token)
        return {str(name): str(value) for name, value in doc.items() if value is not None}
    user, _, password = token.partition(":")
    return {"user": user, "password": password}


@cache
def _trust(ca: str) -> ssl.SSLContext:
    if not ca:
        return ssl.create_default_context()
    return ssl.create_default_context(cadata=ssl.PEM_cert_to_DER_cert(ca.strip()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One message, its topic without the base. ``doc`` is None for what is not JSON, and for the end of the line."""

    topic: str
    doc: Any = field(repr=False)
    is_end: bool = False


Ear = asyncio.Queue[Word]


class Line:
    """One connection. ``open`` first, ``close`` last; every method raises Refused when the line is lost."""

    def __init__(self, account: Account, *, timeout_s: float) -> None:
        self.account = account
        self.bridge = Bridge()
        self.reachable: dict[str, bool] = {}
        """By name, as long as its topics are subscribed to."""
        self.is_lost = False
        self._step_s = timeout_s / 3  # a call is some of them
        self._client: Client | None = None
        self._pump: asyncio.Task[None] | None = None
        self._ears: list[Ear] = []
        self._news = asyncio.Event()
        self._attended: set[str] = set()

    async def open(self, *, keeps: bool = False) -> None:
        """Get on the line and hear what the bridge is. With ``keeps`` the broker goes on keeping words for the account's session."""
        client = self._new_client(keeps=keeps and bool(self.account.session))
        try:
            await client.__aenter__()
        except MqttConnectError as no:
            raise Refused(_refusal(no)) from None
        except (MqttError, OSError, ValueError) as no:
            raise Refused(replace(words.NOT_SENT, vendor_text=words.cleaned(str(no)))) from None
        self._client = client
        self._pump = asyncio.create_task(self._hear_all(client))
        await self._subscribe(["bridge/state", "bridge/info", "bridge/devices", "bridge/logging"])
        await self._until(lambda: self.bridge.is_known)

    def _new_client(self, *, keeps: bool) -> Client:
        own = self.account
        try:
            trust = _trust(own.ca) if own.tls else None
        except (ssl.SSLError, ValueError):
            raise Refused(
                words.error(Cause.BAD_REQUEST, Retry.NEVER, Scope.ACCOUNT, code="bad_certificate")
            ) from None
        return Client(
            own.host,
            own.port,
            username=own.user or None,
            password=own.password or None,
            identifier=own.session if keeps else None,
            clean_session=not keeps,
            timeout=self._step_s,
            tls_context=trust,
            # Small messages that wait for each other: without this each waits 40 ms for an acknowledgement.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    async def attend(self, devices: Iterable[Device]) -> None:
        """Hear what these locks say from now on."""
        topics = [
            f"{device.name}{what}"
            for device in devices
            if device.name not in self._attended
            for what in ("", "/availability")
        ]
        if topics:
            await self._subscribe(topics)
            self._attended.update(topics[::2])

    async def hear_reach(self, device: Device) -> bool | None:
        """Whether the lock is online as far as the bridge knows, None if it does not say."""
        await self.attend([device])
        await self._until(lambda: device.name in self.reachable)
        return self.reachable.get(device.name)

    async def say(self, topic: str, doc: Mapping[str, Any]) -> None:
        """Publish, and wait until the broker has it."""
        try:
            await self._open_client().publish(
                f"{self.account.base_topic}/{topic}", json.dumps(doc), qos=AT_LEAST_ONCE
            )
        except MqttError:
            raise Refused(words.NOT_SENT) from None

    @contextlib.contextmanager
    def ear(self) -> Iterator[Ear]:
        """Everything that is said while the block lasts, in order, and the end of the line as the last word."""
        ear: Ear = asyncio.Queue()
        self._ears.append(ear)
        try:
            yield ear
        finally:
            self._ears.remove(ear)

    async def close(self) -> None:
        """Hang up."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        if self._client is not None:
            with contextlib.suppress(MqttError):
                await self._client.__aexit__(None, None, None)
        self._client = None

    async def _subscribe(self, topics: Iterable[str]) -> None:
        wanted = [(f"{self.account.base_topic}/{topic}", AT_LEAST_ONCE) for topic in topics]
        try:
            granted = await self._open_client().subscribe(wanted)
        except MqttError:
            raise Refused(words.NOT_SENT) from None
        codes = [code if isinstance(code, int) else code.value for code in granted]
        if max(codes) >= SUBSCRIPTION_FAILED:
            raise Refused(NO_ACCESS)

    def _open_client(self) -> Client:
        if self._client is None or self.is_lost:
            raise Refused(words.NOT_SENT)
        return self._client

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Wait until the bridge has said something, as long as retained messages may take."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._step_s):
                while not is_so() and not self.is_lost:
                    self._news.clear()
                    await self._news.wait()
        if self.is_lost:
            raise Refused(words.NOT_SENT)

    async def _hear_all(self, client: Client) -> None:
        try:
            async for message in client.messages:
                topic = str(message.topic).removeprefix(f"{self.account.base_topic}/")
                payload = message.payload
                doc = words.document(payload) if isinstance(payload, bytes | str) else None
                self._take(Word(topic=topic, doc=doc))
        except MqttError:
            self.is_lost = True
            self._take(Word(topic="", doc=None, is_end=True))

    def _take(self, word: Word) -> None:
        match word.topic:
            case "bridge/state":
                self.bridge = replace(self.bridge, online=words.is_online(word.doc))
            case "bridge/devices":
                self.bridge = words.told_devices(self.bridge, word.doc)
            case "bridge/info":
                self.bridge = words.told_info(self.bridge, word.doc)
            case topic if topic.endswith("/availability"):
                online = words.is_online(word.doc)
                if online is not None:
                    self.reachable[topic.removesuffix("/availability")] = online
        for ear in self._ears:
            ear.put_nowait(word)
        self._news.set()


def _refusal(no: MqttConnectError) -> LockError:
    code = no.rc if isinstance(no.rc, int) else no.rc.value if no.rc else 0
    if code in REFUSED:
        text = "The MQTT broker does not accept this login."
        return words.error(
            Cause.AUTH, Retry.NEVER, Scope.ACCOUNT, code=f"connack_{code}", text=text
        )
    return replace(words.NOT_SENT, vendor_code=f"connack_{code}")
