"""The API's document is valid OpenAPI 3.1, says who may come in, and its page runs under the strict policy."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.test import Client


def test_the_document_is_valid_without_a_warning(tmp_path):
    target = tmp_path / "schema.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(target))
    assert target.read_text().startswith("openapi: 3.1.0")


def test_every_operation_wants_the_token_and_names_its_problems(db):
    document = Client().get("/api/v1/schema/?format=json").json()
    operations = [o for item in document["paths"].values() for o in item.values()]
    assert len(operations) >= 25
    for operation in operations:
        assert operation["security"] == [{"token": []}]
        assert {"400", "401", "403", "404"} <= set(operation["responses"])


@pytest.mark.parametrize("path", ["/api/v1/docs/", "/api/v1/docs/?script="])
def test_the_page_needs_nothing_from_elsewhere_and_no_inline_script(db, path):
    answer = Client().get(path)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "cdn" not in text
    if "<html" in text:
        assert "<script>" not in text
        assert "unsafe" not in answer["Content-Security-Policy"]
