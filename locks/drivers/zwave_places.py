"""The numbered places for codes in one Z-Wave lock: reading one, writing one, clearing one.

Three ways lead to them (sources of zwave-js 15.29, ``AccessControl.ts`` and ``UserCodeCC.ts``, and runs of it):

- the unified ``access_control`` API of newer servers, which reads back by itself and does not say why a write failed;
- the User Code class of older servers, which says "sent" of a lock without Supervision, and nothing more;
- for reading the User Code class in any case: the unified API answers alike for a lock that did not report and for an
  empty place.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from locks.drivers import Cause, Held, Kind, LockError, Retry, Scope
from locks.drivers.zwave_line import Line, Refused, Unsure, ZWaveError, lock_error

UNIFIED_SINCE_SCHEMA = 48
USER_CODE, USER_CREDENTIAL, DOOR_LOCK, BATTERY = 99, 131, 98, 128
PIN = 1
FREE, ENABLED, NOT_SAID = 0, 1, 254
"""States of a place in the User Code class; others are there and open nothing."""
SUPERVISED_OK, SUPERVISED_FAIL = 255, 2
OK, UNKNOWN_USER = 0, 6
NO_ACKNOWLEDGEMENT, NO_REPORT, NOT_SUPPORTED, BAD_ARGUMENT = 204, 201, 302, 322
OUT_OF_REACH = {NO_ACKNOWLEDGEMENT, NO_REPORT}
CACHE_IS_BEHIND = {1, 2}
# Results of set_credential that are certain. The first two are "occupied" and "empty".
DENIED: dict[int, tuple[Cause, Retry]] = {
    1: (Cause.REJECTED, Retry.SOON),
    2: (Cause.REJECTED, Retry.SOON),
    3: (Cause.DUPLICATE_CODE, Retry.AFTER_CHANGE),
    4: (Cause.INVALID_CODE, Retry.AFTER_CHANGE),
    5: (Cause.DUPLICATE_CODE, Retry.AFTER_CHANGE),
    6: (Cause.REJECTED, Retry.SOON),
}


class Said(Enum):
    """How a write was answered. UNPROVEN and FAILED say what the lock holds only when it is read."""

    DONE = "done"
    UNPROVEN = "unproven"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many places a lock has, and how long its codes may be."""

    places: int
    shortest: int
    longest: int


def classes_of(node: dict[str, Any]) -> set[int]:
    """The numbers of the command classes that a node has in itself."""
    try:
        endpoints = node["endpoints"]
        root = next(each for each in endpoints if each["index"] == 0)
        return {int(each["id"]) for each in root["commandClasses"]}
    except (KeyError, TypeError, ValueError, StopIteration):
        return set()


class Places:
    """The places of one lock. Methods raise Refused, Unsure or ZWaveError; the caller bounds them in time."""

    def __init__(self, line: Line, node: int) -> None:
        self.line, self.node = line, node
        classes = classes_of(line.nodes[node])
        self.has_credentials = USER_CREDENTIAL in classes
        self.is_unified = line.schema >= UNIFIED_SINCE_SCHEMA
        if not (self.has_credentials and self.is_unified) and USER_CODE not in classes:
            raise Refused(unsupported("no_codes"))

    async def limits(self) -> Limits:
        """From what the server learnt when the lock was included; asks no lock."""
        if not self.is_unified:
            return Limits(places=_highest_place(self.line.nodes[self.node]), shortest=4, longest=10)
        answer = await self._access("get_credential_capabilities_cached")
        try:
            pin = answer["capabilities"]["supportedCredentialTypes"][str(PIN)]
            return Limits(
                places=int(pin["numberOfCredentialSlots"]),
                shortest=int(pin["minCredentialLength"]),
                longest=int(pin["maxCredentialLength"]),
            )
        except (KeyError, TypeError, ValueError):
            raise Refused(unsupported("no_pin_codes")) from None

    async def read(self, slot: int) -> Held | None:
        """What the lock itself says of a place; none for a free one."""
        if self.has_credentials and self.is_unified:
            return await self._read_credential(slot)
        report = await self._invoke(USER_CODE, "get", slot)
        if not isinstance(report, dict) or report.get("userIdStatus") in {None, NOT_SAID}:
            raise Unsure(_silent("no_report"))
        if report["userIdStatus"] == FREE:
            return None
        is_usable = report["userIdStatus"] == ENABLED
        return _held(slot, _readable(report.get("userCode")) if is_usable else "")

    async def _read_credential(self, slot: int) -> Held | None:
        where = {"credentialType": PIN, "credentialSlot": slot}
        found = (await self._access("get_credential", **where)).get("credential")
        if isinstance(found, dict):
            return _held(slot, _readable(found.get("data"))) if found.get("userId") else None
        # Nothing is the answer for a lock that names no place when it is free, and for one that does not report.
        report = await self._invoke(USER_CREDENTIAL, "getCredential", 0, PIN, slot)
        if not isinstance(report, dict):
            raise Unsure(_silent("no_report"))
        return None

    async def write(self, slot: int, code: str) -> Said:
        """Make a place hold this code and open with it. Raises Refused also where the lock names its reason."""
        if not self.is_unified:
            return supervised(await self._invoke(USER_CODE, "set", slot, ENABLED, code))
        user = (await self._access("get_user_cached", userId=slot)).get("user")
        if isinstance(user, dict) and user.get("active") is False:
            # Written over, it would stay disabled and open nothing.
            await self._access("delete_user", userId=slot)
        result = await self._set(slot, code)
        if result in CACHE_IS_BEHIND and not self.has_credentials:
            # Said by the server of a lock that refused: the place is empty and was not by what it remembers.
            return Said.FAILED
        if result in CACHE_IS_BEHIND:
            # The server adds or changes by what it remembers. Reading reminds it.
            await self._access("get_credential", credentialType=PIN, credentialSlot=slot)
            result = await self._set(slot, code)
        return _unified(result)

    async def _set(self, slot: int, code: str) -> object:
        pin = {"credentialType": PIN, "credentialSlot": slot, "data": code}
        result = (await self._access("set_credential", userId=slot, **pin)).get("result")
        if result == UNKNOWN_USER and self.has_credentials:
            added = await self._access("add_user", userId=slot, options={}, credential=pin)
            both = added.get("result")
            result = both.get("credential", both.get("user")) if isinstance(both, dict) else None
        return result

    async def clear(self, slot: int) -> Said:
        """Make a place free."""
        if not self.is_unified:
            return supervised(await self._invoke(USER_CODE, "clear", slot))
        where = {"credentialType": PIN, "credentialSlot": slot}
        answer = await self._access("delete_credential", userId=slot, **where)
        return Said.DONE if answer.get("result") == OK else Said.UNPROVEN

    async def is_cached_elsewhere(self, slot: int, code: str) -> bool:
        """Whether the server remembers this code in another place: no proof, but a good reason for a refusal."""
        if not self.is_unified:
            return False
        answer = await self._access("get_all_credentials_cached")
        others = [each for each in answer.get("credentials", ()) if each.get("slot") != slot]
        return any(_readable(each.get("data")) == code for each in others)

    async def _access(self, command: str, **arguments: Any) -> Any:
        command = f"endpoint.access_control.{command}"
        return await self.line.call(command, nodeId=self.node, endpoint=0, **arguments)

    async def _invoke(self, command_class: int, method: str, *arguments: object) -> object:
        return await invoke(self.line, self.node, command_class, method, *arguments)


