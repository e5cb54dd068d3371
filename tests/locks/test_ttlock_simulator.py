"""The simulated TTLock is honest: it refuses, limits and forgets as the vendor documents, and book and lock are two things.

Each test names the page of the vendor's documents that says so.
"""

from __future__ import annotations

import hashlib
import http.server
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from tests.locks.ttlock_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    USERNAME,
    ms,
    start_ttlock,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.locks.ttlock_server import TTLockServer

CODE = "482913"
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def running() -> Iterator[TTLockServer]:
    with start_ttlock() as server:
        yield server


@pytest.fixture
def ttlock(running: TTLockServer) -> TTLockServer:
    running.post("reset")
    return running


@pytest.fixture
def lock(ttlock: TTLockServer) -> str:
    return ttlock.add_lock(alias="Room 204", gateway=7)


def add(ttlock: TTLockServer, lock: str, code: str = CODE, **more):
    told = {"keyboardPwdName": "name", "startDate": ms(-1), "endDate": ms(24), "addType": 2}
    return ttlock.ask("keyboardPwd/add", lockId=lock, keyboardPwd=code, **(told | more))


@pytest.mark.parametrize(("method", "query"), [("GET", True), ("POST", True), ("POST", False)])
def test_query_or_form_get_or_post_and_a_refusal_with_status_200(
    ttlock, lock, method, query
) -> None:
    """Real clients do all of these; the status of a refusal is 200 (en/cloud/errorCode)."""
    answer = ttlock.ask("lock/unlock", method=method, query=query, lockId=lock)
    assert answer["errcode"] == 0
    refusal = ttlock.ask("lock/unlock", method=method, query=query, lockId=1)
    assert (refusal["errcode"], set(refusal)) == (-1003, {"errcode", "errmsg", "description"})


def test_both_spellings_of_the_client_and_a_password_as_md5(ttlock) -> None:
    """cloud/oauth2/getAccessToken."""
    md5 = hashlib.md5(PASSWORD.encode()).hexdigest()
    for client, secret in (("clientId", "clientSecret"), ("client_id", "client_secret")):
        told = {client: CLIENT_ID, secret: CLIENT_SECRET, "username": USERNAME}
        answer = ttlock.ask("/oauth2/token", accessToken="", password=md5, **told)
        assert answer["expires_in"] == 7_776_000
    assert ttlock.ask("/oauth2/token", password=PASSWORD, **told)["errcode"] == 10007


def test_a_date_that_is_six_minutes_off_is_refused(ttlock, lock) -> None:
    """en/cloud/errorCode: 80000."""
    assert ttlock.ask("lock/list", date=ms(0.1))["errcode"] == 80000
    assert ttlock.ask("lock/list", date=ms(0.07))["total"] == 1


def test_an_access_token_runs_out_after_ninety_days_and_a_refresh_token_is_good_once(
    ttlock, lock
) -> None:
    """en/cloud/oauth2/refreshAccessToken."""
    pair = ttlock.post("tokens", do="issue")
    ttlock.post("clock", advance_s=91 * 86_400)
    assert ttlock.ask("lock/list", accessToken=pair["access"])["errcode"] == 10004
    told = {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET, "grant_type": "refresh_token"}
    told["refresh_token"] = pair["refresh"]
    fresh = ttlock.ask("/oauth2/token", **told)
    assert ttlock.ask("lock/list", accessToken=fresh["access_token"])["total"] == 1
    assert ttlock.ask("/oauth2/token", **told)["errcode"] == 10011


def test_without_add_type_the_code_is_in_the_book_and_opens_nothing(ttlock, lock) -> None:
    """cloud/passcode/add: 1, the default, means that an app has written it already."""
    answer = ttlock.ask(
        "keyboardPwd/add", lockId=lock, keyboardPwd=CODE, startDate=ms(-1), endDate=ms(1)
    )
    assert answer["keyboardPwdId"]
    assert [row["keyboardPwd"] for row in listed(ttlock, lock)] == [CODE]
    assert not ttlock.try_door(lock, CODE)


def listed(ttlock, lock, **more):
    return ttlock.ask("lock/listKeyboardPwd", lockId=lock, pageNo=1, pageSize=200, **more)["list"]


def test_the_book_does_not_hear_of_what_is_done_at_the_keypad(ttlock, lock) -> None:
    """cloud/passcode/list is the cloud's list; only the records tell."""
    add(ttlock, lock)
    ttlock.act(lock, "keypad-change", old=CODE, value="730528")
    assert [row["keyboardPwd"] for row in listed(ttlock, lock)] == [CODE]
    assert ttlock.try_door(lock, "730528")
    records = ttlock.ask("lockRecord/list", lockId=lock, pageNo=1, pageSize=20)["list"]
    assert [row["recordTypeFromLock"] for row in reversed(records)] == [93, 5, 4]


