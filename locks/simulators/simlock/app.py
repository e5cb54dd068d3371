"""The simulator as one ASGI application: vendor API, control API and control page over one world."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.types import ASGIApp

from locks.simulators.shared.control_door import ControlDoor
from locks.simulators.simlock import cloud, control, page
from locks.simulators.simlock.world import World


def build_app(world: World, *, token: str, control_token: str = "") -> ASGIApp:
    """The application. ``token`` opens the vendor API, ``control_token`` the rest if it is not empty."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        world.resume_landings()
        yield
        world.store.close()

    routes = [*cloud.routes(world, token=token), *control.routes(world), *page.routes(world)]
    return ControlDoor(
        Starlette(routes=routes, lifespan=lifespan),
        name="simlock",
        token=control_token,
        is_vendor=lambda path: path.startswith("/v1/"),
    )
