"""Compares requests and answers with Cloudbeds' own API document.

The document is not part of this project: the environment variable ``VENDOR_SPECS`` names the folder
that holds ``cloudbeds-pms-openapi.yaml`` (https://github.com/cloudbeds/openapi-specs). Without it
`document_missing` is true and tests that need it are skipped.

Where the document is stricter than the vendor's practice, the practice counts: ``date-time`` may be
``YYYY-MM-DD HH:MM:SS`` or a plain date. Where it is laxer, this is stricter: a parameter it does
not list is a violation, because the API ignores misspelled filters in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, time
from typing import Any

import yaml
from jsonschema import FormatChecker

from tests.pms.vendor_document import VendorDocument

PREFIX = re.compile(r"^(https?://[^/]+)?/?(api/v1\.\d/)?")
BOOLEANS = {"true": True, "false": False}
FORM = "application/x-www-form-urlencoded"
MOMENTS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z")

formats = FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)
def _moment(value: object) -> bool:
    return not isinstance(value, str) or any(_reads(value, form) for form in MOMENTS)


@formats.checks("date", raises=ValueError)
def _date(value: object) -> bool:
    return not isinstance(value, str) or _reads(value, "%Y-%m-%d")


@formats.checks("time", raises=ValueError)
def _time(value: object) -> bool:
    return not isinstance(value, str) or bool(time.fromisoformat(value) or True)


def _reads(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


DOCUMENT = VendorDocument(
    "cloudbeds-pms-openapi.yaml",
    load=lambda text: yaml.load(text, Loader=yaml.CSafeLoader),
    formats=formats,
)


def document_missing() -> bool:
    """Whether VENDOR_SPECS does not lead to the vendor's document."""
    return DOCUMENT.missing()


def violations_of_response(method: str, path: str, status: int, body: Any) -> list[str]:
    """What is wrong with an answer; empty for a good one.

    ``path`` may be ``/getRooms``, ``/api/v1.3/getRooms`` or a whole address. The document knows no
    status but 200; about others it says nothing, and so does this.
    """
    operation = _operation(method, path)
    if operation is None:
        return [f"{method} {path} is not in the document"]
    if status != 200:
        return []
    responses = {str(code): answer for code, answer in operation["responses"].items()}
    schema = responses["200"]["content"]["application/json"]["schema"]
    return DOCUMENT.violations(schema, body)


def unlisted_fields(method: str, path: str, body: Any) -> list[str]:
    """Fields of an answer that the document does not name, as ``data/0/invented``."""
    operation = _operation(method, path)
    assert operation, f"{method} {path} is not in the document"
    responses = {str(code): answer for code, answer in operation["responses"].items()}
    return list(_unlisted(responses["200"]["content"]["application/json"]["schema"], body, ""))


def violations_of_request(
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> list[str]:
    """What is wrong with a request; empty for a good one.

    ``query`` and ``form`` are flat, with bracket names for nested values, as they go over the wire.
    """
    operation = _operation(method, path)
    if operation is None:
        return [f"{method} {path} is not in the document"]
    found = list(_query_violations(operation, dict(query or {})))
    content = (operation.get("requestBody") or {}).get("content", {})
    if form and FORM not in content:
        return [*found, "the operation takes no form"]
    if form:
        schema = DOCUMENT.resolved(content[FORM]["schema"])
        tree, strangers = _typed_form(schema, dict(form))
        found += [f"{name} is not a field of the form" for name in strangers]
        found += DOCUMENT.violations(schema, tree)
    return found


def _operation(method: str, path: str) -> dict[str, Any] | None:
    name = "/" + PREFIX.sub("", path.partition("?")[0]).lstrip("/")
    found: dict[str, Any] | None = DOCUMENT.content["paths"].get(name, {}).get(method.lower())
    return found


def _query_violations(operation: dict[str, Any], query: dict[str, str]) -> Iterator[str]:
    known = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "query"}
    for name, text in query.items():
        if name not in known:
            yield f"{name} is not a parameter"
            continue
        schema = DOCUMENT.resolved(known[name]["schema"])
        yield from (
            f"{name} {wrong}" for wrong in DOCUMENT.violations(schema, _typed(schema, text))
        )
    for name, parameter in known.items():
        if parameter.get("required") and name not in query:
            yield f"{name} is missing"


def _typed(schema: dict[str, Any], text: Any) -> Any:
    """The text as the kind the schema wants, or unchanged if it is not of that kind."""
    if not isinstance(text, str):
        return text
    if schema.get("type") == "boolean":
        return BOOLEANS.get(text, text)
    if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    return text


def _typed_form(schema: dict[str, Any], form: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    tree: dict[str, Any] = {}
    for name, value in form.items():
        steps = [name.partition("[")[0], *re.findall(r"\[([^\]]*)\]", name)]
        inner = tree
        for step in steps[:-1]:
            inner = inner.setdefault(step, {})
        inner[steps[-1]] = value
    strangers: list[str] = []
    return _typed_tree(schema, tree, "", strangers), strangers


def _typed_tree(schema: dict[str, Any], value: Any, at: str, strangers: list[str]) -> Any:
    schema = DOCUMENT.resolved(schema)
    if schema.get("type") == "array" and isinstance(value, dict):
        rows = [value[key] for key in sorted(value, key=lambda key: (len(key), key))]
        return [_typed_tree(schema["items"], row, f"{at}[]", strangers) for row in rows]
    if not isinstance(value, dict):
        return _typed(schema, value)
    known = schema.get("properties", {})
    strangers += [f"{at}.{name}".lstrip(".") for name in value if name not in known]
    return {
        name: _typed_tree(known.get(name, {}), inner, f"{at}.{name}", strangers)
        for name, inner in value.items()
    }


def _unlisted(schema: dict[str, Any], value: Any, at: str) -> Iterator[str]:
    schema = DOCUMENT.resolved(schema)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unlisted(schema.get("items", {}), item, f"{at}{index}/")
    if not isinstance(value, dict):
        return
    known, others = schema.get("properties"), schema.get("additionalProperties")
    for name, inner in value.items():
        below = (known or {}).get(name, others if isinstance(others, dict) else None)
        if below is not None:
            yield from _unlisted(below, inner, f"{at}{name}/")
        elif known is not None:
            yield f"{at}{name}"
