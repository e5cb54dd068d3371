"""The API's keys: list and read them with the rule's answer, make, edit, revoke and restore them, switch their doors.

Bodies feed the functions of ``keys/issuing.py`` and nothing else. Door Codes are on a key's own page only, for roles
that may see codes.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, mixins
from rest_framework.request import Request
from rest_framework.response import Response

from keys import issuing, provisioning
from keys.api_shapes import (
    AddDoorIn,
    DoorPatchIn,
    ExplanationOut,
    KeychainDoorOut,
    KeyDetailOut,
    KeyFilters,
    KeyOut,
    KeyPatchIn,
    NewKeyIn,
    ReasonIn,
    ReleaseIn,
    ReleaseOut,
    RemovedOut,
    bits_of,
)
from keys.backup_models import BackupCode
from keys.continuing import numbered
from keys.explaining import DoorAnswer, explain_key, explain_keys
from keys.models import Assignment, Key, KeychainDoor
from keys.refusal import Refused
from keys.rules import Hold, Permission
from locks.api_kit import MAX_ID, OfProperty
from locks.drivers import Kind
from locks.models import Door, Lock
from pms.models import Reservation

ORDER = {
    "upcoming": "starts_at",
    "current": "over_at",
    "past": "-over_at",
    "revoked": "-revoked_at",
}
LIMITS = ("starts_at", "ends_at", "weekdays", "from_hour", "to_hour")
NEEDS_ON = (
    "Written before check-in only with Allow Provisioning on: set allow_provisioning to true."
)


class KeysView(mixins.ListModelMixin, OfProperty):
    """Keys of the property."""

    serializer_class = KeyOut
    queryset = Key.objects.all()
    filters = KeyFilters
    ordering = "starts_at"
    rights: ClassVar[Mapping[str, str]] = {
        "list": "SEE_KEYS",
        "retrieve": "SEE_KEYS",
        "explanation": "SEE_KEYS",
        "create": "EDIT_KEYS",
        "partial_update": "EDIT_KEYS",
        "revoke": "EDIT_KEYS",
        "restore": "EDIT_KEYS",
        "release_times": "EDIT_KEYS",
    }

    def get_queryset(self) -> QuerySet[Key]:
        rows = self.of_hotel(super().get_queryset())
        if self.action != "list" or self.is_described:
            return rows
        return found(rows, self.hotel.pk, self.asked(), timezone.now())

    def ordering_of(self, request: Request) -> str:
        return ORDER.get(request.query_params.get("state", ""), self.ordering)

    @extend_schema(parameters=[KeyFilters], responses=KeyOut(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List keys: upcoming by start, current by end, past and revoked newest first."""
        page = self.paginate_queryset(self.get_queryset()) or []
        told = explain_keys(keys=page, now=timezone.now())
        shown = KeyOut([told[key.pk] for key in page], many=True)
        return self.get_paginated_response(shown.data)

    @extend_schema(responses=KeyDetailOut)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Read a key with its people, codes, doors and every reason why a code is not on its lock."""
        return self._shown(self.get_object())

    @extend_schema(responses=ExplanationOut)
    def explanation(self, request: Request, pk: int) -> Response:
        """Read the rule's answer about every door of a key, without people and codes."""
        told = explain_key(key=self.get_object(), now=timezone.now())
        return Response(ExplanationOut(told).data)

    @extend_schema(request=NewKeyIn, responses={201: KeyDetailOut})
    def create(self, request: Request) -> Response:
        """Make a key by hand."""
        wish = self.body(NewKeyIn)
        by = self.actor(wish.get("reason", ""))
        key = issuing.make_key(
            property=self.hotel,
            people=[_person(person) for person in wish["people"]],
            doors=_doors(self, wish["doors"]),
            starts_at=wish["starts_at"],
            ends_at=wish["ends_at"],
            with_linked_doors=wish["with_linked_doors"],
            by=by,
            now=timezone.now(),
        )
        return self._shown(key, status=201)

    @extend_schema(request=KeyPatchIn, responses=KeyDetailOut)
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change a key's times, or switch Allow Provisioning of all its doors."""
        key, wish, now = self.get_object(), self.body(KeyPatchIn), timezone.now()
        by = self.actor(wish.get("reason", ""))
        _check_switch(wish, on=wish.get("allow_provisioning") is True)
        if "starts_at" in wish or "ends_at" in wish:
            issuing.edit_key(
                key=key,
                starts_at=wish.get("starts_at"),
                ends_at=wish.get("ends_at"),
                by=by,
                now=now,
            )
        if "allow_provisioning" in wish:
            issuing.set_permissions(
                door_ids=list(key.doors.filter(removed_at=None).values_list("id", flat=True)),
                property_id=key.property_id,
                on=wish["allow_provisioning"],
                before_check_in=wish.get("before_check_in"),
                by=replace(by, batch_id=uuid.uuid4()),
                now=now,
            )
        return self._shown(key)

    @extend_schema(request=ReasonIn, responses=KeyDetailOut)
    def revoke(self, request: Request, pk: int) -> Response:
        """End a key now; its codes come off their locks."""
        return self._done(issuing.revoke)

    @extend_schema(request=ReasonIn, responses=KeyDetailOut)
    def restore(self, request: Request, pk: int) -> Response:
        """Take a revocation back."""
        return self._done(issuing.restore)

    @extend_schema(request=ReasonIn, responses=KeyDetailOut)
    def release_times(self, request: Request, pk: int) -> Response:
        """Give the key's times back to the PMS."""
        return self._done(issuing.release_times)

    def _done(self, act: Any) -> Response:
        key, wish = self.get_object(), self.body(ReasonIn)
        act(key=key, by=self.actor(wish.get("reason", "")), now=timezone.now())
        return self._shown(key)

    def _shown(self, key: Key, *, status: int = 200) -> Response:
        now = timezone.now()
        told = explain_key(key=key, now=now)
        more = {"sees_codes": self.may("SEE_CODES"), "now": now}
        context = self.get_serializer_context() | more
        return Response(KeyDetailOut(told, context=context).data, status=status)


