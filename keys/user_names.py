"""Who receives a SmartKey at a lock system that gives it to a person: by the name that the person has there.

That is the e-mail address of the guest, or the phone number where there is none: what people sign up with. Nobody is
signed up by Portal. It is read when it is needed and kept nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keys.models import Credential
from locks.drivers import Kind


def names_of(credential_ids: Iterable[int]) -> dict[int, str]:
    """The names for these credentials, as far as they are SmartKeys; empty for a guest without any."""
    wanted = Credential.objects.filter(pk__in=list(credential_ids), kind=Kind.SMARTKEY.value)
    rows = wanted.select_related("person__guest")
    return {row.pk: row.person.guest.email or row.person.guest.phone for row in rows}


def in_place_of(secrets: Mapping[int, str], credentials: Mapping[int, int]) -> dict[int, str]:
    """These secrets with the names in the place of those that are SmartKeys.

    ``credentials`` says by the same ids which credential each is.
    """
    names = names_of(credentials.values())
    return {id_: names.get(credentials[id_], secret) for id_, secret in secrets.items()}
