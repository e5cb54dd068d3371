"""Backup codes: some are kept on the locks of rooms ahead of time, one is given at a locked door, and it goes after that stay.

A backup code is an ordinary key without a guest: what puts it on its lock, proves it and takes it off is the ordinary
delivery. Only one that is confirmed on its lock is ever given, since the lock may be out of reach just then.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet

from keys import issuing
from keys.backup_models import BackupCode
from keys.issuing import CredentialWish, DoorWish, PersonWish
from keys.keychain import locked_door
from keys.models import Assignment, Credential, KeychainDoor
from keys.refusal import Refused
from keys.rules import Permission
from locks import doorlog
from locks.clock import on_the_hour, zone
from locks.drivers import Kind
from locks.history import SYSTEM, Actor
from locks.log_models import LogCode
from locks.models import Door, Lock, Property
from locks.pulse import bump

LASTS = timedelta(days=365)
RENEWED = timedelta(days=7)
"""So long before its end a code that nobody needed is replaced."""
SOONEST = timedelta(hours=24)
"""A guest is given one at most so long before the arrival."""
ONE_LOOK = 200
LABEL = "Backup code"
BY = SYSTEM.because("backup codes are kept on the lock")


# Keeping them ---------------------------------------------------------------------------------------


def keep(*, now: datetime) -> int:
    """Bring every room's lock to as many backup codes as its property wishes, and end those whose guest has left.

    Returns how many were made or ended.
    """
    done = _rotate(now=now)
    live = Property.objects.filter(mode=Property.Mode.LIVE)
    has_some = Property.objects.filter(pk__in=_at_hand().values("property_id"))
    for hotel in (live.filter(backup_codes__gt=0) | has_some).distinct().order_by("id"):
        wanted = hotel.backup_codes if hotel.mode == Property.Mode.LIVE else 0
        done += _keep_at(hotel, wanted, now=now)
    return done


def _at_hand() -> QuerySet[BackupCode]:
    return BackupCode.objects.filter(given_for=None, rotated_at=None)


def _rotate(*, now: datetime) -> int:
    """End the codes of guests whose stay is over, and those that would soon end by themselves."""
    over = Q(given_for__over_at__lte=now) | Q(given_for__revoked_at__isnull=False)
    old = Q(given_for=None, key__ends_at__lte=now + RENEWED)
    rows = BackupCode.objects.filter(over | old, rotated_at=None).order_by("id")
    ended = list(rows.select_related("key")[:ONE_LOOK])
    for row in ended:
        _end(row, now=now)
    return len(ended)


def _end(row: BackupCode, *, now: datetime) -> None:
    with transaction.atomic():
        if row.key.revoked_at is None:
            issuing.revoke(key=row.key, by=BY.because("it is not needed any more"), now=now)
        BackupCode.objects.filter(pk=row.pk).update(rotated_at=now)


def _keep_at(hotel: Property, wanted: int, *, now: datetime) -> int:
    there = Q(backup_codes__given_for=None, backup_codes__rotated_at=None) & Q(
        backup_codes__isnull=False
    )
    doors = Door.objects.filter(property=hotel).annotate(
        kept=Count("backup_codes", filter=there, distinct=True)
    )
    fit = Q(type__in=Door.OF_A_ROOM, archived_at=None, lock__takes_door_codes=True)
    missing = doors.filter(fit, kept__lt=wanted).order_by("name", "id")[:ONE_LOOK]
    done = sum(_make(door, wanted, now=now) for door in missing)
    surplus = doors.filter(Q(kept__gt=wanted) | (~fit & Q(kept__gt=0)))
    for door in surplus.order_by("id")[:ONE_LOOK]:
        is_fit = doors.filter(fit, pk=door.pk).exists()
        extra = _at_hand().filter(door=door).order_by("-id").select_related("key")
        for row in list(extra)[: door.kept - (wanted if is_fit else 0)]:
            _end(row, now=now)
            done += 1
    return done


def _make(door: Door, wanted: int, *, now: datetime) -> int:
    """Make what is missing at this door, one worker at a time."""
    with transaction.atomic():
        Door.objects.select_for_update(of=("self",), no_key=True).get(pk=door.pk)
        hotel = Property.objects.get(pk=door.property_id)
        starts_at, ends_at = on_the_hour(now, now + LASTS, zone(hotel.timezone))
        many = max(wanted - _at_hand().filter(door=door).count(), 0)
        for _ in range(many):
            wish = CredentialWish(kind=Kind.DOOR_CODE)
            key = issuing.make_key(
                property=hotel,
                people=[PersonWish(name=f"{LABEL} of {door.name}", credentials=(wish,))],
                doors=[DoorWish(door=door)],
                starts_at=starts_at,
                ends_at=ends_at,
                by=BY,
                now=now,
                with_linked_doors=False,
            )
            BackupCode.objects.create(property_id=door.property_id, door=door, key=key, made_at=now)
    return many


# Giving one -----------------------------------------------------------------------------------------


def ready_at(door_id: int, *, now: datetime) -> QuerySet[BackupCode]:
    """The backup codes that are confirmed on the lock of this door and nobody's yet."""
    confirmed = Assignment.objects.filter(
        door_id=door_id, written_revision=F("revision"), sent_revision=None
    )
    return _at_hand().filter(
        door_id=door_id,
        key__revoked_at=None,
        key__ends_at__gt=now,
        key_id__in=confirmed.values("key_id"),
    )


def give(
    *, keychain_door: KeychainDoor, because: str, by: Actor, now: datetime
) -> tuple[BackupCode, Credential]:
    """Give this key's guest a backup code for this door. Asked for again, it is the same one.

    Raises Refused where the guest may not enter now, or when no code is at hand.
    """
    with transaction.atomic():
        door = locked_door(keychain_door)
        _check(door, now=now)
        given = BackupCode.objects.filter(
            given_for_id=door.key_id, door_id=door.door_id, rotated_at=None
        )
        row = given.select_related("key").first()
        if row is None:
            row = _take(door, because=because, by=by, now=now)
        return row, row.key.credentials.get(retired_at=None)


def _check(door: KeychainDoor, *, now: datetime) -> None:
    key = door.key
    if key.revoked_at is not None or key.over_at <= now:
        raise Refused("because", "The key is over: make a new key for this guest.")
    if door.removed_at is not None or not Permission(door.permission).is_on:
        raise Refused("because", "Allow Provisioning is off at this door: switch it on first.")
    if (door.starts_at or key.starts_at) > now + SOONEST:
        raise Refused("because", "The stay begins in more than a day: there is time to mend it.")
    if BackupCode.objects.filter(key=key).exists():
        raise Refused("because", "This is a backup code itself.")


def _take(door: KeychainDoor, *, because: str, by: Actor, now: datetime) -> BackupCode:
    rows = ready_at(door.door_id, now=now).order_by("id")
    row = rows.select_for_update(of=("self",), no_key=True).select_related("key").first()
    if row is None:
        raise Refused(
            "because",
            f"No backup code is on the lock of {door.door.name}: open the door in another way.",
        )
    row.given_for, row.given_by, row.given_at = door.key, by.label[:120], now
    row.because = because[:200]
    row.save()
    lock = Lock.objects.filter(door_id=door.door_id).first()
    line = doorlog.Line(
        door.property_id,
        door.door_id,
        lock.pk if lock else None,
        now,
        now,
        doorlog.PORTAL,
        LogCode.BACKUP_GIVEN.value,
        key_id=door.key_id,
        kind=Kind.DOOR_CODE.value,
        actor=by.label[:120],
    )
    doorlog.append([line])
    bump([door.property_id])
    return row