async def invoke(
    line: Line, node: int, command_class: int, method: str, *arguments: object
) -> object:
    """Call one method of a command class at a node. Without an answer of the node the result is none."""
    answer = await line.call(
        "endpoint.invoke_cc_api",
        nodeId=node,
        endpoint=0,
        commandClass=command_class,
        methodName=method,
        args=list(arguments),
    )
    return answer.get("response")


def supervised(response: object) -> Said:
    """How a node answered a command: with Supervision it says what it did, without it nothing."""
    status = response.get("status") if isinstance(response, dict) else None
    if status == SUPERVISED_OK:
        return Said.DONE
    return Said.FAILED if status == SUPERVISED_FAIL else Said.UNPROVEN


def in_our_words(error: ZWaveError) -> LockError | None:
    """A certain refusal by the Z-Wave JS driver, made before anything was sent; none for an error that says less."""
    if error.number == BAD_ARGUMENT:
        if "user id" in error.text.lower():
            return no_such_place(error.code)
        return lock_error(Cause.INVALID_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL, code=error.code)
    return unsupported(error.code) if error.number == NOT_SUPPORTED else None


def no_such_place(code: str = "no_such_place") -> LockError:
    """The lock has fewer places than that."""
    return lock_error(Cause.NO_SPACE, Retry.AFTER_CHANGE, Scope.LOCK, code=code)


def unsupported(code: str) -> LockError:
    """This lock cannot do that."""
    return lock_error(Cause.UNSUPPORTED, Retry.NEVER, Scope.CREDENTIAL, code=code)


def out_of_reach(code: str) -> LockError:
    """The lock does not answer."""
    return lock_error(Cause.LOCK_UNREACHABLE, Retry.WHEN_ONLINE, Scope.LOCK, code=code)


def _unified(result: object) -> Said:
    if result == OK:
        return Said.DONE
    if isinstance(result, int) and result in DENIED:
        cause, retry = DENIED[result]
        raise Refused(lock_error(cause, retry, Scope.CREDENTIAL, code=str(result)))
    return Said.UNPROVEN


def _silent(code: str) -> LockError:
    return lock_error(Cause.UNEXPLAINED, Retry.SOON, Scope.LOCK, code=code)


def _held(slot: int, secret: str | None) -> Held:
    """A code that is there and disabled opens nothing: it reads as an empty secret, which nobody's is."""
    return Held(address=str(slot), handle="", kind=Kind.DOOR_CODE, secret=secret)


def _readable(code: object) -> str | None:
    """A code as the lock shows it; none for one that it hides behind signs or does not tell."""
    if isinstance(code, dict):
        try:
            code = bytes(code["data"]).decode("ascii")
        except (KeyError, TypeError, ValueError):
            return None
    return code if isinstance(code, str) and code.isalnum() else None


def _highest_place(node: dict[str, Any]) -> int:
    values = [each for each in node.get("values", ()) if each.get("commandClass") == USER_CODE]
    return max(
        (key for each in values if isinstance(key := each.get("propertyKey"), int)), default=0
    )
