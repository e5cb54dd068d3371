"""Calls to Seam: one client with time-outs, every ending in one of three words, and the vendor's errors in ours.

The shape of answers and errors follows the official Python SDK 3.18 (``client.py``, ``exceptions.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2

from locks.drivers import Cause, LockError, Retry, Scope
from locks.drivers.trust import trusted
from locks.drivers.web import (
    KEEP_ALIVE_S,
    NOT_UNDERSTOOD,
    Refused,
    Reply,
    Said,
    clean,
    ending,
    error,
    json_object,
    retry_after_s,
    time_limits,
    unexplained,
)

Params = Mapping[str, str | list[str]]

# ``error.type`` of a refused call, ``errors[].error_code`` of a device or an access code, and
# ``error.type`` of an action attempt share their words. SDK: resources/access_code.py, device.py.
ERRORS: dict[str, tuple[Cause, Retry, Scope]] = {
    "unauthorized": (Cause.AUTH, Retry.NEVER, Scope.ACCOUNT),
    "forbidden": (Cause.AUTH, Retry.NEVER, Scope.ACCOUNT),
    "rate_limit_exceeded": (Cause.RATE_LIMITED, Retry.SOON, Scope.LOCK),
    "device_not_found": (Cause.LOCK_REMOVED, Retry.NEVER, Scope.LOCK),
    "device_removed": (Cause.LOCK_REMOVED, Retry.NEVER, Scope.LOCK),
    "duplicate_access_code": (Cause.DUPLICATE_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "duplicate_code_on_device": (Cause.DUPLICATE_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "access_code_not_found": (Cause.BUSY, Retry.SOON, Scope.CREDENTIAL),  # it was there just now
    "access_code_being_deleted": (Cause.BUSY, Retry.SOON, Scope.CREDENTIAL),
    "no_space_for_access_code_on_device": (Cause.NO_SPACE, Retry.AFTER_CHANGE, Scope.LOCK),
    "code_constraints_violated": (Cause.INVALID_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "failed_to_set_on_device": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    "failed_to_issue": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    "failed_to_update": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    "failed_to_remove_from_device": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    "failed_to_delete": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    "conflicting_external_modification": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    "access_code_inactive": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    "provider_issue": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    "device_offline": (Cause.LOCK_UNREACHABLE, Retry.WHEN_ONLINE, Scope.LOCK),
    "device_disconnected": (Cause.LOCK_UNREACHABLE, Retry.WHEN_ONLINE, Scope.LOCK),
    "hub_disconnected": (Cause.GATEWAY_UNREACHABLE, Retry.WHEN_ONLINE, Scope.GATEWAY),
    "bridge_disconnected": (Cause.GATEWAY_UNREACHABLE, Retry.WHEN_ONLINE, Scope.GATEWAY),
    # One workspace has many makers' accounts: that one of them is cut off stops its own locks only.
    "account_disconnected": (Cause.AUTH, Retry.NEVER, Scope.LOCK),
    "dormakaba_sites_disconnected": (Cause.AUTH, Retry.NEVER, Scope.LOCK),
    "insufficient_permissions": (Cause.AUTH, Retry.NEVER, Scope.LOCK),
    "missing_device_credentials": (Cause.AUTH, Retry.NEVER, Scope.LOCK),
    "august_lock_not_authorized": (Cause.AUTH, Retry.NEVER, Scope.LOCK),
    "subscription_required": (Cause.AUTH, Retry.NEVER, Scope.LOCK),
    "salto_ks_subscription_limit_exceeded": (Cause.AUTH, Retry.NEVER, Scope.LOCK),
}
PLAIN_STATUS = {401: "unauthorized", 403: "forbidden", 429: "rate_limit_exceeded"}


class Calls:
    """The lines to one workspace."""

    def __init__(self, *, base_url: str, api_key: str, timeout_s: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._secrets = [api_key]
        self._client = httpx2.AsyncClient(
            headers={b"authorization": f"Bearer {api_key}".encode()},
            timeout=time_limits(timeout_s),
            limits=httpx2.Limits(keepalive_expiry=KEEP_ALIVE_S),
            verify=trusted(),
            trust_env=False,
        )

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Mapping[str, Any] | None = None,
        until: float,
    ) -> Reply:
        """One request that ends, whatever happens, at ``until`` in the event loop's time."""
        hidden = [*self._secrets, str((body or {}).get("code") or "")]
        return await ending(
            self._client.request(method, f"{self._base_url}{path}", params=params, json=body),
            lambda response: _read(response, hidden=hidden),
            until=until,
        )

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()


def said_of(doc: Mapping[str, Any], *, hidden: str = "") -> LockError:
    """One of the ``errors`` of a device or an access code, or the ``error`` of an action attempt."""
    code = str(doc.get("error_code") or doc.get("type") or "unknown")
    cause, retry, scope = ERRORS.get(code, (Cause.UNEXPLAINED, Retry.SOON, Scope.CREDENTIAL))
    text = clean(str(doc.get("message") or ""), hidden)
    return error(cause, retry, scope, code[:60], text=text)


def _read(response: httpx2.Response, *, hidden: list[str]) -> Reply:
    doc = json_object(response)
    if response.is_success:
        return NOT_UNDERSTOOD if doc is None else Said(doc)
    told = (doc or {}).get("error")
    told = told if isinstance(told, dict) else {}
    status = response.status_code
    type_ = str(told.get("type") or "") or PLAIN_STATUS.get(status, "")
    text = clean(str(told.get("message") or ""), *hidden)
    if not response.is_client_error or not type_:
        name = f"http_{status}"
        return unexplained(name, scope=Scope.ACCOUNT, text=text)
    cause, retry, scope = ERRORS.get(type_) or _by_parameter(status, told)
    missing = type_.removesuffix("_not_found") if type_.endswith("_not_found") else ""
    after = retry_after_s(response)
    refused = error(cause, retry, scope, type_[:60], text=text, retry_after_s=after)
    return Refused(refused, missing=missing)


def _by_parameter(status: int, told: Mapping[str, Any]) -> tuple[Cause, Retry, Scope]:
    """What a refusal without a word of its own means: by the status, or by the parameter that was wrong."""
    if status in PLAIN_STATUS:
        return ERRORS[PLAIN_STATUS[status]]
    wrong = told.get("validation_errors")
    named = set(wrong) if isinstance(wrong, dict) else set()
    if "code" in named:
        return Cause.INVALID_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL
    if named & {"starts_at", "ends_at"}:
        return Cause.INVALID_WINDOW, Retry.AFTER_CHANGE, Scope.CREDENTIAL
    return Cause.BAD_REQUEST, Retry.NEVER, Scope.CREDENTIAL
