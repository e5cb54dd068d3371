"""What TTLock's cloud answers, in our words: refusals, passcodes, eKeys, cards and records.

The HTTP status is 200 also for a refusal; ``errcode`` says what became of a call (TTLock documents, en/cloud/errorCode).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2

from locks.drivers import (
    Cause,
    EventType,
    Found,
    Held,
    Kind,
    LockEvent,
    Retry,
    Scope,
)
from locks.drivers.web import (
    NOT_UNDERSTOOD,
    Refused,
    Reply,
    Said,
    clean,
    error,
    json_object,
    unexplained,
)

OURS = "Portal "
"""How the names begin that we give in the vendor's book; the rest is our handle. Names are what a record tells of use."""
SAME_CODE = "-3007"
NOT_THERE = frozenset({"-2009", "-1008", "-1021"})
ASLEEP_OR_AWAY = frozenset({"-3036", "-3035", "-2012"})
GATEWAY_AWAY, GATEWAY_BUSY, LOCK_BUSY = "-3002", "-3003", "-3037"

_AWAY = (Cause.LOCK_UNREACHABLE, Retry.WHEN_ONLINE, Scope.LOCK)
_INVALID_CODE = (Cause.INVALID_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL)
_UNSUPPORTED = (Cause.UNSUPPORTED, Retry.NEVER, Scope.CREDENTIAL)
_NOT_OURS = (Cause.AUTH, Retry.NEVER, Scope.LOCK)  # one lock of others stops no account
_ACCOUNT = (Cause.AUTH, Retry.NEVER, Scope.ACCOUNT)
_OUR_FAULT = (Cause.BAD_REQUEST, Retry.NEVER, Scope.CREDENTIAL)

