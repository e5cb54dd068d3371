"""The words of the simulated vendor: kinds, events, faults, and how the cloud says no."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Kind(StrEnum):
    """What opens a simulated lock."""

    DOOR_CODE = "door_code"
    SMARTKEY = "smartkey"
    KEYCARD = "keycard"


class EventType(StrEnum):
    """What a lock, or the cloud on its behalf, reports."""

    UNLOCKED = "unlocked"
    DENIED = "denied"
    ONLINE = "online"
    OFFLINE = "offline"
    BATTERY_LOW = "battery_low"
    CHANGED_AT_LOCK = "changed_at_lock"
    CLOCK_WRONG = "clock_wrong"


class Source(StrEnum):
    """Who put a credential into a lock's memory: the vendor API, or someone at the keypad."""

    API = "api"
    KEYPAD = "keypad"


class Silence(StrEnum):
    """What the caller gets instead of an answer."""

    HANG = "hang"
    DROP = "drop"
    ERROR = "error"


class Command(StrEnum):
    """What the cloud can tell a lock to do."""

    PUT = "put"
    DELETE = "delete"
    READ = "read"
    UNLOCK = "unlock"
    SYNC_CLOCK = "sync_clock"
    MASTER_CODE = "master_code"

    @property
    def is_write(self) -> bool:
        """Whether the command changes which credentials the lock holds."""
        return self in {Command.PUT, Command.DELETE}


class Fate(StrEnum):
    """What becomes of one command, decided when it arrives. The names are the names of the faults."""

    NORMAL = "normal"
    BUSY = "busy"
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    GARBAGE = "garbage"
    REFUSE = "refuse"
    DUPLICATE = "duplicate"
    DROP_WRITE = "drop_write"
    LOSE_REQUEST = "lose_request"
    LOSE_ACK = "lose_ack"
    LAND_LATE = "land_late"


class Code(StrEnum):
    """The ``code`` of an error answer."""

    UNAUTHORIZED = "unauthorized"
    LOCK_NOT_FOUND = "lock_not_found"
    BAD_REQUEST = "bad_request"
    LOCK_OFFLINE = "lock_offline"
    GATEWAY_OFFLINE = "gateway_offline"
    BUSY = "busy"
    GATEWAY_BUSY = "gateway_busy"
    RATE_LIMITED = "rate_limited"
    DUPLICATE_CODE = "duplicate_code"
    MEMORY_FULL = "memory_full"
    INVALID_CODE = "invalid_code"
    INVALID_CODE_LENGTH = "invalid_code_length"
    WEAK_CODE = "weak_code"
    INVALID_WINDOW = "invalid_window"
    UNSUPPORTED = "unsupported"
    REFUSED = "refused"
    NO_CARD = "no_card"
    ENCODING_INTERRUPTED = "encoding_interrupted"
    ENCODER_OFFLINE = "encoder_offline"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"


STATUS: dict[Code, int] = {
    Code.UNAUTHORIZED: 401,
    Code.LOCK_NOT_FOUND: 404,
    Code.BAD_REQUEST: 400,
    Code.LOCK_OFFLINE: 409,
    Code.GATEWAY_OFFLINE: 409,
    Code.BUSY: 423,
    Code.GATEWAY_BUSY: 423,
    Code.RATE_LIMITED: 429,
    Code.DUPLICATE_CODE: 409,
    Code.MEMORY_FULL: 409,
    Code.INVALID_CODE: 422,
    Code.INVALID_CODE_LENGTH: 422,
    Code.WEAK_CODE: 422,
    Code.INVALID_WINDOW: 422,
    Code.UNSUPPORTED: 422,
    Code.REFUSED: 409,
    Code.NO_CARD: 409,
    Code.ENCODING_INTERRUPTED: 409,
    Code.ENCODER_OFFLINE: 409,
    Code.SERVER_ERROR: 500,
    Code.TIMEOUT: 504,
    Code.UNAVAILABLE: 503,
}


class Refusal(Exception):
    """The cloud or the lock says no. The message never holds a code."""

    def __init__(self, code: Code, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


class NoAnswer(Exception):
    """The caller is left without an answer: the line hangs for ``hang_s`` seconds or is dropped at once."""

    def __init__(self, silence: Silence, *, hang_s: float) -> None:
        super().__init__(silence)
        self.silence = silence
        self.hang_s = hang_s


class Garbage(Exception):
    """The caller gets a 200 with a page of HTML, as from a captive proxy."""


@dataclass(slots=True, kw_only=True)
class Faults:
    """What is wrong with one lock. Counters: how many more commands it hits; -1 means until it is cleared."""

    busy: int = 0
    rate_limit: int = 0
    server_error: int = 0
    garbage: int = 0
    refuse: int = 0
    duplicate: int = 0
    drop_write: int = 0
    lose_request: int = 0
    lose_ack: int = 0
    land_late: int = 0
    land_after_s: float = 5.0
    silence: Silence = Silence.HANG
    hang_s: float = 30.0
    retry_after_s: float = 2.0
    slow_ms: float = 0.0
    memory_full: bool = False

    def draw(self, command: Command) -> Fate:
        """Decide one command's fate and count it off. At most one fault hits a command, in the order of Fate."""
        for fate in _ANY_COMMAND + (_WRITES if command.is_write else ()):
            if fate is Fate.DUPLICATE and command is not Command.PUT:
                continue
            if self._take(fate):
                return fate
        return Fate.NORMAL

    def _take(self, fate: Fate) -> bool:
        left: int = getattr(self, fate.value)
        if left > 0:
            setattr(self, fate.value, left - 1)
        return left != 0

    def active(self) -> list[str]:
        """The faults that are set, as short words for a page."""
        counted = [(fate.value, getattr(self, fate.value)) for fate in _ANY_COMMAND + _WRITES]
        found = [f"{name} {left}x" if left > 0 else name for name, left in counted if left]
        found += [f"slow {self.slow_ms:g} ms"] if self.slow_ms else []
        found += ["memory_full"] if self.memory_full else []
        return [name.replace("_", " ") for name in found]


_ANY_COMMAND: tuple[Fate, ...] = (Fate.BUSY, Fate.RATE_LIMIT, Fate.SERVER_ERROR, Fate.GARBAGE)
_WRITES: tuple[Fate, ...] = (
    Fate.REFUSE,
    Fate.DUPLICATE,
    Fate.DROP_WRITE,
    Fate.LOSE_REQUEST,
    Fate.LOSE_ACK,
    Fate.LAND_LATE,
)


def parse_time(text: object, *, field: str) -> datetime | None:
    """Read an ISO 8601 instant with an offset; None stays None. Raises Refusal(BAD_REQUEST) for anything else."""
    if text is None or text == "":
        return None
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        moment = moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise Refusal(Code.BAD_REQUEST, f"{field} must be an ISO 8601 time with an offset.")
    return moment


def say_time(moment: datetime | None) -> str | None:
    """Write an instant as ISO 8601 in UTC with a Z."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
