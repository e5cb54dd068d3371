"""The only writer of WriteBack: shows Door Codes in the PMS, the newest wanted value only, and never in anyone's way.

Keys say what is wanted; the rows are the queue. All of a booking is written by one worker at a time, since a PMS may keep
the codes of a booking in one place. A refusal of this one call says nothing about the connection.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Min

from locks.bell import ring
from locks.clock import database_now
from locks.pulse import bump
from locks.vault import digest
from pms import connection
from pms.adapters import (
    CallRefused,
    ConnectionBroken,
    Hotel,
    NotUnderstood,
    PMSError,
    StayCode,
    TryLater,
)
from pms.models import Integration, WriteBack

log = logging.getLogger(__name__)
TASK = "pms.tasks.write_back"
AT_ONCE = 25
ROUND_S = 10.0
CLAIM = timedelta(minutes=5)
"""Longer than all calls of one booking can take; a worker that dies delays its booking by so much."""
MAYBES = 5
LONGEST_WAIT_S = 300.0
REFUSED_WAIT_S = 600.0
LONGEST_REFUSED_WAIT_S = 6 * 3600.0
REMOVAL_TRIES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The Door Code that the PMS shall show for a reservation. Moments are aware, the end is excluded.

    ``print`` is equal for equal wishes, see ``print_of``.
    """

    reservation_id: int
    integration_id: int
    booking_ref: str
    print: str
    code: str = field(repr=False)
    room_ref: str
    room_name: str
    starts_at: datetime
    ends_at: datetime


def print_of(*parts: object) -> str:
    """A keyed fingerprint of everything that a wish is made of, with the code's own digest in place of the code."""
    return digest(json.dumps([str(part) for part in parts]), scope="write-back")


def want(
    *, property_id: int, wishes: Sequence[Wish], nothing_for: Collection[int], now: datetime
) -> None:
    """From now on the PMS shall show these codes, and none for the reservations ``nothing_for``.

    The caller's transaction; call it last there.
    """
    rows = [
        WriteBack(
            property_id=property_id,
            integration_id=wish.integration_id,
            reservation_id=wish.reservation_id,
            booking_ref=wish.booking_ref,
            wanted=_wanted(wish),
            wanted_digest=wish.print,
            next_try_at=now,
        )
        for wish in sorted(wishes, key=lambda wish: wish.reservation_id)
    ]
    changed = ["booking_ref", "wanted", "wanted_digest", "next_try_at", "tries"]
    WriteBack.objects.bulk_create(
        rows,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["reservation"],
        update_fields=changed,
    )
    unwanted = WriteBack.objects.filter(property_id=property_id, reservation_id__in=nothing_for)
    unwanted.update(wanted="", wanted_digest="", next_try_at=now, tries=0)
    if rows or nothing_for:
        bump([property_id])
        transaction.on_commit(partial(ring, TASK))


def _wanted(wish: Wish) -> str:
    return json.dumps(
        {
            "code": wish.code,
            "room_ref": wish.room_ref,
            "room_name": wish.room_name,
            "starts_at": wish.starts_at.isoformat(),
            "ends_at": wish.ends_at.isoformat(),
        }
    )


# Writing ------------------------------------------------------------------------------------------


def write_all(*, now: datetime) -> int:
    """Write what is due at every PMS that is connected. Returns how many bookings were written.

    Hotels take turns, and a round is short: what is left comes with the next one.
    """
    due = WriteBack.objects.filter(
        next_try_at__lte=now, integration__state=Integration.State.CONNECTED
    )
    written, end = 0, time.monotonic() + ROUND_S
    for integration_id in list(due.order_by().values_list("integration_id", flat=True).distinct()):
        mine = due.filter(integration_id=integration_id).values_list("booking_ref")
        bookings = mine.annotate(since=Min("next_try_at")).order_by("since")[:AT_ONCE]
        for booking_ref, _ in bookings:
            if time.monotonic() > end:
                ring(TASK)
                return written
            try:
                written += _write(integration_id, booking_ref)
            except TryLater:
                break
            except Exception as error:  # noqa: BLE001 - the trouble of one hotel is not another's; its rows are due again
                log.error("write-back of integration %s: %s", integration_id, type(error).__name__)
                break
    return written


def _write(integration_id: int, booking_ref: str) -> bool:
    """Write one booking; false when there was nothing to write or it could not be. Raises TryLater."""
    integration = Integration.objects.select_related("property").get(pk=integration_id)
    if integration.state != Integration.State.CONNECTED:
        return False
    claim = database_now() + CLAIM
    rows = _claim(integration_id, booking_ref, claim)
    if not rows:
        return False
    question = partial(_attempt, booking_ref=booking_ref, codes=[_code(row) for row in rows])
    try:
        refs = connection.ask(integration, question, now=database_now())
    except PMSError as error:
        _not_written(rows, error, claim)
        if isinstance(error, TryLater):
            _pause(integration_id, error)
            raise
        return False
    if isinstance(refs, CallRefused):
        _not_written(rows, refs, claim)
        return False
    _written(rows, refs, claim)
    return True


def _attempt(
    hotel: Hotel, *, booking_ref: str, codes: Sequence[StayCode]
) -> Mapping[str, str] | CallRefused:
    """A refusal is an answer like another: the PMS let Portal in."""
    try:
        return hotel.write_codes(booking_ref, codes)
    except CallRefused as refusal:
        return refusal


