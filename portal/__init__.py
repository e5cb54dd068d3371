"""The composition root: settings, background work, staff portal, API and admin. Importing it readies Celery."""

from __future__ import annotations

from portal.celery import app as celery_app

__all__ = ["celery_app"]
