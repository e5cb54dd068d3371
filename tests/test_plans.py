"""How PostgreSQL reads for every list, beside tens of thousands of rows: by an index, about what it shows, and no more."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from keys import alerts, messages
from keys.models import BulkChange, Key, Recovery
from locks.models import Door, LockAccount
from pms.models import Integration, Outage, Room
from portal.models import Role
from portal.tokens import make_token
from tests import factories
from tests.crowd import Crowd

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.django_db]
SIZE = 20_000
AT_MOST = 10 * 51
"""Rows that one step of a plan may read for a page."""
COUNTS = 5_000
"""What a step of the counts may read, which stop at a thousand keys."""
ALL_THAT_WAIT = SIZE // 8
"""Filters by what waits, and an outage, may read all keys that are not over, but never the others."""
WHOLE = ("pending=", "waits=", "affected", "outages/", "forecast")
BIG = re.compile(
    "keys_(recoveryrow|bulkrow|key|person|guest|keychaindoor|credential|assignment)$|locks_doorlogentry|pms_reservation"
)


@pytest.fixture
def crowd(db):
    """Two hotels of many years."""
    return Crowd(SIZE)


@pytest.fixture
def staff(crowd):
    client = Client()
    client.force_login(
        factories.member(crowd.property, Role.OWNER).user,
        "django.contrib.auth.backends.ModelBackend",
    )
    return client


@pytest.fixture
def program(crowd):
    cache.clear()
    _, secret = make_token(
        membership=factories.member(crowd.property, Role.OWNER),
        role=Role.OWNER,
        name="plans",
        expires_at=factories.now() + timedelta(days=1),
        now=factories.now(),
    )
    return Client(headers={"Authorization": f"Bearer {secret}"})


def nodes(plan):
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def read_by(node) -> float:
    """Rows that a step read from its table or index, however many of them it let through."""
    passed = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return (passed + node.get("Rows Removed by Index Recheck", 0)) * node["Actual Loops"]


def faults_of(sql: str, most: int) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.replace('%', '%%')}", [])
        plan = cursor.fetchone()[0]
    plan = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    most = COUNTS if "COUNT(" in sql else most
    found = []
    for node in nodes(plan):
        table, kind = node.get("Relation Name", ""), node["Node Type"]
        if kind == "Seq Scan" and BIG.match(table) and read_by(node):
            found.append(f"reads all of {table}")
        if "Scan" in kind and kind != "Seq Scan" and read_by(node) > most:
            found.append(f"{kind} of {table or node.get('Index Name')} reads {read_by(node):.0f}")
        if "Sort" in kind and node["Actual Rows"] > most:
            found.append(f"sorts {node['Actual Rows']} rows")
    return found


def opened(client: Client, address: str, faults: dict[str, object]):
    """Open a page, look at the plan of every statement that it made, and return the answer."""
    with CaptureQueriesContext(connection) as made:
        answer = client.get(address)
    assert answer.status_code == 200, answer.content[:300]
    all_that_wait = any(word in address for word in WHOLE)
    most = ALL_THAT_WAIT if all_that_wait else AT_MOST
    for query in made.captured_queries:
        reads = query["sql"].startswith("SELECT") and "FOR UPDATE" not in query["sql"]
        if found := reads and faults_of(query["sql"], most):
            faults[f"{address}: {query['sql'][:3000]}"] = found
    return answer


PORTAL = [
    "/handover/",
    "/tonight/",
    "/keys/",
    "/keys/?group=upcoming",
    "/keys/?group=past",
    "/keys/?group=revoked",
    "/keys/?pending=someone",
    "/keys/?pending=lock",
    "/keys/?pending=time",
    "/keys/?pending=removal",
    "/keys/?q=Zebedee",
    "/keys/?q=common",
    "/keys/?q=common&group=past",
    "/keys/?q=Zebedee&group=current",
    "/keys/?q=No+such+guest",
    "/keys/?q=7000",
    "/keys/?q=719999",
    "/keys/?q=Room+17",
    "/keys/?q=Room+17&group=past",
    "/doors/",
    "/doors/?q=Room+2",
    "/alerts/",
    "/alerts/?show=past",
    "/locks/ghosts/",
    "/locks/foreign/",
    "/locks/backups/",
    "/locks/forecast/",
    "/log/",
    "/log/?code=4117",
    "/log/?code=unlocked",
    "/log/?code=tamper",
    "/log/?door={door}",
    "/log/?door={door}&code=4117",
    "/log/?door={door}&code=written",
    "/keys/bulk/?action=revoke&key={key}",
    "/keys/bulk/{change}/",
    "/keys/bulk/{change}/?state=failed",
    "/keys/affected/",
    "/keys/recoveries/{recovery}/",
    "/keys/recoveries/{recovery}/?state=done",
    "/keys/recoveries/{recovery}/?state=failed",
    "/keys/{key}/",
    "/doors/{door}/",
    "/settings/lock-systems/",
    "/settings/lock-systems/{account}/disconnect/",
    "/settings/integrations/",
    "/settings/integrations/{integration}/rooms/",
    "/settings/integrations/{integration}/rooms/?unmapped=1",
    "/settings/integrations/{integration}/rooms/{room}/",
    "/settings/integrations/{integration}/rooms/doors/",
    "/doors/{door}/edit/",
]
API = [
    "handover/",
    "tonight/",
    "keys/",
    "keys/?state=upcoming",
    "keys/?state=current",
    "keys/?state=past",
    "keys/?state=revoked",
    "keys/?pending=true",
    "keys/?pending=false",
    "keys/?waits=someone",
    "keys/?waits=lock&state=current",
    "keys/?door={door}",
    "keys/?search=Zebedee",
    "keys/?search=common",
    "keys/?search=7000",
    "doors/",
    "locks/",
    "door-log/",
    "door-log/?code=4117",
    "door-log/?door={door}",
    "door-log/?key={key}",
    "alerts/",
    "episodes/",
    "episodes/?kind=4117",
    "reservations/",
    "reservations/?number=710000",
    "reservations/?arrival_from=2026-11-01",
    "reservations/?came_in_during_outage={outage}",
    "outages/",
    "outages/{outage}/reservations/",
    "recoveries/",
    "recoveries/{recovery}/rows/",
    "recoveries/{recovery}/rows/?state=failed",
]


def filled(address: str, crowd: Crowd) -> str:
    hotel = crowd.property
    return address.format(
        door=Door.objects.filter(property=hotel).order_by("id")[17].pk,
        key=Key.objects.filter(property=hotel).order_by("starts_at")[SIZE // 2].pk,
        outage=Outage.objects.get(property=hotel).pk,
        integration=Integration.objects.get(property=hotel).pk,
        account=LockAccount.objects.filter(property=hotel).order_by("id")[0].pk,
        room=Room.objects.filter(property=hotel).order_by("id")[17].pk,
        change=BulkChange.objects.get(property=hotel).pk,
        recovery=Recovery.objects.get(property=hotel).pk,
    )


def test_every_page_of_the_portal_reads_by_an_index_about_what_it_shows(crowd, staff):
    faults = {}
    for address in (filled(each, crowd) for each in PORTAL):
        answer = opened(staff, address, faults)
        if after := (answer.context or {}).get("next"):
            opened(staff, f"{address}{'&' if '?' in address else '?'}after={after}", faults)
    assert faults == {}


def test_every_list_of_the_api_reads_by_an_index_about_what_it_shows(crowd, program):
    faults = {}
    for address in (filled(each, crowd) for each in API):
        answer = opened(program, f"/api/v1/{address}", faults).json()
        if answer.get("next"):
            opened(program, answer["next"], faults)
    assert faults == {}


def test_a_look_for_alerts_reads_what_is_live_and_never_the_years_before(crowd):
    one_pass = "reads all of keys_keychaindoor"  # for the thousands in house at once
    what_is_live = "Bitmap Index Scan of assignments_live"  # that index holds nothing else
    with CaptureQueriesContext(connection) as made:
        alerts.look(now=factories.now())
    faults = {
        query["sql"][:3000]: found
        for query in made.captured_queries
        if query["sql"].startswith("SELECT")
        if (
            found := [
                fault
                for fault in faults_of(query["sql"], 2 * ALL_THAT_WAIT)
                if not fault.startswith((one_pass, what_is_live))
            ]
        )
    }
    assert faults == {}


def test_the_page_of_a_lock_reads_what_is_live_and_never_the_years_before(crowd, staff):
    lock = Door.objects.filter(property=crowd.property).order_by("id")[17].lock
    with CaptureQueriesContext(connection) as made:
        assert staff.get(f"/locks/{lock.pk}/").status_code == 200
    faults = {
        query["sql"][:3000]: found
        for query in made.captured_queries
        if query["sql"].startswith("SELECT") and (found := faults_of(query["sql"], ALL_THAT_WAIT))
    }
    assert faults == {}


def test_the_preview_of_another_mapping_reads_the_keys_of_its_room(crowd, staff):
    room = Room.objects.filter(property=crowd.property).order_by("id")[17]
    address = filled("/settings/integrations/{integration}/rooms/", crowd) + f"{room.pk}/"
    had = staff.get(address).context["seen"]
    with CaptureQueriesContext(connection) as made:
        page = staff.post(address, {"had": had})
    assert page.context["preview"].keys > 0
    faults = {
        query["sql"][:3000]: found
        for query in made.captured_queries
        if query["sql"].startswith("SELECT") and (found := faults_of(query["sql"], AT_MOST))
    }
    assert faults == {}


def test_what_is_due_to_guests_is_found_among_who_is_not_over(crowd):
    crowd.property.guest_messages = "on_key"
    crowd.property.save()
    with CaptureQueriesContext(connection) as made:
        list(messages.candidates(now=factories.now()))
    for query in made.captured_queries:
        found = faults_of(query["sql"], 2 * ALL_THAT_WAIT)
        # For hundreds at a time a pass over a table of this size is cheaper than as many look-ups.
        assert not [fault for fault in found if "reads all" not in fault], (query["sql"], found)
