"""Compares requests and answers with MEWS' own API document.

The environment variable ``VENDOR_SPECS`` names the folder that holds ``mews-connector-openapi.json``;
without it `document_missing` is true and tests that need it are skipped.

Where the document is stricter than the vendor's practice, the practice counts: null may stand
wherever a value is not required, as in the vendor's own examples, and an item of
``reservations/update`` needs neither credentials nor does the request need a reservation of its
own. Where it is laxer, this is stricter: ``Limitation.Count`` is 1 to 1000.
https://docs.mews.com/connector-api/guidelines/pagination
"""

from __future__ import annotations

import json
import re
from typing import Any

from openapi_schema_validator import oas30_format_checker

from tests.pms.vendor_document import VendorDocument

PREFIX = re.compile(r"^(https?://[^/]+)?/?(api/connector/v1/)?")
NOT_REQUIRED_IN_PRACTICE = {
    "MultipleReservationUpdateParameters": {"ReservationId"},
    "ReservationUpdateParameters": {"ClientToken", "AccessToken", "Client"},
}


def _load(text: str) -> dict[str, Any]:
    document = json.loads(text)
    schemas = document["components"]["schemas"]
    for name, relaxed in NOT_REQUIRED_IN_PRACTICE.items():
        kept = [one for one in schemas[name]["required"] if one not in relaxed]
        schemas[name]["required"] = kept
    count = schemas["Limitation"]["properties"]["Count"]
    count.update(minimum=1, maximum=1000)
    return document


DOCUMENT = VendorDocument("mews-connector-openapi.json", load=_load, formats=oas30_format_checker)


def document_missing() -> bool:
    """Whether VENDOR_SPECS does not lead to the vendor's document."""
    return DOCUMENT.missing()


def violations_of_request(operation: str, body: Any) -> list[str]:
    """What is wrong with a request; empty for a good one.

    ``operation`` may be ``configuration/get``, a path or a whole address.
    """
    found = _operation(operation)
    if found is None:
        return [f"{operation} is not in the document"]
    schema = found["requestBody"]["content"]["application/json"]["schema"]
    return DOCUMENT.violations(schema, without_nulls(body))


def violations_of_response(operation: str, status: int, body: Any) -> list[str]:
    """What is wrong with an answer or an error body; empty for a good one."""
    found = _operation(operation)
    if found is None:
        return [f"{operation} is not in the document"]
    answers = {str(code): answer for code, answer in found["responses"].items()}
    if str(status) not in answers:
        return []
    schema = answers[str(status)]["content"]["application/json"]["schema"]
    return DOCUMENT.violations(schema, without_nulls(body))


def violations(schema_name: str, body: Any) -> list[str]:
    """What is wrong with a value by a schema of the document."""
    return DOCUMENT.violations({"$ref": f"#/components/schemas/{schema_name}"}, without_nulls(body))


def without_nulls(value: Any) -> Any:
    """The same tree without the members that are null; a required one is then missed."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value


def _operation(path: str) -> dict[str, Any] | None:
    name = "/api/connector/v1/" + PREFIX.sub("", path)
    found: dict[str, Any] | None = DOCUMENT.content["paths"].get(name, {}).get("post")
    return found
