"""Messages to guests: which are due is read off the rows, each goes out once, and none says what the locks do not hold.

A message is due when a guest's Door Code, or the doors that it opens, are not those that the guest was last told; it is
sent only when every door of the key may have the code and is confirmed to hold it, or will get it at its start. Both are
asked of the one rule, when the message is planned and again just before it goes out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from keys import message_words
from keys.channels import NotSent, channel
from keys.message_truth import Truth, truth_of
from keys.models import Assignment, Credential, Key, KeychainDoor
from keys.refusal import Refused
from keys.rules import Waits
from keys.telling_models import GuestMessage
from locks.bell import ring
from locks.doorlog import retry_delay
from locks.drivers import Kind
from locks.history import Actor
from locks.models import Property
from locks.pulse import bump

log = logging.getLogger(__name__)
Why, State = GuestMessage.Why, GuestMessage.State
Channels = Property.GuestChannels
BY = {
    Channels.EMAIL: ("email",),
    Channels.SMS: ("sms",),
    Channels.BOTH: ("email", "sms"),
}
LEASE = timedelta(minutes=5)
RETRIES = (60.0, 300.0, 900.0, 3600.0)
MOST_TRIES = 12
ONE_LOOK = 500


# Planning -------------------------------------------------------------------------------------------


def plan(*, now: datetime) -> int:
    """Make a waiting row for every message that is due. Returns how many were made."""
    made: list[GuestMessage] = []
    for credential in candidates(now=now):
        made += _due(credential, now=now)
        if len(made) >= ONE_LOOK:
            break
    GuestMessage.objects.bulk_create(made, ignore_conflicts=True)
    with transaction.atomic():
        bump({row.property_id for row in made})
    return len(made)


def candidates(*, now: datetime) -> Iterator[Credential]:
    """Door Codes of properties that send messages, all of whose doors seem to have them, and of which the guest seems
    not to know as they are now. ``_due`` looks closer."""
    modes = Property.GuestMessages
    at_once = Property.objects.filter(guest_messages=modes.ON_KEY).values_list("id", flat=True)
    later = Property.objects.filter(guest_messages=modes.ON_CHECK_IN).values_list("id", flat=True)
    checked_in = Q(reservation=None) | Q(reservation__checked_in_at__isnull=False)
    for hotels, which in ((list(at_once), Q()), (list(later), checked_in)):
        keys = Key.objects.filter(which, property_id__in=hotels, revoked_at=None, over_at__gt=now)
        ids = list(keys.order_by("starts_at", "id").values_list("id", flat=True)) if hotels else []
        for start in range(0, len(ids), ONE_LOOK):
            yield from _untold(ids[start : start + ONE_LOOK])


def _untold(key_ids: list[int]) -> QuerySet[Credential]:
    places = Assignment.objects.filter(
        credential_id=OuterRef("pk"),
        keychain_door__removed_at=None,
        keychain_door__leaving_since=None,
    )
    unready = places.exclude(
        Q(written_revision=F("revision"), sent_revision=None) | Q(waits=Waits.TIME.value)
    )
    told = GuestMessage.objects.filter(
        credential_id=OuterRef("pk"), revision=OuterRef("revision")
    ).exclude(state=State.DROPPED)
    rows = Credential.objects.filter(
        kind=Kind.DOOR_CODE.value,
        retired_at=None,
        person__removed_at=None,
        key_id__in=key_ids,
    )
    return (
        rows.filter(Exists(places), ~Exists(unready))
        .filter(~Exists(told) | Exists(_doors_changed()) | Exists(_reopened()))
        .select_related("key__property", "person__guest")
        .order_by("key__starts_at", "id")
    )


def _last_told() -> QuerySet[GuestMessage, Any]:
    """When the holder of the credential two queries further out was last told."""
    told = GuestMessage.objects.filter(credential_id=OuterRef(OuterRef("pk")))
    latest = told.exclude(state=State.DROPPED).values("credential_id").annotate(at=Max("made_at"))
    return latest.values("at")


def _doors_changed() -> QuerySet[KeychainDoor]:
    """Doors of the key that came or went since the guest was last told."""
    last = _last_told()
    return KeychainDoor.objects.filter(
        Q(permission_since__gt=last) | Q(removed_at__gt=last), key_id=OuterRef("key_id")
    )


def _reopened() -> QuerySet[Key]:
    """The key, if it became valid again since the guest was last told."""
    return Key.objects.filter(pk=OuterRef("key_id"), reopened_at__gt=_last_told())


def _due(credential: Credential, *, now: datetime) -> Iterable[GuestMessage]:
    hotel = credential.key.property
    lead = timedelta(hours=hotel.guest_lead_hours)
    if hotel.guest_lead_hours and credential.key.starts_at - lead > now:
        return
    reached = {
        name: to
        for name in BY[Channels(hotel.guest_channels)]
        if (to := address_of(credential, name))
    }
    truth = truth_of(credential, why=Why.MADE, now=now) if reached else None
    if truth is None or truth.told is None:
        return
    for name, to in reached.items():
        sent = list(_to(credential, name).order_by("number"))
        told = [one for one in sent if one.state != State.DROPPED]
        if not told and _knew_before(credential):
            continue
        if why := _why(credential, truth.doors, told[-1] if told else None):
            yield _row(truth, name, to, why, len(sent) + 1, now=now)


def _knew_before(credential: Credential) -> bool:
    """Whether the guest was in house with this code before the property began to send messages."""
    since = credential.key.property.guest_messages_since
    begun = since is not None and credential.key.starts_at < since - timedelta(days=1)
    return begun and since is not None and credential.drawn_at < since


def _to(credential: Credential, name: str) -> QuerySet[GuestMessage]:
    return GuestMessage.objects.filter(credential=credential, channel=name)


def _why(credential: Credential, doors: str, last: GuestMessage | None) -> str:
    """What the guest has not been told yet; empty when everything was."""
    if last is None:
        return Why.MADE
    reopened_at = credential.key.reopened_at
    if reopened_at is not None and last.made_at < reopened_at:
        return Why.BACK
    if last.revision != credential.revision:
        return Why.CODE
    return "" if last.doors == doors else Why.ROOM


def address_of(credential: Credential, name: str) -> str:
    """Where the holder of this credential is reached by that channel; empty when it is not known."""
    guest = credential.person.guest
    found: str = guest.email if name == "email" else guest.phone
    return found


def _row(
    truth: Truth, name: str, to: str, why: str, number: int, *, now: datetime, asked_by: str = ""
) -> GuestMessage:
    credential = truth.credential
    return GuestMessage(
        property_id=credential.property_id,
        key_id=credential.key_id,
        credential=credential,
        channel=name,
        number=number,
        why=why,
        revision=credential.revision,
        doors=truth.doors,
        address=to,
        made_at=now,
        next_try_at=now,
        asked_by=asked_by[:120],
    )


def send_again(*, credential: Credential, by: Actor, now: datetime) -> list[GuestMessage]:
    """Send the code to its guest once more, on staff's word. Raises Refused with the reason when nothing true can be said."""
    truth = truth_of(credential, why=Why.AGAIN, now=now)
    if truth.told is None:
        raise Refused("", truth.refusal)
    hotel = credential.key.property
    made: list[GuestMessage] = []
    with transaction.atomic():
        list(Credential.objects.select_for_update(no_key=True).filter(pk=credential.pk))
        for name in BY[Channels(hotel.guest_channels)]:
            to = address_of(credential, name)
            mine = _to(credential, name)
            if not to or mine.filter(state=State.WAITING).exists():
                continue
            number = mine.count() + 1
            row = _row(truth, name, to, Why.AGAIN, number, now=now, asked_by=by.label)
            with suppress(IntegrityError), transaction.atomic():  # unless it is planned just now
                row.save()
                made.append(row)
        if not any(address_of(credential, name) for name in BY[Channels(hotel.guest_channels)]):
            raise Refused("", "No e-mail address and no telephone number of this guest is known.")
        bump([credential.property_id])
        transaction.on_commit(partial(ring, "keys.tasks.message_guests"))
    return made


