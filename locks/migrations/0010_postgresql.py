"""What only PostgreSQL can do: a door log in monthly partitions, and rows that can point only at rows of their hotel."""

from datetime import UTC, datetime

from django.db import migrations

from locks.postgresql import owned, same_hotel

TABLE = "locks_doorlogentry"


def split(apps, schema_editor):
    """Make the door log a table of monthly partitions with one for everything else, keeping its rows and their ids."""
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        _rebuild(
            cursor, "(id, happened_at)", " PARTITION BY RANGE (happened_at)", _partitions(cursor)
        )


def join(apps, schema_editor):
    """Make the door log one plain table again, keeping its rows and their ids."""
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        _rebuild(cursor, "(id)", "", [])


def _partitions(cursor):
    cursor.execute("SELECT clock_timestamp()")
    now = cursor.fetchone()[0].astimezone(UTC)
    this = now.year * 12 + now.month - 1
    starts = [datetime(*_year_and_month(this + step), 1, tzinfo=UTC) for step in range(-1, 5)]
    monthly = [
        f"CREATE TABLE {TABLE}_{start:%Y_%m} PARTITION OF {TABLE} "
        f"FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
        for start, end in zip(starts, starts[1:])
    ]
    return [f"CREATE TABLE {TABLE}_other PARTITION OF {TABLE} DEFAULT", *monthly]


def _year_and_month(months):
    return months // 12, months % 12 + 1


def _rebuild(cursor, key, partitioning, partitions):
    cursor.execute(f"SELECT pg_get_serial_sequence('{TABLE}', 'id')")
    sequence = cursor.fetchone()[0]
    cursor.execute(f"SELECT last_value, is_called FROM {sequence}")
    last, called = cursor.fetchone()
    cursor.execute(
        "SELECT pg_get_indexdef(indexrelid), indexrelid::regclass::text FROM pg_index "
        f"WHERE indrelid = '{TABLE}'::regclass AND NOT indisprimary ORDER BY indexrelid"
    )
    # A partitioned table's own indexes are defined ON ONLY it; made without ONLY they reach all partitions.
    indexes = [(text.replace(" ON ONLY ", " ON "), name) for text, name in cursor.fetchall()]
    cursor.execute(f"ALTER TABLE {TABLE} RENAME TO {TABLE}_before")
    cursor.execute(
        f"ALTER TABLE {TABLE}_before RENAME CONSTRAINT {TABLE}_pkey TO {TABLE}_before_pkey"
    )
    cursor.execute(f"ALTER SEQUENCE {sequence} RENAME TO {TABLE}_before_id_seq")
    cursor.execute(
        f"CREATE TABLE {TABLE} (LIKE {TABLE}_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS "
        f"INCLUDING IDENTITY, CONSTRAINT {TABLE}_pkey PRIMARY KEY {key}){partitioning}"
    )
    for statement in partitions:
        cursor.execute(statement)
    cursor.execute(f"INSERT INTO {TABLE} SELECT * FROM {TABLE}_before")
    cursor.execute(f"DROP TABLE {TABLE}_before")
    cursor.execute(f"SELECT setval('{TABLE}_id_seq', %s, %s)", [last, called])
    for text, _ in indexes:
        cursor.execute(text)


class Migration(migrations.Migration):
    dependencies = [("locks", "0001_initial")]

    operations = [
        migrations.RunPython(split, join, elidable=False),
        *owned(
            "locks_door",
            "locks_gateway",
            "locks_lock",
            "locks_lockaccount",
            "locks_writer",
            "locks_foreigncode",
        ),
        *same_hotel("locks_gateway", account_id="locks_lockaccount", writer_id="locks_writer"),
        *same_hotel("locks_doorlink", door_id="locks_door", linked_id="locks_door"),
        *same_hotel(
            "locks_lock",
            account_id="locks_lockaccount",
            gateway_id="locks_gateway",
            writer_id="locks_writer",
            door_id="locks_door",
        ),
        *same_hotel("locks_discovery", account_id="locks_lockaccount"),
        *same_hotel("locks_episode", door_id="locks_door"),
        *same_hotel("locks_slotuse", lock_id="locks_lock"),
        *same_hotel("locks_vendorid", lock_id="locks_lock"),
        *same_hotel("locks_foreigncode", lock_id="locks_lock"),
        *same_hotel(
            "locks_errand",
            lock_id="locks_lock",
            writer_id="locks_writer",
            foreign_id="locks_foreigncode",
        ),
    ]
