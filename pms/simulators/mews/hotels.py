"""Three invented hotels with their rooms and the integrations that open them, all with fixed ids."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid5

from pms.simulators.shared.store import Store

SEASIDE_ROOMS = "5ea51de0-0000-4000-8000-000000000001"
MESA_INN = "4e5a1000-0000-4000-8000-000000000002"
LANTERN_HOUSE = "1a47e240-0000-4000-8000-000000000003"
COAST_CHAIN = "c0a57000-0000-4000-8000-0000000000c1"
LANTERN_CHAIN = "1a47e240-0000-4000-8000-0000000000c2"
FOUNDED = datetime(2024, 1, 15, 9, 0, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A hotel to be built: times of day are property-local ``HH:MM``."""

    id: str
    chain_id: str
    name: str
    timezone: str
    rooms: tuple[str, ...]
    dorm: str = ""
    starts: str = "15:00"
    ends: str = "10:00"


@dataclass(frozen=True, slots=True)
class Grant:
    """An integration: its AccessToken opens these hotels. Its id is the token's first part."""

    token: str
    name: str
    enterprise_ids: tuple[str, ...]
    sends_events: bool = True

    @property
    def id(self) -> str:
        """The integration's id, as in the vendor's public examples."""
        return str(UUID(self.token.partition("-")[0]))


PLANS = (
    Plan(
        id=SEASIDE_ROOMS,
        chain_id=COAST_CHAIN,
        name="Seaside Rooms",
        timezone="Europe/Berlin",
        rooms=("11", "12", "13", "14", "15", "16", "21", "22", "23", "24"),
        dorm="Dorm 1",
    ),
    Plan(
        id=MESA_INN,
        chain_id=COAST_CHAIN,
        name="Mesa Inn",
        timezone="America/Denver",
        rooms=("1", "2", "3", "4", "5"),
    ),
    Plan(
        id=LANTERN_HOUSE,
        chain_id=LANTERN_CHAIN,
        name="Lantern House",
        timezone="Asia/Tokyo",
        rooms=("101", "102", "103"),
    ),
)
GRANTS = (
    Grant(
        "5EA51DE0A11E4000800000000000AC01-5EA51DE00000000000000000000AC01",
        "Portal",
        (SEASIDE_ROOMS,),
    ),
    Grant(
        "4E5A1000A11E4000800000000000AC02-4E5A10000000000000000000000AC02",
        "Portal",
        (MESA_INN,),
    ),
    Grant(
        "1A47E240A11E4000800000000000AC03-1A47E2400000000000000000000AC03",
        "Portal",
        (LANTERN_HOUSE,),
    ),
    Grant(
        "C0A57000A11E4000800000000000AC04-C0A570000000000000000000000AC04",
        "Portal for a portfolio",
        (SEASIDE_ROOMS, MESA_INN),
        sends_events=False,
    ),
)


def found_hotels(store: Store, *, timezone: str = "") -> None:
    """Put the hotels and the integrations into the store, unless they are there.

    ``timezone`` is another IANA zone for Seaside Rooms.
    """
    with store.transaction():
        if store.number("SELECT count(*) FROM enterprises"):
            return
        for plan in PLANS:
            first = plan.id == SEASIDE_ROOMS
            _build(store, plan, timezone if timezone and first else plan.timezone)
        grant_access(store)


def grant_access(store: Store) -> None:
    """Put the fixed integrations into an empty table."""
    for position, grant in enumerate(GRANTS):
        store.insert(
            "integrations",
            id=grant.id,
            name=grant.name,
            enterprise_ids=",".join(grant.enterprise_ids),
            token=grant.token,
            sends_events=grant.sends_events,
            position=position,
        )


def id_of(enterprise_id: str, name: str) -> str:
    """The fixed id of a hotel's service, category, room or address."""
    return str(uuid5(UUID(enterprise_id), name))


def _build(store: Store, plan: Plan, timezone: str) -> None:
    store.insert(
        "enterprises",
        id=plan.id,
        chain_id=plan.chain_id,
        name=plan.name,
        timezone=timezone,
        service_id=id_of(plan.id, "service Stay"),
        starts=plan.starts,
        ends=plan.ends,
        created_at=FOUNDED,
        updated_at=FOUNDED,
    )
    double = _category(store, plan, "Room", "Double", "DBL", "StandardDouble", 2)
    for name in plan.rooms:
        _resource(store, plan, name, double, parent_id=None)
    if plan.dorm:
        dorm = _category(store, plan, "Dorm", "Dorm", "DRM", "SharedOrDorm", 4)
        bed = _category(store, plan, "Bed", "Dorm bed", "BED", "SharedOrDorm", 1)
        room_id = _resource(store, plan, plan.dorm, dorm, parent_id=None)
        for letter in "ABCD":
            _resource(store, plan, f"{plan.dorm} {letter}", bed, parent_id=room_id)


def _category(
    store: Store, plan: Plan, kind: str, name: str, short: str, classification: str, capacity: int
) -> str:
    category_id = id_of(plan.id, f"category {name}")
    store.insert(
        "categories",
        id=category_id,
        enterprise_id=plan.id,
        service_id=id_of(plan.id, "service Stay"),
        type=kind,
        name=name,
        short=short,
        classification=classification,
        capacity=capacity,
        updated_at=FOUNDED,
    )
    return category_id


def _resource(
    store: Store, plan: Plan, name: str, category_id: str, *, parent_id: str | None
) -> str:
    resource_id = id_of(plan.id, f"room {name}")
    store.insert(
        "resources",
        id=resource_id,
        enterprise_id=plan.id,
        parent_id=parent_id,
        category_id=category_id,
        name=name,
        state="Inspected",
        floor=name[0] if name[0].isdigit() and len(name) > 1 else "0",
        created_at=FOUNDED,
        updated_at=FOUNDED,
    )
    store.insert(
        "assignments",
        id=id_of(plan.id, f"assignment {name}"),
        category_id=category_id,
        resource_id=resource_id,
        created_at=FOUNDED,
    )
    return resource_id
