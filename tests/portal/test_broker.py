"""The folder queue: every message arrives whole and once, whoever reads, writes or tidies up meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from queue import Empty

import kombu
import pytest
from kombu.transport import TRANSPORT_ALIASES

import portal.celery

MESSAGES = 600

PEER = """
import sys
import kombu
from kombu.transport import TRANSPORT_ALIASES

TRANSPORT_ALIASES["filesystem"] = "portal.broker:Transport"
word, folder, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
options = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder + "/control"}
options["polling_interval"] = 0.005
bell = kombu.Queue("bell", kombu.Exchange("bell"), routing_key="bell")


def hear(body, message):
    message.ack()
    print(body["number"], flush=True)


with kombu.Connection("filesystem://", transport_options=options) as connection:
    if word == "write":
        producer = connection.Producer()
        for number in range(first, first + count):
            text = {"number": number, "filling": "x" * 2000}
            producer.publish(text, exchange=bell.exchange, routing_key="bell", declare=[bell])
    else:
        with connection.Consumer([bell], callbacks=[hear]):
            try:
                while True:
                    connection.drain_events(timeout=3)
            except TimeoutError:
                pass
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where one queue lives; it is made by the first message."""
    return tmp_path / "q"


@pytest.fixture
def channel(folder):
    """A channel of the transport that Portal's Celery uses."""
    assert TRANSPORT_ALIASES["filesystem"] == "portal.broker:Transport", portal.celery.app
    options = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(folder / "control"),
    }
    with kombu.Connection("filesystem://", transport_options=options) as connection:
        yield connection.default_channel


def peer(word: str, folder: Path, first: int = 0, count: int = 0) -> subprocess.Popen[str]:
    """Another process at the same queue."""
    command = [sys.executable, "-c", PEER, word, str(folder), str(first), str(count)]
    root = Path(portal.celery.__file__).parents[1]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=root, stdout=pipe, stderr=pipe, text=True)


def test_two_writers_and_two_readers_lose_and_double_nothing(folder):
    readers = [peer("read", folder) for _ in range(2)]
    writers = [peer("write", folder, first * MESSAGES, MESSAGES) for first in range(2)]
    heard = []
    for process in [*writers, *readers]:
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, err
        heard += [int(line) for line in out.split()]
    assert sorted(heard) == list(range(2 * MESSAGES))


def test_messages_come_out_oldest_first_and_leave_nothing_behind(channel, folder):
    for number in range(20):
        channel._put("bell", {"number": number})
    assert channel._size("bell") == 20
    assert [channel._get("bell")["number"] for _ in range(20)] == list(range(20))
    with pytest.raises(Empty):
        channel._get("bell")
    assert [file.name for file in folder.iterdir()] == []


def test_a_queue_sees_only_its_own_messages(channel):
    channel._put("bell", {"number": 1})
    with pytest.raises(Empty):
        channel._get("other")
    assert channel._get("bell") == {"number": 1}


def test_a_message_without_its_content_is_dropped_and_the_next_one_arrives(channel, folder, caplog):
    channel._put("bell", {"number": 1})
    (folder / "00000000000000000001_lost.bell.msg").write_bytes(b"")
    assert channel._get("bell") == {"number": 1}
    assert "Dropped an unreadable message" in caplog.text
    assert channel._size("bell") == 0


def test_a_draft_is_no_message(channel, folder):
    channel._put("bell", {"number": 1})
    (folder / ".1_half.bell.msg.draft").write_bytes(b'{"numb')
    assert channel._size("bell") == 1
    assert channel._purge("bell") == 1


def test_bindings_survive_an_emptied_folder(channel, folder):
    bell = kombu.Queue("bell", kombu.Exchange("bell"), routing_key="bell")(channel)
    bell.declare()
    for file in (folder / "control").iterdir():
        file.unlink()
    assert set(channel._lookup("bell", "bell")) == {"bell"}


def test_a_queue_that_is_deleted_is_no_longer_bound(channel):
    reply = kombu.Queue("reply", kombu.Exchange("reply"), routing_key="reply")(channel)
    reply.declare()
    assert [row.queue for row in channel.get_table("reply")] == ["reply"]
    reply.delete()
    assert channel.get_table("reply") == []
