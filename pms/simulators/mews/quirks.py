"""Where MEWS' ways are unknown: one switch for each reading."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Quirks:
    """The defaults follow the vendor's documents, or the likelier reading where these are silent.

    ``cursor_on_last_page``: a full last page has a cursor that leads to an empty page, as in the
    vendor's own examples. ``canceled_without_states``: a search without ``States`` shows cancelled
    reservations too. ``owner_is_companion``: the owner of a new reservation has a companionship of
    their own. ``token_touches_reservation``: writing a resource access token stamps the reservation
    anew and tells of it. ``check_in_sets_options``: a check-in at the desk sets ``OwnerCheckedIn``.
    """

    cursor_on_last_page: bool = False
    canceled_without_states: bool = True
    owner_is_companion: bool = False
    token_touches_reservation: bool = False
    check_in_sets_options: bool = True
