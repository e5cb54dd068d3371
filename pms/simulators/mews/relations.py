"""What stands beside companionships when their extent asks for it."""

from __future__ import annotations

from collections.abc import Sequence

from pms.simulators.mews import wire
from pms.simulators.mews.records import (
    Companionship,
    Customer,
    companions_of,
    made,
    reservation,
)
from pms.simulators.mews.wire import Json
from pms.simulators.shared.store import Store, marks


def customers_of(store: Store, found: Sequence[Companionship]) -> list[Json]:
    """The guests, each once."""
    ids = list({one.customer_id for one in found})
    rows = store.rows(f"SELECT * FROM customers WHERE id IN ({marks(ids)})", *ids)  # noqa: S608
    return [wire.customer(made(Customer, row)) for row in rows]


def groups_of(store: Store, found: Sequence[Companionship]) -> list[Json]:
    """The groups, each once, as older operations write them."""
    ids = list({one.group_id for one in found})
    rows = store.rows(f"SELECT * FROM groups WHERE id IN ({marks(ids)})", *ids)  # noqa: S608
    return [{"Id": row["id"], "Name": row["name"]} for row in rows]


def old_reservations_of(store: Store, found: Sequence[Companionship]) -> list[Json]:
    """The reservations, each once."""
    return old_reservations(store, list({one.reservation_id or "" for one in found}))


def old_reservations(store: Store, ids: Sequence[str]) -> list[Json]:
    """The reservations of these ids, as older operations write them."""
    rows = store.rows(f"SELECT * FROM reservations WHERE id IN ({marks(ids)})", *ids)  # noqa: S608
    result = []
    for row in rows:
        one = reservation(row)
        companions = [companion.customer_id for companion in companions_of(store, one)]
        result.append(wire.reservation_old(one, companions))
    return result
