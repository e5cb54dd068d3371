"""How adapters send: one connection pool per vendor, no faster than the vendor allows, never longer than it may take."""

from __future__ import annotations

import random
import threading
import time as clock
from typing import Any

import httpx2

from pms.adapters import App, Limit, TryLater, are_waiting

LARGEST_ANSWER = 32 * 1024 * 1024
LONGEST_WISH_S = 300.0
LONGEST_PATIENCE_S = 5.0


class Wire:
    """Sends requests to one vendor, called ``title`` in what staff read. Each step of a call may take ``timeout_s`` of the
    app, the whole of it twice as long."""

    def __init__(self, title: str, app: App, limit: Limit) -> None:
        self._title, self._timeout_s = title, app.timeout_s
        self._pacer, self._limit = app.pacer, limit
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None

    def send(self, verb: str, url: str, *, payer: str = "", **options: Any) -> httpx2.Response:
        """One call, counted for ``payer``, or for Portal as a whole. Raises TryLater when there was no whole answer in time."""
        if self._pacer is not None:
            self._pacer.wait(self._of_whom(payer), self._limit, for_people=are_waiting())
        end = clock.monotonic() + 2 * self._timeout_s
        try:
            with self._opened().stream(verb, url, **options) as response:
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if clock.monotonic() > end or len(content) > LARGEST_ANSWER:
                        raise TryLater(f"{self._title} did not finish its answer.")
        except httpx2.TimeoutException:
            raise TryLater(f"{self._title} did not answer in time.") from None
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise TryLater(f"{self._title} cannot be reached.") from None
        headers = {"Date": response.headers.get("Date", "")}
        if wish := response.headers.get("Retry-After"):
            headers["Retry-After"] = wish
        return httpx2.Response(response.status_code, headers=headers, content=bytes(content))

    def send_patiently(
        self, verb: str, url: str, *, payer: str = "", **options: Any
    ) -> httpx2.Response:
        """The same, waiting out a short overload: as long as the vendor asks for, and everyone with it, or a little more
        each time."""
        for patience in (1.0, 2.0, None):
            response = self.send(verb, url, payer=payer, **options)
            if response.status_code != 429 or patience is None:
                break
            wish = retry_after(response)
            if wish is not None and wish > LONGEST_PATIENCE_S:
                break
            if wish is not None and self._pacer is not None:
                self._pacer.hold(self._of_whom(payer), self._limit, wish)
            else:
                clock.sleep(patience * random.uniform(0.5, 1.0) if wish is None else wish)  # noqa: S311
        return response

    def _of_whom(self, payer: str) -> str:
        return f"{self._title}:{payer}"

    def _opened(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                self._client = httpx2.Client(timeout=self._timeout_s, follow_redirects=False)
            return self._client


def retry_after(response: httpx2.Response) -> float | None:
    """Seconds that the vendor asks to be left alone for, five minutes at most."""
    wish = str(response.headers.get("Retry-After", ""))
    return min(float(wish), LONGEST_WISH_S) if wish.isdigit() else None


def later(title: str, response: httpx2.Response) -> TryLater:
    """What an overloaded or ailing vendor comes to."""
    wish = retry_after(response)
    if response.status_code == 429:
        return TryLater(f"{title} asks Portal to call less often.", retry_after_s=wish)
    return TryLater(f"{title} has trouble of its own ({response.status_code}).", retry_after_s=wish)
