"""The API takes a batch of events, whole or not at all, and the same again changes nothing."""

from __future__ import annotations

import pytest

from locks import intake
from locks.intake_models import Intake
from locks.log_models import DoorLogEntry
from locks.models import Lock
from tests.api.world import ApiClient

AT = "2026-11-24T18:05:00Z"


@pytest.fixture(autouse=True)
def rung(monkeypatch):
    bells = []
    monkeypatch.setattr("locks.api.ring", bells.append)
    return bells


@pytest.fixture
def ref(seaview):
    return Lock.objects.filter(property=seaview.property).first().external_id


def event(ref, **more):
    return {"lock": ref, "type": "unlocked", "happened_at": AT, "event_id": "e1", **more}


def test_a_batch_is_stored_at_once_and_in_the_log_when_it_was_taken_in(api, ref, rung):
    batch = {"events": [event(ref), event(ref, event_id="e2", type="locked")]}
    for _ in range(2):
        answer = api.post("door-log/", batch)
        assert (answer.status_code, answer.json()) == (202, {"stored": 2})
    assert rung == [intake.BELL] * 2
    assert intake.work_off() == 2
    rows = api.get("door-log/").json()["results"]
    assert sorted(row["code"] for row in rows) == ["locked", "unlocked"]


def test_of_a_batch_with_a_mistake_nothing_is_stored_and_each_mistake_has_its_place(api, ref):
    batch = {"events": [event(ref), event(ref, type="sung"), event("L?", happened_at=AT)]}
    answer = api.post("door-log/", batch)
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["errors"]] == ["events.1.type", "events.2.lock"]
    assert not Intake.objects.exists()
    assert not DoorLogEntry.objects.exists()


@pytest.mark.parametrize(
    "body", [{}, {"events": []}, {"events": ["x"]}, {"events": "x"}, {"event": []}, [1]]
)
def test_what_is_no_batch_is_refused_in_words(api, ref, body):
    answer = api.post("door-log/", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"]
    assert api.post("door-log/", {"events": [event(ref)] * 1001}).status_code == 400


def test_their_locks_are_no_locks_and_the_team_may_not(seaview, other, ref):
    theirs = Lock.objects.filter(property=other.property).first()
    Lock.objects.filter(pk=theirs.pk).update(external_id="theirs")
    answer = ApiClient(seaview).post("door-log/", {"events": [event("theirs")]})
    assert answer.json()["errors"][0]["field"] == "events.0.lock"
    for role in ("team", "housekeeping", "installer"):
        body = {"events": [event(ref)]}
        assert ApiClient(seaview, role=role).post("door-log/", body).status_code == 403
