"""Settings → Lock systems, against the simulated TTLock and Seam: what is typed, what is stored, what is said, what stays."""

from __future__ import annotations

import html
import json
import re
import time
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from keys import alerts, delivery, issuing, pairing, provisioning
from keys.models import Assignment
from keys.telling_models import Alert
from locks import accounts, discovering, hooks, listening
from locks.models import Door, Gateway, Lock, LockAccount
from portal import alert_mails
from portal.models import AlertPreference, Role
from tests import factories
from tests.factories import now
from tests.locks.seam_server import KEY, start_seam
from tests.locks.ttlock_server import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME, start_ttlock
from tests.ports import free_port

pytestmark = pytest.mark.django_db
LIST = "/settings/lock-systems/"


@pytest.fixture(scope="module")
def ttlock():
    with start_ttlock() as server:
        server.add_lock(alias="Garden 1", gateway=7)
        server.add_lock(alias="Garden 2", gateway=7)
        yield server


@pytest.fixture(scope="module")
def seam():
    with start_seam() as server:
        server.add_device("loft-1", name="Loft 1", brand="schlage")
        yield server


@pytest.fixture
def hotel():
    return factories.PropertyFactory()


@pytest.fixture
def owner(hotel):
    return signed_in(hotel, Role.OWNER)


def signed_in(hotel, role):
    client = Client()
    client.force_login(factories.member(hotel, role).user)
    return client


def text_of(answer):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


def value_of(answer, name):
    """What stands in a field of the form."""
    tag = re.search(rf'<input[^>]*name="{name}"[^>]*>', answer.content.decode())[0]
    found = re.search(r'value="([^"]*)"', tag)
    return html.unescape(found[1]) if found else ""


def to_ttlock(ttlock, **instead):
    return {
        "account_name": "Garden",
        "base_url": ttlock.url,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "username": USERNAME,
        "password": PASSWORD,
    } | instead


def connected(owner, ttlock):
    owner.post(f"{LIST}ttlock/connect/", to_ttlock(ttlock))
    return LockAccount.objects.get(name="Garden")


def test_an_account_is_connected_with_what_its_vendor_needs_and_only_tokens_are_stored(
    owner, ttlock
):
    page = text_of(owner.get(f"{LIST}ttlock/connect/"))
    assert all(label in page for label in ("Client ID", "Client secret", "User name", "Password"))
    said = owner.post(f"{LIST}ttlock/connect/", to_ttlock(ttlock), follow=True)
    assert "Garden is connected." in text_of(said)
    account = LockAccount.objects.get()
    token = json.loads(account.token)
    assert token["access"]
    assert token["refresh"]
    assert PASSWORD not in account.token
    assert USERNAME not in account.token
    assert "Working" in text_of(owner.get(LIST))


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"password": "nope"}, "password", "TTLock does not accept this password"),
        ({"client_secret": "nope"}, "client_secret", "TTLock does not accept this client secret"),
        ({"base_url": "ftp://x"}, "base_url", "it begins with https:// or http://"),
        ({"base_url": "https://me:word@x"}, "base_url", "Leave user name and password out"),
        ({"base_url": f"http://127.0.0.1:{free_port()}"}, "base_url", "does not answer there"),
        ({"username": ""}, "username", "Type the User name"),
    ],
)
def test_what_is_wrong_is_named_at_its_field_and_all_but_secrets_stays(
    owner, ttlock, wrong, field, said
):
    answer = owner.post(f"{LIST}ttlock/connect/", to_ttlock(ttlock, **wrong))
    assert list(answer.context["form"].errors) == [field]
    assert said in text_of(answer)
    assert value_of(answer, "account_name") == "Garden"
    assert value_of(answer, "client_id") == CLIENT_ID
    assert value_of(answer, "client_secret") == value_of(answer, "password") == ""
    assert not LockAccount.objects.exists()


def test_a_name_is_used_once_and_an_api_key_that_is_wrong_is_named(owner, ttlock, seam):
    connected(owner, ttlock)
    typed = {"account_name": "Garden", "base_url": seam.url, "api_key": KEY}
    twice = owner.post(f"{LIST}seam/connect/", typed)
    assert "already has an account Garden: choose another" in text_of(twice)
    wrong = owner.post(
        f"{LIST}seam/connect/", typed | {"account_name": "Lofts", "api_key": "seam_wrong"}
    )
    assert list(wrong.context["form"].errors) == ["api_key"]
    owner.post(f"{LIST}seam/connect/", typed | {"account_name": "Lofts"})
    assert LockAccount.objects.get(name="Lofts").driver == "seam"


