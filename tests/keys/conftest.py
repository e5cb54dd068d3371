"""What tests of keys share."""

from __future__ import annotations

import pytest

from tests.factories import AccountFactory, LockFactory


class NoBell:
    """Takes rings and drops them: delivery is driven by the test alone."""

    def send_task(self, *_args, **_options) -> None:
        return None


@pytest.fixture
def account(simlock):
    """An account of the simulated lock system."""
    return AccountFactory(base_url=simlock.url, token=simlock.token)


@pytest.fixture
def lock(simlock, account):
    """The lock L1 of that account, on a door."""
    simlock.add_lock("L1")
    return LockFactory(account=account, external_id="L1")


@pytest.fixture
def silent_bell(monkeypatch) -> None:
    """Nothing is sent to a broker."""
    monkeypatch.setattr("locks.bell.current_app", NoBell())


@pytest.fixture
def tell(request):
    """Say something that is printed at the end of the run, also when all went well."""

    def say(words: str) -> None:
        print(words)
        request.node.user_properties.append(("told", words))

    return say
