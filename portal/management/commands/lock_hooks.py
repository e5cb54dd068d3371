"""``manage.py lock_hooks``: the addresses that lock systems call, to be given to them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from locks.hooks import address_of
from locks.models import LockAccount


class Command(BaseCommand):
    help = "Print the address of each lock account whose vendor calls in, and how many calls were refused there."

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = LockAccount.objects.exclude(state=LockAccount.State.DISCONNECTED)
        for account in accounts.select_related("property").order_by("property__name", "name", "id"):
            if address := address_of(account):
                self.stdout.write(f"{account.property.name}, {account.name}: {address}")
                if account.refused_calls:
                    self.stdout.write(
                        f"  {account.refused_calls} calls were refused as not genuine."
                    )
