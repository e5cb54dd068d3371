"""How secrets lie at rest: encrypted with a key that is not in the database, with a keyed digest where one must be found.

``PORTAL_FIELD_KEYS`` holds Fernet keys, newest first: the first encrypts, all decrypt, so a key can be rotated while
Portal runs. The digest key is separate and never rotates with them, or uniqueness on a lock would be lost.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    TextField = models.TextField[str, str]
else:
    TextField = models.TextField


class CannotDecrypt(Exception):
    """A stored secret opens with none of the configured keys."""


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def ring() -> MultiFernet:
    """The configured keys, newest first."""
    return _ring(tuple(settings.PORTAL_FIELD_KEYS))


def encrypt(secret: str) -> str:
    """Encrypt with the newest key. The empty string stays empty: it is not a secret."""
    return ring().encrypt(secret.encode()).decode() if secret else ""


def decrypt(stored: str) -> str:
    """Decrypt with whichever key fits. Raises CannotDecrypt, without the text, when none does."""
    if not stored:
        return ""
    try:
        return ring().decrypt(stored.encode()).decode()
    except InvalidToken:
        raise CannotDecrypt("a stored secret opens with none of PORTAL_FIELD_KEYS") from None


def rotate(stored: str) -> str:
    """Encrypt again with the newest key, keeping the secret."""
    return ring().rotate(stored.encode()).decode() if stored else ""


def digest(secret: str, *, scope: str = "") -> str:
    """A keyed fingerprint, the same for the same secret in the same scope; useless without the digest key."""
    key = settings.PORTAL_DIGEST_KEY.encode()
    return hmac.new(key, f"{scope}\0{secret}".encode(), hashlib.sha256).hexdigest()


class Secret(str):
    """A string that does not show itself in a repr, so that it cannot leak through a traceback or a log line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'•••'"


class EncryptedTextField(TextField):
    """Text that is encrypted in the database and plain in Python. It cannot be searched, only tested for emptiness."""

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else encrypt(str(value))

    def from_db_value(
        self, value: str | None, expression: object, connection: BaseDatabaseWrapper
    ) -> Secret | None:
        return value if value is None else Secret(decrypt(value))

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise TypeError(f"{self.name} is encrypted: it can only be tested for null")
        return super().get_lookup(lookup_name)