class KeychainDoorsView(OfProperty):
    """The doors of one key."""

    serializer_class = KeychainDoorOut
    queryset = KeychainDoor.objects.all()
    pagination_class = None
    rights: ClassVar[Mapping[str, str]] = {
        "list": "SEE_KEYS",
        "retrieve": "SEE_KEYS",
        "create": "EDIT_KEYS",
        "partial_update": "SWITCH_DOORS",
        "destroy": "EDIT_KEYS",
        "try_now": "SWITCH_DOORS",
    }

    def get_queryset(self) -> QuerySet[KeychainDoor]:
        rows = self.of_hotel(super().get_queryset()).select_related("key")
        return rows.filter(key_id=self.kwargs.get("key_id", 0))

    def _key(self) -> Key:
        wanted = self.kwargs["key_id"]
        rows = self.of_hotel(Key.objects.select_related("property"))
        key: Key | None = rows.filter(pk=wanted).first() if wanted <= MAX_ID else None
        if key is None:
            raise exceptions.NotFound
        return key

    def _answer(self, key: Key, keychain_door_id: int) -> DoorAnswer:
        doors = explain_key(key=key, now=timezone.now()).doors
        for door in doors:
            if door.keychain_door.pk == keychain_door_id:
                return door
        raise exceptions.NotFound

    @extend_schema(operation_id="keys_doors_list", responses=KeychainDoorOut(many=True))
    def list(self, request: Request, key_id: int) -> Response:
        """List the doors of a key with the rule's answer."""
        told = explain_key(key=self._key(), now=timezone.now())
        return Response(KeychainDoorOut(told.doors, many=True).data)

    @extend_schema(responses=KeychainDoorOut)
    def retrieve(self, request: Request, key_id: int, pk: int) -> Response:
        """Read one door of a key: Allow Provisioning, and every reason why a code is not on its lock."""
        door = self.get_object()
        return Response(KeychainDoorOut(self._answer(door.key, door.pk)).data)

    @extend_schema(request=AddDoorIn, responses={201: KeychainDoorOut})
    def create(self, request: Request, key_id: int) -> Response:
        """Add a door to a key."""
        key, wish = self._key(), self.body(AddDoorIn)
        by = self.actor(wish.pop("reason", ""))
        door = issuing.add_door(key=key, wish=_doors(self, [wish])[0], by=by, now=timezone.now())
        return Response(KeychainDoorOut(self._answer(key, door.pk)).data, status=201)

    @extend_schema(request=DoorPatchIn, responses=KeychainDoorOut)
    def partial_update(self, request: Request, key_id: int, pk: int) -> Response:
        """Switch Allow Provisioning of one door, or change its own window and limits.

        Switching off takes a written code off the lock; until it is confirmed gone, ``removing`` is true.
        """
        door, wish = self.get_object(), self.body(DoorPatchIn)
        if door.removed_at is not None:
            raise exceptions.NotFound
        on = wish.get("allow_provisioning", Permission(door.permission).is_on)
        _check_switch(wish, on=on)
        self._save(door, wish, on=on)
        return Response(KeychainDoorOut(self._answer(door.key, door.pk)).data)

    def _save(self, door: KeychainDoor, wish: dict[str, Any], *, on: bool) -> None:
        by, now = self.actor(wish.get("reason", "")), timezone.now()
        box = wish.get("before_check_in")
        if any(name in wish for name in LIMITS):
            if not self.may("EDIT_KEYS"):
                raise exceptions.PermissionDenied
            kept = {name: getattr(door, name) for name in LIMITS} | _limits(wish)
            issuing.edit_door(
                keychain_door=door, on=on, before_check_in=box, by=by, now=now, **kept
            )
        elif "allow_provisioning" in wish or box is not None:
            issuing.set_permission(keychain_door=door, on=on, before_check_in=box, by=by, now=now)

    @extend_schema(request=None, responses=KeychainDoorOut)
    def try_now(self, request: Request, key_id: int, pk: int) -> Response:
        """End the pause before the next attempt at this door's lock: all that waits there for its time is tried now."""
        door = self.get_object()
        lock = Lock.objects.filter(door_id=door.door_id).first()
        if lock is not None:
            provisioning.try_now(lock_id=lock.pk, now=timezone.now())
        return Response(KeychainDoorOut(self._answer(door.key, door.pk)).data)

    @extend_schema(responses={200: RemovedOut})
    def destroy(self, request: Request, key_id: int, pk: int) -> Response:
        """Take a door out of a key; what is on its lock is removed from it."""
        door = self.get_object()
        if door.removed_at is None:
            issuing.remove_door(keychain_door=door, by=self.actor(), now=timezone.now())
        told = explain_key(key=door.key, now=timezone.now()).doors
        removing = any(each.keychain_door.pk == door.pk and each.removing for each in told)
        return Response(RemovedOut({"removing": removing}).data)


