"""Registers the app and connects what must listen."""

from __future__ import annotations

from django.apps import AppConfig


class LocksConfig(AppConfig):
    """The locks app."""

    name = "locks"
    default_auto_field = "django.db.models.BigAutoField"
