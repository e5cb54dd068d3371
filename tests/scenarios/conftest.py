"""One hotel for all scenarios of a process. Two processes share them: one those of the PMS connection, one the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hotel import Hotel, open_hotel

OF_THE_CONNECTION = ("test_connection", "test_outage", "test_recovery", "test_telling")


def pytest_itemcollected(item: pytest.Item) -> None:
    """All that happens in one hotel goes to one worker of xdist."""
    of_the_connection = item.path.stem in OF_THE_CONNECTION
    part = "scenarios of the connection" if of_the_connection else "scenarios"
    item.add_marker(pytest.mark.xdist_group(part))


@pytest.fixture(scope="package")
def hotel_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotel]:
    """The hotel closes after the last scenario, so that its clocks do not tick beside other tests."""
    with open_hotel(tmp_path_factory.mktemp("hotel")) as hotel:
        yield hotel


@pytest.fixture
def hotel(real_hotel: Hotel) -> Hotel:
    """The hotel of real processes."""
    return real_hotel
