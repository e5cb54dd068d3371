"""The ASGI application of one simulator, with its webhook sender and its hotel life."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from pms.simulators.mews import demo
from pms.simulators.mews.api import VendorApi
from pms.simulators.mews.control import Control
from pms.simulators.mews.hotels import SEASIDE_ROOMS
from pms.simulators.mews.page import ControlPage
from pms.simulators.mews.records import Enterprise, enterprise_of
from pms.simulators.mews.websocket import listen
from pms.simulators.mews.world import World
from pms.simulators.shared.life import lifespan

VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def build_app(world: World) -> Starlette:
    """Everything under one address: ``/api/connector/v1/``, ``/control/`` and the control page."""
    api, desk = VendorApi(world), ControlPage(world)

    async def vendor(request: Request) -> object:
        return await api(request)

    async def front_desk(request: Request) -> object:
        return await desk(request)

    async def live(socket: WebSocket) -> None:
        await listen(world, socket)

    async def healthy(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    def seaside_rooms() -> Enterprise:
        return enterprise_of(world.store, SEASIDE_ROOMS)

    def top_up() -> None:
        demo.top_up(world, seaside_rooms())

    app = Starlette(
        lifespan=lifespan(
            sender=world.sender,
            store=world.store,
            life=world.life,
            clock=world.clock,
            happen=lambda: demo.happen(world, seaside_rooms()),
            top_up=top_up if world.options.seed_stays else None,
        ),
        routes=[
            Route("/", front_desk),
            Route("/healthy", healthy),
            WebSocketRoute("/ws/connector", live),
            *Control(world).routes(),
            Route("/api/connector/v1/{operation:path}", vendor, methods=VERBS),
        ],
    )
    app.router.redirect_slashes = False
    return app
