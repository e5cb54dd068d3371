"""Taking a shift over, and telling it to an address by e-mail; the rows of HandoverMail are the queue.

The e-mail names doors and numbers of keys, never guests and codes.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction

from keys import shift
from keys.alerting import counted
from locks.clock import zone
from locks.doorlog import retry_delay
from locks.models import Property
from locks.pulse import bump
from portal.alert_mails import LEASE, MOST_TRIES, RETRIES
from portal.models import Handover, HandoverMail, Membership

log = logging.getLogger(__name__)
TWICE = timedelta(minutes=1)
"""Who takes over again within this has pressed twice."""
AT_ONCE = 50
LISTED = 40


def last_of(property_id: int) -> Handover | None:
    """The latest takeover at this property, with who it was."""
    rows = Handover.objects.filter(property_id=property_id).select_related("membership__user")
    return rows.order_by("-taken_at", "-id").first()


def take_over(*, membership: Membership, now: datetime) -> Handover:
    """Mark the moment: from now on the next shift is told."""
    last = last_of(membership.property_id)
    again = last is not None and last.membership_id == membership.pk
    if last is not None and again and now - last.taken_at < TWICE:
        return last
    with transaction.atomic():
        made = Handover.objects.create(
            property_id=membership.property_id, membership=membership, taken_at=now
        )
        bump([membership.property_id])
    return made


def ask_mail(
    *, membership: Membership, address: str, since: datetime, until: datetime, now: datetime
) -> HandoverMail:
    """Put one e-mail about this shift into the queue."""
    return HandoverMail.objects.create(
        property_id=membership.property_id,
        membership=membership,
        address=address,
        since=since,
        until=until,
        next_try_at=now,
    )


def send_due(*, now: datetime) -> int:
    """Send what is due. Returns how many e-mails went out."""
    rows = HandoverMail.objects.filter(next_try_at__lte=now).select_related("property")
    return sum(_sent(mail, now) for mail in rows.order_by("next_try_at", "id")[:AT_ONCE])


def _sent(mail: HandoverMail, now: datetime) -> bool:
    mine = HandoverMail.objects.filter(pk=mail.pk, next_try_at=mail.next_try_at, sent_at=None)
    if not mine.update(next_try_at=now + LEASE, tries=mail.tries + 1):
        return False
    told = shift.told(property_id=mail.property_id, since=mail.since, until=mail.until)
    subject, body = letter(told, hotel=mail.property)
    row = HandoverMail.objects.filter(pk=mail.pk)
    try:
        EmailMessage(subject, body, to=[mail.address]).send()
    except (SMTPException, OSError) as error:
        problem = type(error).__name__
        log.warning("an e-mail about a shift could not be sent: %s", problem)
        over = mail.tries + 1 >= MOST_TRIES
        row.update(
            next_try_at=None if over else now + retry_delay(mail.tries, RETRIES),
            result=f"{'given up' if over else 'not sent yet'}: {problem}"[:60],
        )
        return False
    row.update(sent_at=now, next_try_at=None, result="sent")
    return True


def letter(told: shift.Shift, *, hotel: Property) -> tuple[str, str]:
    """Subject and text of the e-mail, times by the hotel's clock."""
    tz = zone(hotel.timezone)

    def at(moment: datetime) -> str:
        return f"{moment.astimezone(tz):%a %d %b %H:%M}"

    opened = [
        f"{one.door.name}: {one.get_kind_display()} since {at(one.opened_at)}, key {one.key_id}"
        for one in told.still_open
    ]
    healed = [
        f"{one.door.name}: {one.get_kind_display()} from {at(one.opened_at)} to {at(one.closed_at)}"
        for one in told.healed
        if one.closed_at
    ]
    outages = [
        f"{one.integration.pms_name()} broken from {at(one.began_at)}"
        + (f" to {at(one.ended_at)}" if one.ended_at else ", not ended")
        for one in told.outages
    ]
    overrides = [
        f"{at(one.at)} {one.who} {one.what}, {one.door or f'key {one.key_id}'}"
        + (f" and {one.more} more" if one.more else "")
        for one in told.overrides
    ]
    by_hand = [
        f"{at(one.happened_at)} {one.actor or 'Portal'}: {one.get_code_display()}"
        + (f", {one.door.name}" if one.door else "")
        for one in told.by_hand
    ]
    blocks = [
        f"{hotel.name}, {at(told.since)} to {at(told.until)} ({hotel.timezone}).",
        _block("Still open", opened),
        _block("Healed", healed),
        _block("PMS outages", outages),
        _block("Overridden by people", overrides),
        _block("Done by hand", by_hand),
        f"All of it: {settings.PORTAL_BASE_URL}/handover/",
    ]
    subject = f"{hotel.name}: shift handover, {counted(len(told.still_open), 'failure')} still open"
    return " ".join(subject.split()), "\n\n".join(blocks) + "\n"


def _block(name: str, lines: list[str]) -> str:
    more = [f"and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return "\n".join([f"{name}:", *(f"- {one}" for one in [*lines[:LISTED], *more] or ["nothing"])])
