"""Whom drivers trust for https, and for how long a call may take."""

from __future__ import annotations

import os
import ssl
from functools import cache

import httpx2

DEFAULT_TIMEOUT_S = 10.0


@cache
def trusted() -> ssl.SSLContext:
    """The authorities of this machine. Reading them takes longer than many writes, and drivers are opened often."""
    return httpx2.create_ssl_context(trust_env=False)


def timeout_s() -> float:
    """Seconds that bound each call: DRIVER_TIMEOUT_S, 10 if it is not set."""
    return float(os.environ.get("DRIVER_TIMEOUT_S") or DEFAULT_TIMEOUT_S)
