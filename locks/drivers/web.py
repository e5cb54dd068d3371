"""What drivers of vendors with a web API share: every ending of a call in one of three words, and the vendor's errors in ours."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from locks.drivers import Cause, LockError, Retry, Scope
from locks.drivers.in_order import NOT_SENT

# Servers keep idle lines for a minute and more. Dropping them sooner here keeps a request from being sent
# into a line that is just being closed, which would read as an unknown outcome.
KEEP_ALIVE_S = 30.0
TEXT_LIMIT = 200
LONGEST_RETRY_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Said:
    """The vendor did it and said so."""

    doc: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Certainly nothing was changed. ``missing`` is the kind of thing that was not found, if that is the reason."""

    error: LockError
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Unsure:
    """Nobody can say whether something was changed; ``error`` is a hint."""

    error: LockError


Reply = Said | Refused | Unsure


def error(
    cause: Cause,
    retry: Retry,
    scope: Scope,
    code: str,
    *,
    text: str = "",
    retry_after_s: float | None = None,
) -> LockError:
    """An error in our words beside the vendor's."""
    return LockError(
        cause=cause,
        retry=retry,
        scope=scope,
        vendor_code=code,
        vendor_text=text,
        retry_after_s=retry_after_s,
    )


def unexplained(code: str, *, scope: Scope = Scope.CREDENTIAL, text: str = "") -> Unsure:
    """What became of it is not known."""
    return Unsure(error(Cause.UNEXPLAINED, Retry.SOON, scope, code, text=text))


NOT_UNDERSTOOD = unexplained("not_understood", scope=Scope.ACCOUNT)
"""An answer that is not the vendor's, or not as the vendor describes it."""
BAD_ADDRESS = Refused(error(Cause.BAD_REQUEST, Retry.NEVER, Scope.ACCOUNT, "bad_address"))


def time_limits(timeout_s: float) -> httpx2.Timeout:
    """Connecting must give up well before the whole call does: that nothing was sent is worth knowing."""
    return httpx2.Timeout(timeout_s, connect=timeout_s / 3, pool=timeout_s / 3)


async def ending(
    request: Awaitable[httpx2.Response], read: Callable[[httpx2.Response], Reply], *, until: float
) -> Reply:
    """What one request comes to, which ends, whatever happens, at ``until`` in the event loop's time. Never raises."""
    try:
        async with asyncio.timeout_at(until):
            response = await request
        return read(response)
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
        return Refused(NOT_SENT)
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        return BAD_ADDRESS
    except (httpx2.TimeoutException, TimeoutError):
        return unexplained("timeout")
    except (httpx2.HTTPError, OSError, RuntimeError, ValueError):
        return unexplained("line_lost")


def json_object(response: httpx2.Response) -> dict[str, Any] | None:
    """The answer's JSON object, none for anything else."""
    try:
        doc = response.json()
    except (ValueError, RecursionError):
        return None
    return doc if isinstance(doc, dict) else None


def retry_after_s(response: httpx2.Response) -> float | None:
    """Seconds to wait, if the answer says so."""
    try:
        return min(max(float(response.headers["retry-after"]), 0.0), LONGEST_RETRY_AFTER_S)
    except (KeyError, ValueError):
        return None


def clean(text: str, *hidden: str) -> str:
    """The vendor's words without anything that could be a code or a token, and not too many of them."""
    for secret in hidden:
        if secret:
            text = text.replace(secret, "***")
    return re.sub(r"[0-9a-fA-F]{16,}|\d{4,}", "***", text)[:TEXT_LIMIT]