def test_every_vendor_has_a_form_of_its_own_and_simulated_locks_are_for_the_demo(owner, settings):
    for driver, label in (("zwave", "Token"), ("zigbee2mqtt", "Base topic"), ("seam", "API key")):
        assert label in text_of(owner.get(f"{LIST}{driver}/connect/"))
    away = {"account_name": "Cellar", "base_url": f"ws://127.0.0.1:{free_port()}", "token": ""}
    said = owner.post(f"{LIST}zwave/connect/", away)
    assert list(said.context["form"].errors) == ["base_url"]
    assert owner.get(f"{LIST}simulated/connect/").status_code == 302
    settings.PORTAL_DEMO = True
    assert owner.get(f"{LIST}simulated/connect/").status_code == 200


def test_discover_lists_locks_and_one_is_added_with_its_gateway_on_a_new_door(owner, ttlock):
    account = connected(owner, ttlock)
    page = f"{LIST}{account.pk}/discover/"
    assert "Asking TTLock for its locks" in text_of(owner.get(page))
    assert discovering.work_off(now=now()) == 1
    told = text_of(owner.get(page))
    assert "2 found" in told
    assert "Garden 1" in told
    assert "Door Codes, SmartKeys" in told
    ref = next(one for one in account.discovery.found if one["name"] == "Garden 1")["external_id"]
    form = owner.get(f"{LIST}{account.pk}/add/", {"lock": ref})
    assert "Add Garden 1" in text_of(form)
    owner.post(f"{LIST}{account.pk}/add/", {"lock": ref, "new_door": "Garden House 1"})
    lock = Lock.objects.get()
    assert (lock.door.name, lock.gateway.external_id, lock.takes_smartkeys) == (
        "Garden House 1",
        "7",
        True,
    )
    assert lock.writer_id == lock.gateway.writer_id
    again = owner.post(f"{LIST}{account.pk}/add/", {"lock": ref, "new_door": "Another"})
    assert again.status_code == 302
    assert not Door.objects.filter(name="Another").exists()
    assert "On Garden House 1" in text_of(owner.get(page))


def test_looking_again_refreshes_what_is_known_of_a_lock(owner, ttlock):
    account = connected(owner, ttlock)
    discovering.work_off(now=now())
    owner.post(f"{LIST}{account.pk}/add/", {})
    was = Lock.objects.order_by("id").first()
    key = factories.key_for(factories.DoorFactory(property=account.property))
    pairing.pair_lock(lock=was, door=key.doors.get().door, by=factories.BY, now=now())
    changed = {"model": "", "takes_door_codes": False, "max_codes": 3}
    Lock.objects.filter(pk=was.pk).update(**changed)
    Assignment.objects.update(next_attempt_at=None)
    discovering.ask(account=account, now=now())
    discovering.work_off(now=now())
    lock = Lock.objects.get(pk=was.pk)
    assert {name: getattr(lock, name) for name in changed} == {
        name: getattr(was, name) for name in changed
    }
    assert Assignment.objects.get().next_attempt_at is not None


def test_all_that_is_new_is_added_at_once_on_doors_of_the_same_name(owner, hotel, ttlock):
    door = factories.DoorFactory(property=hotel, name="garden 2")
    account = connected(owner, ttlock)
    discovering.work_off(now=now())
    said = owner.post(f"{LIST}{account.pk}/add/", {"by_name": "on"}, follow=True)
    assert "2 locks are added, 1 on the door of the same name." in text_of(said)
    assert Gateway.objects.count() == 1
    assert door.lock.name == "Garden 2"


def test_a_lock_of_another_account_is_not_added_twice(owner, ttlock):
    account = connected(owner, ttlock)
    discovering.work_off(now=now())
    owner.post(f"{LIST}{account.pk}/add/", {})
    owner.post(f"{LIST}ttlock/connect/", to_ttlock(ttlock, account_name="Twin"))
    twin = LockAccount.objects.get(name="Twin")
    discovering.work_off(now=now())
    assert "Known through Garden" in text_of(owner.get(f"{LIST}{twin.pk}/discover/"))
    owner.post(f"{LIST}{twin.pk}/add/", {})
    assert not twin.locks.exists()


def test_a_vendor_that_does_not_answer_discovery_is_told_and_asked_again(owner, hotel):
    account = factories.AccountFactory(property=hotel, driver="seam", base_url="http://127.0.0.1:9")
    page = f"{LIST}{account.pk}/discover/"
    owner.post(page)
    discovering.work_off(now=now())
    assert "Seam does not answer there" in text_of(owner.get(page))
    owner.post(page)
    assert "Asking Seam" in text_of(owner.get(page))


