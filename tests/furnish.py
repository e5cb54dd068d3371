"""Furnishes the database of a hotel that runs in processes of its own: ``python -m tests.furnish SIMLOCK_URL``.

Makes the property, its people, its doors and the locks on them, as an installer would leave them, and prints as JSON how
to come in. All that happens afterwards goes over HTTP.
"""

from __future__ import annotations

import json
import os
import sys

PROPERTY = "Harbor House"
TIMEZONE = "Atlantic/Reykjavik"  # a real zone in which no night has an hour too many or too few
PMS_ROOMS = [f"{floor}0{n}" for floor in (1, 2) for n in range(1, 7)] + ["301", "302"]
OTHER_ROOMS = [str(n) for n in range(401, 461)]
NO_WINDOW_ROOMS = [str(n) for n in range(501, 511)]
"""Rooms whose locks keep no time window of their own."""
GATEWAY_ROOMS = [str(n) for n in range(701, 717)]
"""Rooms whose locks are behind one gateway."""
GATEWAY = "gateway-7"
SMALL_ROOMS = ["601"]
"""Rooms whose locks hold so few codes."""
SMALL = 3
NEIGHBOR = "Lighthouse Inn"
"""Another hotel in the same Portal; its owner is the person "neighbor"."""
ROLES = ("owner", "general_manager", "team", "housekeeping", "installer")


def furnish(simlock_url: str, token: str) -> dict[str, object]:
    """Make everything; returns e-mail addresses by role, the password and an API token of the owner."""
    from datetime import timedelta  # noqa: PLC0415 - Django is set up by now

    from portal.tokens import make_token  # noqa: PLC0415 - Django is set up by now
    from tests import factories  # noqa: PLC0415 - Django is set up by now

    hotel = factories.PropertyFactory(name=PROPERTY, timezone=TIMEZONE, common_doors="none")
    account = factories.AccountFactory(property=hotel, base_url=simlock_url, token=token)
    gateway = factories.GatewayFactory(account=account, external_id=GATEWAY, name=GATEWAY)
    for name in (*PMS_ROOMS, *OTHER_ROOMS, *NO_WINDOW_ROOMS, *SMALL_ROOMS, *GATEWAY_ROOMS):
        factories.LockFactory(
            account=account,
            gateway=gateway if name in GATEWAY_ROOMS else None,
            external_id=name,
            door=factories.DoorFactory(property=hotel, name=name),
            native_window=name not in NO_WINDOW_ROOMS,
            max_codes=SMALL if name in SMALL_ROOMS else 250,
        )
    members = {role: factories.member(hotel, role) for role in ROLES}
    support = factories.UserFactory(
        email="support@hotel.example",
        is_staff=True,
        is_superuser=True,
        password=factories.hashed(factories.PASSWORD),
    )
    other = factories.PropertyFactory(name=NEIGHBOR, timezone=TIMEZONE)
    members["neighbor"] = factories.member(other, "owner")
    tokens = {
        name: make_token(
            membership=members[name],
            role="owner",
            name="a test",
            expires_at=factories.now() + timedelta(days=1),
            now=factories.now(),
        )[1]
        for name in ("owner", "neighbor")
    }
    return {
        "people": {role: one.user.email for role, one in members.items()},
        "support": support.email,
        "password": factories.PASSWORD,
        "token": str(tokens["owner"]),
        "neighbor_token": str(tokens["neighbor"]),
    }


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    print(json.dumps(furnish(sys.argv[1], sys.argv[2])))
