"""Registers the app and connects what must listen."""

from __future__ import annotations

from django.apps import AppConfig


class KeysConfig(AppConfig):
    """The keys app."""

    name = "keys"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import keys.receivers
