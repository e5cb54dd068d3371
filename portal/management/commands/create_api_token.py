"""``manage.py create_api_token``: a token for a program, printed once."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from keys.refusal import Refused
from portal.models import Membership, Role
from portal.tokens import make_token


class Command(BaseCommand):
    """Makes a token that acts for a member of a property and prints it, which cannot be done again."""

    help = "Create an API token for a member of a property and print it once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="The member for whom the program acts.")
        parser.add_argument("property", help="The name of the property.")
        parser.add_argument("name", help="What the token is for, such as Kiosk.")
        parser.add_argument("--role", choices=Role.values, default=Role.TEAM.value)
        parser.add_argument("--days", type=int, default=365, help="How long it lives.")

    def handle(self, *args: Any, **options: Any) -> None:
        member = Membership.objects.filter(
            user__email=options["email"].lower(), property__name=options["property"], is_active=True
        ).first()
        if member is None:
            raise CommandError(f"{options['email']} does not work at {options['property']}.")
        now = timezone.now()
        try:
            token, secret = make_token(
                membership=member,
                role=options["role"],
                name=options["name"],
                expires_at=now + timedelta(days=options["days"]),
                now=now,
            )
        except (Refused, OverflowError) as error:
            raise CommandError(str(error)) from error
        self.stderr.write(
            f"{token.name}, {token.get_role_display()}, until {token.expires_at:%d %b %Y}:"
        )
        self.stdout.write(str(secret))
