"""What a Z-Wave JS server tells, in our words: the rules, without a server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from locks.drivers import EventType
from locks.drivers.zwave_events import Ear
from tests.locks.contract import CODE

if TYPE_CHECKING:
    from locks.drivers import LockEvent


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"type": 6, "event": 1}, (EventType.LOCKED, "manual")),
        ({"type": 6, "event": 4}, (EventType.UNLOCKED, "remote")),
        ({"type": 6, "event": 9}, (EventType.LOCKED, "automatic")),
        ({"type": 6, "event": 16}, (EventType.LOCKED_OUT, "")),
        ({"type": 6, "event": 36}, (EventType.UNLOCKED, "credential")),
        ({"type": 6, "event": 48}, (EventType.DENIED, "outside_window")),
        ({"type": 7, "event": 3}, (EventType.TAMPER, "cover")),
        ({"type": 6, "event": 18}, None),
        ({"type": 4, "event": 2}, None),
    ],
)
def test_what_notifications_mean(said: dict[str, int], meant: tuple[EventType, str] | None) -> None:
    ear = Ear(1, {})
    told = ear.hear(
        {"source": "node", "event": "notification", "nodeId": 5, "ccId": 113, "args": said},
        now=datetime.now(UTC),
        clock=0.0,
    )
    assert [(event.type, event.reason) for event in told] == ([meant] if meant else [])


def test_a_door_is_told_once_and_only_when_it_moves() -> None:
    def door(key: str, new: int, old: int) -> dict[str, object]:
        args = {"commandClass": 113, "property": "Access Control", "propertyKey": key}
        return {
            "source": "node",
            "event": "value updated",
            "nodeId": 5,
            "args": args | {"newValue": new, "prevValue": old},
        }

    ear = Ear(1, {})
    moves = [("Door state", 22, 23), ("Door state (simple)", 22, 23), ("Door state", 22, 22)]
    moves += [("Door state", 23, 22)]
    told: list[LockEvent] = []
    for key, new, old in moves:
        told += ear.hear(door(key, new, old), now=datetime.now(UTC), clock=0.0)
    assert [event.type for event in told] == [EventType.OPENED, EventType.CLOSED]


def test_a_node_that_was_excluded_is_removed_from_the_account() -> None:
    gone = {"source": "controller", "event": "node removed", "node": {"nodeId": 9}}
    [event] = Ear(7, {}).hear(gone, now=datetime.now(UTC), clock=0.0)
    assert (event.type, event.lock_ref) == (EventType.REMOVED_FROM_ACCOUNT, "7-9")


def test_a_change_waits_for_the_word_of_who_made_it() -> None:
    def hear(ear: Ear, name: str, clock: float, **args: object) -> list[LockEvent]:
        said = {"source": "node", "event": name, "nodeId": 5, "args": args}
        return ear.hear(said, now=datetime.now(UTC), clock=clock)

    added = {"type": 6, "event": 14, "parameters": {"userId": 2, "userCode": CODE}}
    ear = Ear(1, {}, echo_s=3.0)
    assert hear(ear, "notification", 0.0, **added) == []
    hear(ear, "credential added", 1.0, credentialSlot=2, data=CODE)
    assert (ear.due(clock=9.0), ear.next_due()) == ([], None)
    assert hear(ear, "notification", 2.0, **added) == []
    assert ear.due(clock=9.0) == []
    hear(ear, "notification", 20.0, **added)
    assert ear.next_due() == 23.0
    assert ear.due(clock=22.0) == []
    [event] = ear.due(clock=23.0)
    assert (event.type, event.address) == (EventType.CHANGED_AT_LOCK, "2")
    assert CODE not in repr(event)


def test_a_low_battery_is_told_once_on_its_way_down() -> None:
    def hear(ear: Ear, what: str, new: object, old: object) -> list[LockEvent]:
        args = {"commandClass": 128, "property": what, "newValue": new, "prevValue": old}
        said = {"source": "node", "event": "value updated", "nodeId": 5, "args": args}
        return ear.hear(said, now=datetime.now(UTC), clock=0.0)

    ear = Ear(1, {})
    told = [hear(ear, "level", *pair) for pair in ((21, 22), (20, 21), (19, 20), (90, 19))]
    assert [[event.battery for event in each] for each in told] == [[], [20], [], []]
    assert [event.type for event in hear(ear, "isLow", new=True, old=False)] == [
        EventType.BATTERY_LOW
    ]
