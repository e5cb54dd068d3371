"""Talking to one lock behind Zigbee2MQTT: commands that nobody acknowledges, and the proof of what they came to.

A lock's message repeats all that the bridge remembers of it, old places too, so it proves something only after an own
``get``; another report may come in between with the old memory, so the last message in a short time counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from locks.drivers import Cause, Grant, Kind, LockError, Outcome, Place, Proof, Result, Retry, Scope
from locks.drivers import zigbee2mqtt_words as words
from locks.drivers.zigbee2mqtt_line import Ear, Line, Refused, Word
from locks.drivers.zigbee2mqtt_words import Device, Failure, Seen

READS = 2
Test = Callable[[Seen], bool]


def never(_: Seen) -> bool:
    """No message is enough: the last one counts."""
    return False


@dataclass(slots=True, kw_only=True)
class Door:
    """One lock for the length of one call. ``proof_s`` is how long the last word on a place may take; ``by`` ends the call.

    Methods raise Refused when the line is lost.
    """

    line: Line
    device: Device
    ear: Ear
    proof_s: float
    by: float
    failures: list[Failure] = field(default_factory=list)

    @property
    def shows_pins(self) -> bool:
        """Whether messages of this lock show PINs that it was asked for."""
        return self.device.ref in (self.line.bridge.shows_pins or ())

    @property
    def is_time_up(self) -> bool:
        """Whether the call has to end."""
        return asyncio.get_running_loop().time() >= self.by

    async def say(self, verb: str, doc: dict[str, Any]) -> None:
        """Publish a ``set`` or a ``get``. What was said before is no answer to it."""
        self.failures = [each for each in self.failures if each.verb != verb]
        while not self.ear.empty():
            self._take(self.ear.get_nowait())
        await self.line.say(f"{self.device.name}/{verb}", doc)

    async def next_doc(self, until: float) -> dict[str, Any] | None:
        """The next message of this lock, None when there is none in time. Failures are put aside."""
        while True:
            try:
                async with asyncio.timeout_at(min(until, self.by)):
                    word = await self.ear.get()
            except TimeoutError:
                return None
            if self._take(word):
                return cast("dict[str, Any]", word.doc)
            if self.failed("get"):
                return None

    def _take(self, word: Word) -> bool:
        """Whether this is a message of the lock. A failure of its commands is put aside."""
        if word.is_end:
            raise Refused(words.NOT_SENT)
        if word.topic == "bridge/logging":
            failure = words.failure_in(word.doc)
            if failure is not None and failure.name == self.device.name:
                self.failures.append(failure)
        return word.topic == self.device.name and isinstance(word.doc, dict)

    def failed(self, verb: str) -> Failure | None:
        """What the bridge would not even send, of the last commands."""
        told = (each for each in self.failures if each.verb == verb and each.is_malformed)
        return next(told, None)

    async def read(self, place: int, *, enough: Test = never) -> Seen | None:
        """The last word on a place after an own ``get``, or the first that is enough. None when there was none.

        Raises Refused also when the call has no time left.
        """
        if self.is_time_up:
            raise Refused(words.BUSY)
        await self.say("get", {"pin_code": {"user": place}})
        until = asyncio.get_running_loop().time() + self.proof_s
        last = None
        while (doc := await self.next_doc(until)) is not None:
            seen = words.place_in(doc, place)
            if seen is not None:
                last = seen
                if enough(seen):
                    break
        return last

    async def read_patiently(self, place: int, *, enough: Test) -> Seen | None:
        """The same, asked once more if there was no answer."""
        seen = None
        for _ in range(READS):
            seen = await self.read(place, enough=enough)
            if seen is not None or self.failed("get") or self.is_time_up:
                break
        return seen

    async def prove(self, place: int, *, shows: Test, at_once: bool) -> tuple[bool, bool]:
        """Whether the lock shows it, and whether it answered at all.

        ``at_once`` is for what the bridge's memory did not show before: then only the lock can have said it.
        Otherwise a message that fits may be old, and the last one counts.
        """
        answered = False
        for _ in range(READS):
            seen = await self.read(place, enough=shows if at_once else never)
            answered = answered or seen is not None
            if (seen is not None and shows(seen)) or self.failed("set") or self.is_time_up:
                return seen is not None and shows(seen), answered
        return False, answered

    async def read_many(self, places: Sequence[int]) -> dict[int, Seen | None]:
        """What can be read in time, one place after the other; None for a place that the device does not have.

        A place is done with the first message that shows it. Messages are waited for after the last one, and what they
        show of all places counts.
        """
        loop = asyncio.get_running_loop()
        seen: dict[int, Seen | None] = {}
        for place in places:
            if loop.time() + self.proof_s >= self.by:
                break
            answer = await self.read_patiently(place, enough=lambda _: True)
            if answer is None and not self.failed("get"):
                break
            seen[place] = answer
        settled = loop.time() + self.proof_s
        while seen and (doc := await self.next_doc(settled)) is not None:
            now = {place: words.place_in(doc, place) for place, was in seen.items() if was}
            seen |= {place: each for place, each in now.items() if each is not None}
        return seen


async def write(door: Door, grant: Grant) -> Outcome:
    """One credential. Nothing is sent unless the lock answered just before.

    Where PINs are hidden a place that is taken looks the same before and after: it is emptied first, and so proven.
    """
    place = number_of(grant.address)
    if (error := _unfit(grant, place)) is not None or place is None:
        return Outcome(result=Result.FAILED, address=grant.address, error=error)
    shows_pins = door.shows_pins
    before = await _before(door, place, enough=lambda seen: seen.is_taken or shows_pins)
    if not isinstance(before, Seen):
        return Outcome(result=Result.FAILED, address=grant.address, error=before)
    emptied = before.is_taken and not shows_pins
    if (
        emptied
        and (
            gone := await clear(
                door, Place(handle=grant.handle, kind=grant.kind, address=grant.address)
            )
        ).result
        is not Result.CONFIRMED
    ):
        return gone
    wish = {
        "user": place,
        "user_type": "unrestricted",
        "user_enabled": True,
        "pin_code": grant.secret,  # as text: a number would lose its leading zeros
    }

    def shows(seen: Seen) -> bool:
        return seen.is_enabled and (not shows_pins or seen.pin == grant.secret)

    at_once = emptied or not shows(before)
    outcome = await _send_and_prove(door, place, wish, shows=shows, at_once=at_once)
    if emptied and outcome.result is Result.FAILED:  # what was there before is there no more
        return replace(outcome, result=Result.UNKNOWN)
    return outcome


async def clear(door: Door, there: Place) -> Outcome:
    """One place made empty. Nothing is sent unless the lock answered just before."""
    place = number_of(there.address)
    if place is None:
        return Outcome(result=Result.FAILED, address=there.address, error=words.NO_SUCH_PLACE)
    before = await _before(door, place, enough=lambda seen: seen.is_taken)
    if not isinstance(before, Seen):
        return Outcome(result=Result.FAILED, address=there.address, error=before)
    return await _send_and_prove(
        door,
        place,
        {"user": place, "pin_code": None},
        shows=lambda seen: not seen.is_taken,
        at_once=before.is_taken,
    )


async def _before(door: Door, place: int, *, enough: Test) -> Seen | LockError:
    """A place before it is written, or why it will not be."""
    try:
        seen = await door.read_patiently(place, enough=enough)
    except Refused as no:
        return no.error
    if seen is None:
        return words.NO_SUCH_PLACE if door.failed("get") else words.NO_ANSWER
    return seen


async def _send_and_prove(
    door: Door, place: int, wish: Mapping[str, object], *, shows: Test, at_once: bool
) -> Outcome:
    address = str(place)
    try:
        await door.say("set", {"pin_code": dict(wish)})
        proven, answered = await door.prove(place, shows=shows, at_once=at_once)
    except Refused as no:
        return Outcome(result=Result.UNKNOWN, address=address, error=no.error)
    if proven:
        return Outcome(result=Result.CONFIRMED, address=address, proof=Proof.READ_BACK)
    if refusal := door.failed("set"):
        text = refusal.text.replace(str(wish["pin_code"]), "***")
        code = "no_such_place" if refusal.is_out_of_range else "malformed"
        error = words.error(Cause.BAD_REQUEST, Retry.NEVER, Scope.CREDENTIAL, code=code, text=text)
        return Outcome(result=Result.FAILED, address=address, error=error)
    hint = words.NOT_PROVEN if answered else words.NO_ANSWER
    return Outcome(result=Result.UNKNOWN, address=address, error=hint)


def _unfit(grant: Grant, place: int | None) -> LockError | None:
    """Why this can be on no such lock. The bridge itself checks next to nothing."""
    if grant.kind is not Kind.DOOR_CODE:
        return words.UNSUPPORTED
    if place is None:
        return words.NO_SUCH_PLACE
    code = grant.secret
    if not (code.isascii() and code.isdigit() and words.CODE_MIN <= len(code) <= words.CODE_MAX):
        return words.INVALID_CODE
    return words.INVALID_WINDOW if grant.ends_at <= grant.starts_at else None


def number_of(address: str) -> int | None:
    """The number of a place, None for an address that is none."""
    return int(address) if address.isascii() and address.isdigit() else None
