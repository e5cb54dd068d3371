"""How TTLock says no, and the faults that can be armed.

Numbers and meanings: TTLock documents, en/cloud/errorCode.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Err(IntEnum):
    """The ``errcode`` of an answer; the HTTP status is 200 all the same."""

    OK = 0
    FAILED = 1
    INVALID_PARAMETER = -3
    LOCK_GONE = -1003
    NO_EKEY = -1008
    NO_CARD = -1021
    WINDOW_USED_UP = -1026
    NO_PASSCODE = -2009
    NO_GATEWAY_NEAR = -2012
    NO_PERMISSION = -2018
    EKEY_TO_ONESELF = -2019
    LOCK_FROZEN = -2025
    TOO_SIMPLE = -2032
    GATEWAY_OFFLINE = -3002
    GATEWAY_BUSY = -3003
    WRONG_LENGTH = -3006
    SAME_PASSCODE = -3007
    NEVER_USED = -3008
    MEMORY_FULL = -3009
    NO_NETWORK = -3034
    POWER_SAVING = -3035
    LOCK_OFFLINE = -3036
    LOCK_BUSY = -3037
    NOT_SUPPORTED = -4043
    CARDS_FULL = -4056
    NO_RECEIVER = -4064
    INVALID_CLIENT_ID = 10000
    INVALID_CLIENT = 10001
    INVALID_TOKEN = 10003
    TOKEN_EXPIRED = 10004
    INVALID_ACCOUNT = 10007
    INVALID_GRANT_TYPE = 10010
    INVALID_REFRESH_TOKEN = 10011
    NOT_ADMIN = 20002
    OLD_PASSCODES = 20007
    BAD_USERNAME = 30002
    USERNAME_TAKEN = 30003
    QUOTA = 30006
    MONTHLY_QUOTA = 30007
    WRONG_DATE = 80000
    INTERNAL = 90000


TEXTS: dict[Err, str] = {
    Err.OK: "none error message",
    Err.FAILED: "failed",
    Err.INVALID_PARAMETER: "Invalid Parameter.",
    Err.LOCK_GONE: "Lock does not exist.",
    Err.NO_EKEY: "eKey does not exist.",
    Err.NO_CARD: "The IC card does not exist.",
    Err.WINDOW_USED_UP: "The passcode of this period was already issued and deleted.",
    Err.NO_PASSCODE: "Invalid Password.",
    Err.NO_GATEWAY_NEAR: "The Lock is not connected to any Gateway.",
    Err.NO_PERMISSION: "Permission Denied.",
    Err.EKEY_TO_ONESELF: "You cannot send eKeys to yourself.",
    Err.LOCK_FROZEN: "The lock is frozen.",
    Err.TOO_SIMPLE: "The passcode is too simple.",
    Err.GATEWAY_OFFLINE: "The gateway is offline.",
    Err.GATEWAY_BUSY: "The gateway is busy.",
    Err.WRONG_LENGTH: "Invalid passcode. It must be 4 to 9 digits long.",
    Err.SAME_PASSCODE: "The same passcode already exists.",
    Err.NEVER_USED: "A passcode that has never been used on the lock cannot be changed.",
    Err.MEMORY_FULL: "There is no space to store customized passcodes.",
    Err.NO_NETWORK: "The lock has no network configured.",
    Err.POWER_SAVING: "The lock is in power saving mode.",
    Err.LOCK_OFFLINE: "The lock is offline.",
    Err.LOCK_BUSY: "The lock is busy.",
    Err.NOT_SUPPORTED: "The function is not supported for this lock.",
    Err.CARDS_FULL: "There is no space to store cards.",
    Err.NO_RECEIVER: "The receiver is not registered.",
    Err.INVALID_CLIENT_ID: "invalid client_id",
    Err.INVALID_CLIENT: "invalid client",
    Err.INVALID_TOKEN: "invalid token",
    Err.TOKEN_EXPIRED: "invalid grant",
    Err.INVALID_ACCOUNT: "invalid account or invalid password",
    Err.INVALID_GRANT_TYPE: "unsupported grant_type",
    Err.INVALID_REFRESH_TOKEN: "invalid refresh_token",
    Err.NOT_ADMIN: "not lock admin",
    Err.OLD_PASSCODES: "invalid keyboardPwdVersion",
    Err.BAD_USERNAME: "Username must consist of numbers and letters.",
    Err.USERNAME_TAKEN: "existing registered users",
    Err.QUOTA: "Exceeds the restrictions of API call number.",
    Err.MONTHLY_QUOTA: "Exceeds the monthly quota of API calls.",
    Err.WRONG_DATE: "date must be current time, the margin is five minutes",
    Err.INTERNAL: "internal server error",
}


class Refusal(Exception):
    """An answer with an errcode. Its text never holds a code."""

    def __init__(self, err: int) -> None:
        super().__init__(err)
        self.err = err

    def body(self) -> dict[str, str | int]:
        """The body of the answer."""
        text = TEXTS[Err(self.err)] if self.err in list(Err) else "failed"
        return {"errcode": self.err, "errmsg": text, "description": text}


class NoAnswer(Exception):
    """The caller is left without an answer: the line hangs, or is cut at once."""

    def __init__(self, *, hang_s: float) -> None:
        super().__init__()
        self.hang_s = hang_s


class NotTheVendor(Exception):
    """Something on the way answers: a page of HTML with status 200, or a bare 500."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class WrongCommand(Exception):
    """A control call that means nothing; the text says why."""


class Fate(StrEnum):
    """What becomes of one command. The names are the names of the faults."""

    NORMAL = "normal"
    BUSY = "busy"
    REFUSE = "refuse"
    PHANTOM = "phantom"
    LOSE_REQUEST = "lose_request"
    LOSE_ANSWER = "lose_answer"
    LAND_LATE = "land_late"


@dataclass(slots=True, kw_only=True)
class Faults:
    """What is wrong with one lock. Counters: how many more calls it hits, -1 until it is cleared.

    ``garbage`` and ``server_error`` hit any call about the lock, the rest only commands that travel to it. ``phantom``
    is answered with success and never reaches the lock. ``errcode`` answers the next command with that number.
    """

    garbage: int = 0
    server_error: int = 0
    busy: int = 0
    refuse: int = 0
    phantom: int = 0
    lose_request: int = 0
    lose_answer: int = 0
    land_late: int = 0
    errcode: int = 0
    land_after_s: float = 5.0
    hang_s: float = 30.0
    slow_ms: float = 0.0

    def take(self, name: str) -> bool:
        """Whether this fault hits now; counted off."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left != 0

    def draw(self) -> Fate:
        """Decide one command's fate: at most one fault hits it."""
        fates = (each for each in Fate if each is not Fate.NORMAL)
        return next((fate for fate in fates if self.take(fate.value)), Fate.NORMAL)

    def active(self) -> list[str]:
        """The faults that are set, as short words for a page."""
        names = ("garbage", "server_error", *[each.value for each in Fate][1:], "errcode")
        return [
            f"{name.replace('_', ' ')} {getattr(self, name)}"
            for name in names
            if getattr(self, name)
        ]
