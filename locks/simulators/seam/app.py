"""The simulator as one ASGI application: vendor API, control API and control page over one world."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.types import ASGIApp

from locks.simulators.seam import api, control, page, programming
from locks.simulators.seam.webhooks import Sender
from locks.simulators.seam.world import World
from locks.simulators.shared.control_door import ControlDoor


def build_app(world: World, *, token: str, control_token: str = "") -> ASGIApp:
    """The application. ``token`` is the API key, ``control_token`` opens the rest if it is not empty."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        work = [
            asyncio.create_task(programming.run(world)),
            asyncio.create_task(Sender(world).run()),
        ]
        yield
        for task in work:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        world.store.close()

    routes = [*api.routes(world, token=token), *control.routes(world), *page.routes(world)]
    return ControlDoor(
        Starlette(routes=routes, lifespan=lifespan),
        name="seam",
        token=control_token,
        is_vendor=lambda path: path in api.CALLS,
    )
