"""Calls for support: staff who may not release in bulk put an outage into a queue, from which support releases it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from keys import recovering
from keys.models import Recovery, SupportRequest
from keys.releasing import CAP, held_doors
from locks.history import Actor
from locks.pulse import bump
from pms.models import Outage


def contact_support(*, outage: Outage, by: Actor, now: datetime) -> SupportRequest:
    """Ask support to release what the outage holds. Asking again while it waits changes nothing. No guest is named."""
    with transaction.atomic():
        Outage.objects.select_for_update(of=("self",), no_key=True).get(pk=outage.pk)
        waiting = SupportRequest.objects.filter(outage=outage, answered_at=None).first()
        if waiting is not None:
            return waiting
        keys = held_doors(outage=outage, now=now).values("key_id").distinct()[:CAP].count()
        asked = SupportRequest.objects.create(
            property_id=outage.property_id,
            outage=outage,
            keys=keys,
            asked_by=by.label,
            asked_at=now,
        )
        bump([outage.property_id])
    return asked


def answer(*, request: SupportRequest, by: Actor, now: datetime) -> Recovery | None:
    """Release all that the outage holds, by the property's rule, and close the request. None if nothing was left.

    Keys made by hand are not linked: whose they are is the hotel's to say. Raises Refused without a reason.
    """
    with transaction.atomic():
        waiting = SupportRequest.objects.select_for_update(of=("self",), no_key=True)
        row = waiting.select_related("outage").get(pk=request.pk)
        try:
            with transaction.atomic():
                row.recovery = recovering.start(
                    outage=row.outage, links_keys=False, by=replace(by, batch_id=None), now=now
                )
        except recovering.NothingLeft:
            row.recovery = None
        row.answered_at = row.answered_at or now
        row.save(update_fields=["recovery", "answered_at"])
        bump([row.property_id])
    return row.recovery


def waits_for_support(outage: Outage) -> SupportRequest | None:
    """The request about this outage that support has not answered yet."""
    return SupportRequest.objects.filter(outage=outage, answered_at=None).first()
