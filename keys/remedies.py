"""What to do about one reservation after an outage. Pure: facts in, a proposal out; nobody acts on it here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from pms.differences import Happened


class Remedy(StrEnum):
    """What is proposed, in the order in which it is done: what takes access away comes first."""

    REVOKE = "revoke"
    SHORTEN = "shorten"
    MOVE = "move"
    EXTEND = "extend"
    LINK = "link"
    PROVISION = "provision"
    LEAVE = "leave"


RANK = {one: place for place, one in enumerate(Remedy)}
WORDS = {
    Remedy.REVOKE: "Revoke first",
    Remedy.SHORTEN: "Shorten",
    Remedy.MOVE: "Move",
    Remedy.EXTEND: "Extend",
    Remedy.LINK: "Link to the key made by hand",
    Remedy.PROVISION: "Provision",
    Remedy.LEAVE: "Leave",
}


class Case(NamedTuple):
    """All that a proposal depends on.

    ``is_behind``: the key has not followed the PMS yet. ``held`` are doors that this outage holds, ``free`` the other
    doors of the keychain; ``twin_id`` is a key that staff made by hand for the same guest, if there is exactly one.
    """

    happened: frozenset[str]
    is_ended: bool
    has_key: bool
    key_is_over: bool
    is_behind: bool
    held: int
    free: int
    twin_id: int | None


class Proposal(NamedTuple):
    """What is proposed; ``is_done`` says that it happened by itself when Portal caught up, so nothing is left to do."""

    remedy: Remedy
    is_done: bool
    twin_id: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether something is left to do, so that it can be chosen."""
        return not self.is_done and self.remedy is not Remedy.LEAVE


def propose(case: Case) -> Proposal:
    """The remedy for one reservation."""
    if case.is_ended:
        return _of_ended(case)
    if case.has_key and not case.key_is_over and case.held:
        if case.twin_id is not None and not case.free:
            return Proposal(Remedy.LINK, is_done=False, twin_id=case.twin_id)
        return Proposal(Remedy.PROVISION, is_done=False)
    change = _change(case.happened)
    if change is None or not case.has_key:
        return Proposal(Remedy.LEAVE, is_done=True)
    return Proposal(change, is_done=not case.is_behind)


def _of_ended(case: Case) -> Proposal:
    if not case.has_key:
        return Proposal(Remedy.LEAVE, is_done=True)
    return Proposal(Remedy.REVOKE, is_done=case.key_is_over and not case.is_behind)


def _change(happened: Iterable[str]) -> Remedy | None:
    found = set(happened)
    if Happened.SHORTENED in found or Happened.CHECK_IN_UNDONE in found:
        return Remedy.SHORTEN
    if found & {Happened.MOVED, Happened.ROOM_ASSIGNED, Happened.ROOM_UNASSIGNED}:
        return Remedy.MOVE
    if found & {Happened.EXTENDED, Happened.ARRIVAL_CHANGED, Happened.REOPENED}:
        return Remedy.EXTEND
    return None


class ByHand(NamedTuple):
    """A key that staff made by hand during the outage, and one door that it opens."""

    key_id: int
    label: str
    starts_at: datetime
    ends_at: datetime
    door_id: int


class Wanted(NamedTuple):
    """What a key made by hand must fit: the room's doors, the window and the guest, who may have no name."""

    stay_id: int
    guest: str
    starts_at: datetime
    ends_at: datetime
    room_doors: frozenset[int]


def twins(wanted: Iterable[Wanted], made: Iterable[ByHand]) -> dict[int, int]:
    """By stay the key made by hand that is surely meant: it fits this stay alone, and no other key fits the stay."""
    by_door: dict[int, list[ByHand]] = {}
    for one in made:
        by_door.setdefault(one.door_id, []).append(one)
    fits = [
        (stay.stay_id, key.key_id)
        for stay in wanted
        for door_id in stay.room_doors
        for key in by_door.get(door_id, ())
        if _fits(stay, key)
    ]
    keys_of: dict[int, set[int]] = {}
    stays_of: dict[int, set[int]] = {}
    for stay_id, key_id in fits:
        keys_of.setdefault(stay_id, set()).add(key_id)
        stays_of.setdefault(key_id, set()).add(stay_id)
    return {
        stay_id: key_id
        for stay_id, (key_id, *more) in ((s, list(k)) for s, k in keys_of.items())
        if not more and len(stays_of[key_id]) == 1
    }


def _fits(stay: Wanted, key: ByHand) -> bool:
    overlap = stay.starts_at < key.ends_at and key.starts_at < stay.ends_at
    return overlap and (not stay.guest or same_name(stay.guest, key.label))


def same_name(one: str, other: str) -> bool:
    """Whether two names are written for the same guest: case, accents, commas and order do not matter."""
    return _parts(one) == _parts(other)


def _parts(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return sorted(re.findall(r"\w+", bare))
