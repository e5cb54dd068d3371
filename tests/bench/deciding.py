"""How fast a property's doors are decided again when its rule changed: against one UPDATE that knows the answers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from keys import provisioning
from keys.facts import answer, rows_of
from keys.models import Assignment, Recheck
from keys.rules import Hold
from locks.history import SYSTEM, acting
from locks.log_models import DoorLogEntry
from locks.models import Property
from tests.bench.figures import Figure, interleave, must
from tests.bench.hotel import Hotel, make_hotel, make_keys, make_stays, tidy
from tests.bench.processes import Kit

Rule = Property.CheckInRule
SAMPLE = 500
_UPDATE = """
UPDATE keys_assignment SET next_attempt_at = %s, waits = %s, headline = %s, headline_since = %s
WHERE property_id = %s AND reserved_digest IS NOT NULL
"""
_LOG = """
INSERT INTO locks_doorlogentry (property_id, door_id, lock_id, happened_at, received_at, origin, code, cause, kind,
  key_id, assignment_id, revision, attempt, proof, vendor_code, hint, actor, external_id)
SELECT property_id, door_id, lock_id, %s, %s, 'portal', 'resolved', headline, kind, key_id, id, revision, NULL, '', '', '',
  '', '' FROM keys_assignment WHERE property_id = %s AND reserved_digest IS NOT NULL
"""


def decide_again(kit: Kit) -> Figure:
    """The rule stays the one Python function: facts out as tuples, answers back in one statement per some thousand rows."""
    count = kit.size(100_000, 200, 20_000)
    figure = Figure(
        name="deciding",
        says=f"Deciding {count:,} assignments again / one UPDATE and its log INSERT",
        target=0.4,
        unit="rows/s",
        if_missed="Most of the time goes into reading 48 columns over nine joins and making a tuple of each row. Asking only "
        "for the distinct facts, and the rule once for each, would mend it.",
    )
    now = datetime.now(UTC)
    windows = [
        (now - timedelta(hours=1 + n % 7), now + timedelta(days=1 + n % 9)) for n in range(count)
    ]
    hotel = make_hotel(locks=kit.size(400, 10), driver="quick", base_url="0/1")
    make_keys(hotel, windows, now=now, stays=make_stays(hotel, windows, now=now))
    set_rule(hotel, Rule.EITHER)
    look(hotel, count)
    interleave(
        figure,
        kit.size(min(kit.rounds, 4), 1, 2),
        lambda: count / update_at_once(hotel),
        lambda: count / look_again(hotel, count),
    )
    figure.checked = f"all {count:,} rows have the new headline, and {SAMPLE} of them exactly what the rule says when asked alone"
    figure.beside = [
        "every row changes each time; the product's side is the task's own call, in one process"
    ]
    return figure


def set_rule(hotel: Hotel, rule: Rule) -> None:
    """As the settings page does."""
    with transaction.atomic(), acting(SYSTEM):
        hotel.property.check_in_rule = rule
        hotel.property.save()
        provisioning.ask_again(property_id=hotel.property.pk, now=datetime.now(UTC))


def look(hotel: Hotel, count: int) -> float:
    """Decide what was asked; the seconds it took."""
    now = datetime.now(UTC)
    began = time.perf_counter()
    decided = provisioning.decide_again(now=now)
    took = time.perf_counter() - began
    must(decided == count, f"{decided} rows were decided, not {count}")
    return took


def look_again(hotel: Hotel, count: int) -> float:
    """Change the rule to what it is not and decide; the seconds of deciding, with the results checked."""
    hotel.property.refresh_from_db()
    required = hotel.property.check_in_rule == Rule.NOT_REQUIRED
    set_rule(hotel, Rule.EITHER if required else Rule.NOT_REQUIRED)
    tidy("keys_assignment")
    took = look(hotel, count)
    wanted = Hold.NOT_CHECKED_IN.value if required else ""
    rows = Assignment.objects.filter(property=hotel.property)
    must(rows.filter(headline=wanted).count() == count, "not every row has the new headline")
    must(not Recheck.objects.exists(), "the question is still open")
    for told in (
        answer(row, now=datetime.now(UTC)) for row in rows_of(rows.order_by("-id")[:SAMPLE])
    ):
        same = (told.waits, told.headline) == (told.row.waits, told.row.headline)
        must(same, "a row says another thing than the rule")
    return took


def update_at_once(hotel: Hotel) -> float:
    """The least that could be done: the same columns of the same rows set in one statement, a log line for each."""
    now = datetime.now(UTC)
    tidy("keys_assignment")
    with connection.cursor() as cursor:
        began = time.perf_counter()
        with transaction.atomic():
            mine, at = hotel.property.pk, connection.ops.adapt_datetimefield_value(now)
            later = connection.ops.adapt_datetimefield_value(now + timedelta(hours=1))
            cursor.execute(_UPDATE, [later, "time", Hold.NOT_DUE_YET.value, at, mine])
            cursor.execute(_LOG, [at, at, mine])
        took = time.perf_counter() - began
    DoorLogEntry.objects.filter(property=hotel.property).delete()
    tidy("locks_doorlogentry")
    return took
