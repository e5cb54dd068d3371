"""``manage.py explain_key``: says about one key what the portal says, for whoever has a terminal and no browser."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from keys.api_shapes import public_notices
from keys.explaining import DoorAnswer, KeyAnswer, explain_key
from keys.models import Key
from keys.wording import PENDING_TAG
from locks.clock import zone


class Command(BaseCommand):
    """Prints the rule's answer about a key, door by door, in the words of the portal. Never a code."""

    help = "Say why a key's codes are on their locks or not, door by door."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="The key's number, or a reservation's number.")

    def handle(self, *args: Any, **options: Any) -> None:
        keys = _found(options["key"])
        if not keys:
            raise CommandError(f"No key or reservation has the number {options['key']}.")
        for key in keys:
            with timezone.override(zone(key.property.timezone)):
                for line in _lines(explain_key(key=key, now=timezone.now())):
                    self.stdout.write(line)


def _found(term: str) -> list[Key]:
    """Keys of reservations with that number, of whatever hotel; else the key with that number."""
    keys = Key.objects.select_related("property", "reservation")
    by_stay = list(keys.filter(reservation__number=term).order_by("id"))
    if by_stay or not (term.isascii() and term.isdigit() and len(term) < 19):
        return by_stay
    return list(keys.filter(pk=int(term)))


def _lines(told: KeyAnswer) -> Iterator[str]:
    key = told.key
    stay = f", reservation {key.reservation.number}" if key.reservation else ""
    yield f"Key {key.pk} of {key.label}{stay}, {key.property.name}"
    active = "Active" if told.is_active else "Inactive"
    yield f"{told.state}, {active}{_tag(told.is_pending)}"
    yield from (f"  {notice}" for notice in public_notices(told))
    for door in told.doors:
        yield from _door_lines(door)


def _door_lines(door: DoorAnswer) -> Iterator[str]:
    switch = "on" if door.switch_on else "off"
    early = ", also before check-in" if door.before_check_in else ""
    yield f"{door.door.name}: Allow Provisioning {switch}{early}{_tag(door.is_pending)}"
    for reason in door.reasons:
        yield f"  {reason.sentence} {_since(reason.since)}Who can change it: {reason.who}. {reason.next}"
    for place in door.places:
        person = place.credential.person.guest.name
        yield f"  {place.credential.get_kind_display()} of {person}: {place.state_text}"


def _tag(pending: bool) -> str:  # noqa: FBT001 - one word of a sentence
    return f" [{PENDING_TAG}]" if pending else ""


def _since(moment: Any) -> str:
    return f"Since {timezone.localtime(moment):%H:%M on %d %b}. " if moment else ""