class ReleaseView(OfProperty):
    """Many doors of keychains at once."""

    serializer_class = ReleaseOut
    queryset = KeychainDoor.objects.all()
    pagination_class = None
    rights: ClassVar[Mapping[str, str]] = {"release": "RELEASE_IN_BULK"}

    @extend_schema(
        operation_id="keychain_doors_release", request=ReleaseIn, responses={200: ReleaseOut}
    )
    def release(self, request: Request) -> Response:
        """Switch Allow Provisioning on for many doors: a General Manager's right, with a reason."""
        wish = self.body(ReleaseIn)
        all_known(self.of_hotel(KeychainDoor.objects.all()), wish["doors"], "doors")
        batch = uuid.uuid4()
        changed = issuing.set_permissions(
            door_ids=wish["doors"],
            property_id=self.hotel.pk,
            on=True,
            before_check_in=wish["before_check_in"],
            by=replace(self.actor(wish["reason"]), batch_id=batch),
            now=timezone.now(),
        )
        return Response(ReleaseOut({"changed": changed, "batch_id": batch}).data)


# Which keys -----------------------------------------------------------------------------------------


def found(
    keys: QuerySet[Key], property_id: int, asked: Mapping[str, Any], now: datetime
) -> QuerySet[Key]:
    """The hotel's keys that were asked for; no condition makes the database read them all."""
    keys = keys.filter(~Exists(BackupCode.objects.filter(key_id=OuterRef("pk"))))
    keys = _in_state(keys, asked.get("state", ""), now)
    keys = _waiting(keys, property_id, asked, now)
    if "door" in asked:
        opened = KeychainDoor.objects.filter(door_id=asked["door"], removed_at=None)
        keys = keys.filter(pk__in=opened.values("key_id"))
    if "search" in asked:
        keys = _named(keys, property_id, asked["search"].strip())
    return keys


