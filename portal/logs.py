"""Log lines without secrets: whatever a library writes, codes, tokens and contacts are masked at the last moment."""

from __future__ import annotations

import logging
import re

MASKED = "•••"
PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)(bearer|token|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {MASKED}"),
    (
        re.compile(
            r"(?i)([\"']?(?:access_token|refresh_token|client_secret|password|secret|token|code|pin|"
            r"value|state)[\"']?\s*[=:]\s*)[\"']?[^\s\"'&,;}]{3,}[\"']?"
        ),
        rf"\1{MASKED}",
    ),
    (re.compile(r"(/hooks/\w+/)[\w/-]+"), rf"\1{MASKED}"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), MASKED),
    (re.compile(r"(?<![\w.:/-])\+\d[\d ()-]{6,}\d"), MASKED),
)


def masked(text: str) -> str:
    """The text with everything that looks like a code, token or contact replaced."""
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class Masked(logging.Formatter):
    """Formats a record, traceback included, and masks the result."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))
