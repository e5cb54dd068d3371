"""Keycards at an encoder: nothing is given out that was not written whole, and a lost card is blocked on every door."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.test import Client

from keys import encoding
from keys.delivery import look
from keys.encoding_models import CardEncoding
from keys.models import Credential
from locks.log_models import DoorLogEntry
from portal.models import Role
from tests import factories
from tests.api.world import ApiClient
from tests.eventually import eventually
from tests.factories import key_for, now

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick", "silent_bell"),
]
FIRST, SECOND, THIRD = "4400110001", "4400110002", "4400110003"


@pytest.fixture
def room(simlock, account):
    """A door whose lock takes keycards, beside an encoder with three cards."""
    simlock.add_lock("L1", kinds=["door_code", "keycard"])
    for card in (FIRST, SECOND, THIRD):
        simlock.encoder("add-card", card=card)
    return factories.LockFactory(account=account, external_id="L1", takes_keycards=True)


@pytest.fixture
def key(room):
    return key_for(room.door)


class Desk:
    """Somebody at the desk, who has one card encoded."""

    def __init__(self, key, role=Role.TEAM) -> None:
        self.key, self.person = key, key.people.get()
        self.client = Client()
        self.client.force_login(factories.member(key.property, role).user)
        self.address = f"/keys/{key.pk}/people/{self.person.pk}/keycard/"

    def page(self) -> str:
        return self.client.get(self.address).content.decode()

    def encode(self, card: str, **more: str) -> str:
        """Lay a card on, press the button, and let the worker do it."""
        self.client.post(self.address, {"card": card, **more})
        encoding.run_due(now=now())
        look(now=now())
        return self.page()

    def cards(self) -> list[str]:
        live = Credential.objects.filter(key=self.key, kind="keycard", retired_at=None)
        return [one.secret for one in live]


def opens(simlock, card: str) -> bool:
    return simlock.try_door("L1", card, kind="keycard")["opened"]


def logged(key) -> list[tuple[str, str, str]]:
    lines = DoorLogEntry.objects.filter(key_id=key.pk, code__in=["card_encoded", "card_failed"])
    return [(one.code, one.cause, one.hint) for one in lines.order_by("id")]


@pytest.mark.scenario(76)
def test_a_card_pulled_off_too_early_is_said_to_be_not_encoded_and_is_not_given_out(simlock, key):
    desk = Desk(key)
    simlock.encoder("pull-early", calls=1)
    page = desk.encode(FIRST)
    attempt = CardEncoding.objects.get()
    assert (attempt.result, attempt.cause) == ("failed", "encoding_interrupted")
    assert "Card ••01 was not encoded: the card was pulled off too early" in page
    assert desk.cards() == []
    assert not opens(simlock, FIRST)
    assert logged(key) == [("card_failed", "encoding_interrupted", "••01")]
    assert FIRST in page, "it is as unused as before"
    page = desk.encode(FIRST)
    assert "Card ••01 was encoded" in page
    assert desk.cards() == [FIRST]
    assert opens(simlock, FIRST)
    assert FIRST not in page
    assert logged(key)[1:] == [("card_encoded", "", "••01")]


@pytest.mark.scenario(75)
def test_a_lost_card_is_blocked_on_every_door_and_only_unused_cards_are_offered(simlock, key):
    desk = Desk(key)
    desk.encode(FIRST)
    offered = desk.page()
    assert FIRST not in offered
    assert SECOND in offered
    desk.client.post(desk.address, {"card": FIRST})
    assert encoding.run_due(now=now()) == 0, "a card in use cannot be chosen by hand either"
    page = desk.encode(SECOND, lost="on")
    assert not opens(simlock, FIRST)
    assert opens(simlock, SECOND)
    assert desk.cards() == [SECOND]
    assert FIRST not in page, "whoever finds it shall not be let in by the next key"
    assert THIRD in page


@pytest.mark.scenario(75)
def test_a_lost_card_of_an_offline_lock_should_be_gone_until_the_lock_confirms_it(simlock, key):
    desk = Desk(key)
    desk.encode(FIRST)
    simlock.offline("L1")
    desk.encode(SECOND, lost="on")
    assert opens(simlock, FIRST)
    ghosts = desk.client.get("/locks/ghosts/").content.decode()
    assert "Keycard" in ghosts
    assert key.label in ghosts
    simlock.online("L1")

    def is_blocked() -> bool:
        look(now=now())
        return not opens(simlock, FIRST)

    eventually(is_blocked, 5)
    assert opens(simlock, SECOND)
    assert key.label not in desk.client.get("/locks/ghosts/").content.decode()


def test_a_lost_card_is_blocked_also_when_the_new_one_is_not_written(simlock, key):
    desk = Desk(key)
    desk.encode(FIRST)
    simlock.encoder("pull-early", calls=1)
    desk.encode(SECOND, lost="on")
    assert not opens(simlock, FIRST)
    assert desk.cards() == []


def test_a_card_that_is_not_lost_opens_until_the_new_one_is_written(simlock, key):
    desk = Desk(key)
    desk.encode(FIRST)
    simlock.encoder("pull-early", calls=1)
    desk.encode(SECOND)
    assert opens(simlock, FIRST)
    desk.encode(SECOND)
    assert not opens(simlock, FIRST)
    assert opens(simlock, SECOND)


def test_an_attempt_whose_worker_died_gives_nothing_out_and_is_not_made_again(simlock, key):
    desk = Desk(key)
    desk.client.post(desk.address, {"card": FIRST})
    CardEncoding.objects.update(taken_at=now() - timedelta(minutes=3))
    assert "is being written" in desk.page()
    encoding.run_due(now=now())
    assert "No answer from the encoder" in desk.page()
    assert simlock.get("encoder")["encoded"] == []
    assert desk.cards() == []


def test_an_encoder_that_is_unplugged_is_named(simlock, key):
    desk = Desk(key)
    assert "Encode keycard" in desk.client.get(f"/keys/{key.pk}/").content.decode()
    simlock.encoder("offline")
    assert "the card encoder is not connected" in desk.page()


def test_housekeeping_encodes_no_card(key):
    desk = Desk(key, Role.HOUSEKEEPING)
    assert desk.client.get(desk.address).status_code in {403, 404}
    assert desk.client.post(desk.address, {"card": FIRST}).status_code in {403, 404}
    assert not CardEncoding.objects.exists()


def test_the_api_lists_unused_cards_has_one_written_and_says_how_it_ended(simlock, key):
    api = ApiClient(
        SimpleNamespace(membership=factories.member(key.property, Role.TEAM)), role="team"
    )
    address = f"keys/{key.pk}/people/{key.people.get().pk}/keycard/"
    assert api.get(address).json() == {
        "cards": [FIRST, SECOND, THIRD],
        "problem": "",
        "last": None,
    }
    assert api.post(address, {"card": SECOND}).status_code == 202
    encoding.run_due(now=now())
    told = api.get(address).json()
    assert told["cards"] == [FIRST, THIRD]
    assert (told["last"]["result"], told["last"]["card"]) == ("confirmed", "••02")
    assert api.post(address, {"card": SECOND}).status_code == 400
