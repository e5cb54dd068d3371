"""The simulator as one ASGI application: cloud API, control API and control page over one world."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.types import ASGIApp

from locks.simulators.shared.control_door import ControlDoor
from locks.simulators.ttlock import api, control, news, page
from locks.simulators.ttlock.world import World


def build_app(world: World, *, control_token: str = "") -> ASGIApp:
    """The application. ``control_token`` opens the control API and page if it is not empty."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        telling = asyncio.create_task(news.run(world))
        yield
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling
        world.store.close()

    routes = [*api.routes(world), *control.routes(world), *page.routes(world)]
    return ControlDoor(
        Starlette(routes=routes, lifespan=lifespan),
        name="ttlock",
        token=control_token,
        is_vendor=lambda path: path.startswith(("/v3/", "/oauth2/")),
    )
