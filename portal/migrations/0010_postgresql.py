"""Tokens and what is said of alerts belong to members of their own hotel; PostgreSQL says so itself."""

from django.db import migrations

from locks.postgresql import owned, same_hotel


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0002_hotel"),
        ("locks", "0010_postgresql"),
        ("keys", "0010_postgresql"),
    ]

    operations = [
        *owned("portal_membership"),
        *same_hotel("portal_apitoken", membership_id="portal_membership"),
        *same_hotel("portal_handover", membership_id="portal_membership"),
        *same_hotel("portal_handovermail", membership_id="portal_membership"),
        *same_hotel("portal_alertpreference", membership_id="portal_membership"),
        *same_hotel("portal_alertmail", membership_id="portal_membership", alert_id="keys_alert"),
    ]
