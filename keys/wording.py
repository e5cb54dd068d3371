"""The words of the product: the tag, both tooltips, and one sentence per reason to wait. Nothing else explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from keys.rules import WHO_CLEARS, Action, Hold, Who

PENDING_TAG = "Pending Provisioning"
PENDING_TOOLTIP = (
    "The credentials haven’t been assigned to the door yet. This can occur if provisioning was manually disabled or if, "
    "based on your configuration settings, the linked PMS reservation hasn’t been checked in (either at the front desk or online)."
)
ALLOW_TOOLTIP = (
    "Once provisioning is allowed, the credentials will be written to the door and will become valid for the selected time "
    "period. If provisioning is disabled, the system will not write the credentials yet, and they will need to be enabled "
    "manually later."
)
ERROR_4117 = (
    "The code was not successfully written to the lock. "
    "Check that Allow Provisioning is enabled on that reservation and that the lock is online"
)


PAUSED_AFTER = 3
"""So many failed attempts in a row, and what follows is called a pause, which staff may end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a sentence may mention. Times are aware; ``zone`` is the property's and is what people read."""

    now: datetime
    zone: tzinfo
    door: str = "the door"
    pms: str = "the PMS"
    check_in: str = "at the front desk or online"
    opens_at: datetime | None = None
    ends_at: datetime | None = None
    retry_at: datetime | None = None
    accepted_at: datetime | None = None
    tries: int = 0
    lead_minutes: int = 0
    offline_since: datetime | None = None
    last_word_at: datetime | None = None
    held_by: str = ""
    problem: str = ""
    account: str = "the lock account"
    account_is_off: bool = False
    gateway: str = "the gateway"
    kind: str = "credential"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One reason in words: what holds, and what happens next by itself."""

    sentence: str
    next: str
    who: str


def clock(moment: datetime | None, scene: Scene) -> str:
    """A time as staff of the property read it: 21:14 today, with the day otherwise."""
    if moment is None:
        return "unknown"
    local, today = moment.astimezone(scene.zone), scene.now.astimezone(scene.zone).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    return f"{local:%H:%M} on {local.day} {local:%b}"


PROBLEMS: dict[str, str] = {
    "lock_unreachable": "the lock did not answer",
    "gateway_unreachable": "the gateway did not answer",
    "vendor_unreachable": "the lock system did not answer",
    "lock_reset": "the lock was reset, by the word of staff",
    "busy": "the lock was busy",
    "rate_limited": "the lock system asked to slow down",
    "duplicate_code": "the lock already holds this code",
    "no_space": "the lock’s memory is full",
    "invalid_code": "the lock does not accept this code",
    "invalid_window": "the lock does not accept this time window",
    "rejected": "the lock refused without a reason",
    "lock_removed": "the lock system no longer knows this lock",
    "lock_frozen": "the lock was frozen in the lock system",
    "unsupported": "the lock cannot hold this kind of credential",
    "no_user_name": "the guest has no e-mail address or phone number, by which a SmartKey is given there",
    "no_such_user": "the guest has not signed up in the lock system’s app under this e-mail address or phone number; "
    "once they have, regenerate the SmartKey",
    "auth": "the lock account was refused",
    "clock_skew": "the clock of Portal’s machine is wrong, and the lock system does not listen",
    "no_card": "the card did not lie on the encoder",
    "encoding_interrupted": "the card was pulled off too early",
    "encoder_unreachable": "the card encoder is not connected",
    "card_taken": "the card was given to someone else meanwhile",
    "key_is_over": "the key has ended or was revoked meanwhile",
    "bad_request": "the lock system did not understand the request",
    "unexplained": "the lock system gave no usable answer",
    "not_confirmed": "the lock’s answer was lost",
    "at_work": "the lock system has taken it and is still at work",
    "overdue": "the lock system took it and has not brought it to the lock in time",
    "dropped": "the lock system took it and did not carry it out",
}


def problem_text(problem: str) -> str:
    """A cause in words; an unknown cause is shown as it is."""
    return PROBLEMS.get(problem, problem.replace("_", " ") or "no reason given")


WHO: dict[Who, str] = {
    Who.GUEST_OR_FRONT_DESK: "Guest or front desk",
    Who.STAFF: "Front desk",
    Who.MANAGER: "General Manager",
    Who.ENGINEER: "Engineer",
    Who.VENDOR: "Vendor",
    Who.NOBODY: "By itself",
}


def words(hold: Hold, scene: Scene) -> Words:
    """One sentence for this reason, what happens next by itself, and who can change it."""
    return Words(
        sentence=_sentence(hold, scene), next=_next(hold, scene), who=WHO[WHO_CLEARS[hold]]
    )


def _sentence(hold: Hold, scene: Scene) -> str:  # noqa: C901 - one line per reason
    match hold:
        case Hold.STILL_ON_LOCK:
            return "Switched off, still on the lock, may still open."
        case Hold.REMOVAL_PENDING:
            return "Removal pending – code may still open."
        case Hold.DISABLED_BY_STAFF:
            by = f" by {scene.held_by}" if scene.held_by else ""
            return f"Allow Provisioning was switched off{by}."
        case Hold.CAME_IN_DURING_OUTAGE:
            return "The PMS connection was broken when the reservation came in."
        case Hold.CHECK_IN_UNKNOWN:
            since = clock(scene.last_word_at, scene)
            return f"No word from {scene.pms} since {since}, its check-in is unknown."
        case Hold.NOT_CHECKED_IN:
            return f"The reservation is not checked in ({scene.check_in})."
        case Hold.SETUP_MODE:
            return "The property is in Setup Mode, nothing is written to locks."
        case Hold.NO_LOCK:
            return f"No lock is installed on {scene.door}."
        case Hold.UNSUPPORTED:
            return f"The lock on {scene.door} cannot hold a {scene.kind}."
        case _:
            return _lock_sentence(hold, scene)


def _lock_sentence(hold: Hold, scene: Scene) -> str:  # noqa: C901 - one line per reason
    match hold:
        case Hold.ACCOUNT_BROKEN:
            if scene.account_is_off:
                return f"{scene.account} is disconnected from Portal."
            return f"{scene.account} is refused by the lock system."
        case Hold.GATEWAY_OFFLINE:
            return f"{scene.gateway} is offline since {clock(scene.offline_since, scene)}."
        case Hold.LOCK_OFFLINE:
            return f"The lock is offline since {clock(scene.offline_since, scene)}."
        case Hold.LOCK_FULL:
            return "The lock’s memory is full."
        case Hold.REFUSED_BY_LOCK:
            return f"The lock refused it: {problem_text(scene.problem)}."
        case Hold.NOT_CONFIRMED:
            return "Not confirmed: the lock’s answer was lost, it may or may not be there."
        case Hold.AT_WORK:
            return _at_work(scene)
        case Hold.RETRYING:
            paused = scene.tries >= PAUSED_AFTER
            why = f" Paused after {scene.tries} attempts, to spare the lock." if paused else ""
            return f"The last attempt failed: {problem_text(scene.problem)}.{why}"
        case Hold.NOT_DUE_YET:
            early = (
                f" (opens up to {scene.lead_minutes} minutes early)" if scene.lead_minutes else ""
            )
            return f"will be written at {clock(scene.opens_at, scene)}{early}"
        case _:
            return hold.value.replace("_", " ")


def _at_work(scene: Scene) -> str:
    taken = f"{scene.account} took it at {clock(scene.accepted_at, scene)}"
    if scene.problem == "at_work":
        return f"{taken} and is still at work."
    if scene.problem == "overdue":
        return f"{taken} and has not brought it to the lock yet."
    return f"{taken} and goes on trying: {problem_text(scene.problem)}."


def _next(hold: Hold, scene: Scene) -> str:  # noqa: C901, PLR0912 - one line per reason
    tried = f"Tried again by itself at {clock(scene.retry_at, scene)}"
    match hold:
        case Hold.STILL_ON_LOCK | Hold.REMOVAL_PENDING if scene.accepted_at:
            return "Removed by the lock system, which has taken it, as soon as it reaches the lock."
        case Hold.STILL_ON_LOCK | Hold.REMOVAL_PENDING:
            return (
                f"{tried}, and as soon as the lock is back."
                if scene.retry_at
                else "Removed as soon as the lock answers."
            )
        case Hold.DISABLED_BY_STAFF | Hold.CAME_IN_DURING_OUTAGE:
            return "Nothing by itself: staff enable Allow Provisioning and Save."
        case Hold.CHECK_IN_UNKNOWN:
            return "Written after Reconnect, as soon as the PMS reports the check-in."
        case Hold.NOT_CHECKED_IN:
            return "Written by itself at check-in."
        case Hold.SETUP_MODE:
            return "Written when the property goes Live."
        case Hold.NO_LOCK:
            return "Written when a lock is installed."
        case Hold.UNSUPPORTED:
            return "Nothing by itself: use another credential type."
        case Hold.ACCOUNT_BROKEN:
            return f"Written when the account {'is connected' if scene.account_is_off else 'works'} again."
        case Hold.GATEWAY_OFFLINE | Hold.LOCK_OFFLINE:
            after = f" {tried}." if scene.retry_at else ""
            return f"Written by itself as soon as it is back online.{after}"
        case Hold.LOCK_FULL:
            return "Written by itself when something leaves the lock, the soonest arrival first."
        case Hold.REFUSED_BY_LOCK:
            return "Nothing by itself: regenerate the credential or change its time."
        case Hold.NOT_CONFIRMED:
            return f"The lock is read back by itself at {clock(scene.retry_at, scene)}."
        case Hold.AT_WORK:
            looked = clock(scene.retry_at, scene)
            return f"The lock system carries it out by itself; its book is looked into at {looked}."
        case Hold.RETRYING:
            sooner = ", or at once by Try now" if scene.tries >= PAUSED_AFTER else ""
            return f"{tried}{sooner}."
        case Hold.NOT_DUE_YET:
            return f"Written by itself at {clock(scene.opens_at, scene)}."


def moved_out(door: str, rooms: Sequence[str]) -> str:
    """What a key says of the old room of a guest who moved while in house."""
    new = " and ".join(rooms) or "the new room"
    return (
        f"The guest moved from {door} to {new}: {door} keeps the code until {new} has it. "
        f"Remove {door} to take it off now."
    )


def action_text(action: Action, *, on_its_lock: bool) -> str:
    """What a door without a reason to wait shows."""
    match action:
        case Action.WRITE:
            return "Being written to the lock now."
        case Action.REMOVE:
            return "Being removed from the lock now."
        case Action.WAIT:
            return "Waiting."
        case Action.DONE:
            return "On the lock." if on_its_lock else "Not on the lock."


def shown_in_pms(
    state: str, *, pms: str, written_at: datetime | None, problem: str, scene: Scene
) -> str:
    """Whether the PMS shows a key's Door Code, in one sentence."""
    reason = problem.rstrip(".") or "it will be tried by itself"
    match state:
        case "written":
            return f"written {clock(written_at, scene)}"
        case "waiting":
            return f"not yet: {reason}"
        case "removing":
            return f"to be removed: {reason}"
        case "off":
            return f"not written: switched off for {pms}"
        case _:
            return "not yet: the code is not on every lock of this key"