def test_a_custom_code_is_refused_for_length_simplicity_likeness_and_room(ttlock, lock) -> None:
    """en/cloud/errorCode: -3006, -2032, -3007, -3009."""
    ttlock.act(lock, "capacity", max_codes=1)
    assert add(ttlock, lock, "123")["errcode"] == -3006
    assert add(ttlock, lock, "3456789")["errcode"] == -2032
    assert add(ttlock, lock)["keyboardPwdId"]
    assert add(ttlock, lock)["errcode"] == -3007
    assert add(ttlock, lock, "730528")["errcode"] == -3009


def test_a_change_of_one_date_succeeds_and_has_no_effect(ttlock, lock) -> None:
    """cloud/passcode/update."""
    told = {"lockId": lock, "keyboardPwdId": add(ttlock, lock)["keyboardPwdId"], "changeType": 2}
    before = listed(ttlock, lock)
    assert ttlock.ask("keyboardPwd/change", endDate=ms(48), **told)["errcode"] == 0
    assert listed(ttlock, lock) == before
    both = {"startDate": ms(-2), "endDate": ms(48)}
    assert ttlock.ask("keyboardPwd/change", **told, **both)["errcode"] == 0
    assert listed(ttlock, lock) != before


def test_a_random_code_needs_no_contact_is_whole_hours_and_waits_a_day_for_its_use(
    ttlock, lock
) -> None:
    """cloud/passcode/get and userGuide/passcodeEn."""
    ttlock.post("gateways/7/offline")
    told = {"lockId": lock, "keyboardPwdType": 3, "endDate": ms(72)}
    first = ttlock.ask("keyboardPwd/get", startDate=ms(-0.5), **told)
    [row] = listed(ttlock, lock)
    assert (row["startDate"] % HOUR_MS, row["endDate"] % HOUR_MS, row["isCustom"]) == (0, 0, 0)
    assert ttlock.ask("keyboardPwd/get", startDate=ms(-0.5), **told) == first
    delete = {"lockId": lock, "keyboardPwdId": first["keyboardPwdId"], "deleteType": 2}
    assert ttlock.ask("keyboardPwd/delete", **delete)["errcode"] == -3008
    unused = ttlock.ask("keyboardPwd/get", startDate=ms(-3), **told)["keyboardPwd"]
    assert ttlock.try_door(lock, first["keyboardPwd"])
    ttlock.post("clock", advance_s=25 * 3600)
    assert ttlock.try_door(lock, first["keyboardPwd"])
    assert not ttlock.try_door(lock, unused)
    ttlock.post("gateways/7/online")
    assert ttlock.ask("keyboardPwd/delete", **delete)["errcode"] == 0
    again = ttlock.ask(
        "keyboardPwd/get", **(told | {"startDate": row["startDate"], "endDate": row["endDate"]})
    )
    assert again["errcode"] == -1026


def test_a_receiver_has_one_ekey_per_lock(ttlock, lock) -> None:
    """en/cloud/ekey/send: sending again deletes the old one."""
    told = {"lockId": lock, "keyName": "k", "startDate": 0, "endDate": 0}
    assert ttlock.ask("key/send", receiverUsername="guest", **told)["errcode"] == -4064
    name = ttlock.ask("user/register", username="guest", password="x")["username"]
    first, second = (ttlock.ask("key/send", receiverUsername=name, **told) for _ in range(2))
    assert first["keyId"] != second["keyId"]
    [row] = ttlock.ask("lock/listKey", lockId=lock, pageNo=1, pageSize=20)["list"]
    assert (row["keyId"], row["keyStatus"]) == (second["keyId"], "110401")
    assert ttlock.ask("key/delete", keyId=first["keyId"])["errcode"] == -1008


def test_the_two_ways_to_add_a_card_differ_in_the_order_of_its_bytes(ttlock, lock) -> None:
    """cloud/card/add: 3661413478 is stored as 1723612378."""
    told = {"lockId": lock, "startDate": 0, "endDate": 0, "addType": 2}
    ttlock.ask("identityCard/addForReversedCardNumber", cardNumber=3661413478, **told)
    assert list(ttlock.memory(lock, "card").values()) == ["1723612378"]


def test_the_lock_judges_by_its_own_clock_and_offset(ttlock, lock) -> None:
    """en/cloud/gateway/adjustLockDatetime."""
    add(ttlock, lock)
    ttlock.act(lock, "wall-offset", wall_offset_s=3600 - 2 * 3600)
    assert not ttlock.try_door(lock, CODE)
    assert abs(ttlock.ask("lock/queryDate", lockId=lock)["date"] - ms(-2)) < 2000
    ttlock.ask("lock/updateDate", lockId=lock)
    assert ttlock.try_door(lock, CODE)


def test_a_gateway_carries_one_command_at_a_time(ttlock, lock) -> None:
    """en/cloud/errorCode: -3003; another gateway is not concerned."""
    near = ttlock.add_lock(gateway=7)
    far = ttlock.add_lock(gateway=8)
    ttlock.act(lock, "slow", slow_ms=400)
    slow = threading.Thread(target=lambda: ttlock.ask("lock/unlock", lockId=lock))
    slow.start()
    time.sleep(0.15)
    assert ttlock.ask("lock/unlock", lockId=near)["errcode"] == -3003
    assert ttlock.ask("lock/unlock", lockId=far)["errcode"] == 0
    slow.join()
    assert ttlock.ask("lock/unlock", lockId=near)["errcode"] == 0


