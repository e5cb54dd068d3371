"""Registers the app and connects what must listen."""

from __future__ import annotations

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The portal app."""

    name = "portal"
    default_auto_field = "django.db.models.BigAutoField"
