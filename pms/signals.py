"""News that travels upwards from the PMS side, carrying ids only. The only receivers are in keys/receivers.py."""

from __future__ import annotations

from django.dispatch import Signal

reservation_changed = Signal()
"""Sent with ``reservation_ids`` inside the transaction that changed them."""

connection_changed = Signal()
"""Sent with ``property_id`` when a PMS connection changed its state: what is known of check-ins changed with it."""
