"""Who may call: codes, tokens and API keys, and the app's connection to a hotel.

Facts: https://developers.cloudbeds.com/docs/alternative-oauth-20-authentication-method ,
https://developers.cloudbeds.com/docs/api-keys-authentication-guide-for-technology-partners ,
https://developers.cloudbeds.com/docs/connecting-disconnecting-apps . Tokens are kept as digests.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pms.simulators.cloudbeds.events import app_state_changed
from pms.simulators.cloudbeds.forms import Params
from pms.simulators.cloudbeds.hotels import ORGANIZATION
from pms.simulators.cloudbeds.outbox import SubscriptionOutbox
from pms.simulators.cloudbeds.quirks import Quirks
from pms.simulators.cloudbeds.records import property_of
from pms.simulators.shared.store import Store

API_KEY_GRANT = "urn:ietf:params:oauth:grant-type:api-key"
CODE_LIFE = timedelta(minutes=10)
API_KEY_LIFE = timedelta(days=30)
OF_PROPERTY = "',' || property_ids || ',' LIKE '%,' || ? || ',%'"


@dataclass(slots=True)
class TokenRules:
    """How long tokens live, and whether a refresh brings a new refresh token."""

    access_seconds: int = 28800
    refresh_days: int = 365
    rotate: bool = True
    refused_status: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The partner app as it is registered; loopback redirects are always accepted."""

    id: str
    secret: str
    redirect_uris: tuple[str, ...] = ()

    def may_return_to(self, uri: str) -> bool:
        """Whether the authorise page may send the browser there."""
        parts = urlsplit(uri)
        loopback = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
        return uri in self.redirect_uris or loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever holds a living token."""

    client_id: str
    property_ids: tuple[str, ...]
    scopes: frozenset[str]


class GrantRefused(Exception):
    """A token was asked for and is not given."""

    def __init__(self, status: int, body: dict[str, str]) -> None:
        """The answer to send."""
        super().__init__(body.get("error", ""))
        self.status = status
        self.body = body


class Access:
    """Issues, checks and kills tokens; keeps the app state of each hotel."""

    def __init__(
        self,
        *,
        store: Store,
        outbox: SubscriptionOutbox,
        client: Client,
        rules: TokenRules,
        quirks: Quirks,
    ) -> None:
        """Rules and quirks are shared with whoever may change them."""
        self._store = store
        self._outbox = outbox
        self._quirks = quirks
        self.client = client
        self.rules = rules

    def new_code(
        self, *, redirect_uri: str, property_ids: tuple[str, ...], scopes: str, now: datetime
    ) -> str:
        """A code of ten minutes for one use; the hotel has approved, so the app is enabled."""
        code = secrets.token_urlsafe(24)
        with self._store.transaction():
            self._store.insert(
                "codes",
                digest=_digest(code),
                client_id=self.client.id,
                redirect_uri=redirect_uri,
                property_ids=",".join(property_ids),
                scopes=scopes,
                expires_at=(now + CODE_LIFE).timestamp(),
            )
        return code

    def grant(self, params: Params, now: datetime) -> dict[str, Any]:
        """The answer of ``POST access_token``; raises GrantRefused."""
        known = params.text("client_id") == self.client.id
        if not known or not secrets.compare_digest(
            params.text("client_secret"), self.client.secret
        ):
            raise GrantRefused(401, _error("invalid_client", "Client authentication failed."))
        with self._store.transaction():
            match params.text("grant_type"):
                case "authorization_code":
                    return self._oauth_pair(*self._spend_code(params, now), now)
                case "refresh_token":
                    return self._refresh(params.text("refresh_token"), now)
                case kind if kind == API_KEY_GRANT:
                    return self._api_key(*self._spend_code(params, now), now)
        raise GrantRefused(
            400, _error("unsupported_grant_type", "The grant type is not supported.")
        )

    def _spend_code(self, params: Params, now: datetime) -> tuple[str, str]:
        digest = _digest(params.text("code"))
        row = self._store.row("SELECT * FROM codes WHERE digest = ? AND used = 0", digest)
        fresh = row is not None and row["expires_at"] > now.timestamp()
        if row is None or not fresh or row["redirect_uri"] != params.text("redirect_uri"):
            text = "The authorization code is invalid or has expired."
            raise GrantRefused(401, {"error": "server_error", "error_description": text})
        self._store.run("UPDATE codes SET used = 1 WHERE digest = ?", digest)
        for property_id in row["property_ids"].split(","):
            self.set_app_state(property_id, "enabled", now)
        return row["property_ids"], row["scopes"]

    def _refresh(self, token: str, now: datetime) -> dict[str, Any]:
        row = self._alive(token, "refresh", now)
        if row is None:
            body = _error("invalid_request", "The refresh token is invalid.")
            raise GrantRefused(self.rules.refused_status, body)
        properties = row["property_ids"]
        self._store.run(
            "UPDATE tokens SET died = 'migrated back' WHERE kind = 'api_key' AND property_ids = ?"
            " AND died = ''",
            properties,
        )
        if self.rules.rotate:
            self._store.run("UPDATE tokens SET died = 'rotated' WHERE digest = ?", _digest(token))
            return self._oauth_pair(properties, row["scopes"], now)
        expires_at = (now + timedelta(days=self.rules.refresh_days)).timestamp()
        self._store.run(
            "UPDATE tokens SET expires_at = ? WHERE digest = ?", expires_at, _digest(token)
        )
        return self._oauth_pair(properties, row["scopes"], now, refresh=token)

    def _oauth_pair(
        self, property_ids: str, scopes: str, now: datetime, refresh: str = ""
    ) -> dict[str, Any]:
        life = timedelta(seconds=self.rules.access_seconds)
        long_life = timedelta(days=self.rules.refresh_days)
        access = self._issue("access", property_ids, scopes, now, now + life)
        refresh = refresh or self._issue("refresh", property_ids, scopes, now, now + long_life)
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.rules.access_seconds,
            "refresh_token": refresh,
            "resources": _resources(property_ids),
        }

    def _api_key(self, property_ids: str, scopes: str, now: datetime) -> dict[str, Any]:
        key = self._issue("api_key", property_ids, scopes, now, now + API_KEY_LIFE)
        resources = _resources(property_ids)
        return {"access_token": key, "token_type": "Bearer", "resources": resources}

    def _issue(
        self, kind: str, property_ids: str, scopes: str, now: datetime, expires_at: datetime
    ) -> str:
        prefix = "cbat_" if kind == "api_key" else f"sim-{kind}-"
        token = prefix + secrets.token_urlsafe(24)
        self._store.insert(
            "tokens",
            digest=_digest(token),
            kind=kind,
            client_id=self.client.id,
            property_ids=property_ids,
            scopes=scopes,
            expires_at=expires_at.timestamp(),
            used_at=now.timestamp(),
        )
        return token

    def caller(self, token: str, now: datetime) -> Caller | None:
        """Whose token this is, or None for a dead or unknown one; a used API key lives on."""
        row = self._alive(token, "access", now) or self._alive(token, "api_key", now)
        if row is None:
            return None
        if row["kind"] == "api_key":
            lives_until = (now + API_KEY_LIFE).timestamp()
            sql = "UPDATE tokens SET expires_at = ?, used_at = ? WHERE digest = ?"
            self._store.run(sql, lives_until, now.timestamp(), row["digest"])
        return Caller(
            client_id=row["client_id"],
            property_ids=tuple(row["property_ids"].split(",")),
            scopes=frozenset(row["scopes"].split()),
        )

    def _alive(self, token: str, kind: str, now: datetime) -> Any:
        return self._store.row(
            "SELECT * FROM tokens WHERE digest = ? AND kind = ? AND died = '' AND expires_at > ?",
            _digest(token),
            kind,
            now.timestamp(),
        )

    def revoke(self, property_id: str, now: datetime, *, announce: bool) -> None:
        """The hotel disconnects the app: every token dies and the subscriptions are deleted."""
        with self._store.transaction():
            self.set_app_state(property_id, "disabled", now, announce=announce)
            sql = f"UPDATE tokens SET died = 'revoked' WHERE died = '' AND {OF_PROPERTY}"  # noqa: S608
            self._store.run(sql, property_id)
            sql = "SELECT id FROM subscriptions WHERE property_id = ?"
            for row in self._store.rows(sql, property_id):
                self._outbox.forget(row["id"])
            self._store.run("DELETE FROM subscriptions WHERE property_id = ?", property_id)

    def restore(self, property_id: str, now: datetime) -> None:
        """The revocation was a mistake: its tokens live again; subscriptions stay deleted."""
        with self._store.transaction():
            sql = f"UPDATE tokens SET died = '' WHERE died = 'revoked' AND {OF_PROPERTY}"  # noqa: S608
            self._store.run(sql, property_id)
            self.set_app_state(property_id, "enabled", now)

    def expire(self, property_id: str, kind: str) -> None:
        """End the tokens of one kind (``access``, ``refresh``, ``api_key``) before their time."""
        sql = f"UPDATE tokens SET died = 'expired' WHERE kind = ? AND died = '' AND {OF_PROPERTY}"  # noqa: S608
        self._store.run(sql, kind, property_id)

    def set_app_state(
        self,
        property_id: str,
        state: str,
        now: datetime,
        *,
        announce: bool = True,
    ) -> None:
        """Note the app's state and tell the subscribers."""
        old = property_of(self._store, property_id).app_state
        self._store.run("UPDATE properties SET app_state = ? WHERE id = ?", state, property_id)
        if announce and old != state:
            event = app_state_changed(self.client.id, old, state, self._quirks.new_state_key)
            self._outbox.post(property_id=property_id, events=[event], now=now)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _error(error: str, message: str) -> dict[str, str]:
    return {"error": error, "message": message}


def _resources(property_ids: str) -> list[dict[str, str]]:
    ids = property_ids.split(",")
    if len(ids) > 1:
        return [{"type": "association", "id": ORGANIZATION}]
    return [{"type": "property", "id": ids[0]}]
