"""The front desk of Seaside Rooms at the MEWS simulator."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from pms import connecting
from tests.factories import BY
from tests.pms.front_desks import House, Line, Manner, RoomWish, SimulatedDesk, said
from tests.pms.mews_server import SEASIDE


class MewsDesk(SimulatedDesk):
    """Seaside Rooms at the MEWS simulator: each stay is a reservation of its own, a booking is their group."""

    adapter = "mews"
    hotel = SEASIDE
    house = House(
        doubles=("11", "12", "13", "14", "15", "16", "21", "22", "23", "24"),
        beds=tuple(f"Dorm 1 {letter}" for letter in "ABCD"),
        dorm="Dorm 1",
        lacks=frozenset({"book_the_apartment", "delete", "replace_main_guest"}),
    )
    STATES = {"Confirmed": "expected", "Started": "in_house", "Processed": "departed"}

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self._groups: dict[str, dict[str, Line]] = {}

    def connect(self, property_: Any) -> None:
        connecting.connect_with_token(
            property=property_, adapter=self.adapter, typed=self.server.access_token(), by=BY
        )

    def book(self, wishes: Sequence[RoomWish], manner: Manner) -> list[Line] | None:
        first = self._book(wishes, manner)
        if first is None:
            return None
        for ref in first["group"]:
            lines = self._noted(self.server.get(f"reservations/{ref}"))
        return lines

    def act(self, line: Line, verb: str, manner: Manner, **values: Any) -> list[Line] | None:
        if verb == "cancel-booking":
            for each in list(self._groups[line.booking].values()):
                if each.state in {"expected", "tentative"}:
                    self.act(each, "cancel", manner)
            return list(self._groups[line.booking].values())
        if "unknown_status" in values:
            values["unknown_state"] = values.pop("unknown_status")
        found = self._post(f"reservations/{line.ref}/{verb}", **values, **said(manner))
        return None if found is None else self._noted(found)

    def _noted(self, row: dict[str, Any]) -> list[Line]:
        """Remember one reservation as it is now; returns its whole group."""
        group = self._groups.setdefault(row["group_id"], {})
        state = self._state(row)
        group[row["id"]] = Line(
            ref=row["id"],
            booking=row["group_id"],
            state=state,
            arrival=date.fromisoformat(row["arrival"]),
            departure=date.fromisoformat(row["departure"]),
            room=row["room"] or "",
            guests=tuple(
                (guest["id"], f"{guest['first'] or ''} {guest['last']}".strip())
                for guest in row["guests"]
            ),
            online=row["owner_checked_in"] and state in {"expected", "in_house"},
            starts_at=datetime.fromisoformat(row["starts_at"]),
            ends_at=datetime.fromisoformat(row["ends_at"]),
        )
        return list(group.values())

    def _state(self, row: dict[str, Any]) -> str:
        if row["oddities"].get("state"):
            return "unknown"
        if row["state"] == "Canceled":
            return "no_show" if row["cancellation_reason"] == "NoShow" else "cancelled"
        return self.STATES.get(row["state"], "tentative")
