"""Erasing a guest: name and contacts go wherever they are, a pseudonym and the facts of the doors stay.

A guest whose stay is not over keeps the key and the code until its end; only nobody is named any more. Erasing cannot be
undone, and is safe to repeat. ``keys/forgetting.py`` finds what the PMS side and free text hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from keys.forgetting import Words, scrub
from keys.models import Credential, Guest, Key, Person
from keys.refusal import Refused
from keys.telling_models import GuestMessage
from locks.history import SYSTEM, Actor, acting
from locks.models import Property
from locks.pulse import bump
from pms import erased
from pms.models import Reservation

WORD = "ERASE"
"""What a person types to confirm it."""
AT_ONCE = 200


@dataclass(slots=True)
class Erasure:
    """What one erasure did: the pseudonym, how many rows of each kind, and until when keys of the guest still open."""

    pseudonym: str
    counts: dict[str, int] = field(default_factory=dict)
    opens_until: datetime | None = None


def confirm(word: str) -> None:
    """Raise Refused unless the word was typed."""
    if word.strip() != WORD:
        raise Refused("word", f"Type {WORD} to erase this guest for good.")


def same_person(guest: Guest) -> QuerySet[Guest]:
    """The rows of one guest: those with the same id at the PMS, or just this one."""
    rows = Guest.objects.filter(property_id=guest.property_id)
    if guest.external_id:
        return rows.filter(Q(pk=guest.pk) | Q(external_id=guest.external_id))
    return rows.filter(pk=guest.pk)


def keys_of(guests: Sequence[Guest]) -> QuerySet[Key]:
    """All keys that these rows of a guest are people of."""
    return Key.objects.filter(pk__in=Person.objects.filter(guest__in=guests).values("key_id"))


def stays_of(guests: Sequence[Guest]) -> QuerySet[Reservation]:
    """The stays of the keys of a guest, and those without a key that name the guest."""
    keys = keys_of(guests).values("pk")
    mine = Q(key__in=keys) | Q(continuation__key__in=keys)
    rows = Reservation.objects.filter(mine, property_id=guests[0].property_id)
    ids = set(rows.values_list("pk", flat=True))
    for ref in {guest.external_id for guest in guests} - {""}:
        ids |= set(erased.stays_with(guests[0].property_id, ref).values_list("pk", flat=True))
    return Reservation.objects.filter(pk__in=ids)


def erase(*, guest: Guest, by: Actor, now: datetime) -> Erasure:
    """Erase a guest of a hotel everywhere. One transaction; stays are locked before keys, as all lock them."""
    by = by.because("Guest erased")
    with transaction.atomic():
        guests = list(same_person(guest).order_by("id"))
        stays = list(stays_of(guests).select_for_update(of=("self",), no_key=True).order_by("id"))
        keys = list(keys_of(guests).select_for_update(of=("self",), no_key=True).order_by("id"))
        done = Erasure(pseudonym=f"Guest {guest.pk}")
        refs = {g.external_id for g in guests if g.external_id and not _is_gone(g)}
        main = _keys_where_main(guests)
        words = _words(guests, stays, keys, refs, main)
        with acting(by):
            done.counts["stays"] = _from_stays(stays, refs, main)
            done.counts["keys"] = _from_keys(keys, main)
        done.counts["messages"] = _from_messages(guests)
        done.counts["guests"] = _from_guests(guests, now)
        done.counts["notes"] = _from_notes(keys, words)
        done.counts["events"] = erased.forget_in_events(
            guest.property_id, refs=refs, words=words.exact, stays=stays, masked=words.masked
        )
        done.counts["texts"] = scrub(guest.property_id, words, [key.pk for key in keys])
        live = [key.over_at for key in keys if key.revoked_at is None and key.over_at > now]
        done.opens_until = max(live, default=None)
        bump([guest.property_id])
    return done


def _is_gone(guest: Guest) -> bool:
    return guest.external_id.startswith(erased.MARK)


def _keys_where_main(guests: Sequence[Guest]) -> set[int]:
    rows = Person.objects.filter(guest__in=guests, is_main=True)
    return set(rows.values_list("key_id", flat=True))


def _words(
    guests: Sequence[Guest],
    stays: Sequence[Reservation],
    keys: Sequence[Key],
    refs: set[str],
    main: set[int],
) -> Words:
    """What names the guest: as Portal has it, and as the stays have it of their main guest."""
    said = [w for g in guests if g.erased_at is None for w in (g.name, g.email, g.phone)]
    own = {key.reservation_id for key in keys if key.pk in main}
    for stay in stays:
        if stay.pk in own or stay.guest_ref in refs:
            said += [stay.guest_name, stay.guest_email, stay.guest_phone]
        said += [str(c.get("name", "")) for c in stay.companions if c.get("ref") in refs]
    return Words.of(said, pseudonym=f"Guest {guests[0].pk}")


def _from_stays(stays: Sequence[Reservation], refs: set[str], main: set[int]) -> int:
    own = Q(key__in=main) | Q(continuation__key__in=main)
    as_main = set(Reservation.objects.filter(own).values_list("pk", flat=True))
    many = 0
    for stay in stays:
        many += erased.forget_in_stays([stay], refs=refs, is_main=stay.pk in as_main)
    return many


def _from_keys(keys: Sequence[Key], main: set[int]) -> int:
    mine = [key for key in keys if key.pk in main]
    for key in mine:
        person = Person.objects.get(key=key, is_main=True)
        key.label = f"Guest {person.guest_id}"
        key.save(update_fields=["label"])
    return len(mine)


def _from_messages(guests: Sequence[Guest]) -> int:
    """Messages keep that and when they were sent. One that waits is not sent: it has no address any more."""
    rows = GuestMessage.objects.filter(credential__person__guest__in=guests)
    ids = list(rows.values_list("pk", flat=True))
    rows = GuestMessage.objects.filter(pk__in=ids)
    state = GuestMessage.State
    rows.filter(state=state.WAITING).update(
        state=state.DROPPED, next_try_at=None, problem="The guest was erased."
    )
    return rows.update(address="", body="")


def _from_guests(guests: Sequence[Guest], now: datetime) -> int:
    for guest in guests:
        guest.name, guest.email, guest.phone = f"Guest {guest.pk}", "", ""
        if guest.external_id:
            guest.external_id = erased.pseudonym(guest.external_id)
        guest.erased_at = guest.erased_at or now
        guest.save()
    return len(guests)


def _from_notes(keys: Sequence[Key], words: Words) -> int:
    """Notes beside codes lie encrypted and say who had a code; they have no history."""
    many = 0
    for credential in Credential.objects.filter(key__in=keys).only("note"):
        if (note := words.masked(str(credential.note))) != credential.note:
            many += Credential.objects.filter(pk=credential.pk).update(note=note)
    return many


# By the clock -------------------------------------------------------------------------------------


def due(property: Property, *, now: datetime) -> QuerySet[Guest]:  # noqa: A002
    """The guests of a hotel whose last key is over for longer than the hotel keeps them, whichever row they have it by, and
    who have no stay to come, which has no key as long as it is tentative or has no room."""
    limit = now - timedelta(days=property.guests_kept_days)
    not_past = Q(key__over_at__gt=limit) & (Q(key__revoked_at=None) | Q(key__revoked_at__gt=limit))
    people = Person.objects.filter(not_past)
    own = people.filter(guest=OuterRef("pk"))
    alike = people.filter(
        ~Q(guest__external_id=""),
        guest__property=OuterRef("property"),
        guest__external_id=OuterRef("external_id"),
    )
    stays = Reservation.objects.filter(property=property, departure_on__gte=limit.date())
    rows = Guest.objects.filter(property=property, erased_at=None, people__isnull=False)
    rows = rows.exclude(external_id__in=stays.exclude(guest_ref="").values("guest_ref"))
    return rows.filter(~Exists(own), ~Exists(alike)).distinct()


def forget_due(*, now: datetime, most: int = AT_ONCE) -> int:
    """Erase guests past their hotel's time, each in its own transaction, at most so many. Returns how many."""
    many = 0
    for hotel in Property.objects.order_by("id"):
        ids = list(due(hotel, now=now).order_by("id").values_list("pk", flat=True)[: most - many])
        for pk in ids:
            guest = Guest.objects.get(pk=pk)
            if guest.erased_at is None:  # not erased with another row of the same person
                erase(guest=guest, by=SYSTEM.because("Kept long enough"), now=now)
                many += 1
    return many
