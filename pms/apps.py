"""Registers the app and connects what must listen."""

from __future__ import annotations

from django.apps import AppConfig


class PMSConfig(AppConfig):
    """The pms app."""

    name = "pms"
    default_auto_field = "django.db.models.BigAutoField"
