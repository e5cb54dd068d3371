"""Every time on every page is the property's, whatever zone the server or the browser is in, and its zone stands beside it."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from django.test import Client

from locks.models import Property
from portal.models import Role
from portal.roles import RIGHTS, Right
from portal.tokens import make_token
from tests import factories
from tests.factories import now
from tests.portal.test_access import TABLE, address, hotel

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
TIME = re.compile(r"(?<![\d:+.])([01]\d|2[0-3]):([0-5]\d)(?![\d:])")
KATHMANDU = 5 * 60 + 45
"""Minutes ahead of UTC: no other zone's time looks like it."""
BY_RULE = {15 * 60, 11 * 60, 22 * 60, 7 * 60}
"""Times of day that a page may show alike in every zone: arrivals, departures, quiet hours."""
BY_NIGHT = {"tonight"}
"""What is on them depends on where the hotel lies: its night ends at another moment."""


def words(page):
    text = re.sub(r"<(script|style).*?</\1>", " ", page.content.decode(), flags=re.DOTALL)
    typed = " ".join(re.findall(r'type="time"[^>]*?value="([^"]*)"', text))
    return f"{unescape(re.sub(r'<[^>]+>', ' ', text))} {typed}"


def times(text):
    """The times of day that it shows, in minutes since midnight, in order."""
    return [int(one[1]) * 60 + int(one[2]) for one in TIME.finditer(text)]


def pages(client, ids, among=TABLE):
    """Every page of these that can be looked at, by name."""
    found = {}
    for name in among:
        right, method, _ = TABLE[name]
        if isinstance(right, Right) and right in RIGHTS[Role.OWNER] and method == "GET":
            answer = client.get(address(name, ids))
            if answer.status_code == 200 and b"<main" in answer.content:
                found[name] = words(answer)
    return found


def in_zone(place, name):
    """The same hotel as if it lay there; nothing else is changed."""
    place.timezone = name
    place.save()


@pytest.mark.scenario("61")
def test_every_time_on_every_page_is_the_propertys_and_its_zone_is_named():
    """All pages are read twice, once as if the hotel lay in another zone: each time must have moved by the difference."""
    place, ids = hotel()
    client = Client()
    client.force_login(factories.member(place, Role.OWNER).user)
    in_zone(place, "Asia/Kathmandu")
    there = pages(client, ids)
    assert len(there) > 40
    assert [name for name, text in there.items() if "Asia/Kathmandu" not in text] == []
    timed = {name: found for name, text in there.items() if (found := times(text))}
    assert sum(map(len, timed.values())) > 20
    in_zone(place, "UTC")
    in_utc = pages(client, ids, timed)
    for name, is_now in timed.items():
        if name in BY_NIGHT:
            continue
        was = times(in_utc[name])
        assert len(was) == len(is_now), name
        moved = {
            (new - old) % (24 * 60)
            for old, new in zip(was, is_now, strict=True)
            if not (old == new and old in BY_RULE)
        }
        # A page that shows what time it is now may have been read a minute later.
        assert moved <= {KATHMANDU, KATHMANDU - 1, KATHMANDU - 2}, (name, moved)


@pytest.mark.scenario("61")
def test_the_api_says_moments_in_utc_and_names_the_zone_and_takes_the_propertys_times():
    place, ids = hotel()
    in_zone(place, "Asia/Kathmandu")
    member = place.memberships.get(role=Role.OWNER)
    at = now()
    _, token = make_token(
        membership=member, role=Role.OWNER, name="Kiosk", expires_at=at.replace(year=2035), now=at
    )
    heads = {"Authorization": f"Bearer {token}"}
    client = Client()
    key = client.get(f"/api/v1/keys/{ids['key_id']}/", headers=heads).json()
    assert key["timezone"] == "Asia/Kathmandu"
    assert Property.objects.get(pk=place.pk).timezone == "Asia/Kathmandu"
    changed = client.patch(
        f"/api/v1/keys/{ids['key_id']}/",
        {"ends_at": "2031-06-03T11:00"},
        content_type="application/json",
        headers=heads,
    ).json()
    assert changed["ends_at"] == "2031-06-03T05:15:00Z"
    for path in ("keys/", "door-log/", "alerts/", "outages/", "locks/", "reservations/"):
        body = client.get(f"/api/v1/{path}", headers=heads).content.decode()
        moments = re.findall(r'"(\d{4}-\d\d-\d\dT[^"]*)"', body)
        assert all(moment.endswith("Z") for moment in moments), path


def test_no_script_of_ours_shows_a_time_of_the_browser_or_reads_its_zone():
    """How long something has lain may be measured: that has no zone."""
    ours = [p for p in (ROOT / "portal/static").rglob("*.js") if "vendor" not in p.parts]
    assert ours
    asking = re.compile(r"new Date|Intl\.|toLocale\w*String|getTimezoneOffset")
    assert [p.name for p in ours if asking.search(p.read_text())] == []
