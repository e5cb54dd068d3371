"""Which outage a stay fell into: affected by it, or come in during it, by the PMS's own times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pms.adapters import Stay
from pms.differences import happened, snapshot
from pms.models import Integration, Outage, Reservation

JITTER_S = 2.0
"""Clocks closer than this count as equal: the PMS tells its time in whole seconds."""


@dataclass(frozen=True, slots=True)
class Spans:
    """The outages of one connection, to tell what fell into one by the PMS's own times.

    ``recovering`` is the outage that the resync under way recovers from, if there is one. ``offset`` is how far the
    PMS's clock is ahead of Portal's.
    """

    outages: tuple[Outage, ...] = ()
    recovering: Outage | None = None
    offset: timedelta = timedelta(0)

    def at(self, moment: datetime | None) -> Outage | None:
        """The outage that a moment of the PMS's clock fell into: from the last good word, to the whole second, until
        the Reconnect."""
        if moment is None:
            return None
        ours = moment - self.offset
        for outage in self.outages:
            until = outage.reconnected_at or outage.ended_at
            began = outage.last_word_at.replace(microsecond=0)
            if began <= ours and (until is None or ours < until):
                return outage
        return None


def spans_of(
    integration: Integration, *, recovering: Outage | None = None, offset_s: float = 0.0
) -> Spans:
    """The outages of this connection, newest first."""
    outages = tuple(integration.outages.order_by("-began_at", "-id")[:50])
    offset = timedelta(seconds=offset_s if abs(offset_s) >= JITTER_S else 0.0)
    return Spans(outages=outages, recovering=recovering, offset=offset)


def mark(stay: Stay, row: Reservation, spans: Spans, *, was_version: datetime | None) -> None:
    """Affected: changed between the last good word and the Reconnect. Came in: created then, or first seen by the resync
    if the PMS does not say when. A mark of coming in is never taken back, nor given to what was known before."""
    is_new = not row.fingerprint
    came_in = spans.at(stay.created_at) if is_new else None
    if is_new and stay.created_at is None:
        came_in = spans.recovering
    changed = spans.at(stay.updated_at) if stay.updated_at != was_version else None
    if changed is None and not is_new and _changed_silently(stay, spans, was_version):
        changed = spans.recovering
    row.came_in_during = row.came_in_during or came_in
    if (outage := came_in or changed) is not None:
        _note_what_happened(stay, row, outage, is_new=is_new)
        row.affected_by = outage


def _note_what_happened(stay: Stay, row: Reservation, outage: Outage, *, is_new: bool) -> None:
    """Against the stay as it was known before this outage, however often it is read again; ``row`` is not changed yet."""
    if is_new:
        row.before_outage = None
    elif row.affected_by_id != outage.pk:
        known = row.checked_in_at is not None or row.checked_in_online_at is not None
        row.before_outage = snapshot(row, checked_in=known)
    after = snapshot(stay, checked_in=stay.checked_in or stay.checked_in_online)
    row.happened = [one.value for one in happened(row.before_outage, after)]


def _changed_silently(stay: Stay, spans: Spans, was_version: datetime | None) -> bool:
    """A resync found other content under a version that it knew, or under none."""
    return spans.recovering is not None and (
        stay.updated_at is None or stay.updated_at == was_version
    )