def _in_state(keys: QuerySet[Key], state: str, now: datetime) -> QuerySet[Key]:
    if state == "revoked":
        return keys.filter(revoked_at__isnull=False)
    live = keys.filter(revoked_at=None)
    match state:
        case "upcoming":
            return live.filter(starts_at__gt=now, departed_at=None)
        case "current":
            return live.filter(starts_at__lte=now, over_at__gt=now)
        case "past":
            return live.filter(over_at__lte=now)
        case _:
            return live


def _waiting(
    keys: QuerySet[Key], property_id: int, asked: Mapping[str, Any], now: datetime
) -> QuerySet[Key]:
    """By the rule's last answer, which lists may use; the answer beside each key is asked anew.

    What is over waits for nothing: that bounds the search for the few that do.
    """
    live = Assignment.objects.filter(property_id=property_id).exclude(waits="")
    places = live.exclude(headline=Hold.REMOVAL_PENDING.value)
    if "waits" in asked:
        wanted = places.filter(waits=asked["waits"], key_id=OuterRef("pk"))
        keys = keys.filter(Exists(wanted), over_at__gt=now)
    match asked.get("pending"):
        case True:
            return keys.filter(Exists(places.filter(key_id=OuterRef("pk"))), over_at__gt=now)
        case False:
            return keys.filter(~Exists(places.filter(key_id=OuterRef("pk"))))
        case _:
            return keys


def _named(keys: QuerySet[Key], property_id: int, text: str) -> QuerySet[Key]:
    if not any(character.isdigit() for character in text):
        return keys.filter(label__icontains=text)
    stays = Reservation.objects.filter(property_id=property_id, number__startswith=text)
    return keys.filter(numbered(stays.values_list("id", flat=True)))


# Bodies become wishes -------------------------------------------------------------------------------


def _person(given: Mapping[str, Any]) -> issuing.PersonWish:
    held = given.get("credentials")
    wishes = [
        issuing.CredentialWish(
            kind=Kind(each["kind"]), policy=each["policy"], requested=each["code"]
        )
        for each in held or []
    ]
    wish = issuing.PersonWish(name=given["name"], email=given["email"], phone=given["phone"])
    return wish if held is None else replace(wish, credentials=tuple(wishes))


def _doors(view: OfProperty, given: Sequence[Mapping[str, Any]]) -> list[issuing.DoorWish]:
    ids = [each["door"] for each in given]
    doors = all_known(view.of_hotel(Door.objects.filter(archived_at=None)), ids, "doors")
    if len(doors) < len(ids):
        raise Refused("doors", "A door is named twice: name each once.")
    return [
        issuing.DoorWish(
            door=doors[each["door"]],
            allow=each["allow_provisioning"],
            before_check_in=each["before_check_in"],
            **_limits(each),
        )
        for each in given
    ]


def _limits(given: Mapping[str, Any]) -> dict[str, Any]:
    limits = {name: given[name] for name in LIMITS if name in given}
    if "weekdays" in limits:
        limits["weekdays"] = bits_of(limits["weekdays"])
    return limits


def all_known(rows: QuerySet[Any], ids: Sequence[int], field: str) -> dict[int, Any]:
    """These rows of the hotel by id. Raises NotFound naming the field and the first id that does not exist here."""
    found_rows: dict[int, Any] = rows.in_bulk(list(set(ids)))
    missing = next((each for each in ids if each not in found_rows), None)
    if missing is not None:
        raise exceptions.NotFound({field: f"{missing} does not exist at this property."})
    return found_rows


def _check_switch(wish: Mapping[str, Any], *, on: bool) -> None:
    if wish.get("before_check_in") and not on:
        raise Refused("before_check_in", NEEDS_ON)