def test_a_worker_that_died_over_a_discovery_does_not_keep_it(owner, hotel, ttlock):
    account = connected(owner, ttlock)
    account.discovery.taken_at = now() - timedelta(seconds=30)
    account.discovery.save()
    assert discovering.work_off(now=now()) == 0
    assert discovering.work_off(now=now() + timedelta(minutes=3)) == 1
    account.discovery.refresh_from_db()
    assert len(account.discovery.found) == 2


def test_reconnect_keeps_locks_and_asks_only_for_what_is_not_kept(owner, ttlock):
    account = connected(owner, ttlock)
    discovering.work_off(now=now())
    owner.post(f"{LIST}{account.pk}/add/", {})
    before = account.token
    page = owner.get(f"{LIST}{account.pk}/reconnect/")
    assert value_of(page, "client_id") == CLIENT_ID
    assert CLIENT_SECRET not in page.content.decode()
    assert hooks.address_of(account) in page.content.decode()
    typed = to_ttlock(ttlock, client_secret="")
    said = owner.post(f"{LIST}{account.pk}/reconnect/", typed, follow=True)
    assert "Garden is connected." in text_of(said)
    account.refresh_from_db()
    assert account.token != before
    assert account.locks.count() == 2
    row = account.history.latest("history_date")
    assert (row.history_change_reason, row.source) == ("reconnected", "portal")


def test_a_login_of_another_account_is_refused_with_the_reason(owner, ttlock):
    account = connected(owner, ttlock)
    discovering.work_off(now=now())
    owner.post(f"{LIST}{account.pk}/add/", {})
    before = account.token
    with start_ttlock() as other:
        other.add_lock(alias="Somebody else’s")
        for lock in account.locks.all():  # simulators number alike, the vendor never does
            Lock.objects.filter(pk=lock.pk).update(external_id=f"9{lock.external_id}")
        said = owner.post(f"{LIST}{account.pk}/reconnect/", to_ttlock(other))
    assert "it is another account" in text_of(said)
    account.refresh_from_db()
    assert account.token == before


def test_test_says_what_the_vendor_says_and_portal_believes_it(owner, ttlock):
    account = connected(owner, ttlock)
    test = f"{LIST}{account.pk}/test/"
    assert "Garden works: TTLock answers" in text_of(owner.post(test, follow=True))
    ttlock.post("tokens", do="revoke")
    assert "TTLock does not accept" in text_of(owner.post(test, follow=True))
    page = text_of(owner.get(LIST))
    assert "Broken since" in page
    assert "Click Reconnect and type the client secret and the password anew." in page
    owner.post(f"{LIST}{account.pk}/reconnect/", to_ttlock(ttlock))
    assert "Broken since" not in text_of(owner.get(LIST))


def test_disconnect_says_what_stays_and_wants_the_name(owner, hotel, ttlock):
    account = connected(owner, ttlock)
    discovering.work_off(now=now())
    owner.post(f"{LIST}{account.pk}/add/", {})
    address = reverse("disconnect_locks", args=[account.pk])
    page = text_of(owner.get(address))
    assert "Locks 2, on a door: 0." in page
    assert "go on opening after their end" not in page
    lock = account.locks.first()
    Lock.objects.filter(pk=lock.pk).update(
        door=factories.DoorFactory(property=hotel), native_window=False
    )
    factories.key_for(Lock.objects.get(pk=lock.pk).door)
    Assignment.objects.update(written_revision=1)
    page = text_of(owner.get(address))
    assert "go on opening after their end, until they are taken off by hand: 1." in page
    assert "Type Garden to confirm" in text_of(owner.post(address, {"word": "yes"}))
    assert signed_in(hotel, Role.GENERAL_MANAGER).post(address).status_code == 403
    owner.post(address, {"word": "garden"})
    account.refresh_from_db()
    assert (account.state, account.token, account.locks.count()) == ("disconnected", "", 2)
    assert listening.try_broken(now=now()) == 0
    assert "Nothing is written to or removed" in text_of(owner.get(LIST))
    owner.post(f"{LIST}{account.pk}/reconnect/", to_ttlock(ttlock))
    account.refresh_from_db()
    assert (account.state, account.locks.count()) == ("working", 2)
    assert {lock.read_backs_left for lock in account.locks.all()} == {2}


def test_a_disconnected_account_is_an_alarm_only_while_a_guest_waits_for_it(owner, hotel):
    account = factories.AccountFactory(property=hotel)
    lock = factories.LockFactory(account=account)
    accounts.disconnect(account=account, by=factories.BY, now=now())
    alerts.look(now=now())
    assert not Alert.objects.exists()
    key = factories.key_for(lock.door)
    provisioning.ask_again(property_id=hotel.pk, now=now())
    provisioning.decide_again(now=now())
    alerts.look(now=now())
    alert = Alert.objects.get()
    assert alert.sentence.startswith(f"{account.name} is disconnected: nothing is written")
    page = text_of(owner.get(reverse("key", args=[key.pk])))
    assert f"{account.name} is disconnected from Portal." in page


