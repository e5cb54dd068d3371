"""The shape of events that a program gives to the API. What is wrong with one says ``locks/event_lines.py``."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from locks.api_kit import Input, Shape
from locks.drivers import EventType, Kind
from locks.event_lines import LONGEST, REQUIRED

EVENT = {
    "type": "object",
    "required": list(REQUIRED),
    "additionalProperties": False,
    "properties": {
        **{name: {"type": "string", "maxLength": size} for name, size in LONGEST.items()},
        "lock": {"type": "string", "description": "The lock system's id: external_id of a lock."},
        "type": {"type": "string", "enum": [type_.value for type_ in EventType]},
        "happened_at": {"type": "string", "format": "date-time"},
        "kind": {"type": "string", "enum": [kind.value for kind in Kind]},
        "battery": {"type": "integer", "minimum": 0, "maximum": 100},
    },
}
MOST_EVENTS = 1000


@extend_schema_field(EVENT)
class EventField(serializers.DictField):
    """An event as others write it down; what is wrong with it is said by its place and field."""


class EventsIn(Input):
    """Events of locks of this property, in any order."""

    events = serializers.ListField(child=EventField(), min_length=1, max_length=MOST_EVENTS)


class EventsOut(Shape):
    """How many were stored, to be taken in."""

    stored = serializers.IntegerField()
