"""Keys and all their parts point only at rows of their own hotel; PostgreSQL says so itself."""

from django.db import migrations

from locks.postgresql import OnPostgreSQL, owned, same_hotel


class Migration(migrations.Migration):
    dependencies = [
        ("keys", "0001_initial"),
        ("locks", "0010_postgresql"),
        ("pms", "0010_postgresql"),
    ]

    operations = [
        *owned(
            "keys_guest",
            "keys_key",
            "keys_person",
            "keys_keychaindoor",
            "keys_credential",
            "keys_recovery",
            "keys_bulkchange",
        ),
        *same_hotel("keys_bulkrow", change_id="keys_bulkchange", key_id="keys_key"),
        *same_hotel("keys_recovery", outage_id="pms_outage"),
        *same_hotel("keys_recoveryrow", recovery_id="keys_recovery"),
        *same_hotel("keys_supportrequest", outage_id="pms_outage", recovery_id="keys_recovery"),
        *owned("keys_alert"),
        *same_hotel("keys_key", reservation_id="pms_reservation"),
        *same_hotel("keys_continuation", key_id="keys_key", reservation_id="pms_reservation"),
        *same_hotel(
            "keys_backupcode", door_id="locks_door", key_id="keys_key", given_for_id="keys_key"
        ),
        *same_hotel("keys_person", key_id="keys_key", guest_id="keys_guest"),
        *same_hotel(
            "keys_keychaindoor", key_id="keys_key", door_id="locks_door", outage_id="pms_outage"
        ),
        *same_hotel("keys_guestmessage", key_id="keys_key", credential_id="keys_credential"),
        *same_hotel(
            "keys_cardencoding",
            key_id="keys_key",
            person_id="keys_person",
            account_id="locks_lockaccount",
        ),
        *same_hotel("keys_formercode", credential_id="keys_credential"),
        *same_hotel("keys_credential", key_id="keys_key", person_id="keys_person"),
        *same_hotel(
            "keys_assignment",
            key_id="keys_key",
            credential_id="keys_credential",
            keychain_door_id="keys_keychaindoor",
            door_id="locks_door",
            lock_id="locks_lock",
            writer_id="locks_writer",
        ),
        # A shift is told from the history of one hotel by its time.
        *(
            OnPostgreSQL(
                f"CREATE INDEX {table}_of_hotel ON {table} (property_id, history_date, history_id)",
                f"DROP INDEX {table}_of_hotel",
            )
            for table in ("keys_historicalkey", "keys_historicalkeychaindoor")
        ),
    ]
