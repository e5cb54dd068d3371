"""The line to TTLock's cloud: the token, the parameters of every call, and its every ending put into one of three words."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from locks.drivers import Cause, LockError, Retry, Scope
from locks.drivers.in_order import NOT_SENT
from locks.drivers.trust import timeout_s, trusted
from locks.drivers.ttlock_answers import read
from locks.drivers.web import (
    KEEP_ALIVE_S,
    NOT_UNDERSTOOD,
    Refused,
    Reply,
    Said,
    Unsure,
    ending,
    error,
    time_limits,
)

PAGE_SIZE = 200
MOST_PAGES = 20
RENEW_BEFORE = timedelta(days=10)
Params = Mapping[str, str | int]
HASHED = re.compile(r"[0-9a-f]{32}")
NO_TOKEN = Refused(
    error(
        Cause.AUTH,
        Retry.NEVER,
        Scope.ACCOUNT,
        "no_token",
        text="The account has not been signed in.",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What an account stores, as JSON: the application, and the pair of tokens of the user it speaks for."""

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    access: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)
    expires: int = 0

    def text(self) -> str:
        """For the account. ``expires`` is seconds since 1970 UTC."""
        names = ("client_id", "client_secret", "access", "refresh", "expires")
        return json.dumps({name: getattr(self, name) for name in names})


def read_token(text: str) -> Token:
    """The token behind such a text; one that opens nothing for any other text."""
    try:
        token = Token(**json.loads(text))
    except (TypeError, ValueError):
        return Token()
    texts = (token.client_id, token.client_secret, token.access, token.refresh)
    is_whole = isinstance(token.expires, int) and all(isinstance(each, str) for each in texts)
    return token if is_whole else Token()


class Cloud:
    """One account at the cloud. ``clock`` is seconds since 1970 UTC, as every call must say them."""

    def __init__(
        self, *, base_url: str, token: Token, timeout_s: float, clock: Callable[[], float]
    ) -> None:
        self.token = token
        self.timeout_s = timeout_s
        self.clock = clock
        self._base_url = base_url.rstrip("/")
        self._client = httpx2.AsyncClient(
            timeout=time_limits(timeout_s),
            transport=httpx2.AsyncHTTPTransport(
                verify=trusted(),
                limits=httpx2.Limits(keepalive_expiry=KEEP_ALIVE_S),
                trust_env=False,
            ),
            trust_env=False,
        )

    def until(self) -> float:
        """When something that begins now must be over, however many calls it takes; by the loop's clock."""
        return asyncio.get_running_loop().time() + self.timeout_s

    async def ask(
        self, call: str, until: float, params: Params | None = None, *, secret: str = ""
    ) -> Reply:
        """One call of the API. A form also where documents show a query: an address with a token ends up in logs."""
        if not self.token.access:
            return NO_TOKEN
        date = round(self.clock() * 1000)
        form = {"clientId": self.token.client_id, "accessToken": self.token.access, "date": date}
        return await self._post(f"/v3/{call}", {**form, **(params or {})}, until, secret=secret)

    async def rows(
        self, call: str, until: float, params: Params | None = None
    ) -> list[Mapping[str, Any]] | Refused | Unsure:
        """All rows of a list, page by page."""
        rows: list[Mapping[str, Any]] = []
        for number in range(1, MOST_PAGES + 1):
            page_of = {"pageNo": number, "pageSize": PAGE_SIZE}
            reply = await self.ask(call, until, {**page_of, **(params or {})})
            if not isinstance(reply, Said):
                return reply
            page = reply.doc.get("list")
            if not isinstance(page, list):
                return NOT_UNDERSTOOD
            rows += page
            if number >= _whole(reply.doc.get("pages")):
                break
        return rows

    async def grant(self, **params: str) -> Token | LockError:
        """A new pair of tokens for a password or a refresh token."""
        told = {"clientId": self.token.client_id, "clientSecret": self.token.client_secret}
        reply = await self._post("/oauth2/token", {**told, **params}, self.until())
        if not isinstance(reply, Said):
            return reply.error
        try:
            lives = int(reply.doc["expires_in"])
            access, refresh = str(reply.doc["access_token"]), str(reply.doc["refresh_token"])
        except (KeyError, TypeError, ValueError):
            return NOT_UNDERSTOOD.error
        expires = int(self.clock()) + lives
        return replace(self.token, access=access, refresh=refresh, expires=expires)

    def renew_at(self) -> datetime | None:
        """Ten days before the access token runs out; it lives for ninety."""
        if not self.token.refresh:
            return None
        return datetime.fromtimestamp(self.token.expires, UTC) - RENEW_BEFORE

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def _post(
        self, path: str, form: Mapping[str, Any], until: float, *, secret: str = ""
    ) -> Reply:
        if asyncio.get_running_loop().time() >= until:
            return Refused(NOT_SENT)
        return await ending(
            self._client.post(f"{self._base_url}{path}", data=form),
            lambda response: read(response, secret=secret),
            until=until,
        )


def _whole(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return 0


async def sign_in(base_url: str, fields: Mapping[str, str]) -> str | LockError:
    """The token for a TTLock app account. The password goes out as its MD5 in lower-case hex; one that is so already stays.

    TTLock documents, cloud/oauth2/getAccessToken; locks of the TTHotel app are integrated with a ready MD5.
    """
    password = fields["password"]
    if not HASHED.fullmatch(password):
        password = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()
    token = Token(client_id=fields["client_id"], client_secret=fields["client_secret"])
    cloud = Cloud(base_url=base_url, token=token, timeout_s=timeout_s(), clock=now_s)
    try:
        granted = await cloud.grant(
            grant_type="password", username=fields["username"], password=password
        )
    finally:
        await cloud.close()
    return granted.text() if isinstance(granted, Token) else granted


def now_s() -> float:
    """This machine's clock, seconds since 1970 UTC."""
    return datetime.now(UTC).timestamp()  # noqa: TID251 - a call must say when it is made
