"""``manage.py rotate_field_keys``: encrypts every stored secret again with the newest key, while Portal runs."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models

from locks.vault import EncryptedTextField, rotate


class Command(BaseCommand):
    """Walks all encrypted columns; may be stopped and started again, and run twice without harm.

    First put the new key in front in PORTAL_FIELD_KEYS and restart all processes; drop the old one only after this
    command has said that nothing is left.
    """

    help = "Encrypt all stored secrets with the newest key of PORTAL_FIELD_KEYS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--chunk", type=int, default=500, help="Rows per round.")
        parser.add_argument("--check", action="store_true", help="Only count what is left.")

    def handle(self, *args: Any, **options: Any) -> None:
        left = 0
        for model, column in encrypted_columns():
            old, lost = _walk(model, column, options["chunk"], change=not options["check"])
            left += lost + (old if options["check"] else 0)
            said = "to rotate" if options["check"] else "rotated"
            self.stdout.write(f"{model._meta.label}.{column}: {old} {said}, {lost} unreadable")
        if left:
            raise CommandError(f"{left} secrets are not encrypted with the newest key.")
        self.stdout.write("All secrets are encrypted with the newest key.")


def encrypted_columns() -> Iterator[tuple[type[models.Model], str]]:
    """Every column that holds encrypted text, of every table."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.local_concrete_fields:
            if isinstance(field, EncryptedTextField) and field.column:
                yield model, field.column


def _walk(model: type[models.Model], column: str, chunk: int, *, change: bool) -> tuple[int, int]:
    """Go through one column by id; returns how many had an older key and how many open with none."""
    table = connection.ops.quote_name(model._meta.db_table)
    name = connection.ops.quote_name(column)
    last = old = lost = 0
    while rows := _rows(table, name, last, chunk):
        last = rows[-1][0]
        for pk, stored in rows:
            if _is_newest(stored):
                continue
            try:
                fresh = rotate(stored)
            except InvalidToken:
                lost += 1
                continue
            old += 1
            if change:
                _swap(table, name, pk, stored, fresh)
    return old, lost


def _rows(table: str, name: str, last: int, chunk: int) -> list[tuple[int, str]]:
    sql = (
        f"SELECT id, {name} FROM {table} WHERE id > %s AND {name} IS NOT NULL AND {name} <> '' "  # noqa: S608
        "ORDER BY id LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [last, chunk])
        return list(cursor.fetchall())


def _swap(table: str, name: str, pk: int, stored: str, fresh: str) -> None:
    """Replace what was read, unless someone stored a new secret meanwhile, which has the newest key already."""
    sql = f"UPDATE {table} SET {name} = %s WHERE id = %s AND {name} = %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [fresh, pk, stored])


def _is_newest(stored: str) -> bool:
    try:
        Fernet(settings.PORTAL_FIELD_KEYS[0]).decrypt(stored.encode())
    except InvalidToken:
        return False
    return True