def test_a_gateway_without_power_refuses_at_once_and_looks_online_for_half_an_hour(
    ttlock, lock
) -> None:
    """en/cloud/gateway/listByLock."""

    def looks() -> tuple[int, int]:
        [row] = ttlock.ask("gateway/list")["list"]
        return row["isOnline"], len(ttlock.ask("gateway/listByLock", lockId=lock)["list"])

    ttlock.post("gateways/7/offline")
    assert add(ttlock, lock)["errcode"] == -3002
    assert looks() == (1, 1)
    ttlock.post("clock", advance_s=29 * 60)
    assert looks() == (1, 1)
    ttlock.post("clock", advance_s=2 * 60)
    assert looks() == (0, 0)
    ttlock.post("gateways/7/online")
    assert looks() == (1, 1)


def test_a_lock_keeps_its_last_500_records_until_it_is_reached_again(ttlock, lock) -> None:
    """userGuide/lockRecordEn."""
    ttlock.act(lock, "offline")
    for number in range(505):
        ttlock.act(lock, "keypad-delete", value=f"{number}")

    def records(**more):
        return ttlock.ask("lockRecord/list", lockId=lock, pageSize=200, **more)

    assert records(pageNo=1)["total"] == 0
    ttlock.act(lock, "online")
    page = records(pageNo=1)
    assert (page["total"], page["pages"], len(page["list"])) == (500, 3, 200)
    assert records(pageNo=3)["list"][-1]["keyboardPwd"] == "5"
    assert ttlock.ask("lockRecord/list", lockId=lock, pageNo=1, pageSize=201)["errcode"] == -3


class Listener:
    """Hears callbacks, and is deaf to the first ones."""

    def __init__(self, *, deaf: int) -> None:
        self.heard: list[dict[str, list[str]]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                outer.heard.append(parse_qs(self.rfile.read(length).decode()))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"error" if len(outer.heard) <= deaf else b"success")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def wait(self, count: int) -> list[dict[str, list[str]]]:
        end = time.monotonic() + 5
        while len(self.heard) < count and time.monotonic() < end:
            time.sleep(0.02)
        return self.heard


def test_a_callback_is_a_form_told_again_until_it_hears_success_and_a_gateway_late(
    ttlock, lock
) -> None:
    """cloud/lockRecord/notify and en/cloud/gateway/gatewayNotify."""
    listener = Listener(deaf=1)
    ttlock.post("cloud", callback_url=listener.url, callback_again_s=0.1)
    ttlock.try_door(lock, CODE)
    first, second = listener.wait(2)[:2]
    assert first == second
    assert (first["notifyType"], first["lockId"]) == (["1"], [lock])
    assert "recordId" not in first["records"][0]
    ttlock.post("gateways/7/offline")
    time.sleep(0.3)
    assert len(listener.heard) == 2
    ttlock.post("clock", advance_s=31 * 60)
    late = listener.wait(3)[-1]
    assert (late["notifyType"], late["isOnline"]) == (["2"], ["0"])
    listener.server.shutdown()


def test_a_success_that_is_none_is_in_the_book_and_not_on_the_lock(ttlock, lock) -> None:
    """The documents do not promise in words that a success means that the lock took it."""
    ttlock.act(lock, "phantom")
    assert add(ttlock, lock)["keyboardPwdId"]
    assert ttlock.memory(lock) == {}
    assert list(ttlock.book(lock)) == ["name"]


def test_what_it_knows_outlives_the_process(tmp_path) -> None:
    data = str(tmp_path / "ttlock.sqlite3")
    with start_ttlock(data=data) as server:
        lock = server.add_lock(gateway=7)
        add(server, lock)
        before = server.lock(lock)
        access = server.post("tokens", do="issue")["access"]
    with start_ttlock(data=data) as server:
        assert server.lock(lock) == before
        assert server.ask("lock/list", accessToken=access)["total"] == 1


def test_the_page_shows_lock_and_book_side_by_side_and_its_forms_work(ttlock, lock) -> None:
    add(ttlock, lock)
    client = ttlock._client
    page = client.get(f"/locks/{lock}").text
    assert "What the lock holds" in page
    assert page.count(f"<td>{CODE}</td>") == 2
    form = {"kind": "code", "value": CODE, "back": f"/locks/{lock}"}
    answer = client.post(f"/control/locks/{lock}/try", data=form)
    assert answer.headers["location"] == f"/locks/{lock}?said=It+opens."
    assert "Room 204" in client.get("/").text
    strange = client.post(f"/control/locks/{lock}/try", headers={"sec-fetch-site": "cross-site"})
    assert strange.status_code == 403
