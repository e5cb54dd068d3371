"""How a program enters the REST API: its token, the one table of rights, the rate, and problems in words.

Every error is a problem document (RFC 9457, https://www.rfc-editor.org/rfc/rfc9457) with the fields that are wrong and
how to mend them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle

from keys.refusal import Refused
from locks.history import Actor
from locks.models import Property
from portal.models import ApiToken, User
from portal.roles import Right, note_refusal
from portal.tokens import actor_of, find_token, note_use, token_allows

SCHEME = "Bearer"
PROBLEM = "application/problem+json"
NAMES = {"allow": "allow_provisioning", "": "request", "non_field_errors": "request"}


@dataclass(frozen=True, slots=True)
class TokenCaller:
    """A token at work, as ``request.auth``."""

    token: ApiToken

    @property
    def property(self) -> Property:
        """The hotel that the token belongs to."""
        return self.token.property

    def may(self, right: str) -> bool:
        """Whether the token has the right of that name in the table of roles."""
        return token_allows(self.token, Right[right])

    def actor(self, reason: str = "") -> Actor:
        """The token's member, through the API."""
        return actor_of(self.token, reason=reason)


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer portal_…`` with a living token of one property."""

    def authenticate(self, request: Request) -> tuple[User, TokenCaller] | None:
        parts = get_authorization_header(request).split()
        if not parts:
            return None
        if len(parts) != 2 or parts[0].lower() != SCHEME.lower().encode():
            raise exceptions.AuthenticationFailed("Send the header “Authorization: Bearer TOKEN”.")
        now = timezone.now()
        token = find_token(secret=parts[1].decode("latin-1"), now=now)
        if token is None:
            raise exceptions.AuthenticationFailed("This token is unknown, expired or revoked.")
        note_use(token=token, now=now)
        return token.membership.user, TokenCaller(token)

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The token in the API's document."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """A bearer token."""
        return {"type": "http", "scheme": "bearer", "description": "A token of one property."}


class ByRole(BasePermission):
    """Asks the table of rights for the right that the view names for its action; an action that names none is shut."""

    message = "The role of this token does not allow it."

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, TokenCaller):
            raise exceptions.NotAuthenticated("Send the header “Authorization: Bearer TOKEN”.")
        action = getattr(view, "action", None)
        if action is None:  # a method that this address does not have: 405, not 403
            return True
        needed = getattr(view, "rights", {}).get(action)
        if needed is None or not request.auth.may(needed):
            _note(request, request.auth, needed)
            return False
        return True


def _note(request: Request, caller: TokenCaller, needed: str | None) -> None:
    token = caller.token
    if needed is not None:
        note_refusal(
            role=token.role,
            user_id=token.membership.user_id,
            property_id=token.property_id,
            asked=f"{request.method} {request.path}",
            right=Right[needed],
        )


class PerToken(SimpleRateThrottle):
    """At most ``API_RATE`` requests of one token, per process."""

    scope = "token"

    def get_rate(self) -> str:
        return str(settings.API_RATE)

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        if not isinstance(request.auth, TokenCaller):
            return None
        return f"api-rate-{request.auth.token.pk}"


# Problems -------------------------------------------------------------------------------------------


def explain_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn whatever stopped a request into a problem document; none for what is a fault of ours."""
    known = _known(error)
    if known is None:
        return None
    headers = {}
    if scheme := getattr(known, "auth_header", None):
        headers["WWW-Authenticate"] = scheme
    if wait := getattr(known, "wait", None):
        headers["Retry-After"] = f"{wait:.0f}"
    return Response(_problem(known), known.status_code, headers=headers, content_type=PROBLEM)


def _known(error: Exception) -> exceptions.APIException | None:
    match error:
        case Refused():
            return exceptions.ValidationError({error.field: [error.message]})
        case exceptions.APIException():
            return error
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case _:
            return None


def _problem(error: exceptions.APIException) -> dict[str, Any]:
    titles = {400: "This cannot be done as asked.", 404: "It does not exist at this property."}
    errors = list(_fields("", error.detail)) if isinstance(error.detail, dict | list) else []
    plain = str(error.detail) if not errors else " ".join(each["message"] for each in errors)
    return {
        "type": "about:blank",
        "title": titles.get(error.status_code, _title(error)),
        "status": error.status_code,
        "detail": plain,
        "errors": errors,
    }


def _title(error: exceptions.APIException) -> str:
    return str(error.default_detail).rstrip(".") + "."


def _fields(path: str, detail: Any) -> Iterator[dict[str, str]]:
    """Every wrong field by its path, such as ``doors.0.door``, and what to do about it."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            shown = NAMES.get(str(name), str(name))
            here = path if path and str(name) == "non_field_errors" else f"{path}.{shown}"
            yield from _fields(here.strip("."), inner)
    elif isinstance(detail, list):
        nested = any(isinstance(inner, dict | list) for inner in detail)
        for place, inner in enumerate(detail):
            if nested and inner:
                yield from _fields(f"{path}.{place}".strip("."), inner)
            elif not nested:
                yield from _fields(path, inner)
    else:
        yield {"field": path or "request", "message": str(detail)}


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and how to mend it."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
PROBLEMS = {
    "400": "The request cannot be done as asked.",
    "401": "No living token.",
    "403": "The role of the token does not allow it.",
    "404": "It does not exist at this property.",
    "415": "The body is not JSON.",
    "429": "Too many requests; see Retry-After.",
}


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Put the problems that every operation may answer with into the API's document."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    for name, shape in result["components"]["schemas"].items():
        if name.endswith("In"):  # bodies refuse names that do not exist
            shape["additionalProperties"] = False
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            for code, text in PROBLEMS.items():
                answers = cast(dict[str, Any], operation["responses"])
                answers.setdefault(code, {"description": text, "content": content})
    return result
