"""Where drivers are found, and what a person has to say so that Portal can speak to a lock vendor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from locks.drivers import Driver, LockError

REGISTRY: dict[str, str] = {
    "seam": "locks.drivers.seam",
    "simulated": "locks.drivers.simulated",
    "ttlock": "locks.drivers.ttlock",
    "zigbee2mqtt": "locks.drivers.zigbee2mqtt",
    "zwave": "locks.drivers.zwave",
}
"""The name that an account stores, and the module that has its ``VENDOR``."""


class DriverFactory(Protocol):
    """What opens a driver. Called inside the event loop that will use it."""

    def __call__(self, *, base_url: str, token: str) -> Driver: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountField:
    """One thing to type when an account is connected. A secret one is never shown again.

    ``refused_by`` are the vendor's own codes that mean that this one is wrong; ``is_long`` takes several lines.
    """

    name: str
    label: str
    help: str = ""
    secret: bool = False
    default: str = ""
    required: bool = True
    refused_by: tuple[str, ...] = ()
    is_long: bool = False


SignIn = Callable[[str, Mapping[str, str]], Awaitable[str | LockError]]
"""From the address and the typed fields to the token that the account stores, or why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A lock system that Portal can drive. Without ``sign_in`` the field called ``token`` is the token.

    ``poll_every_s`` is how often its events may be asked for by routine, where that is seldomer than Portal would.
    ``reads_locks`` is whether reading a lock asks the lock itself, and not the vendor's book about it. ``sets_clocks`` is
    whether Portal can set the clocks of its locks, ``one_memory`` whether all kinds of credentials share a lock's memory
    and not Door Codes alone, ``keeps_foreign`` whether a code that others put on a lock can be made a key as it lies there.
    ``tells_live`` means that its driver ``Listens``, ``encodes`` that it ``Encodes`` keycards,
    ``sets_master_codes`` that it ``SetsMasterCode``.
    """

    title: str
    default_url: str
    fields: tuple[AccountField, ...]
    open_driver: DriverFactory
    sign_in: SignIn | None = None
    poll_every_s: float = 0.0
    reads_locks: bool = True
    sets_clocks: bool = True
    one_memory: bool = False
    keeps_foreign: bool = True
    tells_live: bool = False
    encodes: bool = False
    sets_master_codes: bool = False


class UnknownDriver(Exception):
    """No driver of that name is registered."""


def vendor(name: str) -> Vendor:
    """The vendor of that name. Raises UnknownDriver for one that is not registered."""
    try:
        module = REGISTRY[name]
    except KeyError:
        raise UnknownDriver(name) from None
    return cast("Vendor", import_module(module).VENDOR)


def open_driver(name: str, *, base_url: str, token: str) -> Driver:
    """Open the driver called ``name`` on one account. Raises UnknownDriver for a name that is not registered."""
    return vendor(name).open_driver(base_url=base_url, token=token)
