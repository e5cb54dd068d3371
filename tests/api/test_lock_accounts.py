"""The API's lock accounts: their state and since when, and never a token."""

from __future__ import annotations

import pytest

from locks import doorlog
from locks.models import LockAccount
from tests.api.world import ApiClient
from tests.factories import now


def test_a_broken_account_says_since_when_and_why_and_shows_no_token(api, seaview):
    LockAccount.objects.filter(property=seaview.property).update_untracked(token="a-token")
    account = LockAccount.objects.get(property=seaview.property)
    doorlog.account_broken(account_id=account.pk, problem="The key was revoked", now=now())
    answer = api.get("lock-accounts/")
    [row] = answer.json()["results"]
    assert (row["id"], row["name"], row["driver"]) == (account.pk, account.name, "simulated")
    assert (row["state"], row["problem"]) == ("broken", "The key was revoked")
    assert row["broken_at"].endswith("Z")
    assert row["disconnected_at"] is None
    assert account.token not in answer.content.decode()
    assert api.get(f"lock-accounts/{account.pk}/").json() == row


@pytest.mark.parametrize(("role", "status"), [("installer", 200), ("housekeeping", 403)])
def test_who_may_see_them(seaview, role, status):
    assert ApiClient(seaview, role=role).get("lock-accounts/").status_code == status
