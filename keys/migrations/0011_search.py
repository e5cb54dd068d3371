"""A trigram index for the search by a guest's name on PostgreSQL, if its extensions can be had."""

import sys

from django.db import DatabaseError, migrations, transaction

EXTENSIONS = ("pg_trgm", "btree_gin")
SORRY = """
Searching guests by name has no index: PostgreSQL did not give the extensions pg_trgm and btree_gin ({error}).
All else works, and so does the search, more slowly in hotels with very many keys. To get the index, let a superuser of
the database run "CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gin;" in it, then run
"manage.py migrate keys 0010" and "manage.py migrate".
"""


def make(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            for name in EXTENSIONS:
                cursor.execute(f"CREATE EXTENSION IF NOT EXISTS {name}")
            cursor.execute(
                "CREATE INDEX keys_by_name ON keys_key "
                # Without a list of pending entries, which every search would read and the planner shuns.
                "USING gin (property_id, upper(label::text) gin_trgm_ops) WITH (fastupdate = off)"
            )
    except DatabaseError as error:
        sys.stderr.write(SORRY.format(error=str(error).splitlines()[0]))


def drop(apps, schema_editor):
    """The extensions stay: others may use them."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS keys_by_name")


class Migration(migrations.Migration):
    dependencies = [("keys", "0010_postgresql")]

    operations = [migrations.RunPython(make, drop)]
