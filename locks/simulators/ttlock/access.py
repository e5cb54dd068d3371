"""Who may call, and what was asked: client, token, date, and parameters from query or form alike.

TTLock documents, cloud/oauth2/getAccessToken and en/cloud/oauth2/refreshAccessToken; both spellings of the client
parameters are in use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from locks.simulators.ttlock.lock import Lock
from locks.simulators.ttlock.words import Err, NoAnswer, NotTheVendor, Refusal
from locks.simulators.ttlock.world import Token, World

DATE_MARGIN_MS = 5 * 60_000
SECRET = frozenset(
    {
        "accessToken", "refresh_token", "refreshToken", "password", "clientSecret", "client_secret",
        "keyboardPwd", "newKeyboardPwd", "cardNumber", "searchStr",
    }
)  # fmt: skip


class Asked:
    """The parameters of one call."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    def text(self, *names: str, default: str | None = None) -> str:
        """The first of these that is there. Raises Refusal(INVALID_PARAMETER) without a default."""
        found = next((self.values[name] for name in names if self.values.get(name)), default)
        if found is None:
            raise Refusal(Err.INVALID_PARAMETER)
        return found

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number. Raises Refusal(INVALID_PARAMETER)."""
        text = self.text(name, default=None if default is None else str(default))
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise Refusal(Err.INVALID_PARAMETER)
        return int(text)

    def lock(self, world: World) -> Lock:
        """The lock that was named. Raises Refusal."""
        return world.lock(self.whole("lockId"))

    def page(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """One page of a list, of 200 rows at most."""
        number, size = self.whole("pageNo", 1), self.whole("pageSize", 20)
        if number < 1 or not 1 <= size <= 200:
            raise Refusal(Err.INVALID_PARAMETER)
        shown = rows[(number - 1) * size : number * size]
        pages = -(-len(rows) // size)
        return {
            "list": shown, "pageNo": number, "pageSize": size, "pages": pages, "total": len(rows),
        }  # fmt: skip

    def masked(self) -> dict[str, str]:
        """For the log of requests."""
        return {name: "***" if name in SECRET else text for name, text in self.values.items()}


async def read(request: Request) -> Asked:
    """What was asked, in the query or as a form."""
    values = dict(request.query_params)
    body = (await request.body()).decode(errors="replace")
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        values |= dict(parse_qsl(body, keep_blank_values=True))
    return Asked(values)


def outage(world: World) -> None:
    """Troubles of the whole cloud. Raises NotTheVendor or NoAnswer."""
    match world.cloud.outage:
        case "error":
            raise NotTheVendor(503)
        case "drop":
            raise NoAnswer(hang_s=0)
        case "hang":
            raise NoAnswer(hang_s=30)
        case _:
            return


def admit(world: World, asked: Asked) -> Token:
    """Let a caller in. Raises Refusal."""
    if asked.text("clientId", "client_id", default="") != world.account.client_id:
        raise Refusal(Err.INVALID_CLIENT_ID)
    token = world.tokens.get(asked.text("accessToken", default=""))
    if token is None:
        raise Refusal(Err.INVALID_TOKEN)
    if token.refreshed or token.expires_ms <= world.now_ms():
        raise Refusal(Err.TOKEN_EXPIRED)
    if abs(asked.whole("date") - world.now_ms()) > DATE_MARGIN_MS:
        raise Refusal(Err.WRONG_DATE)
    for name, refusal in (("quota", Err.QUOTA), ("monthly_quota", Err.MONTHLY_QUOTA)):
        left: int = getattr(world.cloud, name)
        if left == 0:
            raise Refusal(refusal)
        setattr(world.cloud, name, left - (left > 0))
    return token


def sign_in(world: World, asked: Asked) -> dict[str, Any]:
    """POST /oauth2/token: a password (its MD5 in lower-case hex) or a refresh token for a new pair. Raises Refusal."""
    account = world.account
    client = asked.text("clientId", "client_id"), asked.text("clientSecret", "client_secret")
    if client != (account.client_id, account.client_secret):
        raise Refusal(Err.INVALID_CLIENT)
    match asked.text("grant_type", default="password"):
        case "password":
            given = asked.text("username"), asked.text("password")
            if given != (account.username, account.password_md5):
                raise Refusal(Err.INVALID_ACCOUNT)
        case "refresh_token":
            _spend(world, asked.text("refresh_token", "refreshToken"))
        case _:
            raise Refusal(Err.INVALID_GRANT_TYPE)
    token = world.issue_token(account.username)
    return {
        "access_token": token.access, "refresh_token": token.refresh, "uid": 1042,
        "expires_in": int(world.cloud.token_days * 86_400), "scope": "user,key,room",
        "token_type": "Bearer",
    }  # fmt: skip


def _spend(world: World, refresh: str) -> None:
    """A refresh token is good once; the access token beside it ends with it [chosen]."""
    for token in world.tokens.values():
        if token.refresh == refresh and not token.refreshed:
            token.refreshed = True
            world.save_token(token)
            return
    raise Refusal(Err.INVALID_REFRESH_TOKEN)
