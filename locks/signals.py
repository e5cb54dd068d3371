"""News that travels upwards from the locks. The only receivers are in keys/receivers.py."""

from __future__ import annotations

from django.dispatch import Signal

lock_reported = Signal()
"""Sent with ``lock_ids`` (back online or changed), ``used`` (handles that opened) and ``typed`` (refused codes)."""
