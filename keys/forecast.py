"""How much of a lock's memory the coming days need: a pure count over windows, and the windows that it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet

from keys.models import Assignment
from locks.drivers import Kind
from locks.models import Lock
from locks.slot_models import ForeignCode
from locks.vendors import REGISTRY, vendor

DAYS = 30
Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Need:
    """The most places that a lock needs at one moment of a day, of those that it has."""

    day: date
    needed: int
    capacity: int

    @property
    def is_short(self) -> bool:
        """Whether someone who should be let in would find no place."""
        return self.needed > self.capacity


@dataclass(frozen=True, slots=True)
class Forecast:
    """A lock's days, of which the worst is the one that is shortest of places, the soonest of several."""

    lock: Lock
    needs: tuple[Need, ...]
    foreign: int

    @property
    def worst(self) -> Need:
        """The day that needs most."""
        return max(self.needs, key=lambda need: (need.needed, -need.day.toordinal()))

    @property
    def short_days(self) -> list[Need]:
        """The days on which places are missing."""
        return [need for need in self.needs if need.is_short]


def needs_of(
    windows: Iterable[Window],
    *,
    always: int,
    capacity: int,
    first: date,
    days: int,
    tz: ZoneInfo,
) -> tuple[Need, ...]:
    """For each of these days in that zone the most windows that are open at one moment, and ``always`` as many more.

    Windows exclude their end: who leaves at 11:00 makes room for who comes at 11:00.
    """
    changes: list[tuple[datetime, int]] = []
    for starts_at, ends_at in windows:
        if starts_at < ends_at:
            changes += [(starts_at, 1), (ends_at, -1)]
    changes.sort()
    found: list[Need] = []
    at, now_open = 0, 0
    for step in range(days):
        day = first + timedelta(days=step)
        begin = datetime.combine(day, time(), tzinfo=tz)
        end = datetime.combine(day + timedelta(days=1), time(), tzinfo=tz)
        while at < len(changes) and changes[at][0] <= begin:
            now_open += changes[at][1]
            at += 1
        most = now_open
        while at < len(changes) and changes[at][0] < end:
            now_open += changes[at][1]
            at += 1
            most = max(most, now_open)
        found.append(Need(day, most + always, capacity))
    return tuple(found)


def forecasts(locks: Sequence[Lock], *, tz: ZoneInfo, now: datetime) -> list[Forecast]:
    """The coming days of these locks of one hotel, with the same few queries for one as for all of them.

    Counted is all that is wanted there or may still be there: codes of keys, backup codes, and codes that are not ours.
    """
    if not locks:
        return []
    hotel = locks[0].property_id
    one = locks[0].pk if len(locks) == 1 else None
    windows = _windows(hotel, one, now=now)
    foreign = _foreign(hotel, one)
    first = now.astimezone(tz).date()
    return [
        Forecast(
            lock,
            needs_of(
                windows.get(lock.pk, ()),
                always=foreign[lock.pk],
                capacity=lock.max_codes,
                first=first,
                days=DAYS,
                tz=tz,
            ),
            foreign[lock.pk],
        )
        for lock in locks
    ]


def may_be_short(*, property_id: int, now: datetime) -> list[int]:
    """The locks of a hotel for which more is wanted in the coming days than they have places: only they can be short."""
    rows = _wanted(property_id, None, now=now).order_by().values("lock_id")
    wanted = {row["lock_id"]: row["many"] for row in rows.annotate(many=Count("id"))}
    foreign = _foreign(property_id, None)
    sizes = Lock.objects.filter(property_id=property_id, door__isnull=False).order_by("name", "id")
    return [
        lock_id
        for lock_id, size in sizes.values_list("id", "max_codes")
        if wanted.get(lock_id, 0) + foreign[lock_id] > size
    ]


def _of_one_memory() -> list[str]:
    return [name for name in REGISTRY if vendor(name).one_memory]


def _takes_a_place() -> Q:
    """Where kinds have memories of their own, a code takes no place of a SmartKey."""
    return Q(kind=Kind.DOOR_CODE.value) | Q(lock__account__driver__in=_of_one_memory())


def _wanted(property_id: int, lock_id: int | None, *, now: datetime) -> QuerySet[Assignment]:
    """By the index over what is live in the hotel: a lock's own would lead through its years."""
    rows = Assignment.objects.filter(
        _takes_a_place(),
        property_id=property_id,
        lock__isnull=False,
        reserved_digest__isnull=False,
        starts_at__lt=now + timedelta(days=DAYS),
    )
    return rows if lock_id is None else rows.filter(lock_id=lock_id)


def _windows(property_id: int, lock_id: int | None, *, now: datetime) -> dict[int, list[Window]]:
    """When each credential needs its place. What is over and may still be there needs one today."""
    found: dict[int, list[Window]] = {}
    moment = now + timedelta(seconds=1)
    rows = _wanted(property_id, lock_id, now=now).values_list(
        "lock_id", "starts_at", "ends_at", "written_revision"
    )
    for at_lock, starts_at, ends_at, written in rows.iterator(chunk_size=5000):
        if ends_at <= now:
            if written is None:
                continue
            ends_at = moment  # noqa: PLW2901 - it leaves as soon as it can
        found.setdefault(at_lock or 0, []).append((starts_at, ends_at))
    return found


def _foreign(property_id: int, lock_id: int | None) -> Counter[int]:
    rows = ForeignCode.objects.filter(_takes_a_place(), property_id=property_id, gone_at=None)
    rows = rows if lock_id is None else rows.filter(lock_id=lock_id)
    return Counter(rows.values_list("lock_id", flat=True))
