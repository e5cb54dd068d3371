"""The article, word for word and in order: the spine of the story. Every sentence here must be told and seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """Words that only lead to the sentences below them."""

    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words that are true or not. With ``of_each_pms`` they are seen in a hotel of each PMS."""

    text: str
    of_each_pms: bool = False


ARTICLE: tuple[Heading | Sentence, ...] = (
    Heading("1. What Does Provisioning Mean?"),
    Sentence("Provisioning is the process where the system writes credentials to the door lock."),
    Heading("When provisioning is allowed:"),
    Sentence("The Door Code or SmartKey is written to the lock."),
    Sentence("The credential becomes valid for the selected date and time."),
    Heading("When provisioning is disabled:"),
    Sentence("The credential is not written to the lock."),
    Sentence("The credential exists but is not active."),
    Sentence("Staff must enable provisioning manually later."),
    Heading("2. Pending Provisioning Status"),
    Sentence(
        "If a door in a keychain is not allowed to be provisioned, the system displays a Pending Provisioning tag."
    ),
    Heading("A key can be in Pending Provisioning when:"),
    Sentence("Provisioning was manually disabled by staff."),
    Sentence("The PMS reservation is not checked in."),
    Sentence("Online check-in or front-desk check-in has not been completed."),
    Sentence("Property configuration requires check-in before provisioning."),
    Heading("3. Pending Provisioning Tooltip"),
    Sentence(
        "When staff hover over the Pending Provisioning tag, a tooltip appears with the following message:"
    ),
    Sentence("The credentials haven’t been assigned to the door yet."),
    Sentence(
        "This can occur if provisioning was manually disabled or if, based on your configuration settings, the linked "
        "PMS reservation hasn’t been checked in (either at the front desk or online)."
    ),
    Heading("4. Allow Provisioning Setting When Creating or Updating a Key"),
    Sentence("When creating or editing a Key, staff will see the Allow Provisioning setting."),
    Heading("Info Indicator Tooltip"),
    Sentence("Hovering over the info icon shows:"),
    Sentence(
        "Once provisioning is allowed, the credentials will be written to the door and will become valid for the "
        "selected time period."
    ),
    Sentence(
        "If provisioning is disabled, the system will not write the credentials yet, and they will need to be enabled "
        "manually later."
    ),
    Heading("5. How Provisioning Affects Key Creation"),
    Heading("Allow Provisioning ON"),
    Sentence("Credentials are written to the door automatically."),
    Sentence("Key becomes active for the selected time window."),
    Heading("Allow Provisioning OFF"),
    Sentence("Credentials are created but not written to the door."),
    Sentence("Key remains inactive."),
    Sentence("Staff must manually enable provisioning later."),
    Heading("6. Why Provisioning Is Useful"),
    Heading("Provisioning control helps staff:"),
    Sentence("Prevent early access before check-in"),
    Sentence("Follow PMS-based check-in rules"),
    Sentence("Prepare keys in advance without activating them"),
    Sentence("Handle manual and automated access flows safely"),
    Heading("Troubleshooting Provisioning a key"),
    Heading("Portal: Codes stopped working for all guests at once. What's wrong?"),
    Sentence("This is almost always a broken PMS connection.", of_each_pms=True),
    Sentence(
        "When Portal loses the connection to your PMS (e.g. Cloudbeds, MEWS and other PMSes), it stops receiving "
        "reservation data like Check-in status, and codes are not generated.",
        of_each_pms=True,
    ),
    Sentence(
        "Fix: Go to Settings → Integrations → find your PMS → click Reconnect (For Cloudbeds), (depending on which PMS, "
        "some like MEWS need to disconnect and reconnect) and re-authenticate.",
        of_each_pms=True,
    ),
    Sentence("Once reconnected, new reservations will provision automatically.", of_each_pms=True),
    Sentence(
        "For reservations that already came in while the connection was broken, you will need to manually enable "
        "provisioning for each affected reservation:",
        of_each_pms=True,
    ),
    Sentence(
        "Keys → open the reservation → Edit Door → enable Allow Provisioning → Save.",
        of_each_pms=True,
    ),
    Sentence(
        "⚠️ There is no bulk fix — each affected reservation needs to be updated individually.",
        of_each_pms=True,
    ),
    Sentence(
        "Contact support if the number of affected reservations is too large to do manually.",
        of_each_pms=True,
    ),
    Heading('Portal: What does "Pending Provisioning" mean?'),
    Sentence("The code exists in Portal but has not been written to the lock yet."),
    Heading("This happens when:"),
    Sentence("The PMS connection was broken when the reservation came in"),
    Sentence(
        "The lock was offline when Portal tried to write the code — it will retry automatically once back online"
    ),
    Heading("Portal: What does error 4117 mean in the door logs?"),
    Sentence("The code was not successfully written to the lock."),
    Sentence(
        "Check that Allow Provisioning is enabled on that reservation and that the lock is online"
    ),
)

SENTENCES = tuple(item for item in ARTICLE if isinstance(item, Sentence))


def quoted(beginning: str, *, sentences: int = 1) -> str:
    """The sentence that begins so, with those after it: what a page must show word for word."""
    at = next(n for n, one in enumerate(SENTENCES) if one.text.startswith(beginning))
    return " ".join(one.text for one in SENTENCES[at : at + sentences])


PENDING_TAG = "Pending Provisioning"
PENDING_TOOLTIP = quoted("The credentials haven’t been assigned", sentences=2)
ALLOW_TOOLTIP = quoted("Once provisioning is allowed", sentences=2)
ERROR_4117 = quoted("The code was not successfully", sentences=2)
