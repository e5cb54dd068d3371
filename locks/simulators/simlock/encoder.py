"""The card encoder at the front desk: a stock of blank cards, and one that can be pulled off too early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from locks.simulators.simlock.fields import Action, Field, FieldType, Values
from locks.simulators.simlock.words import Code, Refusal
from locks.simulators.simlock.world import World

SETTING = "encoder"
LARGEST_STOCK = 1000


@dataclass(slots=True, kw_only=True)
class Encoder:
    """What the encoder knows. ``pull_early`` counts the cards that are yet to be pulled off too early; -1 means all.

    ``encoded`` are the cards that were written whole, in order; one that was pulled off early is none of them.
    """

    online: bool = True
    pull_early: int = 0
    cards: list[str] = field(default_factory=list)
    encoded: list[str] = field(default_factory=list)

    def doc(self) -> dict[str, Any]:
        """What is stored and shown of it."""
        return {name: getattr(self, name) for name in self.__slots__}


def encoder_of(world: World) -> Encoder:
    """The encoder as it is stored; a new simulator has one without cards."""
    return Encoder(**world.store.doc(SETTING))


def _save(world: World, encoder: Encoder) -> None:
    world.store.save_doc(SETTING, encoder.doc())


# The vendor's side.


def stock(world: World) -> dict[str, Any]:
    """The cards that the encoder knows."""
    return {"cards": _online(world).cards}


def encode(world: World, card: str) -> dict[str, Any]:
    """Write one card that lies on the encoder. Raises Refusal; then the card is as blank as it was."""
    encoder = _online(world)
    if card not in encoder.cards:
        raise Refusal(Code.NO_CARD, "This card does not lie on the encoder.")
    if encoder.pull_early:
        encoder.pull_early -= encoder.pull_early > 0
        _save(world, encoder)
        raise Refusal(Code.ENCODING_INTERRUPTED, "The card was pulled off too early.")
    encoder.encoded.append(card)
    _save(world, encoder)
    return {"card": card, "state": "encoded"}


def _online(world: World) -> Encoder:
    encoder = encoder_of(world)
    if not encoder.online:
        raise Refusal(Code.ENCODER_OFFLINE, "The encoder is not connected.")
    return encoder


# The hands on it.


def _action(
    name: str,
    label: str,
    text: str,
    change: Callable[[Encoder, Values], str],
    *fields: Field,
) -> Action[Encoder]:
    def run(world: World, encoder: Encoder, values: Values) -> dict[str, Any]:
        said = change(encoder, values)
        _save(world, encoder)
        return encoder.doc() | {"said": said}

    return Action(name=name, label=label, help=text, run=run, fields=fields)


def _offline(encoder: Encoder, values: Values) -> str:
    encoder.online = False
    return "The encoder is unplugged."


def _plug_in(encoder: Encoder, values: Values) -> str:
    encoder.online = True
    return "The encoder is connected."


def _pull_early(encoder: Encoder, values: Values) -> str:
    encoder.pull_early = values["calls"]
    return (
        "Cards are pulled off too early." if encoder.pull_early else "Cards stay on as they should."
    )


def _add_card(encoder: Encoder, values: Values) -> str:
    if values["card"] in encoder.cards or len(encoder.cards) >= LARGEST_STOCK:
        return "The encoder knows this card already, or has no room for more."
    encoder.cards.append(values["card"])
    return "A blank card lies in the stock."


ENCODER_ACTIONS: dict[str, Action[Encoder]] = {
    action.name: action
    for action in (
        _action(
            "pull-early",
            "Pull off too early",
            "The next cards are pulled off before they are written whole (-1: all, 0: none).",
            _pull_early,
            Field(name="calls", type=FieldType.INT, default=1),
        ),
        _action("offline", "Unplug", "The encoder answers nothing.", _offline),
        _action("online", "Plug in", "The encoder answers again.", _plug_in),
        _action(
            "add-card",
            "Add a blank card",
            "The number that is printed on the card.",
            _add_card,
            Field(name="card", type=FieldType.TEXT),
        ),
    )
}
