"""Every list goes on by a cursor: each row once, in order, and no more than a page at a time."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from keys.models import Assignment, Key
from locks.log_models import DoorLogEntry
from portal.models import Role
from portal.staff import key_list, pages
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db
SIZE, MANY = 4, 10


@pytest.fixture
def client(lock):
    signed_in = Client()
    signed_in.force_login(factories.member(lock.property, Role.OWNER).user)
    return signed_in


@pytest.fixture(autouse=True)
def short_pages(monkeypatch):
    monkeypatch.setattr(pages.turn, "__kwdefaults__", {"size": SIZE})
    monkeypatch.setattr(key_list, "PAGE", SIZE)


def walk(client, address, name):
    """The rows of all pages, following the link to the next one as a person would."""
    rows, seen = [], set()
    while address:
        assert address not in seen, "the pages go round in a circle"
        seen.add(address)
        page = client.get(address)
        found = list(page.context[name])
        assert len(found) <= SIZE
        rows += found
        text = page.content.decode()
        more = re.findall(r'class="pager">\s*<a class="btn[^"]*"\s*href="(\?[^"]*)"', text)
        address = address.partition("?")[0] + more[0].replace("&amp;", "&") if more else ""
    return rows


def test_what_waits_for_someone_shows_each_key_once_soonest_first(client, lock):
    start = now() + timedelta(days=1)
    for n in range(MANY):
        at = start + timedelta(hours=n // 3)  # several at the same moment
        factories.key_for(
            lock.door,
            factories.DoorFactory(property=lock.property),
            allow=False,
            starts_at=at,
            ends_at=at + timedelta(days=1),
        )
    Assignment.objects.update(waits="someone", headline="disabled_by_staff")
    lines = walk(client, "/keys/?pending=someone", "lines")
    seen = [line.key.pk for line in lines]
    assert len(seen) == len(set(seen)) == MANY
    starts = [line.key.starts_at for line in lines]
    assert starts == sorted(starts)


@pytest.mark.parametrize(
    "address",
    [
        "/keys/?group=current",
        "/keys/?group=upcoming",
        "/keys/?group=past",
        "/keys/?group=revoked",
        "/keys/?q=Ada",
    ],
)
def test_keys_of_each_group_and_of_a_search(client, lock, address):
    shift = {"upcoming": 5, "past": -5}.get(address.partition("=")[2], 0)
    start = now() + timedelta(days=shift)
    for n in range(MANY):
        at = start - timedelta(minutes=n // 2)
        factories.key_for(lock.door, starts_at=at, ends_at=at + timedelta(days=1))
    if "revoked" in address:
        for key in Key.objects.all():
            key.revoked_at, key.revoked_because = now(), "staff"
            key.save()
    keys = [line.key.pk for line in walk(client, address, "lines")]
    assert len(keys) == len(set(keys)) == MANY


def test_doors_and_locks(client, lock):
    for _ in range(MANY - 1):
        factories.LockFactory(account=lock.account)
    for address, name in (("/doors/", "doors"), ("/settings/locks/", "locks")):
        rows = [row.pk for row in walk(client, address, name)]
        assert len(rows) == len(set(rows)) == MANY, address


def test_lock_accounts(client, lock):
    for _ in range(MANY - 1):
        factories.AccountFactory(property=lock.property)
    seen = [line.account.pk for line in walk(client, "/settings/lock-systems/", "lines")]
    assert len(seen) == len(set(seen)) == MANY


def test_what_is_on_a_lock(client, lock):
    for _ in range(MANY):
        factories.key_for(lock.door)
    Assignment.objects.update(written_revision=1)
    rows = [place.pk for place in walk(client, f"/doors/{lock.door_id}/", "on_it")]
    assert len(rows) == len(set(rows)) == MANY


@pytest.mark.parametrize("which", ["", "?key=7", "?door={door}", "?code=written"])
def test_the_door_log_whole_and_of_one_key_door_or_code(client, lock, which):
    at = now()
    DoorLogEntry.objects.bulk_create(
        DoorLogEntry(
            property=lock.property,
            door=lock.door,
            key_id=7,
            happened_at=at - timedelta(minutes=n // 2),
            received_at=at,
            origin="portal",
            code="written",
        )
        for n in range(MANY)
    )
    address = "/log/" + which.format(door=lock.door_id)
    rows = [line.entry.pk for line in walk(client, address, "lines")]
    assert len(rows) == len(set(rows)) == MANY


def test_housekeeping_does_not_filter_the_log_by_key(lock):
    worker = Client()
    worker.force_login(factories.member(lock.property, Role.HOUSEKEEPING).user)
    assert worker.get("/log/?key=7").context["key_id"] is None


def test_a_long_history_is_shown_whole_on_request(client, lock):
    key = factories.key_for(lock.door)
    for _ in range(70):
        key.ends_at += timedelta(minutes=1)
        key.save()
    address = reverse("key", args=[key.pk])
    page = client.get(address)
    assert len(page.context["story"]) == 60
    assert "?history=all" in page.content.decode()
    assert len(client.get(address, {"history": "all"}).context["story"]) == 73


@pytest.mark.parametrize("which", ["", "?show=past"])
def test_open_and_past_alerts(client, lock, which):
    for n in range(MANY):
        closed_at = now() - timedelta(minutes=n // 2) if which else None
        factories.alert_at(lock.property, about=f"door:{n}", rank=n // 3, closed_at=closed_at)
    alerts = [line.alert for line in walk(client, f"/alerts/{which}", "lines")]
    assert len({one.pk for one in alerts}) == len(alerts) == MANY
    if not which:
        assert [one.rank for one in alerts] == sorted(one.rank for one in alerts)
