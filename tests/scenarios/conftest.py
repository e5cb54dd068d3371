"""One hotel for all scenarios; its tests run in one process one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hotel import Hotel, open_hotel


def pytest_itemcollected(item: pytest.Item) -> None:
    """All that happens in one hotel goes to one worker of xdist."""
    item.add_marker(pytest.mark.xdist_group("scenarios"))


@pytest.fixture(scope="package")
def hotel_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotel]:
    """The hotel closes after the last scenario, so that its clocks do not tick beside other tests."""
    with open_hotel(tmp_path_factory.mktemp("hotel")) as hotel:
        yield hotel


@pytest.fixture
def hotel(real_hotel: Hotel) -> Hotel:
    """The hotel of real processes."""
    return real_hotel
