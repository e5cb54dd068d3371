"""Troubleshooting: What does error 4117 mean in the door logs?"""

from __future__ import annotations

import re

from tests.eventually import eventually
from tests.pages import words

SENTENCES = (
    "The code was not successfully written to the lock. "
    "Check that Allow Provisioning is enabled on that reservation and that the lock is online"
)


def open_4117(hotel, key) -> list[str]:
    """The paragraphs of the open 4117 of this key in the door log, none if there is none."""
    for note in hotel.page("/log/").all(".//div[@class='note note-bad']"):
        leads = {link.get("href") for link in note.iter("a")}
        if key.path in leads and words(note).startswith("4117"):
            return [words(paragraph) for paragraph in note.iter("p")]
    return []


def test_the_code_was_not_successfully_written_to_the_lock(hotel):
    room = hotel.free_room()
    lock = hotel.lock(room)
    lock.act("refuse", calls=-1)
    key = hotel.add_key("Fay Failed", room)
    told = eventually(lambda: open_4117(hotel, key))
    assert told[1] == SENTENCES
    assert lock.memory(key) == []
    assert f"{room} 4117" in hotel.page("/log/?code=4117").text


def test_check_that_allow_provisioning_is_enabled_on_that_reservation_and_that_the_lock_is_online(
    hotel,
):
    room = hotel.free_room()
    lock = hotel.lock(room)
    lock.offline()
    key = hotel.add_key("Chris Check", room, allow=False)
    both = r"Allow Provisioning: off\. Lock: offline since \d\d:\d\d\. Open the key"
    eventually(lambda: re.fullmatch(both, checks(hotel, key)))
    lock.online()
    eventually(lambda: checks(hotel, key) == "Allow Provisioning: off. Lock: online. Open the key")
    key.allow(room)
    eventually(lambda: lock.holds(key.code()))
    eventually(lambda: not open_4117(hotel, key))
    assert f"{room} 4117 resolved" in hotel.page("/log/").text


def checks(hotel, key) -> str:
    """The line with both checks, made now."""
    told = open_4117(hotel, key)
    return told[2] if told else ""
