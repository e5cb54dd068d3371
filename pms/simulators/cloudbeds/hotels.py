"""The two invented hotels and their rooms, put into an empty store."""

from __future__ import annotations

from collections.abc import Iterator

from pms.simulators.shared.store import Store

HARBOR_HOUSE = "318267"
CANYON_LODGE = "318268"
ORGANIZATION = "90071"

DOUBLE = ("128837", "Double", "DBL")
DORM_BED = ("128838", "Dorm bed", "BED")
SUITE = ("128839", "Suite", "STE")
FAMILY = ("128840", "Family apartment", "FAM")
CABIN = ("128901", "Cabin", "CAB")

Row = tuple[str, str, tuple[str, str, str], str | None, bool, int, str]


def found_hotels(store: Store, *, timezone: str) -> None:
    """Put both hotels and their rooms into the store, unless they are there.

    ``timezone`` is the IANA zone of Harbor House; Canyon Lodge lies far west of UTC, so that its
    date often differs from the UTC date.
    """
    with store.transaction():
        if store.number("SELECT count(*) FROM properties"):
            return
        _property(store, HARBOR_HOUSE, "Harbor House", timezone, "15:00:00", "11:00:00")
        _property(
            store, CANYON_LODGE, "Canyon Lodge", "America/Los_Angeles", "16:00:00", "10:00:00"
        )
        _rooms(store, HARBOR_HOUSE, harbor_house_rooms())
        _rooms(store, CANYON_LODGE, canyon_lodge_rooms())


def harbor_house_rooms() -> Iterator[Row]:
    """12 doubles, 2 suites, a dorm of 4 beds, and a virtual apartment that joins 205 and 206."""
    names = [str(floor * 100 + number) for floor in (1, 2) for number in range(1, 7)]
    ids = {name: f"{DOUBLE[0]}-{index}" for index, name in enumerate(names, start=1)}
    for name, room_id in ids.items():
        yield room_id, name, DOUBLE, None, False, 2, ""
    for index in (1, 2):
        yield f"{SUITE[0]}-{index}", f"30{index}", SUITE, None, False, 4, ""
    for index in range(1, 5):
        yield f"{DORM_BED[0]}-{index}", f"D1-{index}", DORM_BED, "Dorm 1", False, 1, ""
    yield f"{FAMILY[0]}-1", "205+206", FAMILY, None, True, 4, f"{ids['205']},{ids['206']}"


def canyon_lodge_rooms() -> Iterator[Row]:
    """24 cabins: more than one page of the vendor's default size."""
    for index in range(1, 25):
        yield f"{CABIN[0]}-{index}", f"Cabin {index}", CABIN, None, False, 2, ""


def _property(
    store: Store, property_id: str, name: str, timezone: str, check_in: str, check_out: str
) -> None:
    store.insert(
        "properties",
        id=property_id,
        name=name,
        timezone=timezone,
        check_in=check_in,
        check_out=check_out,
    )


def _rooms(store: Store, property_id: str, rows: Iterator[Row]) -> None:
    for position, (room_id, name, kind, dorm, is_virtual, places, linked) in enumerate(rows):
        store.insert(
            "rooms",
            id=room_id,
            property_id=property_id,
            name=name,
            type_id=kind[0],
            type_name=kind[1],
            type_short=kind[2],
            dorm_name=dorm,
            is_virtual=is_virtual,
            max_guests=places,
            linked=linked,
            position=position,
        )
