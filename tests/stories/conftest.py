"""What the stories share: a hotel. The two parts of the article are told beside each other, each in a hotel of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hotel import Hotel, open_hotel

FIRST_PART = tuple(f"test_{n}_" for n in range(1, 7))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Each part goes to one worker of xdist, so that both together end soon."""
    part = "stories" if item.path.name.startswith(FIRST_PART) else "troubleshooting"
    item.add_marker(pytest.mark.xdist_group(part))


@pytest.fixture(scope="package")
def hotel_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotel]:
    """The hotel closes after the last story, so that its clocks do not tick beside other tests."""
    with open_hotel(tmp_path_factory.mktemp("hotel")) as hotel:
        yield hotel


@pytest.fixture
def hotel(real_hotel: Hotel) -> Hotel:
    """The hotel of real processes."""
    return real_hotel
