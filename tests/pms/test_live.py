"""Where a vendor tells live, what its messages hint at, and how long an ear waits after a break."""

from __future__ import annotations

import pytest

from locks import lines
from pms import connection
from pms.adapters import Link, NotUnderstood, Subject, TellsLive, Tokens


@pytest.mark.parametrize(
    ("api", "url"),
    [
        ("https://api.mews.com", "wss://ws.mews.com/ws/connector"),
        ("https://api.mews-demo.com", "wss://ws.mews-demo.com/ws/connector"),
        ("http://127.0.0.1:9", "ws://127.0.0.1:9/ws/connector"),
    ],
)
def test_the_channel_is_beside_the_platform(settings, api, url):
    settings.MEWS_API_URL = api
    vendor = connection.adapter_of("mews")
    assert isinstance(vendor, TellsLive)
    channel = vendor.live_channel(Link(tokens=Tokens(access="secret")))
    assert channel.url == url
    assert dict(channel.headers)["Cookie"].endswith("; AccessToken=secret")
    assert "secret" not in repr(channel)


def test_a_vendor_without_a_live_channel_has_none():
    assert not isinstance(connection.adapter_of("cloudbeds"), TellsLive)


@pytest.mark.parametrize("body", [{}, {"Events": {}}, {"Events": ["x"]}])
def test_a_message_that_is_none_of_the_vendors_is_not_understood(body):
    with pytest.raises(NotUnderstood):
        connection.adapter_of("mews").read_live(body)


def test_only_reservations_are_worth_reading():
    body = {
        "Events": [
            {"Type": "Resource", "Id": "5ea51de0-0000-4000-8000-000000000009"},
            {"Type": "Reservation", "Id": "5ea51de0-0000-4000-8000-000000000001"},
            {"Type": "Reservation", "Id": "5ea51de0-0000-4000-8000-000000000001", "State": 7},
            {"Type": "Reservation"},
            {"Type": "Levitation", "Id": None},
        ]
    }
    (hint,) = connection.adapter_of("mews").read_live(body)
    assert (hint.subject, hint.ref) == (Subject.STAY, "5ea51de0-0000-4000-8000-000000000001")


def test_the_pause_grows_to_a_minute_and_is_never_quite_the_same():
    assert 0.25 <= lines.pause_after(1) <= 0.5
    assert all(30 <= lines.pause_after(n) <= 60 for n in (8, 100, 10_000))
    assert len({lines.pause_after(5) for _ in range(10)}) > 1
