"""Alerts by e-mail: who is told what, once; the rows of AlertMail are the queue.

A row is moved on before its e-mail is sent and marked after it, so that a worker that dies in between repeats one e-mail
and loses none. What is due to one person at one moment goes out as one e-mail. No guest and no code is named.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Exists, OuterRef

from keys.alerting import REMEDIES, counted
from keys.alerts import SETTLES
from keys.telling_models import Alert
from locks.clock import zone
from locks.doorlog import retry_delay
from locks.models import Property
from portal.models import AlertMail, AlertPreference, Membership

log = logging.getLogger(__name__)
What = AlertMail.What
LEASE = timedelta(minutes=5)
RETRIES = (60.0, 300.0, 900.0, 3600.0)
MOST_TRIES = 30
"""About a day of tries; then the row says that it was given up."""
REMEMBERS = timedelta(days=2)
ONE_LOOK = 500
NOT_WANTED, OVER_FIRST = "not wanted any more", "over before it was sent"


def change_preference(
    *,
    membership: Membership,
    by_email: bool,
    kinds: Sequence[str],
    quiet_from: time | None,
    quiet_to: time | None,
    urgent_anyway: bool,
) -> AlertPreference:
    """Store what this member wants to hear. The form has checked that quiet hours have both ends or none."""
    row, _ = AlertPreference.objects.update_or_create(
        membership=membership,
        defaults={
            "property_id": membership.property_id,
            "by_email": by_email,
            "kinds": [kind for kind in Alert.Kind.values if kind in kinds],
            "quiet_from": quiet_from,
            "quiet_to": quiet_to,
            "urgent_anyway": urgent_anyway,
        },
    )
    return row


def is_quiet(start: time | None, end: time | None, at: time) -> bool:
    """Whether a time of day lies in the quiet hours, which may pass midnight. Without hours, or with none between, never."""
    if start is None or end is None or start == end:
        return False
    return start <= at < end if start < end else at >= start or at < end


# What is to be said ---------------------------------------------------------------------------------


def plan(*, now: datetime) -> int:
    """Make a row for everything that someone wants to be told and has none yet. Returns how many there are to make."""
    wanting: dict[int, list[AlertPreference]] = {}
    rows = AlertPreference.objects.filter(
        by_email=True, membership__is_active=True, membership__user__is_active=True
    )
    for row in rows:
        wanting.setdefault(row.property_id, []).append(row)
    made = [*_opened(wanting, now), *_over(wanting, now)]
    AlertMail.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def _opened(wanting: dict[int, list[AlertPreference]], now: datetime) -> Iterable[AlertMail]:
    alerts = list(Alert.objects.filter(property_id__in=wanting, closed_at=None))
    told = AlertMail.objects.filter(alert__in=alerts, what=What.OPENED)
    done = set(told.values_list("alert_id", "membership_id"))
    for alert in alerts:
        for person in wanting[alert.property_id]:
            if alert.kind in person.kinds and (alert.pk, person.membership_id) not in done:
                yield _row(alert, person.membership_id, What.OPENED, now)


def _over(wanting: dict[int, list[AlertPreference]], now: datetime) -> Iterable[AlertMail]:
    """Who was told, or was about to be, that it is open is told once that it is over, when it has stayed so."""
    settled = Alert.objects.filter(
        property_id__in=wanting, closed_at__lte=now - SETTLES, closed_at__gt=now - REMEMBERS
    )
    said = AlertMail.objects.filter(
        alert_id=OuterRef("alert_id"), membership_id=OuterRef("membership_id"), what=What.OVER
    )
    told = AlertMail.objects.filter(alert__in=settled, what=What.OPENED).exclude(result=NOT_WANTED)
    for mail in told.filter(~Exists(said)).select_related("alert"):
        yield _row(mail.alert, mail.membership_id, What.OVER, now)


def _row(alert: Alert, membership_id: int, what: str, now: datetime) -> AlertMail:
    return AlertMail(
        property_id=alert.property_id,
        alert=alert,
        membership_id=membership_id,
        what=what,
        made_at=now,
        next_try_at=now,
    )


# Saying it ------------------------------------------------------------------------------------------


def send_due(*, now: datetime) -> int:
    """Send what is due, one e-mail per person. Returns how many e-mails went out."""
    rows = AlertMail.objects.filter(next_try_at__lte=now).select_related(
        "alert", "property", "membership__user", "membership__alert_preference"
    )
    by_member: dict[int, list[AlertMail]] = {}
    for row in rows.order_by("next_try_at", "id")[:ONE_LOOK]:
        by_member.setdefault(row.membership_id, []).append(row)
    return sum(_tell(mails, now) for mails in by_member.values())


def _tell(mails: Sequence[AlertMail], now: datetime) -> bool:
    """Send one person what may be said now. True when an e-mail went out."""
    member, hotel = mails[0].membership, mails[0].property
    wants: AlertPreference | None = getattr(member, "alert_preference", None)
    if wants is None or not (wants.by_email and member.is_active and member.user.is_active):
        _end(mails, NOT_WANTED)
        return False
    _end([one for one in mails if _is_late(one)], OVER_FIRST)
    at = now.astimezone(zone(hotel.timezone)).time()
    quiet = is_quiet(wants.quiet_from, wants.quiet_to, at)
    due = [
        one
        for one in mails
        if not _is_late(one) and (not quiet or (wants.urgent_anyway and one.alert.is_urgent()))
    ]
    mine = [one for one in due if _taken(one, now)]
    return bool(mine) and _sent(mine, member, hotel, now)


def _is_late(mail: AlertMail) -> bool:
    return mail.what == What.OPENED and mail.alert.closed_at is not None


def _end(mails: Sequence[AlertMail], result: str) -> None:
    ids = [one.pk for one in mails]
    AlertMail.objects.filter(pk__in=ids, sent_at=None).update(next_try_at=None, result=result)


def _taken(mail: AlertMail, now: datetime) -> bool:
    """True for one of any number of workers; the claim ends by itself, should that one die."""
    mine = AlertMail.objects.filter(pk=mail.pk, next_try_at=mail.next_try_at, sent_at=None)
    return bool(mine.update(next_try_at=now + LEASE, tries=mail.tries + 1))


def _sent(mails: Sequence[AlertMail], member: Membership, hotel: Property, now: datetime) -> bool:
    subject, body = letter(mails, hotel=hotel, now=now)
    ids = [one.pk for one in mails]
    try:
        EmailMessage(subject, body, to=[member.user.email]).send()
    except (SMTPException, OSError) as error:
        log.warning("an e-mail about alerts could not be sent: %s", type(error).__name__)
        _put_off(mails, type(error).__name__, now)
        return False
    AlertMail.objects.filter(pk__in=ids).update(sent_at=now, next_try_at=None, result="sent")
    return True


def _put_off(mails: Sequence[AlertMail], problem: str, now: datetime) -> None:
    for one in mails:
        given_up = one.tries + 1 >= MOST_TRIES
        AlertMail.objects.filter(pk=one.pk).update(
            next_try_at=None if given_up else now + retry_delay(one.tries, RETRIES),
            result=f"{'given up' if given_up else 'not sent yet'}: {problem}"[:60],
        )


def letter(mails: Sequence[AlertMail], *, hotel: Property, now: datetime) -> tuple[str, str]:
    """Subject and text of one e-mail, times by the hotel's clock."""
    ordered = sorted(mails, key=lambda one: (one.alert.rank, one.alert_id))
    open_ones = [one.alert for one in ordered if one.what == What.OPENED]
    over = [one.alert for one in ordered if one.what == What.OVER]
    if len(ordered) == 1:
        only = ordered[0]
        words = f"{only.alert}" if only.what == What.OPENED else f"over: {only.alert}"
    else:
        parts = [counted(len(open_ones), "alert") if open_ones else ""]
        parts.append(f"{len(over)} over" if over else "")
        words = ", ".join(part for part in parts if part)
    blocks = [_about_open(alert, hotel) for alert in open_ones]
    blocks += [_about_over(alert, hotel) for alert in over]
    blocks.append(f"All alerts: {settings.PORTAL_BASE_URL}/alerts/")
    blocks.append(
        f"You get this because you asked for it at {hotel.name}: "
        f"{settings.PORTAL_BASE_URL}/alerts/preferences/"
    )
    subject = " ".join(f"{hotel.name}: {words}".split())
    return subject, "\n\n".join(blocks) + "\n"


def _about_open(alert: Alert, hotel: Property) -> str:
    lines = [f"{alert}, since {_clock(alert.opened_at, hotel)}.", alert.sentence]
    if alert.guests:
        lines.append(f"Guests at risk: {alert.guests}.")
    return "\n".join([*lines, f"What to do: {REMEDIES[alert.kind]}"])


def _about_over(alert: Alert, hotel: Property) -> str:
    closed_at = alert.closed_at or alert.opened_at
    return (
        f"Over: {alert}. It lasted from {_clock(alert.opened_at, hotel)} to {_clock(closed_at, hotel)}; "
        f"at most {counted(alert.most_guests, 'guest was', 'guests were')} at risk."
    )


def _clock(moment: datetime, hotel: Property) -> str:
    local = moment.astimezone(zone(hotel.timezone))
    return f"{local:%H:%M} on {local.day} {local:%b} ({hotel.timezone})"
