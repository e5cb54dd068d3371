"""Hotels and clients for the tests of the API."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from tests.api.world import ApiClient, Hotel, hotel


@pytest.fixture(autouse=True)
def no_requests_yet() -> None:
    """Ids of tokens come again in the next test; what is counted for them must not."""
    cache.clear()


@pytest.fixture
def seaview(db) -> Hotel:
    return hotel("Seaview")


@pytest.fixture
def other(db) -> Hotel:
    return hotel("Elsewhere")


@pytest.fixture
def api(seaview) -> ApiClient:
    return ApiClient(seaview)
