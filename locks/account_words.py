"""What keeps an account from working, in a sentence at the field that can mend it. Pure."""

from __future__ import annotations

from locks.drivers import Cause, LockError
from locks.vendors import REGISTRY, AccountField, UnknownDriver, Vendor, vendor

SCHEMES = {
    "https": ("https", "http"),
    "http": ("http", "https"),
    "mqtt": ("mqtt", "mqtts"),
    "ws": ("ws", "wss"),
}
"""Beside the scheme of a vendor's own address, what else an address may begin with."""
DEMO_ONLY = "simulated"


def title_of(driver: str) -> str:
    """The vendor's name for people; of a driver that is gone, the name that is stored."""
    try:
        return vendor(driver).title
    except UnknownDriver:
        return driver


def offered(*, demo: bool) -> list[str]:
    """The drivers that an account can be connected for. Simulated locks exist in the demo only."""
    return [name for name in REGISTRY if demo or name != DEMO_ONLY]


def remedy_of(driver: str) -> str:
    """What a person does about an account that the vendor refuses."""
    try:
        secret = [field.label for field in vendor(driver).fields if field.secret and field.required]
    except UnknownDriver:
        secret = []
    new = f" and type the {' and the '.join(_small(one) for one in secret)} anew" if secret else ""
    return (
        f"Click Reconnect{new}. Portal also tries it again by itself every minute, in case {title_of(driver)} "
        "lets it in again. Codes that are on locks keep working meanwhile."
    )


def no_in_words(of: Vendor, error: LockError) -> tuple[str, str]:
    """The name of the field that is wrong, empty for none of them, and what is wrong and how to mend it."""
    said = f" {of.title} says: {error.vendor_text.rstrip('.')}." if error.vendor_text else ""
    if error.vendor_code == "30008" or error.cause is Cause.BAD_REQUEST:
        return (
            "base_url",
            f"{of.title} does not serve this account at this address: check it.{said}",
        )
    blamed = _blamed(of, error)
    if blamed is not None:
        what = _small(blamed.label)
        return (
            blamed.name,
            f"{of.title} does not accept this {what}: check it and type it again.{said}",
        )
    match error.cause:
        case Cause.VENDOR_UNREACHABLE | Cause.GATEWAY_UNREACHABLE:
            return "base_url", (
                f"{of.title} does not answer there: check the address, and that Portal’s machine can reach it."
            )
        case Cause.RATE_LIMITED:
            return "", f"{of.title} asks to slow down: try again in a minute."
        case Cause.CLOCK_SKEW:
            return (
                "",
                f"The clock of Portal’s machine is wrong, and {of.title} does not listen: set it right.",
            )
        case Cause.UNEXPLAINED:
            if error.vendor_code == "timeout":
                return (
                    "base_url",
                    f"{of.title} did not answer in time: try again, or check the address.",
                )
            return (
                "base_url",
                f"Something answers there, but not as {of.title} does: check the address.",
            )
    return "", f"{of.title} did not let Portal in.{said}"


def _blamed(of: Vendor, error: LockError) -> AccountField | None:
    named = [field for field in of.fields if error.vendor_code in field.refused_by]
    secret = [field for field in of.fields if field.secret]
    if named:
        return named[0]
    return secret[0] if error.cause is Cause.AUTH and secret else None


def _small(label: str) -> str:
    """A label inside a sentence: "API key" keeps its capitals."""
    return label if label[:2].isupper() else label[:1].lower() + label[1:]
