"""What staff do under Settings → Lock systems, against a real peer: connect, and have the worker look for locks."""

from __future__ import annotations

from typing import Any

from locks import accounts, discovering
from locks.discovery_models import Discovery
from tests import factories
from tests.factories import BY, now


def connected_by_staff(
    driver: str, base_url: str, typed: dict[str, str], *, name: str
) -> list[dict[str, Any]]:
    """The locks that a new account has. Raises NotConnected."""
    account = accounts.connect(
        property=factories.PropertyFactory(),
        driver=driver,
        name=name,
        base_url=base_url,
        typed=typed,
        by=BY,
    )
    assert accounts.check(account=account, by=BY, now=now()) == ""
    discovering.ask(account=account, now=now())
    discovering.work_off(now=now())
    told = Discovery.objects.get(account=account)
    assert told.problem == ""
    discovering.add(account=account, found=[discovering.read_found(doc) for doc in told.found])
    assert account.locks.count() == len(told.found) > 0
    return list(told.found)
