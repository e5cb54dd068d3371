"""What lock systems call in: taken once it is proven, stored encrypted, answered at once, never a 500."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.db import DatabaseError, connection
from svix.webhooks import Webhook

from locks import hooks, intake, listening, renewing
from locks.drivers import EventType, LockEvent
from locks.intake_models import Intake
from locks.log_models import DoorLogEntry
from locks.models import Lock, LockAccount
from tests.factories import AccountFactory, LockFactory, now
from tests.locks.ttlock_server import start_ttlock

pytestmark = pytest.mark.django_db
SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four.").decode()
TYPED = "918273"


@pytest.fixture(autouse=True)
def struck(monkeypatch):
    """No bell rings; what would have been rung is listed."""
    rung = []
    monkeypatch.setattr(hooks._take_in, "strike", lambda: rung.append("take in"))
    monkeypatch.setattr(hooks._poll, "strike", lambda: rung.append("poll"))
    hooks._callers.clear()
    return rung


@pytest.fixture
def seam():
    """An account at Seam with a webhook secret, and a lock."""
    token = json.dumps({"api_key": "seam_key", "webhook_secret": SECRET})
    account = AccountFactory(driver="seam", base_url="http://127.0.0.1:9", token=token)
    return LockFactory(account=account, external_id="device-1")


def unlocked(**more):
    at = datetime.now(UTC).isoformat()
    doc = {
        "event_id": "e1",
        "event_type": "lock.unlocked",
        "device_id": "device-1",
        "occurred_at": at,
        "created_at": at,
        "method": "keycode",
        "code": TYPED,
        **more,
    }
    return json.dumps(doc)


def path_of(account):
    return hooks.address_of(account).partition("/hooks/")[2]


def call(client, account, body, *, secret=SECRET, **headers):
    moment = datetime.now(UTC)
    headers = headers or {
        "svix-id": "msg_1",
        "svix-timestamp": str(int(moment.timestamp())),
        "svix-signature": Webhook(secret).sign("msg_1", moment, body),
    }
    return client.post(
        f"/hooks/{path_of(account)}", body, content_type="application/json", headers=headers
    )


def test_a_signed_call_is_stored_encrypted_and_then_taken_into_the_log_once(client, seam, struck):
    body = unlocked()
    for _ in range(2):
        assert call(client, seam.account, body).status_code == 200
    assert struck == ["take in"] * 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM locks_intake")
        assert all(TYPED not in row[0] and "device" not in row[0] for row in cursor.fetchall())
    assert intake.work_off() == 1
    line = DoorLogEntry.objects.get()
    assert (line.code, line.lock_id, line.hint) == ("unlocked", seam.pk, "••73")
    assert {row.body for row in Intake.objects.all()} == {""}
    assert {row.result for row in Intake.objects.all()} == {"taken in"}


def test_a_call_that_is_not_genuine_is_refused_and_counted_and_nothing_of_it_is_kept(
    client, seam, caplog
):
    other = "whsec_" + base64.b64encode(b"another secret, the same").decode()
    assert call(client, seam.account, unlocked(), secret=other).status_code == 400
    assert call(client, seam.account, unlocked(), **{"svix-id": "x"}).status_code == 400
    account = LockAccount.objects.get(pk=seam.account_id)
    assert account.refused_calls == 2
    assert account.refused_call_at is not None
    assert not Intake.objects.exists()
    assert TYPED not in caplog.text


def test_nobody_elses_address_and_no_other_way_of_asking_is_answered(client, seam):
    path = path_of(seam.account)
    simulated = AccountFactory()
    assert hooks.address_of(simulated) == ""
    assert client.get(f"/hooks/{path}").status_code == 405
    assert client.post(f"/hooks/{path}x", "{}", content_type="text/plain").status_code == 404
    assert client.post("/hooks/locks/1/", "{}", content_type="text/plain").status_code == 404
    assert client.post("/hooks/locks/x/y", "{}", content_type="text/plain").status_code == 404
    secret = hooks._secret(simulated.pk)
    wrong = f"/hooks/locks/{simulated.pk}/{secret}"
    assert client.post(wrong, "{}", content_type="text/plain").status_code == 404
    large = client.post(f"/hooks/{path}", "x" * (hooks.LARGEST + 1), content_type="text/plain")
    assert large.status_code == 413


@pytest.mark.parametrize("trouble", [DatabaseError("secret text"), RuntimeError("secret text")])
def test_trouble_of_our_own_is_a_503_that_says_nothing_and_never_a_500(
    client, seam, monkeypatch, caplog, trouble
):
    def fails(*_, **__):
        raise trouble

    monkeypatch.setattr(hooks.intake, "store", fails)
    answer = call(client, seam.account, unlocked())
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert "secret text" not in caplog.text


def test_events_of_a_lock_that_is_not_here_are_answered_and_not_kept(client, seam):
    assert call(client, seam.account, unlocked(device_id="elsewhere")).status_code == 200
    assert not Intake.objects.exists()


def test_what_cannot_be_taken_in_is_tried_again_and_at_last_set_aside(seam, monkeypatch):
    event = LockEvent(
        event_id="a", lock_ref="", type=EventType.UNLOCKED, happened_at=now(), vendor_type="x"
    )
    for _ in range(2):
        intake.store(
            [(seam.pk, event)],
            property_id=seam.property_id,
            source=Intake.Source.HOOK,
            now=now() - timedelta(seconds=1),
        )
    bad = Intake.objects.order_by("id").first()
    Intake.objects.filter(pk=bad.pk).update(body="[[1]]")
    row = Intake.objects.get(pk=bad.pk)
    row.body = "[[1]]"
    row.save()
    assert intake.work_off() == 1
    row.refresh_from_db()
    assert (row.processed_at, row.tries) == (None, 1)
    assert row.next_try_at > now()
    past = now() - timedelta(seconds=1)
    Intake.objects.filter(pk=row.pk).update(tries=intake.TRIES, next_try_at=past)
    intake.work_off()
    row.refresh_from_db()
    assert row.result == intake.SET_ASIDE
    assert row.body == "[[1]]"


def test_events_of_another_hotels_lock_are_never_taken_in(seam):
    other = LockFactory()
    event = LockEvent(event_id="a", lock_ref="", type=EventType.UNLOCKED, happened_at=now())
    intake.store(
        [(other.pk, event)],
        property_id=seam.property_id,
        source=Intake.Source.API,
        now=now() - timedelta(seconds=1),
    )
    assert intake.work_off() == 0
    assert not DoorLogEntry.objects.exists()


@pytest.fixture(scope="module")
def ttlock_process():
    with start_ttlock() as server:
        yield server


@pytest.fixture
def ttlock(ttlock_process):
    """The simulated TTLock, and a lock of an account there that has been asked just now."""
    ttlock_process.post("reset")
    account = AccountFactory(
        driver="ttlock", base_url=ttlock_process.url, token=ttlock_process.token()
    )
    lock = LockFactory(account=account, external_id=ttlock_process.add_lock(alias="204"))
    listening.poll_all(now=now())
    return ttlock_process, lock


def ring_at(client, account, **form):
    told = urlencode({"notifyType": "1", "admin": "x", "records": f"[{TYPED}]", **form})
    kind = "application/x-www-form-urlencoded"
    return client.post(f"/hooks/{path_of(account)}", told, content_type=kind)


def test_an_unsigned_callback_has_the_account_asked_soon_and_is_believed_in_nothing(
    client, ttlock, struck
):
    """One address serves the whole application: the lock it names says whose account is asked."""
    server, lock = ttlock
    other = AccountFactory(driver="ttlock", base_url=server.url, token=server.token())
    LockAccount.objects.filter(pk=other.pk).update_untracked(
        next_poll_at=now() + timedelta(minutes=9)
    )
    answer = ring_at(client, other, lockId=lock.external_id)
    assert (answer.status_code, answer.content) == (200, b"success")
    assert struck == ["poll"]
    asked = LockAccount.objects.get(pk=lock.account_id)
    assert asked.next_poll_at < now() + timedelta(seconds=5)
    other.refresh_from_db()
    assert other.next_poll_at > now() + timedelta(minutes=8)
    assert not Intake.objects.exists()
    assert not DoorLogEntry.objects.exists()


def test_a_renewal_is_stored_before_it_is_used_and_then_the_new_token_works(ttlock):
    _, lock = ttlock
    account = LockAccount.objects.get(pk=lock.account_id)
    before = json.loads(account.token)
    assert renewing.renew_due(now=now()) == 0
    account.token = json.dumps({**before, "expires": int(time.time()) + 3600})
    account.save()
    assert renewing.renew_due(now=now()) == 1
    account.refresh_from_db()
    after = json.loads(account.token)
    assert after["access"] != before["access"]
    assert account.renewing_until is None
    assert listening.poll(account=account, now=now()).error is None
    assert after["access"] not in str(list(account.history.values()))
    assert renewing.renew_due(now=now()) == 0


def test_two_workers_do_not_renew_one_account_at_once(ttlock):
    _, lock = ttlock
    account = LockAccount.objects.get(pk=lock.account_id)
    account.token = json.dumps({**json.loads(account.token), "expires": int(time.time())})
    account.save()
    assert renewing._mine(account, now())
    assert not renewing._mine(account, now())
    assert renewing.renew_due(now=now()) == 0
    assert renewing.renew_due(now=now() + timedelta(minutes=3)) == 1


def test_a_refused_renewal_breaks_that_account_alone_until_it_is_connected_anew(ttlock):
    """Its token still works for some days: that must not end the alarm by itself."""
    server, lock = ttlock
    account = LockAccount.objects.get(pk=lock.account_id)
    good = json.loads(account.token)
    account.token = json.dumps({**good, "refresh": "wrong", "expires": int(time.time())})
    account.save()
    other = AccountFactory(driver="ttlock", base_url=server.url, token=server.token())
    renewing.renew_due(now=now())
    account.refresh_from_db()
    other.refresh_from_db()
    assert (account.state, other.state) == ("broken", "working")
    assert account.history.filter(history_change_reason__contains="renewed").count() == 1
    assert listening.try_broken(now=now()) == 0
    renewing.renew_due(now=now() + timedelta(minutes=9))
    assert account.history.filter(history_change_reason__contains="renewed").count() == 1
    account.token = json.dumps(good)
    account.save()
    assert listening.try_broken(now=now()) == 1
    assert Lock.objects.filter(account=account).exists()
