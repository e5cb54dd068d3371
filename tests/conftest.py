"""What all tests share: the engine they run on, the simulated locks, and quick clocks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from tests import prepared
from tests.hotel import Hotel, open_hotel
from tests.locks.peers.zwave.peer import ZwavePeer, start_zwave
from tests.locks.simlock_server import SimlockServer, start_simlock


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix) -> None:
    """The database of each test process is a copy of one that was migrated once."""
    prepared.for_tests(connection.settings_dict)


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest) -> bool:
    """A file that was put in its place is not thrown away first; it goes with the folder. Else as the caller says."""
    return request.config.getvalue("reuse_db") or not prepared.on_postgresql()


@pytest.fixture(scope="session")
def simlock_process() -> Iterator[SimlockServer]:
    """One simulated lock system for the whole session of this worker."""
    with start_simlock() as server:
        yield server


@pytest.fixture
def simlock(simlock_process: SimlockServer) -> SimlockServer:
    """The simulated lock system with an empty wall."""
    simlock_process.reset()
    return simlock_process


@pytest.fixture(scope="session")
def zwave() -> Iterator[ZwavePeer]:
    """The real Z-Wave JS server over simulated locks, one for the whole session of this worker."""
    with start_zwave() as peer:
        yield peer


@pytest.fixture
def quick(settings) -> None:
    """Retries and read-backs in fractions of a second, so that a test sees them happen."""
    settings.RETRY_SOON_S = [0.05, 0.1, 0.2]
    settings.RETRY_OFFLINE_S = [0.2, 0.4]
    settings.READ_BACK_AFTER_S = [0.3, 0.6]
    settings.DRIVER_TIMEOUT_S = 1.0
    settings.DELIVERY_ROUND_S = 5.0


@pytest.fixture(scope="session")
def hotel_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotel]:
    """One hotel of real processes for the whole session of this worker."""
    with open_hotel(tmp_path_factory.mktemp("hotel")) as hotel:
        yield hotel


@pytest.fixture
def real_hotel(hotel_process: Hotel) -> Iterator[Hotel]:
    """The hotel of real processes, in order again after the test. Each test takes rooms of its own."""
    yield hotel_process
    hotel_process.tidy()
