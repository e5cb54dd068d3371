"""The ASGI application of one simulator, with its webhook sender and its hotel life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pms.simulators.cloudbeds import demo
from pms.simulators.cloudbeds.api import VendorApi
from pms.simulators.cloudbeds.authorise import AuthorisePage
from pms.simulators.cloudbeds.control import Control
from pms.simulators.cloudbeds.hotels import HARBOR_HOUSE
from pms.simulators.cloudbeds.page import ControlPage
from pms.simulators.cloudbeds.records import property_of
from pms.simulators.cloudbeds.world import World

VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def build_app(world: World) -> Starlette:
    """Everything under one address: ``/api/v1.3/``, ``/control/`` and the control page."""
    api, authorise, desk = VendorApi(world), AuthorisePage(world), ControlPage(world)

    async def vendor(request: Request) -> object:
        return await api(request)

    async def oauth(request: Request) -> object:
        return await authorise(request)

    async def front_desk(request: Request) -> object:
        return await desk(request)

    async def healthy(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    return Starlette(
        lifespan=_lifespan(world),
        routes=[
            Route("/", front_desk),
            Route("/healthy", healthy),
            Route("/api/v1.3/oauth", oauth, methods=["GET", "POST"]),
            *Control(world).routes(),
            Route("/api/v1.3/{method:path}", vendor, methods=VERBS),
        ],
    )


def _lifespan(world: World):  # type: ignore[no-untyped-def]  # noqa: ANN202
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if world.options.seed_stays:
            demo.top_up(world, property_of(world.store, HARBOR_HOUSE))
        tasks = [asyncio.create_task(world.sender.run()), asyncio.create_task(demo.live(world))]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        world.store.close()

    return lifespan
