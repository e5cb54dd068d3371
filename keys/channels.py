"""The ways to a guest: e-mail and SMS behind one small protocol, chosen by settings.

E-mail is Django's mail framework, so that any mail server and any sender's service with SMTP will do; django-anymail was
read and left out: it adds senders' own HTTP interfaces and tracking, which nothing here needs, and knows no SMS. As long
as no mail server or SMS gateway is configured, messages are put into files that only this user can read: they hold codes,
which must never stand in a log.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from smtplib import SMTPException, SMTPRecipientsRefused
from typing import Protocol

import httpx2
from django.conf import settings
from django.core.mail import EmailMessage

CONSOLE = "django.core.mail.backends.console.EmailBackend"
TRY_LATER = {408, 425, 429}


class NotSent(Exception):
    """A message did not go out. ``for_good`` means that trying the same again is of no use. Says no address and no text."""

    def __init__(self, problem: str, *, for_good: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.for_good = for_good


class Channel(Protocol):
    """One way to a guest."""

    def send(self, *, to: str, subject: str, text: str, once: str) -> None:
        """Hand one message over. ``once`` names it, for gateways that can tell a repetition. Raises NotSent."""


class Email:
    """By Django's mail framework; into files while that only prints."""

    def send(self, *, to: str, subject: str, text: str, once: str) -> None:
        """Send one e-mail."""
        if settings.EMAIL_BACKEND == CONSOLE:
            Files("email").send(to=to, subject=subject, text=text, once=once)
            return
        try:
            EmailMessage(subject, text, to=[to], headers={"X-Portal-Message": once}).send()
        except SMTPRecipientsRefused:
            raise NotSent("the mail server refuses this address", for_good=True) from None
        except (SMTPException, OSError) as error:
            raise NotSent(f"the mail server: {type(error).__name__}") from None


class Files:
    """Into a folder that only this user can read, one file per message: for the demo and for trying things."""

    def __init__(self, kind: str) -> None:
        self.folder = Path(settings.GUEST_MESSAGES_FOLDER) / kind

    def send(self, *, to: str, subject: str, text: str, once: str) -> None:
        """Write one file, whole or not at all."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = self.folder / f".{secrets.token_hex(8)}"
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(f"To: {to}\nSubject: {subject}\n\n{text}\n")
            part.rename(self.folder / f"{once}.txt")
        except OSError as error:
            raise NotSent(f"the folder of messages: {type(error).__name__}") from None


class HttpSms:
    """An SMS gateway that takes a POST of JSON with a number and a text; the names of its fields are settings."""

    def send(self, *, to: str, subject: str, text: str, once: str) -> None:
        """Post one SMS."""
        body = {settings.SMS_TO_FIELD: to, settings.SMS_TEXT_FIELD: text}
        if settings.SMS_FROM:
            body[settings.SMS_FROM_FIELD] = settings.SMS_FROM
        headers = {"Idempotency-Key": once}
        if settings.SMS_TOKEN:
            headers["Authorization"] = f"Bearer {settings.SMS_TOKEN}"
        try:
            with httpx2.Client(timeout=10.0) as client:
                answer = client.post(settings.SMS_URL, json=body, headers=headers)
        except httpx2.HTTPError as error:
            raise NotSent(f"the SMS gateway: {type(error).__name__}") from None
        if not answer.is_success:
            later = answer.status_code >= 500 or answer.status_code in TRY_LATER
            raise NotSent(f"the SMS gateway answered {answer.status_code}", for_good=not later)


def _sms() -> Channel:
    return HttpSms() if settings.SMS_URL else Files("sms")


CHANNELS: dict[str, Callable[[], Channel]] = {"email": Email, "sms": _sms}


def channel(name: str) -> Channel:
    """The way of that name, as configured now."""
    return CHANNELS[name]()
