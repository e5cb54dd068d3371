"""The figures' own arithmetic, and each figure once in tiny: it must do all the work and find its results right."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.bench import (
    deciding,
    delivery,
    door_log,
    figures,
    hooks,
    key_list,
    releasing,
    resync,
    troubled_locks,
)
from tests.bench.figures import Figure, WrongResult
from tests.bench.processes import ROOT, Kit


def figure(**given):
    values = {"name": "speed", "says": "Speed / limit", "target": 0.8, "unit": "a second"}
    return Figure(**values | given)


def test_the_ratio_is_the_median_of_the_rounds():
    seen = figure(limit=[100.0, 50.0, 200.0], product=[90.0, 10.0, 170.0])
    assert seen.ratio == pytest.approx(0.85)
    assert seen.reached
    assert not figure(limit=[100.0], product=[79.0]).reached


def test_a_ratio_that_must_stay_below_is_reached_from_below():
    assert figure(at_most=True, target=1.2, limit=[10.0], product=[12.0]).reached
    assert not figure(at_most=True, target=1.2, limit=[10.0], product=[12.1]).reached


def test_a_figure_that_failed_is_not_reached_and_says_why():
    failed = figure(error="not every row is confirmed", product=[100.0], limit=[1.0])
    assert not failed.reached
    assert "failed: not every row is confirmed" in figures.as_text([failed])


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([5, 1, 3], 0.5, 3), (range(1, 101), 0.95, 95), (range(1, 101), 0.99, 99), ([7], 0.99, 7)],
)
def test_percentiles_are_values_that_were_seen(values, share, expected):
    assert figures.percentile(list(values), share) == expected


def test_rounds_take_turns_and_the_first_is_thrown_away():
    seen, calls = figure(), []

    def measured(name):
        calls.append(name)
        return float(len(calls))

    figures.interleave(seen, 2, lambda: measured("limit"), lambda: measured("product"))
    assert calls == ["limit", "product", "product", "limit", "limit", "product"]
    assert (seen.limit, seen.product) == ([4.0, 5.0], [3.0, 6.0])


def test_json_comes_back_as_it_was_and_carries_the_ratio(tmp_path):
    seen = figure(limit=[100.0], product=[90.0], beside=["two processes"])
    figures.write_json(tmp_path / "a" / "found.json", {"line": "a machine"}, [seen])
    assert figures.read_json(tmp_path / "a" / "found.json") == ({"line": "a machine"}, [seen])
    written = json.loads((tmp_path / "a" / "found.json").read_text())["figures"][0]
    assert (written["ratio"], written["reached"]) == (0.9, True)


def test_the_document_keeps_what_stands_around_the_table(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{figures.BEGIN}\nold\n{figures.END}\nafter\n")
    table = figures.as_markdown(
        {"PostgreSQL": {"line": "a machine"}},
        {"PostgreSQL": [figure(limit=[100.0], product=[70.0], checked="all of it")]},
    )
    figures.write_block(page, table)
    text = page.read_text()
    assert text.startswith(f"before\n{figures.BEGIN}\n### PostgreSQL")
    assert text.endswith(f"{figures.END}\nafter\n")
    assert "| Speed / limit | 100 a second | 70 a second | ≥ 0.8 | 0.70 | **missed** |" in text
    assert "old" not in text


def test_a_document_without_a_place_is_left_alone(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text("nothing here\n")
    with pytest.raises(ValueError, match="no place"):
        figures.write_block(page, "table")
    assert page.read_text() == "nothing here\n"


def test_a_figure_that_nobody_knows_is_refused_by_name():
    command = [sys.executable, "-m", "tests.bench", "speed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no figure is called speed" in done.stderr


@pytest.fixture
def kit(tmp_path, settings):
    settings.SWEEP_EVERY_S = 1.0
    made = Kit(tmp_path, small=True, rounds=1)
    yield made
    for process in made.started:
        made.end(process)


@pytest.mark.django_db(transaction=True)
class TestEachFigureInTiny:
    def test_delivery_at_once(self, kit):
        seen = delivery.at_once(kit)
        assert len(seen.limit) == len(seen.product) == 1
        assert seen.ratio > 0

    def test_delivery_to_slow_locks(self, kit):
        seen = delivery.slow_locks(kit)
        assert 0 < seen.ratio < 1.05  # nobody is quicker than the locks
        assert any("over HTTP" in note for note in seen.beside)

    def test_locks_behind_gateways(self, kit):
        assert troubled_locks.behind_gateways(kit).ratio > 0.95  # nobody is quicker than a gateway

    def test_healthy_locks_beside_hung_ones(self, kit):
        assert troubled_locks.beside_hung(kit).ratio > 0

    def test_a_lock_that_is_away_for_days(self, kit):
        seen = troubled_locks.away(kit)
        assert seen.reached
        assert seen.product[0] > 5

    def test_deciding_again(self, kit):
        assert deciding.decide_again(kit).ratio > 0

    def test_releasing_after_an_outage(self, kit):
        assert releasing.release_all(kit).ratio > 0

    def test_the_answer_to_a_release(self, kit):
        assert releasing.answer(kit).product[0] > 0

    def test_webhooks(self, kit):
        assert hooks.against_insert(kit).ratio > 0

    def test_webhooks_while_a_worker_is_busy(self, kit):
        assert hooks.while_busy(kit).product[0] > 0

    def test_resync_after_an_outage(self, kit):
        rate, end, own = resync.resync(kit)
        assert 0 < rate.ratio < 1.3  # nobody is quicker than the pace, but for a short burst
        assert end.reached
        assert own.product[0] < own.limit[0]

    def test_webhooks_while_a_resync_runs(self, kit):
        assert resync.webhooks(kit).product[0] > 0

    def test_events_come_into_the_door_log(self, kit):
        for figure in (door_log.in_bulk(kit), door_log.in_pages(kit), door_log.when_large(kit)):
            assert figure.ratio > 0

    def test_the_key_list(self, kit):
        assert key_list.flat(kit).ratio > 0
        assert key_list.queries(kit).reached


@pytest.mark.django_db(transaction=True)
def test_a_delivery_that_left_something_out_is_no_figure(kit):
    hotel = delivery.make_hotel(locks=2, driver="quick", base_url="0/1")
    ids = delivery.make_keys(hotel, [delivery.a_stay(delivery.now())] * 4, now=delivery.now())
    (kit.folder / "calls").mkdir()
    with pytest.raises(WrongResult, match="not every row is confirmed"):
        delivery.check(kit, hotel, ids)
