"""One demo and one Chromium for all tests of this folder; what a failed test saw is kept and named in its message."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.demo import Demo, open_demo
from tests.browser.people import Visits

HERE = Path(__file__).parent
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
WITHOUT = "chromium is not installed (Debian and Ubuntu: apt install chromium)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that share the demo go to one worker of xdist; without a browser they cannot run."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)
            if item.get_closest_marker("xdist_group") is None:
                item.add_marker(pytest.mark.xdist_group("browser"))
            if PROGRAM is None:
                item.add_marker(pytest.mark.skip(reason=WITHOUT))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Say in the message of a failure where the screenshots and traces are."""
    visits = getattr(item, "funcargs", {}).get("visits")
    if call.excinfo is not None and call.when == "call" and isinstance(visits, Visits):
        folder = Path(tempfile.mkdtemp(prefix="portal-browser-"))
        call.excinfo.value.add_note(visits.keep(folder))
    return (yield)


# Playwright's loop lives in this thread, where Django would refuse the database: so both end with this folder.


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo hotel as ``run.py`` starts it, with short clocks."""
    with open_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The installed Chromium."""
    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to run as root, which containers often are.
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def address(demo: Demo) -> str:
    """Where Portal is: the demo's, unless a file of tests has a hotel of its own."""
    return demo.url


@pytest.fixture
def visits(chromium: Browser, address: str) -> Iterator[Visits]:
    """Opens browsers of a test and closes them at its end."""
    visits = Visits(chromium, address)
    yield visits
    visits.close()


@pytest.fixture
def bookings(demo: Demo) -> Iterator[list[str]]:
    """Reservations to take out of the PMS again."""
    made: list[str] = []
    yield made
    for booking in made:
        demo.pms(f"reservations/{booking}/delete", force=True)
