"""Writing to TTLock: what of a credential stands in the book already, and which calls bring the lock to what is wanted.

However many calls one write takes, together they take no longer than one time-out.
"""

from __future__ import annotations

from dataclasses import dataclass

from locks.drivers import (
    Cause,
    Grant,
    Held,
    Kind,
    LockError,
    Outcome,
    Place,
    Proof,
    Result,
    Retry,
    Scope,
)
from locks.drivers.ttlock_answers import NOT_THERE, SAME_CODE, Shelf, held, millis, name_of
from locks.drivers.ttlock_cloud import Cloud
from locks.drivers.web import NOT_UNDERSTOOD, Refused, Reply, Said, Unsure

BY_GATEWAY = 2
NEWEST_FIRST = 1
NO_REMOTE = 2
PERIOD = 3
BACKWARDS = LockError(
    cause=Cause.INVALID_WINDOW,
    retry=Retry.AFTER_CHANGE,
    scope=Scope.CREDENTIAL,
    vendor_code="backwards",
)
NOBODY = LockError(cause=Cause.NO_USER_NAME, retry=Retry.SOON, scope=Scope.CREDENTIAL)
TAKEN = LockError(
    cause=Cause.DUPLICATE_CODE,
    retry=Retry.AFTER_CHANGE,
    scope=Scope.CREDENTIAL,
    vendor_code="taken",
)


async def lines_of(
    cloud: Cloud, lock_ref: str, shelf: Shelf, until: float, *, word: str = ""
) -> list[Held] | Refused | Unsure:
    """What the book has of one kind at a lock; with a word the codes that are this word."""
    params: dict[str, str | int] = {"lockId": lock_ref, "orderBy": NEWEST_FIRST}
    if word:
        params["searchStr"] = word
    rows = await cloud.rows(shelf.list, until, params)
    if not isinstance(rows, list):
        return rows
    try:
        return [held(row, shelf) for row in rows]
    except (AttributeError, KeyError, TypeError, ValueError):
        return NOT_UNDERSTOOD