# ``errcode`` in our words. Every one of them means that nothing was changed; any other leaves that open.
ERRORS: dict[str, tuple[Cause, Retry, Scope]] = {
    "1": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    "-3": _OUR_FAULT,
    "-1003": (Cause.LOCK_REMOVED, Retry.NEVER, Scope.LOCK),
    "-1007": (Cause.UNSUPPORTED, Retry.NEVER, Scope.LOCK),
    "-1008": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    "-1021": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    "-1026": (Cause.INVALID_WINDOW, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "-1027": _INVALID_CODE,
    "-2009": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    # No gateway is near this lock; another lock of the same gateway may well be reached.
    "-2012": _AWAY,
    "-2018": _NOT_OURS,
    "-2019": _INVALID_CODE,
    "-2020": _INVALID_CODE,
    "-2025": (Cause.LOCK_FROZEN, Retry.AFTER_CHANGE, Scope.LOCK),
    "-2032": _INVALID_CODE,
    "-3002": (Cause.GATEWAY_UNREACHABLE, Retry.WHEN_ONLINE, Scope.GATEWAY),
    "-3003": (Cause.BUSY, Retry.SOON, Scope.GATEWAY),
    "-3006": _INVALID_CODE,
    "-3007": (Cause.DUPLICATE_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "-3008": (Cause.REJECTED, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "-3009": (Cause.NO_SPACE, Retry.AFTER_CHANGE, Scope.LOCK),
    "-3034": _AWAY,
    "-3035": _AWAY,
    "-3036": _AWAY,
    "-3037": (Cause.BUSY, Retry.SOON, Scope.LOCK),
    "-4043": _UNSUPPORTED,
    "-4056": (Cause.NO_SPACE, Retry.AFTER_CHANGE, Scope.LOCK),
    "-4064": (Cause.NO_SUCH_USER, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "10000": _ACCOUNT,
    "10001": _ACCOUNT,
    "10003": _ACCOUNT,
    "10004": _ACCOUNT,
    "10005": _ACCOUNT,
    "10006": _ACCOUNT,
    "10007": _ACCOUNT,
    "10010": _OUR_FAULT,
    "10011": _ACCOUNT,
    "20001": _NOT_OURS,
    "20002": _NOT_OURS,
    "20007": _UNSUPPORTED,
    "30001": _ACCOUNT,
    "30002": _OUR_FAULT,
    "30006": (Cause.RATE_LIMITED, Retry.SOON, Scope.ACCOUNT),
    "30007": (Cause.RATE_LIMITED, Retry.SOON, Scope.ACCOUNT),
    "30008": _ACCOUNT,  # the address of another region
    "80000": (Cause.CLOCK_SKEW, Retry.SOON, Scope.ACCOUNT),
}
# The vendor does not say how long; its monthly quota resets on the first (TTLock documents, cloud/errorCode).
RETRY_AFTER_S = {"30006": 60.0, "30007": 3600.0}


def read(response: httpx2.Response, *, secret: str = "") -> Reply:
    """An answer in our words. One without ``errcode`` speaks for itself; whoever needs its fields looks for them."""
    doc = json_object(response)
    if response.status_code != httpx2.codes.OK:
        return unexplained(f"http_{response.status_code}", scope=Scope.ACCOUNT)
    if doc is None:
        return NOT_UNDERSTOOD
    code = str(doc.get("errcode", 0))
    if code == "0":
        return Said(doc)
    text = clean(str(doc.get("errmsg") or doc.get("description") or ""), secret)
    if code not in ERRORS:
        return unexplained(code[:40], text=text)
    cause, retry, scope = ERRORS[code]
    after = RETRY_AFTER_S.get(code)
    return Refused(error(cause, retry, scope, code, text=text, retry_after_s=after))


# The book.


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where the book keeps one kind of credential: its list, the names of its fields, and how it is taken off."""

    kind: Kind
    list: str
    id: str
    name: str
    value: str
    delete: str


SHELVES: dict[Kind, Shelf] = {
    Kind.DOOR_CODE: Shelf(
        kind=Kind.DOOR_CODE,
        list="lock/listKeyboardPwd",
        id="keyboardPwdId",
        name="keyboardPwdName",
        value="keyboardPwd",
        delete="keyboardPwd/delete",
    ),
    Kind.SMARTKEY: Shelf(
        kind=Kind.SMARTKEY,
        list="lock/listKey",
        id="keyId",
        name="keyName",
        value="username",
        delete="key/delete",
    ),
    Kind.KEYCARD: Shelf(
        kind=Kind.KEYCARD,
        list="identityCard/list",
        id="cardId",
        name="cardName",
        value="cardNumber",
        delete="identityCard/delete",
    ),
}


def held(doc: Mapping[str, Any], shelf: Shelf) -> Held:
    """One line of the book. Raises KeyError, TypeError or ValueError for what is none."""
    return Held(
        address=str(doc[shelf.id]),
        handle=handle_of(str(doc.get(shelf.name) or "")),
        kind=shelf.kind,
        secret=str(doc[shelf.value]),
        starts_at=_moment(doc.get("startDate")),
        ends_at=_moment(doc.get("endDate")),
    )


def name_of(handle: str) -> str:
    """The name that we give in the book."""
    return f"{OURS}{handle}"


def handle_of(name: str) -> str:
    """Our handle in a name of the book; empty for a name that is not ours."""
    return name.removeprefix(OURS) if name.startswith(OURS) else ""


def millis(moment: datetime) -> int:
    """Milliseconds since 1970 UTC, the vendor's way to say when."""
    return round(moment.timestamp() * 1000)


def _moment(value: Any) -> datetime | None:
    return datetime.fromtimestamp(int(value) / 1000, UTC) if value else None


def found(doc: Mapping[str, Any], *, gateway: str, gateway_name: str) -> Found:
    """A lock of the account. Bits 0 and 1 of its features are passcodes and cards, as in the vendor's public SDKs."""
    bits = int(str(doc.get("featureValue") or "0"), 16)
    kinds = [Kind.SMARTKEY]
    if int(doc.get("keyboardPwdVersion") or 0) == 4:
        kinds.insert(0, Kind.DOOR_CODE)
    if bits & 2:
        kinds.append(Kind.KEYCARD)
    made = str(doc.get("lockName") or "")
    return Found(
        external_id=str(doc["lockId"]),
        name=str(doc.get("lockAlias") or made or doc["lockId"]),
        model=made.rpartition("_")[0] or made,
        gateway=gateway,
        gateway_name=gateway_name,
        kinds=tuple(kinds),
        max_codes=250,
    )


# Records. TTLock documents, cloud/lockRecord/recordTypeFromLock and cloud/lockRecord/notify.

Meaning = tuple[EventType, Kind | None, str]
_CODE, _KEY, _CARD = Kind.DOOR_CODE, Kind.SMARTKEY, Kind.KEYCARD
CODE_ADDED, CARD_ADDED = 93, 15

FROM_LOCK: dict[int, Meaning] = {
    4: (EventType.UNLOCKED, _CODE, ""),
    5: (EventType.CHANGED_AT_LOCK, _CODE, "code_changed"),
    6: (EventType.CHANGED_AT_LOCK, _CODE, "code_deleted"),
    7: (EventType.DENIED, _CODE, "unknown_code"),
    8: (EventType.CHANGED_AT_LOCK, _CODE, "codes_cleared"),
    9: (EventType.CHANGED_AT_LOCK, _CODE, "code_pushed_out"),
    11: (EventType.DENIED, _CODE, "outside_window"),
    12: (EventType.DENIED, _CODE, "no_space"),
    13: (EventType.DENIED, _CODE, "blocked"),
    15: (EventType.CHANGED_AT_LOCK, _CARD, "card_added"),
    16: (EventType.CHANGED_AT_LOCK, _CARD, "cards_cleared"),
    17: (EventType.UNLOCKED, _CARD, ""),
    18: (EventType.CHANGED_AT_LOCK, _CARD, "card_deleted"),
    25: (EventType.DENIED, _CARD, "outside_window"),
    26: (EventType.LOCKED, None, ""),
    27: (EventType.UNLOCKED, None, "mechanical"),
    28: (EventType.UNLOCKED, None, "remote"),
    38: (EventType.DENIED, _CODE, "double_locked"),
    44: (EventType.TAMPER, None, ""),
    48: (EventType.LOCKED_OUT, None, ""),
    64: (EventType.LEFT_OPEN, None, ""),
    65: (EventType.JAMMED, None, ""),
    66: (EventType.JAMMED, None, ""),
    92: (EventType.UNLOCKED, None, "admin_code"),
    93: (EventType.CHANGED_AT_LOCK, _CODE, "code_added"),
}
FROM_CLOUD: dict[int, Meaning] = {
    1: (EventType.UNLOCKED, _KEY, ""),
    3: (EventType.UNLOCKED, None, "remote"),
    4: (EventType.UNLOCKED, _CODE, ""),
    7: (EventType.UNLOCKED, _CARD, ""),
    8: (EventType.UNLOCKED, None, "fingerprint"),
    9: (EventType.UNLOCKED, None, "wristband"),
    10: (EventType.UNLOCKED, None, "mechanical"),
    11: (EventType.LOCKED, None, ""),
    12: (EventType.UNLOCKED, None, "remote"),
    29: (EventType.FORCED, None, ""),
    30: (EventType.CLOSED, None, ""),
    31: (EventType.OPENED, None, ""),
    32: (EventType.UNLOCKED, None, "inside"),
    33: (EventType.LOCKED, None, ""),
    34: (EventType.LOCKED, None, ""),
    35: (EventType.LOCKED, None, ""),
    36: (EventType.LOCKED, None, ""),
    44: (EventType.TAMPER, None, ""),
    45: (EventType.LOCKED, None, ""),
    46: (EventType.UNLOCKED, None, "key_switch"),
    47: (EventType.LOCKED, None, ""),
    48: (EventType.LOCKED_OUT, None, ""),
    49: (EventType.UNLOCKED, _CARD, ""),
    51: (EventType.DENIED, _CARD, "blocked"),
    55: (EventType.UNLOCKED, None, "remote_control"),
    57: (EventType.UNLOCKED, None, "qr"),
    58: (EventType.DENIED, None, "outside_window"),
    63: (EventType.UNLOCKED, None, "passage"),
    -4: (EventType.UNLOCKED, None, "qr"),
    -5: (EventType.UNLOCKED, None, "face"),
}


def event(doc: Mapping[str, Any], *, key: str) -> LockEvent | None:
    """One record in our words; None for what we have no word for, and for the traces of our own writes.

    ``key`` keeps the id, in which the code that was typed has its part, from being guessed backwards. Raises
    KeyError, TypeError or ValueError for what is no record.
    """
    inner, outer = int(doc.get("recordTypeFromLock") or 0), int(doc.get("recordType") or 0)
    meaning = FROM_LOCK.get(inner) or FROM_CLOUD.get(outer)
    username, typed = str(doc.get("username") or ""), str(doc.get("keyboardPwd") or "")
    handle = handle_of(username)
    if meaning is None or (inner in {CODE_ADDED, CARD_ADDED} and handle):
        return None
    type_, kind, reason = meaning
    if type_ is EventType.UNLOCKED and not int(doc.get("success", 1)):
        type_, reason = EventType.DENIED, reason or "refused"
    happened_at = _moment(doc["lockDate"])
    if happened_at is None:
        raise ValueError("A record without a time.")
    return LockEvent(
        event_id=event_id(doc, key=key),
        lock_ref=str(doc["lockId"]),
        type=type_,
        happened_at=happened_at,
        kind=kind,
        handle=handle,
        secret=username if kind is _KEY else (typed or None),
        reason=reason,
        vendor_type=f"{outer}/{inner}",
    )


def event_id(doc: Mapping[str, Any], *, key: str) -> str:
    """The id of a record: the same whether it was polled or called in, where a record has no id of its own."""
    names = ("lockId", "recordType", "lockDate", "keyboardPwd", "username", "success")
    text = "|".join(str(doc.get(name) or "") for name in names)
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]
