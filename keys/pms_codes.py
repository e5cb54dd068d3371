"""Tells the PMS side which Door Code each reservation has: that of its main person, once every door of the key holds it.

Pulled by the number that grows with every visible change of a property, so that nothing is computed where nothing
changed; a few queries for any number of keys, and only secrets that are news are opened.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from keys import wording
from keys.models import Assignment, Credential, Key, KeychainDoor, ToldPMS
from locks.clock import zone
from locks.drivers import Kind
from locks.models import Pulse
from locks.pulse import number_of
from pms.models import Integration, Reservation, WriteBack
from pms.writing_back import Wish, print_of, want

log = logging.getLogger(__name__)
FACTS = (
    "pk",
    "secret_digest",
    "key__starts_at",
    "key__ends_at",
    "key__reservation_id",
    "key__reservation__integration_id",
    "key__reservation__booking_ref",
    "key__reservation__room_ref",
    "key__reservation__room_name",
    "key__reservation__write_back__wanted_digest",
)


def tell_all(*, now: datetime) -> None:
    """Tell what changed, hotel by hotel; the trouble of one is not another's."""
    for property_id in sorted(_behind() | _expired(now)):
        try:
            tell(property_id=property_id, now=now)
        except Exception as error:  # noqa: BLE001 - it is due again
            log.error("codes of property %s: %s", property_id, type(error).__name__)


def _behind() -> set[int]:
    """Hotels with a PMS where something changed since they were last told of."""
    hotels = Integration.objects.filter(first_connected_at__isnull=False)
    pulses = Pulse.objects.filter(property_id__in=hotels.values("property_id"))
    behind = pulses.exclude(property__told_pms__pulse=F("number"))
    return set(behind.values_list("property_id", flat=True))


def _expired(now: datetime) -> set[int]:
    """Hotels where the PMS still shows the code of a key that is over: the end of a key is no change."""
    shown = WriteBack.objects.exclude(wanted_digest="").filter(reservation__key__over_at__lte=now)
    return set(shown.order_by().values_list("property_id", flat=True).distinct())


def tell(*, property_id: int, now: datetime) -> None:
    """Say what the PMS of this hotel shall show from now on. Safe to repeat; one worker at a time."""
    ToldPMS.objects.get_or_create(property_id=property_id)
    with transaction.atomic():
        told = ToldPMS.objects.select_for_update(no_key=True).filter(property_id=property_id)
        list(told)
        told.update(pulse=number_of(property_id))
        rows = list(_ready(property_id, now).values_list(*FACTS))
        news = [(values, sign) for values in rows if (sign := _print(values)) != values[-1]]
        ready = {values[4] for values in rows}
        shown = WriteBack.objects.filter(property_id=property_id).exclude(wanted_digest="")
        unwanted = set(shown.values_list("reservation_id", flat=True)) - ready
        want(property_id=property_id, wishes=_wishes(news), nothing_for=unwanted, now=now)


def _ready(property_id: int, now: datetime) -> QuerySet[Credential]:
    """The main persons' Door Codes that are on every lock of their keys that takes Door Codes, and on one at least."""
    on_lock = Assignment.objects.filter(written_revision__isnull=False)
    there = on_lock.filter(
        credential=OuterRef("pk"),
        lock_digest=OuterRef("secret_digest"),
        keychain_door__removed_at=None,
    )
    here = on_lock.filter(
        keychain_door=OuterRef("pk"),
        credential=OuterRef(OuterRef("pk")),
        lock_digest=OuterRef(OuterRef("secret_digest")),
    )
    lacking = KeychainDoor.objects.filter(
        ~Exists(here),
        Q(door__lock=None) | Q(door__lock__takes_door_codes=True),
        key=OuterRef("key"),
        removed_at=None,
    )
    return Credential.objects.filter(
        Exists(there),
        ~Exists(lacking),
        property_id=property_id,
        kind=Kind.DOOR_CODE.value,
        retired_at=None,
        person__is_main=True,
        person__removed_at=None,
        key__property_id=property_id,
        key__revoked_at=None,
        key__over_at__gt=now,
        key__reservation__integration__write_codes=True,
    )


def _print(values: Sequence[Any]) -> str:
    return print_of(*values[1:-1])


def _wishes(news: Sequence[tuple[Sequence[Any], str]]) -> list[Wish]:
    secrets = Credential.objects.filter(pk__in=[values[0] for values, _ in news])
    codes = dict(secrets.values_list("pk", "secret")) if news else {}
    return [
        Wish(
            reservation_id=values[4],
            integration_id=values[5],
            booking_ref=values[6],
            print=sign,
            code=str(codes[values[0]]),
            room_ref=values[7],
            room_name=values[8],
            starts_at=values[2],
            ends_at=values[3],
        )
        for values, sign in news
    ]


# Saying so ----------------------------------------------------------------------------------------


class ShownState(StrEnum):
    """Whether the PMS shows a key's Door Code. NONE: it is not on every lock yet; OFF: the hotel does not want it."""

    WRITTEN = "written"
    WAITING = "waiting"
    REMOVING = "removing"
    NONE = "none"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Where it stands with a key's Door Code in the PMS, for people in ``sentence``."""

    pms: str
    state: ShownState
    sentence: str = ""
    written_at: datetime | None = None
    problem: str = ""


def shown_in_pms(key: Key, *, now: datetime) -> Shown | None:
    """What the PMS shows of this key, in words too; none for a key without a reservation, or over and shown nowhere."""
    stay = key.reservation
    if stay is None:
        return None
    shown = _shown(stay, stay.integration)
    if shown.state is ShownState.NONE and (key.revoked_at is not None or key.over_at <= now):
        return None
    sentence = wording.shown_in_pms(
        shown.state,
        pms=shown.pms,
        written_at=shown.written_at,
        problem=shown.problem,
        scene=wording.Scene(now=now, zone=zone(key.property.timezone)),
    )
    return replace(shown, sentence=sentence)


def _shown(stay: Reservation, link: Integration) -> Shown:
    pms = link.pms_name()
    row = WriteBack.objects.filter(reservation=stay).defer("wanted", "sent", "ref").first()
    if row is None or not (row.wanted_digest or row.written_digest or row.next_try_at):
        return Shown(pms=pms, state=ShownState.NONE if link.write_codes else ShownState.OFF)
    if row.wanted_digest and row.wanted_digest == row.written_digest:
        return Shown(pms=pms, state=ShownState.WRITTEN, written_at=row.written_at)
    connected = link.state == Integration.State.CONNECTED
    return Shown(
        pms=pms,
        state=ShownState.WAITING if row.wanted_digest else ShownState.REMOVING,
        problem=row.problem if connected else f"{pms} is not connected",
    )