@dataclass(frozen=True, slots=True)
class Write:
    """One write on one lock, to be over by ``until`` of the loop's clock."""

    cloud: Cloud
    lock_ref: str
    shelf: Shelf
    until: float

    async def put(self, grant: Grant) -> Outcome:
        """Make the lock hold exactly this. What is in the book under our name is changed, a second of that name removed."""
        if grant.ends_at <= grant.starts_at:
            return Outcome(result=Result.FAILED, error=BACKWARDS)
        if grant.kind is Kind.SMARTKEY and not grant.secret:
            return Outcome(result=Result.FAILED, error=NOBODY)
        lines = await lines_of(self.cloud, self.lock_ref, self.shelf, self.until)
        if not isinstance(lines, list):
            return outcome_of(lines)
        mine = [each for each in lines if each.handle == grant.handle]
        mine.sort(key=lambda each: (each.secret != grant.secret, each.address != grant.address))
        for surplus in mine[1:]:
            if not isinstance(gone := await self._delete(surplus.address), Said):
                return outcome_of(gone)
        old = mine[0] if mine else None
        if grant.kind is Kind.DOOR_CODE:
            return await self._put_code(grant, old)
        if any(each.secret == grant.secret and each.handle != grant.handle for each in lines):
            return Outcome(result=Result.FAILED, error=TAKEN)
        return await self._put_beside(grant, old)

    async def remove(self, place: Place) -> Outcome:
        """Make this absent. The id alone would not do: after a lost answer it may stand under another one."""
        lines = await lines_of(self.cloud, self.lock_ref, self.shelf, self.until)
        if not isinstance(lines, list):
            return outcome_of(lines)
        for each in lines:
            if each.address == place.address or (place.handle and each.handle == place.handle):
                reply = await self._delete(each.address)
                if not isinstance(reply, Said):
                    return outcome_of(reply, address=each.address)
        return self._confirmed(place.address)

    # Door Codes.

    async def _put_code(self, grant: Grant, old: Held | None) -> Outcome:
        if old is not None:
            changed = await self._change_code(grant, old)
            if changed is not None:
                return changed
        params = {
            "lockId": self.lock_ref,
            "keyboardPwd": grant.secret,
            "keyboardPwdName": name_of(grant.handle),
            "keyboardPwdType": PERIOD,
            "addType": BY_GATEWAY,
            **_window(grant),
        }
        reply = await self._ask("keyboardPwd/add", params, grant)
        if isinstance(reply, Refused) and reply.error.vendor_code == SAME_CODE:
            return await self._same_code(grant, reply)
        return self._with_id(reply)

    async def _change_code(self, grant: Grant, old: Held) -> Outcome | None:
        """Change what the book has under our name; None when it is not on the lock, and then no longer in the book.

        Both times must be sent: one alone has no effect, and succeeds (TTLock documents, cloud/passcode/update).
        """
        params = {
            "lockId": self.lock_ref,
            "keyboardPwdId": old.address,
            "changeType": BY_GATEWAY,
            **_window(grant),
        }
        if old.secret != grant.secret:
            params["newKeyboardPwd"] = grant.secret
        reply = await self._ask("keyboardPwd/change", params, grant)
        if not isinstance(reply, Refused) or reply.error.vendor_code not in NOT_THERE:
            return outcome_of(reply, address=old.address)
        gone = await self._delete(old.address)
        return None if isinstance(gone, Said) else outcome_of(gone)

    async def _same_code(self, grant: Grant, refusal: Refused) -> Outcome:
        """The lock has the code already. If the book has it under our name, it is our own earlier success."""
        lines = await lines_of(self.cloud, self.lock_ref, self.shelf, self.until, word=grant.secret)
        if not isinstance(lines, list):
            return outcome_of(lines)
        mine = (each for each in lines if each.handle == grant.handle)
        same = next((each for each in mine if each.secret == grant.secret), None)
        if same is None:
            return outcome_of(refusal)
        if (same.starts_at, same.ends_at) == (grant.starts_at, grant.ends_at):
            return self._confirmed(same.address)
        return await self._change_code(grant, same) or outcome_of(refusal)

    # SmartKeys and keycards.

    async def _put_beside(self, grant: Grant, old: Held | None) -> Outcome:
        """A receiver has one eKey per lock, and a card one place: the caller has seen that no other of ours has it.

        A second eKey would take the place of the first (TTLock documents, en/cloud/ekey/send).
        """
        is_card = grant.kind is Kind.KEYCARD
        if old is not None and old.secret == grant.secret:
            call = "identityCard/changePeriod" if is_card else "key/changePeriod"
            params = {"lockId": self.lock_ref, self.shelf.id: old.address, **_window(grant)}
            reply = await self._ask(call, {**params, "changeType": BY_GATEWAY}, grant)
            outcome = outcome_of(reply, address=old.address)
            return self._confirmed(old.address) if outcome.error is None else outcome
        if old is not None and not isinstance(gone := await self._delete(old.address), Said):
            return outcome_of(gone)
        new: dict[str, str | int] = (
            {"cardNumber": grant.secret, "addType": BY_GATEWAY}
            if is_card
            else {"receiverUsername": grant.secret, "remoteEnable": NO_REMOTE}
        )
        params = {"lockId": self.lock_ref, self.shelf.name: name_of(grant.handle), **_window(grant)}
        call = "identityCard/add" if is_card else "key/send"
        return self._with_id(await self._ask(call, {**params, **new}, grant))

    # What all have in common.

    async def _ask(self, call: str, params: dict[str, str | int], grant: Grant) -> Reply:
        return await self.cloud.ask(call, self.until, params, secret=grant.secret)

    async def _delete(self, address: str) -> Reply:
        """Take one off the lock and out of the book. One that is not there is gone, and that was wanted."""
        params: dict[str, str | int] = {
            "lockId": self.lock_ref,
            self.shelf.id: address,
            "deleteType": BY_GATEWAY,
        }
        reply = await self.cloud.ask(self.shelf.delete, self.until, params)
        if isinstance(reply, Refused) and reply.error.vendor_code in NOT_THERE:
            return Said({})
        if isinstance(reply, Said) and "errcode" not in reply.doc:
            return NOT_UNDERSTOOD
        return reply

    def _with_id(self, reply: Reply) -> Outcome:
        """What an addition came to: a success has the id of what was added."""
        if not isinstance(reply, Said):
            return outcome_of(reply)
        if not reply.doc.get(self.shelf.id):
            return outcome_of(NOT_UNDERSTOOD)
        return self._confirmed(str(reply.doc[self.shelf.id]))

    def _confirmed(self, address: str) -> Outcome:
        """An eKey is in the cloud and reaches no lock, the app asks for it; the rest the gateway brought to the lock."""
        in_cloud = self.shelf.kind is Kind.SMARTKEY
        proof = Proof.ACCEPTED if in_cloud else Proof.ACKNOWLEDGED
        return Outcome(result=Result.CONFIRMED, address=address, proof=proof)


def outcome_of(reply: Reply, *, address: str = "") -> Outcome:
    """What a command came to. A success counts only if it says errcode 0 in so many words."""
    match reply:
        case Said(doc) if "errcode" in doc:
            return Outcome(result=Result.CONFIRMED, address=address, proof=Proof.ACKNOWLEDGED)
        case Said():
            return Outcome(result=Result.UNKNOWN, address=address, error=NOT_UNDERSTOOD.error)
        case Refused(error):
            return Outcome(result=Result.FAILED, address=address, error=error)
        case Unsure(error):
            return Outcome(result=Result.UNKNOWN, address=address, error=error)


def _window(grant: Grant) -> dict[str, str | int]:
    return {"startDate": millis(grant.starts_at), "endDate": millis(grant.ends_at)}
