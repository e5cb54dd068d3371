"""Names in free text: what staff typed as a reason, and sentences that were kept. Found in one hotel and masked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import models
from django.db.models import Q

from locks.history import Tracked
from locks.log_models import DoorLogEntry

FREE_TEXT = {
    "history_change_reason",
    "reason",
    "because",
    "result",
    "problem",
    "sentence",
    "subject",
    "cause",
}
"""The columns that people write in or that hold sentences."""
SHORTEST = 4


@dataclass(frozen=True, slots=True)
class Words:
    """What names a guest, as typed, and what stands in its place."""

    exact: tuple[str, ...]
    pseudonym: str

    @classmethod
    def of(cls, said: Iterable[str], *, pseudonym: str) -> Words:
        """Of these texts those that tell someone: a short one would be found inside of other words."""
        found = {str(text).strip() for text in said}
        long = sorted((w for w in found if len(w) >= SHORTEST), key=lambda w: (-len(w), w))
        return cls(exact=tuple(long), pseudonym=pseudonym)

    def masked(self, text: str) -> str:
        """The text with the pseudonym where it names the guest."""
        for word in self.exact:
            whole = rf"(?<!\w){re.escape(word)}(?!\w)"
            text = re.sub(whole, lambda _: self.pseudonym, text, flags=re.IGNORECASE)
        return text


def scrub(property_id: int, words: Words, key_ids: Sequence[int]) -> int:
    """Mask the words in the hotel's free text, in the door log of these keys and in the admin's log. Returns how many rows."""
    if not words.exact:
        return 0
    many = 0
    for model, names in _with_free_text():
        many += _mask(model.objects.filter(property_id=property_id), names, words)  # type: ignore[attr-defined]
    many += _mask(DoorLogEntry.objects.filter(key_id__in=key_ids), ["actor"], words)
    return many + _mask(LogEntry.objects.all(), ["object_repr", "change_message"], words)


def _with_free_text() -> Iterator[tuple[type[models.Model], list[str]]]:
    for model in apps.get_models(include_auto_created=True):
        fields = {field.attname: field for field in model._meta.concrete_fields}
        if "property_id" not in fields or model is DoorLogEntry or issubclass(model, Tracked):
            continue
        if names := [name for name in fields if name in FREE_TEXT and not fields[name].choices]:
            yield model, names


def _mask(rows: models.QuerySet[Any], names: Collection[str], words: Words) -> int:
    says = [Q(**{f"{name}__icontains": word}) for name in names for word in words.exact]
    many = 0
    for pk, *texts in rows.filter(reduce(or_, says)).values_list("pk", *names):
        new = [words.masked(text or "") for text in texts]
        if new != texts:
            sizes = [rows.model._meta.get_field(name).max_length for name in names]
            fitting = {n: t[:size] for n, t, size in zip(names, new, sizes, strict=True)}
            many += rows.model.objects.filter(pk=pk).update(**fitting)
    return many
