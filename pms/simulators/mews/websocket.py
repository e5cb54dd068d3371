"""``/ws/connector``: what happens, as it happens, to whoever listens; nothing is told twice.

https://docs.mews.com/connector-api/events/websockets . The two tokens come as cookies. What the
vendor does to an open connection whose token dies is not documented; this one closes it.
"""

from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from pms.simulators.mews.access import NotLetIn
from pms.simulators.mews.live import Listener
from pms.simulators.mews.world import World


async def listen(world: World, socket: WebSocket) -> None:
    """Let someone listen until one side ends it; 401 without a living pair of tokens."""
    cookies = socket.cookies
    try:
        caller = world.access.caller(cookies.get("ClientToken", ""), cookies.get("AccessToken", ""))
    except NotLetIn as out:
        await socket.send_denial_response(JSONResponse({"Message": str(out)}, 401))
        return
    await socket.accept()
    listener = Listener(caller.integration.id, caller.enterprise_ids)
    world.live.join(listener)
    telling = asyncio.create_task(_tell(socket, listener))
    hearing = asyncio.create_task(_hear(socket))
    try:
        await asyncio.wait({telling, hearing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        world.live.leave(listener)
        for task in (telling, hearing):
            task.cancel()
        await asyncio.gather(telling, hearing, return_exceptions=True)


async def _tell(socket: WebSocket, listener: Listener) -> None:
    while (message := await listener.waiting.get()) is not None:
        await socket.send_json(message)
    await socket.close(1008)


async def _hear(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        return