def _code(row: WriteBack) -> StayCode:
    wanted = json.loads(row.wanted or "{}")
    starts_at, ends_at = wanted.get("starts_at"), wanted.get("ends_at")
    return StayCode(
        stay_ref=row.reservation.external_id,
        room_ref=wanted.get("room_ref", ""),
        room_name=wanted.get("room_name", ""),
        code=wanted.get("code", ""),
        starts_at=starts_at and datetime.fromisoformat(starts_at),
        ends_at=ends_at and datetime.fromisoformat(ends_at),
        ref=str(row.ref),
        maybe=tuple(json.loads(row.sent or "[]")),
    )


def _of_booking(integration_id: int, booking_ref: str) -> list[WriteBack]:
    rows = WriteBack.objects.select_for_update(of=("self",), no_key=True).select_related(
        "reservation"
    )
    return list(rows.filter(integration_id=integration_id, booking_ref=booking_ref).order_by("id"))


def _claim(integration_id: int, booking_ref: str, until: datetime) -> list[WriteBack]:
    """All rows of the booking, for this worker alone; none when another has them or nothing is to be written.

    What will be sent is noted before it is: if this worker dies, the next one knows that it may be there. The rows come
    back as they were before that.
    """
    with transaction.atomic():
        rows = _of_booking(integration_id, booking_ref)
        if any(row.claimed_until and row.claimed_until > until - CLAIM for row in rows):
            return []
        open_ = [row for row in rows if _is_open(row)]
        if not open_:
            _store(rows, next_try_at=None, claimed_until=None)
            return []
        before = [row.sent for row in rows]
        for row in open_:
            row.sent = _with_code(row)
            row.tries += 1
        _store(rows, claimed_until=until)
    for row, sent in zip(rows, before, strict=True):
        row.sent = sent
    return rows


def _is_open(row: WriteBack) -> bool:
    return row.wanted_digest != row.written_digest or bool(row.sent)


def _with_code(row: WriteBack) -> str:
    """The codes of unknown outcome with the one that goes out now; an empty one for a removal."""
    kept = [*json.loads(row.sent or "[]"), json.loads(row.wanted or "{}").get("code", "")]
    return json.dumps(list(dict.fromkeys(kept))[-MAYBES:])


def _store(rows: Sequence[WriteBack], **values: datetime | None) -> None:
    """Save all that this module changes but the wish."""
    for row in rows:
        for name, value in values.items():
            setattr(row, name, value)
    kept = ["sent", "ref", "written_digest", "written_at", "problem", "tries"]
    WriteBack.objects.bulk_update(rows, [*kept, "next_try_at", "claimed_until"])


def _held(sent: Sequence[WriteBack], claim: datetime) -> list[tuple[WriteBack, WriteBack]]:
    """The rows as they are now, locked, with those that were sent; none once the claim was lost."""
    before = {row.pk: row for row in sent}
    now = _of_booking(sent[0].integration_id, sent[0].booking_ref)
    return [(row, before[row.pk]) for row in now if row.pk in before and row.claimed_until == claim]


def _written(sent: Sequence[WriteBack], refs: Mapping[str, str], claim: datetime) -> None:
    now = database_now()
    with transaction.atomic():
        pairs = _held(sent, claim)
        for row, was in pairs:
            if _is_open(was):
                row.written_at = now
            row.written_digest, row.sent, row.problem, row.tries = was.wanted_digest, "", "", 0
            row.ref = refs.get(row.reservation.external_id, "")
            row.next_try_at = None if row.wanted_digest == row.written_digest else now
            row.claimed_until = None
        _settle(pairs)


def _not_written(sent: Sequence[WriteBack], error: PMSError, claim: datetime) -> None:
    """Say why, and when to try again. A removal that the PMS refuses again and again is given up, visibly."""
    now = database_now()
    with transaction.atomic():
        pairs = _held(sent, claim)
        for row, was in pairs:
            row.claimed_until = None
            if not _is_open(was):
                continue
            row.problem = str(error)[:200]
            row.next_try_at = now + timedelta(seconds=_wait_s(error, row.tries))
            refused = isinstance(error, CallRefused) and not row.wanted
            if refused and row.tries >= REMOVAL_TRIES:
                row.next_try_at = None
        _settle(pairs)


def _settle(pairs: Sequence[tuple[WriteBack, WriteBack]]) -> None:
    _store([row for row, _ in pairs])
    bump({row.property_id for row, _ in pairs})


def _wait_s(error: PMSError, tries: int) -> float:
    if isinstance(error, ConnectionBroken):
        return 0.0  # due as soon as the PMS is connected again
    if isinstance(error, CallRefused | NotUnderstood):
        return min(REFUSED_WAIT_S * 2.0 ** min(max(tries - 1, 0), 9), LONGEST_REFUSED_WAIT_S)
    wish = error.retry_after_s if isinstance(error, TryLater) else None
    return wish or min(2.0 ** min(tries, 9), LONGEST_WAIT_S)


def _pause(integration_id: int, error: TryLater) -> None:
    """Leave a PMS in trouble alone: nothing else of it is due sooner than in a moment."""
    until = database_now() + timedelta(seconds=_wait_s(error, 2))
    WriteBack.objects.filter(integration_id=integration_id, next_try_at__lt=until).update(
        next_try_at=until
    )
