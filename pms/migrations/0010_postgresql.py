"""Rows of the PMS point only at rows of their own hotel; PostgreSQL says so itself."""

from django.db import migrations

from locks.postgresql import owned, same_hotel


class Migration(migrations.Migration):
    dependencies = [("pms", "0001_initial"), ("locks", "0010_postgresql")]

    operations = [
        *owned("pms_integration", "pms_outage", "pms_reservation"),
        *same_hotel("pms_outage", integration_id="pms_integration"),
        *same_hotel("pms_room", integration_id="pms_integration"),
        *same_hotel("pms_webhookevent", integration_id="pms_integration"),
        *same_hotel("pms_roomdoor", integration_id="pms_integration", door_id="locks_door"),
        *same_hotel(
            "pms_writeback", integration_id="pms_integration", reservation_id="pms_reservation"
        ),
        *same_hotel(
            "pms_reservation",
            integration_id="pms_integration",
            came_in_during_id="pms_outage",
            affected_by_id="pms_outage",
        ),
    ]
