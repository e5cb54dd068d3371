"""Who may do what: one table from role to rights, asked by every screen and every API call."""

from __future__ import annotations

import logging
from enum import StrEnum

from portal.models import Membership, Role

log = logging.getLogger(__name__)


class Right(StrEnum):
    """One thing that a person or a token may be allowed to do at a property."""

    SEE_DOORS = "see doors and locks"
    SEE_LOG = "see the door log"
    SEE_ALERTS = "see alerts"
    SEE_KEYS = "see keys and reservations"
    SEE_CODES = "see codes"
    EDIT_KEYS = "make and edit keys"
    SWITCH_DOORS = "hold and release single doors"
    EDIT_DOORS = "add and edit doors"
    PAIR_LOCKS = "pair locks with doors"
    SERVICE_LOCKS = "read locks again and set their clocks"
    UNLOCK = "unlock doors from here"
    GIVE_EVENTS = "give events of locks to the door log"
    CLEAR_FOREIGN = "keep or remove codes that are not Portal’s"
    SET_MASTER_CODES = "change the master codes of locks"
    SEE_SETTINGS = "see the connection to the PMS"
    CHANGE_SETTINGS = "change the settings of the property"
    SEE_LOCK_SYSTEMS = "see the accounts at lock systems"
    CHANGE_INTEGRATIONS = "connect and reconnect the PMS"
    CHANGE_LOCK_SYSTEMS = "connect and reconnect lock systems"
    RELEASE_IN_BULK = "release many doors at once"
    CHANGE_IN_BULK = "revoke many keys and switch their doors at once"
    ERASE_GUESTS = "erase and export guests"
    MAIL_HANDOVER = "send the shift handover by e-mail"
    MANAGE_TOKENS = "make and revoke API tokens"
    DISCONNECT = "disconnect the PMS and lock systems"
    MANAGE_STAFF = "manage staff"


_EVERYONE = frozenset({Right.SEE_DOORS, Right.SEE_LOG, Right.SEE_ALERTS})
_TEAM = _EVERYONE | {
    Right.SEE_KEYS,
    Right.SEE_CODES,
    Right.EDIT_KEYS,
    Right.SWITCH_DOORS,
    Right.EDIT_DOORS,
    Right.SERVICE_LOCKS,
    Right.UNLOCK,
    Right.SEE_SETTINGS,
    Right.SEE_LOCK_SYSTEMS,
}
_MANAGER = _TEAM | {
    Right.PAIR_LOCKS,
    Right.CLEAR_FOREIGN,
    Right.SET_MASTER_CODES,
    Right.GIVE_EVENTS,
    Right.CHANGE_SETTINGS,
    Right.CHANGE_INTEGRATIONS,
    Right.CHANGE_LOCK_SYSTEMS,
    Right.RELEASE_IN_BULK,
    Right.CHANGE_IN_BULK,
    Right.ERASE_GUESTS,
    Right.MAIL_HANDOVER,
    Right.MANAGE_TOKENS,
}

RIGHTS: dict[Role, frozenset[Right]] = {
    Role.OWNER: _MANAGER | {Right.DISCONNECT, Right.MANAGE_STAFF},
    Role.GENERAL_MANAGER: _MANAGER,
    Role.TEAM: _TEAM,
    Role.HOUSEKEEPING: _EVERYONE,
    Role.INSTALLER: _EVERYONE | {Right.PAIR_LOCKS, Right.SERVICE_LOCKS, Right.SEE_LOCK_SYSTEMS},
}


def role_allows(role: Role | str, right: Right) -> bool:
    """Whether that role has the right by the table alone."""
    return right in RIGHTS[Role(role)]


def allowed(membership: Membership, right: Right) -> bool:
    """Whether this person may do it at this property now.

    "May release after an outage" is a right of its own, so that a night porter can be given it, though not to a role
    that sees no keys; a membership that was deactivated has no rights at all.
    """
    if not membership.is_active:
        return False
    if right is Right.RELEASE_IN_BULK and membership.may_release_after_outage:
        return role_allows(membership.role, Right.SEE_KEYS)
    return role_allows(membership.role, right)


def roles_with(right: Right) -> str:
    """The roles that have the right, for a sentence that says whom to ask: "an Owner or a General Manager"."""
    names = [role.label for role in Role if role_allows(role, right)]
    return " or ".join(f"{'an' if name[0] in 'AEIOU' else 'a'} {name}" for name in names)


def note_refusal(*, role: str, user_id: int, property_id: int, asked: str, right: Right) -> None:
    """Keep in the log that someone asked for what their role may not do: by number, without names and contacts.

    ``asked`` is method and path.
    """
    who = f"person {user_id} as {role} of property {property_id}"
    log.warning("refused: %s asked for %s and may not %s", who, asked, right.value)
