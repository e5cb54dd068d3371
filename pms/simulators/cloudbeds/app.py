"""The ASGI application of one simulator, with its webhook sender and its hotel life."""

from __future__ import annotations

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
from pms.simulators.cloudbeds.records import Property, property_of
from pms.simulators.cloudbeds.world import World
from pms.simulators.shared.life import lifespan

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

    def harbor_house() -> Property:
        return property_of(world.store, HARBOR_HOUSE)

    def top_up() -> None:
        demo.top_up(world, harbor_house())

    return Starlette(
        lifespan=lifespan(
            sender=world.sender,
            store=world.store,
            life=world.life,
            clock=world.clock,
            happen=lambda: demo.happen(world, harbor_house()),
            top_up=top_up if world.options.seed_stays else None,
        ),
        routes=[
            Route("/", front_desk),
            Route("/healthy", healthy),
            Route("/api/v1.3/oauth", oauth, methods=["GET", "POST"]),
            *Control(world).routes(),
            Route("/api/v1.3/{method:path}", vendor, methods=VERBS),
        ],
    )