def send_backup(*, credential: Credential, to: Key, by: Actor, now: datetime) -> list[GuestMessage]:
    """Send a backup code to the guest of the key that it was given for. Raises Refused when nothing true can be said."""
    truth = truth_of(credential, why=Why.AGAIN, now=now)
    if truth.told is None:
        raise Refused("", truth.refusal)
    main = Credential.objects.filter(key=to, person__is_main=True).select_related("person__guest")
    whose, made = main.first(), []
    with transaction.atomic():
        list(Credential.objects.select_for_update(no_key=True).filter(pk=credential.pk))
        for name in BY[Channels(credential.key.property.guest_channels)]:
            address = address_of(whose, name) if whose else ""
            mine = _to(credential, name)
            if not address or mine.exists():
                continue
            row = _row(truth, name, address, Why.AGAIN, 1, now=now, asked_by=by.label)
            row.key = to
            row.save()
            made.append(row)
        if not made and not GuestMessage.objects.filter(credential=credential).exists():
            raise Refused("", "No e-mail address and no telephone number of this guest is known.")
        bump([credential.property_id])
        transaction.on_commit(partial(ring, "keys.tasks.message_guests"))
    return made


# Sending --------------------------------------------------------------------------------------------


def send_due(*, now: datetime) -> int:
    """Send what is due. Returns how many messages went out."""
    rows = GuestMessage.objects.filter(next_try_at__lte=now).select_related(
        "key", "credential__key__property", "credential__person__guest"
    )
    return sum(_sent(row, now) for row in rows.order_by("next_try_at", "id")[:ONE_LOOK])


def _sent(row: GuestMessage, now: datetime) -> bool:
    """Take one message, look again whether it is still true, hand it over and mark it."""
    mine = GuestMessage.objects.filter(pk=row.pk, next_try_at=row.next_try_at)
    if not mine.update(next_try_at=now + LEASE, tries=row.tries + 1):
        return False
    truth = truth_of(row.credential, why=row.why, now=now)
    if truth.told is None or row.credential.revision != row.revision or truth.doors != row.doors:
        _settle(row, state=State.DROPPED, problem="no longer true when it was to be sent")
        return False
    told = truth.told
    if row.key_id != row.credential.key_id:  # a backup code, which lasts longer than the stay
        told = replace(told, ends_at=min(told.ends_at, row.key.over_at))
    text = message_words.text(told)
    try:
        channel(row.channel).send(
            to=row.address,
            subject=message_words.subject(told),
            text=text,
            once=f"portal-{row.pk}",
        )
    except NotSent as error:
        _put_off(row, error, now)
        return False
    _settle(row, state=State.SENT, body=text, sent_at=now, problem="")
    return True


def _put_off(row: GuestMessage, error: NotSent, now: datetime) -> None:
    log.warning("message %s was not sent: %s", row.pk, error.problem)
    if error.for_good or row.tries + 1 >= MOST_TRIES:
        _settle(row, state=State.FAILED, problem=error.problem[:100])
        return
    later = now + retry_delay(row.tries, RETRIES)
    GuestMessage.objects.filter(pk=row.pk).update(next_try_at=later, problem=error.problem[:100])


def _settle(row: GuestMessage, **values: object) -> None:
    with transaction.atomic():
        GuestMessage.objects.filter(pk=row.pk).update(next_try_at=None, **values)
        bump([row.property_id])
