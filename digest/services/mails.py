"""What all mails of a newsletter have in common, whoever gets them."""

from urllib.parse import urlsplit

from digest.model.deliveries import Mail
from digest.model.editions import Variant
from digest.normalising.urls import web_link
from digest.settings import NewsletterSettings

TEST_MARK = "[Test] "


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
