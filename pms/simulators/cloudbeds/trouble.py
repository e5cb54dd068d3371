"""What can go wrong with Cloudbeds' answers, their rate limit, and what a log must not show."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SECRET_NAMES = {"access_token", "refresh_token", "client_secret", "code", "customFieldValue"}


class FaultKind(StrEnum):
    """What can go wrong with an answer."""

    TOO_MANY = "429"
    TOO_MANY_RETRY_AFTER = "429_retry_after"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    DENIED = "401"
    KEY_REVOKED = "401_key_revoked"
    GARBAGE = "garbage"
    HTML = "html"
    EMPTY_LIST = "empty_list"
    PARTIAL = "partial"
    HANG = "hang"
    LOST_ANSWER = "lost_answer"
    USER_INACTIVE = "user_inactive"
    PROPERTY_CANCELED = "property_canceled"
    WRONG_PROPERTY = "wrong_property"
    SCOPE_MISSING = "scope_missing"
    REFUSED = "refused"


AFTERWARDS = {FaultKind.EMPTY_LIST, FaultKind.PARTIAL, FaultKind.LOST_ANSWER}


@dataclass(slots=True)
class Limits:
    """Requests per second and client; the vendor gives partners 10 and single hotels 5.

    None switches the limit off. ``retry_after`` is put into the answer if it is not None; the
    vendor does not document whether it does so. https://developers.cloudbeds.com/docs/faq
    """

    per_second: int | None = 10
    retry_after: int | None = None
