"""What can go wrong with MEWS' answers, their rate limit, and what a log must not show."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SECRET_NAMES = {
    "ClientToken",
    "AccessToken",
    "Value",
    "ApiKey",
    "Emails",
    "FirstNames",
    "LastNames",
}


class FaultKind(StrEnum):
    """What can go wrong with an answer."""

    TOO_MANY = "429"
    TOO_MANY_RETRY_AFTER = "429_retry_after"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    DENIED = "401"
    BAD_REQUEST = "400"
    REFUSED = "refused"
    TOO_HEAVY = "408"
    CHANGED_MEANWHILE = "409"
    TOO_LARGE = "413"
    GARBAGE = "garbage"
    HTML = "html"
    EMPTY_LIST = "empty_list"
    PARTIAL = "partial"
    HANG = "hang"
    LOST_ANSWER = "lost_answer"


AFTERWARDS = {FaultKind.EMPTY_LIST, FaultKind.PARTIAL, FaultKind.LOST_ANSWER}
STATUS_AND_WORDS = {
    FaultKind.SERVER_ERROR: (500, "An error occurred."),
    FaultKind.UNAVAILABLE: (503, "Service unavailable."),
    FaultKind.DENIED: (401, "Invalid AccessToken."),
    FaultKind.BAD_REQUEST: (400, "Invalid JSON"),
    FaultKind.REFUSED: (403, "The operation was refused."),
    FaultKind.TOO_HEAVY: (408, "The request took too long."),
    FaultKind.CHANGED_MEANWHILE: (409, "The data was changed meanwhile."),
    FaultKind.TOO_LARGE: (413, "The request is too large."),
    FaultKind.HANG: (504, "Gateway timeout."),
    FaultKind.LOST_ANSWER: (504, "Gateway timeout."),
}


@dataclass(slots=True)
class Limits:
    """Requests per AccessToken within a sliding window; None switches the limit off.

    The vendor allows 200 within 30 seconds and normally sends ``Retry-After``, but not always:
    ``tells_retry_after`` says whether. https://docs.mews.com/connector-api/guidelines/requests
    """

    requests: int | None = 200
    window_seconds: float = 30.0
    tells_retry_after: bool = True
