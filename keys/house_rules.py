"""Changing a property's rules: saves them with history and has everything that depends on them decided again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from keys import keypad, provisioning, rezoning, whole_hours
from keys.refusal import Refused
from keys.rule_changes import keep_in_house
from locks.bell import ring
from locks.clock import zone_names
from locks.history import Actor, acting
from locks.models import Lock, Property
from locks.pulse import bump
from pms.models import Reservation

FOLLOWED = {"timezone", "arrival_time", "departure_time", "mode", "common_doors"}
"""What changes the windows, the doors or the existence of keys, so that reservations must be followed again."""


def change_property(
    *,
    property: Property,  # noqa: A002
    changes: Mapping[str, Any],
    by: Actor,
    now: datetime,
) -> Property:
    """Change fields of a property. Raises Refused. Nothing is stored when nothing differs.

    A check-in that becomes required takes no code from guests who are in house; in another time zone stays keep their
    times of day.
    """
    if "timezone" in changes and changes["timezone"] not in zone_names():
        raise Refused("timezone", "That is not a time zone: pick one like Europe/Lisbon.")
    with transaction.atomic(), acting(by):
        # no_key: rows that point at the property are written meanwhile by who may wait for us.
        kept = Property.objects.select_for_update(no_key=True).get(pk=property.pk)
        different = {name for name, value in changes.items() if getattr(kept, name) != value}
        if not different:
            return kept
        if kept.guest_messages == Property.GuestMessages.OFF and "guest_messages" in different:
            kept.guest_messages_since = now
        if "check_in_rule" in different:
            rule = changes["check_in_rule"]
            keep_in_house(property=kept, check_in_rule=rule, by=by, now=now)
        before = kept.timezone
        for name in different:
            setattr(kept, name, changes[name])
        kept.save()
        if "timezone" in different:
            rezoning.keep_wall_times(property=kept, before=before, by=by, now=now)
        _have_followed(kept, different, now=now)
        provisioning.ask_again(property_id=kept.pk, now=now)
        bump([kept.pk])
        transaction.on_commit(partial(ring, "keys.tasks.follow_reservations"))
        transaction.on_commit(partial(ring, "keys.tasks.look_now"))
    return kept


def _have_followed(hotel: Property, different: set[str], *, now: datetime) -> None:
    """Have reservations and windows follow what is different now."""
    if "whole_hours" in different:
        whole_hours.place_again(Lock.objects.filter(property=hotel, whole_hours=True), now=now)
    if "keypad_changes" in different and hotel.keypad_changes == keypad.RESTORE:
        keypad.put_back(hotel, now=now)
    if different & FOLLOWED:
        Reservation.objects.filter(
            property=hotel,
            state__in=[Reservation.State.EXPECTED, Reservation.State.IN_HOUSE],
        ).update(followed_at=None)