def test_no_vendor_is_called_inside_a_transaction(owner, ttlock, monkeypatch):
    """The test's own transaction is the only one that is open when a vendor is asked."""
    open_ones, asks = [], accounts._ask
    depth = lambda: len(accounts.transaction.get_connection().savepoint_ids)  # noqa: E731

    def watched(call):
        open_ones.append(depth())
        return asks(call)

    begin = depth()
    monkeypatch.setattr(accounts, "_ask", watched)
    account = connected(owner, ttlock)
    owner.post(f"{LIST}{account.pk}/test/")
    owner.post(f"{LIST}{account.pk}/reconnect/", to_ttlock(ttlock))
    assert open_ones == [begin] * 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("quick")
def test_a_disconnected_lock_system_is_left_alone_and_goes_on_after_reconnect(hotel, ttlock):
    """Its code stays on the lock although the key is revoked; no call is made; Reconnect takes it off."""
    owner = signed_in(hotel, Role.OWNER)
    account = connected(owner, ttlock)
    ref = ttlock.add_lock(alias="Garden 3", gateway=5)
    lock = factories.LockFactory(
        account=account, door=factories.DoorFactory(property=hotel), external_id=ref
    )
    key = factories.key_for(lock.door)
    delivery.look(now=now())
    code = key.credentials.get().secret
    assert ttlock.try_door(ref, code)
    owner.post(reverse("disconnect_locks", args=[account.pk]), {"word": "Garden"})
    issuing.revoke(key=key, by=factories.BY, now=now())
    Lock.objects.update(read_back_at=now())
    calls = len(ttlock.calls())
    for _ in range(3):
        delivery.look(now=now())
        listening.poll_all(now=now())
        listening.try_broken(now=now())
    assert len(ttlock.calls()) == calls
    assert ttlock.try_door(ref, code)
    owner.post(f"{LIST}{account.pk}/reconnect/", to_ttlock(ttlock))
    until = time.monotonic() + 6
    while ttlock.memory(ref) and time.monotonic() < until:
        delivery.look(now=now())
    assert not ttlock.try_door(ref, code)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("quick")
def test_a_refused_account_is_one_alarm_stops_no_other_and_ends_by_itself(hotel, ttlock, settings):
    """Two accounts; one is refused in the middle of delivery. One alert, one e-mail, one more when it is over."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    boss = factories.member(hotel, Role.OWNER)
    AlertPreference.objects.create(
        property=hotel, membership=boss, by_email=True, kinds=["account"]
    )
    locks = {
        name: factories.LockFactory(
            account=factories.AccountFactory(
                property=hotel,
                driver="ttlock",
                base_url=ttlock.url,
                token=ttlock.token(**instead),
                name=name,
            ),
            door=factories.DoorFactory(property=hotel, name=name),
            external_id=ttlock.add_lock(alias=name, gateway=gateway),
        )
        for name, gateway, instead in (("Refused", 8, {"access": "void"}), ("Fine", 9, {}))
    }
    keys = {name: factories.key_for(lock.door) for name, lock in locks.items()}

    def held(name):
        return list(ttlock.memory(locks[name].external_id).values())

    def tell(later=timedelta(0)):
        alerts.look(now=now())
        alert_mails.plan(now=now() + later)
        alert_mails.send_due(now=now() + later)

    for _ in range(3):
        delivery.look(now=now())
        listening.try_broken(now=now())
        tell()
    assert (held("Refused"), held("Fine")) == ([], [keys["Fine"].credentials.get().secret])
    assert [(one.kind, one.subject, one.guests) for one in Alert.objects.all()] == [
        ("account", "Refused", 1)
    ]
    assert len(mail.outbox) == 1
    LockAccount.objects.filter(name="Refused").update_untracked(token=ttlock.token())
    assert listening.try_broken(now=now()) == 1
    until = time.monotonic() + 6
    while not held("Refused") and time.monotonic() < until:
        delivery.look(now=now())
    assert held("Refused") == [keys["Refused"].credentials.get().secret]
    tell()
    assert Alert.objects.get().closed_at is not None
    tell(later=timedelta(minutes=6))
    assert ["over: " in one.subject for one in mail.outbox] == [False, True]
    assert Assignment.objects.filter(written_revision=None).count() == 0
