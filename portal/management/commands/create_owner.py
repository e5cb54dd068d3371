"""``manage.py create_owner``: a property and its first owner, without the demo."""

from __future__ import annotations

import getpass
import os
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from locks.history import Actor, Source, acting
from locks.models import Property
from portal.models import Membership, Role, User

BY = Actor(source=Source.COMMAND, label="create_owner")


class Command(BaseCommand):
    """Makes what is missing: the property in Setup Mode, the person, and the membership between them."""

    help = "Create a property in Setup Mode and its owner, who can then sign in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="The owner's e-mail address; it is the sign-in.")
        parser.add_argument("property", help="The name of the property.")
        parser.add_argument("--name", default="", help="The owner's name.")
        parser.add_argument("--timezone", default="Europe/Lisbon", help="The property's time zone.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic(), acting(BY):
                hotel = _property(options["property"], options["timezone"])
                owner = _owner(options["email"], options["name"])
                if Membership.objects.filter(property=hotel, user=owner).exists():
                    raise CommandError(f"{owner.email} works at {hotel.name} already.")
                Membership.objects.create(property=hotel, user=owner, role=Role.OWNER)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(
            f"{owner.email} owns {hotel.name}. Sign in, connect a PMS and locks, then set the property Live."
        )


def _property(name: str, timezone: str) -> Property:
    found: Property | None = Property.objects.filter(name=name).first()
    if found is not None:
        return found
    made = Property(name=name, timezone=timezone)
    made.full_clean()
    made.save()
    return made


def _owner(email: str, name: str) -> User:
    known = User.objects.filter(email=email.lower()).first()
    if known is not None:
        return known
    person = User(email=email.lower(), name=name)
    password = os.environ.get("OWNER_PASSWORD") or getpass.getpass("Password of the owner: ")
    validate_password(password, person)
    person.set_password(password)
    person.full_clean()
    person.save()
    return person
