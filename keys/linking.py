"""Links a key that staff made by hand to the reservation that it was made for: the guest keeps the code, the stay one key."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from keys.following import doors_of, follow, window_of
from keys.issuing import set_permissions
from keys.keychain import end_by_revoking, locked
from keys.models import Assignment, Key, KeychainDoor
from keys.refusal import Refused
from keys.rules import Permission
from locks.history import Actor, acting
from locks.models import Property
from pms.models import Reservation


def link(*, reservation: Reservation, twin_id: int, by: Actor, now: datetime) -> Key:
    """Make the key ``twin_id`` the reservation's own, with its code and people as they are.

    The key that the reservation had, which nobody was given, ends; nothing of it is on a lock. Times that staff typed
    stay staff's word where the PMS says otherwise. A code that the guest uses already stays valid before check-in. From
    now on the key follows the PMS. Raises Refused when either key is not what it was; then nothing was changed.
    """
    with transaction.atomic(), acting(by):
        stay = (
            Reservation.objects.select_for_update(of=("self",), no_key=True)
            .select_related("property", "integration")
            .get(pk=reservation.pk)
        )
        own, twin = _both(stay, twin_id)
        own.reservation = None
        end_by_revoking(own, because=Key.Revoked.LINKED, now=now)
        _take_over(twin, stay)
        _let_rooms_follow(twin, stay)
        key = follow(reservation=stay, now=now)
        if key is None or key.pk != twin.pk:
            raise Refused("key", "The reservation has another key meanwhile: look at it again.")
        _keep_valid(twin, stay, by=by, now=now)
    return key


def _both(stay: Reservation, twin_id: int) -> tuple[Key, Key]:
    """The reservation's key and the one made by hand, locked in order and checked."""
    rows = Key.objects.select_for_update(of=("self",), no_key=True).select_related("property")
    found = list(
        rows.filter(Q(reservation=stay) | Q(pk=twin_id), property_id=stay.property_id).order_by(
            "id"
        )
    )
    own = next((key for key in found if key.reservation_id == stay.pk), None)
    twin = next((key for key in found if key.pk == twin_id), None)
    if twin is None or twin.reservation_id is not None or twin.revoked_at is not None:
        raise Refused("key", "The key made by hand is not there any more: nothing was linked.")
    if own is None or own.revoked_at is not None or _is_on_a_lock(own):
        raise Refused("key", "The reservation’s own key is in use already: nothing was linked.")
    places = Assignment.objects.filter(key__in=[own, twin]).order_by("id")
    list(places.select_for_update(of=("self",), no_key=True).values_list("id"))
    return own, twin


def _is_on_a_lock(key: Key) -> bool:
    there = Q(written_revision__isnull=False) | Q(sent_revision__isnull=False)
    return Assignment.objects.filter(there, key=key).exists()


def _take_over(twin: Key, stay: Reservation) -> None:
    """The stay's key from now on. The times are staff's word only where they differ from the PMS's."""
    starts_at, ends_at = window_of(stay)
    twin.reservation = stay
    twin.pms_starts_at, twin.pms_ends_at = starts_at, ends_at
    twin.starts_by_staff, twin.ends_by_staff = twin.starts_at != starts_at, twin.ends_at != ends_at
    twin.save()


def _let_rooms_follow(twin: Key, stay: Reservation) -> None:
    """Doors that the reservation means too are the PMS's to move from now on."""
    origins = {wish.door.pk: wish.origin for wish in doors_of(stay)}
    for door in twin.doors.filter(removed_at=None, door_id__in=list(origins)).order_by("id"):
        if door.origin != origins[door.door_id]:
            door.origin = origins[door.door_id]
            door.save()


def _keep_valid(twin: Key, stay: Reservation, *, by: Actor, now: datetime) -> None:
    """What opens for the guest goes on opening, though the PMS does not say checked in."""
    rule = stay.property.check_in_rule
    if rule == Property.CheckInRule.NOT_REQUIRED or stay.checked_in_at is not None:
        return
    on = KeychainDoor.objects.filter(
        key=locked(twin), removed_at=None, permission=Permission.AUTOMATIC.value
    )
    set_permissions(
        door_ids=list(on.values_list("id", flat=True)),
        property_id=twin.property_id,
        on=True,
        before_check_in=True,
        by=by,
        now=now,
    )
