"""A vendor's own OpenAPI document, which is not part of this project.

The environment variable ``VENDOR_SPECS`` names the folder that holds such documents.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import referencing
from jsonschema import FormatChecker
from openapi_schema_validator import OAS30Validator
from referencing.jsonschema import DRAFT4


class VendorDocument:
    """One document: whether it is there, and what is wrong with a value by one of its schemas."""

    def __init__(
        self, file: str, *, load: Callable[[str], dict[str, Any]], formats: FormatChecker
    ) -> None:
        self.file = file
        self._load = load
        self._formats = formats

    def missing(self) -> bool:
        """Whether VENDOR_SPECS does not lead to it."""
        folder = os.environ.get("VENDOR_SPECS")
        return not folder or not (Path(folder) / self.file).is_file()

    @functools.cached_property
    def content(self) -> dict[str, Any]:
        """The whole of it."""
        folder = os.environ["VENDOR_SPECS"]
        return self._load((Path(folder) / self.file).read_text(encoding="utf-8"))

    @functools.cached_property
    def _registry(self) -> referencing.Registry[Any]:
        resource = referencing.Resource.from_contents(self.content, default_specification=DRAFT4)
        return referencing.Registry().with_resource(f"urn:{self.file}", resource)

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema itself instead of a reference to it."""
        while "$ref" in schema:
            schema = self.content["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def violations(self, schema: dict[str, Any], value: Any) -> list[str]:
        """What is wrong with a value, as ``data/0/name: …``; empty for a good one."""
        if "$ref" in schema:
            schema = {"$ref": f"urn:{self.file}" + schema["$ref"]}
        validator = OAS30Validator(schema, registry=self._registry, format_checker=self._formats)
        return [
            f"{'/'.join(map(str, error.absolute_path)) or '(whole)'}: {error.message}"
            for error in validator.iter_errors(value)
        ]
