"""What all mails of a newsletter have in common, whoever gets them."""

import datetime as dt
from collections.abc import Sequence
from urllib.parse import urlsplit

from digest.errors import TransportError
from digest.model.deliveries import (
    Accepted,
    Addressee,
    Handover,
    Mail,
    Outcome,
    Unavailable,
    Unknown,
)
from digest.model.editions import Variant
from digest.normalising.urls import web_link
from digest.ports import Transport
from digest.settings import NewsletterSettings

TEST_MARK = "[Test] "
PREVIEW_TOKEN = "preview"  # noqa: S105  # leads to pages that only show


def public_url(newsletter: NewsletterSettings) -> str:
    """Return where every link of our own starts, without a slash at its end."""
    return web_link(newsletter.public_url).rstrip("/")


def public_host(newsletter: NewsletterSettings) -> str:
    """Return the host of the newsletter's identifiers, of which an IPv6 address is none."""
    host = urlsplit(public_url(newsletter)).hostname or ""
    return "localhost" if ":" in host else host


def list_id(newsletter: NewsletterSettings) -> str:
    """Return what stands in List-Id (RFC 2919), without its angle brackets."""
    return f"{newsletter.slug}.{public_host(newsletter)}"


def mail(
    newsletter: NewsletterSettings, label: str, variant: Variant, *, is_test: bool = False
) -> Mail:
    """Return the variant of the edition `label` as what is handed over."""
    return Mail(
        newsletter=newsletter.slug,
        edition=label,
        sender=newsletter.sender,
        subject=f"{TEST_MARK}{variant.subject}" if is_test else variant.subject,
        html=variant.html,
        text=variant.text,
        public_url=public_url(newsletter),
        list_id=list_id(newsletter),
    )


def send_test(
    transport: Transport, test: Mail, addresses: Sequence[str], *, now: dt.datetime
) -> Outcome:
    """Hand over a mail to these addresses as a test that no ledger counts.

    Raises:
        TransportError: The provider did not take it.
    """
    readers = [Addressee(0, address, "", PREVIEW_TOKEN) for address in addresses]
    handover = Handover(mail=test, batch=0, attempt=1, readers=readers, is_test=True)
    outcome = transport.submit(handover, now=now)
    if isinstance(outcome, Accepted):
        return outcome
    reason = getattr(outcome, "reason", "it gave no answer")
    what = "Nobody can tell whether the test mail was taken"
    raise TransportError(
        f"{what if isinstance(outcome, Unknown) else 'The test mail was not taken'}: {reason}.",
        hint=f"Check the settings of {transport.name} and its key, then try again.",
        needs_person=isinstance(outcome, Unavailable) and outcome.needs_person,
    )
