"""A lock system of another maker, from nothing to a guest at the door, over the portal's pages alone."""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from tests.locks.ttlock_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    USERNAME,
    TTLockServer,
    start_ttlock,
)

LIST = "/settings/lock-systems/"


@pytest.fixture
def ttlock():
    with start_ttlock() as server:
        yield server


def connect(hotel, ttlock: TTLockServer):
    """Settings → Lock systems → Connect TTLock, with a wrong password first."""
    page = hotel.page("/settings/integrations/", "owner").click("Lock systems")
    form = page.click("Connect TTLock").form("Connect")
    form.fill("Name", "Garden house").fill("Address", ttlock.url)
    form.fill("Client ID", CLIENT_ID).fill("Client secret", CLIENT_SECRET)
    page = form.fill("User name", USERNAME).fill("Password", "wrong").press("Connect")
    assert "TTLock does not accept this password" in page.text
    form = page.form("Connect")
    assert form.value("Client ID") == CLIENT_ID
    assert form.value("Client secret") == ""
    return form.fill("Client secret", CLIENT_SECRET).fill("Password", PASSWORD).press("Connect")


def test_a_lock_of_ttlock_is_connected_found_paired_and_opens_for_its_guest(hotel, ttlock):
    lock = ttlock.add_lock(alias="Garden 9", gateway=3)
    page = connect(hotel, ttlock)
    assert "Garden house is connected." in page.text
    found = eventually(lambda: "1 found" in (p := hotel.page(page.path, "owner")).text and p)
    form = found.click("Add Garden 9").form("Save")
    page = form.fill("Or the name of a new door", "Garden 9").press("Save")
    assert "Garden 9 is added and hangs on Garden 9." in page.text
    key = hotel.add_key("Gerda Garden", "Garden 9", allow=True)
    eventually(lambda: "Active" in key.states, 20)
    code = key.code()
    assert ttlock.try_door(lock, code)
    assert not ttlock.try_door(lock, "000111")
    key.revoke()
    eventually(lambda: not ttlock.try_door(lock, code), 20)
    leave = hotel.page(LIST, "owner").click("Disconnect Garden house").form("Disconnect")
    assert (
        "Garden house is disconnected."
        in leave.fill("Type the name", "Garden house").press("Disconnect").text
    )
    assert "Disconnected" in hotel.page(LIST, "owner").text
