"""Where Cloudbeds' ways are unknown or reported to vary: one switch for each reading."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Quirks:
    """The defaults follow the vendor's documents, or the likelier reading where these are silent.

    ``any_room_checks_in_the_booking``: a booking of several rooms is ``checked_in`` with the first
    room in house, else with the last. ``modified_filter_is_utc``: ``modifiedFrom/To`` are read in
    UTC, else in the property's zone. ``webhook_url_key``: ``endpoint`` as documented or ``url`` as
    reported of live answers. ``new_state_key``: ``newState`` or ``state``.
    ``delete_webhook_works``: false answers success without deleting, as reported.
    """

    any_room_checks_in_the_booking: bool = False
    modified_filter_is_utc: bool = False
    webhook_url_key: str = "endpoint"
    new_state_key: str = "newState"
    delete_webhook_works: bool = True
