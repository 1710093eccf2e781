"""The forms of letters: rendered once, checked once, and filled in for whoever gets one."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace

from digest.checking import Finding, Severity, check_letter, without_ignored
from digest.errors import ChecksFailed
from digest.merging import ACCOUNT_URL, CONFIRM_URL, READER, TOKENS, reader_links
from digest.model.deliveries import Mail
from digest.model.editions import Variant
from digest.model.letterforms import EditionLink, LetterForm, Occasion
from digest.services.mails import PREVIEW_TOKEN, list_id, public_url
from digest.settings import NewsletterSettings

LABEL = "letter"
"""What stands in the place of an edition's label; no edition has it."""

SOMEBODY = "reader@example.com"
SAMPLE_PAST = (EditionLink(label="2026-W47", subject="A headline, and five more"),)
SAMPLE_NEXT = dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)
MAX_KEPT = 16  # rendered letters; their facts change with every edition


class LetterForms:
    """Makes the letters of one newsletter. Safe to use from several threads.

    Args:
        newsletter: Its settings.
        render: Makes a letter of a form and its facts.
        ignored: The checks whose findings stop nothing, each with the reason.
    """

    def __init__(
        self,
        newsletter: NewsletterSettings,
        render: Callable[[Occasion], Variant],
        *,
        ignored: Mapping[str, str],
    ) -> None:
        self._newsletter = newsletter
        self._render = render
        self._ignored = ignored
        self._public = public_url(newsletter)
        self._kept: dict[Occasion, Variant] = {}

    def mail(self, occasion: Occasion, links: Mapping[str, str]) -> Mail:
        """Return the letter for one person, as it is handed over with their address and token.

        Args:
            occasion: The form and its facts.
            links: For each of CONFIRM_URL, ACCOUNT_URL and READER what stands in its place.

        Raises:
            ChecksFailed: It has an error that people would see.
            DigestError: The templates cannot be used.
        """
        variant = self._checked(occasion)
        return Mail(
            newsletter=self._newsletter.slug,
            edition=LABEL,
            sender=self._newsletter.sender,
            subject=variant.subject,
            html=_filled(variant.html, links),
            text=_filled(variant.text, links),
            public_url=self._public,
            list_id=list_id(self._newsletter),
            is_notice=True,
        )

    def findings(self) -> list[Finding]:
        """Return what the checks find in all letters, each named by its form.

        Raises:
            DigestError: The templates cannot be used.
        """
        return [
            replace(found, message=f"In the letter “{form}”: {found.message}", line=0)
            for form in LetterForm
            for found in self._findings(self._render(_sample(form)), _sample(form))
        ]

    def _checked(self, occasion: Occasion) -> Variant:
        """Return the letter if it may go: those that are kept were looked at before."""
        if kept := self._kept.get(occasion):
            return kept
        variant = self._render(occasion)
        for found in without_ignored(self._findings(variant, occasion), self._ignored)[0]:
            if found.severity is Severity.ERROR:
                raise ChecksFailed(
                    f"The letter “{occasion.form}” has an error, so nobody gets it: "
                    f"{found.message}",
                    hint="See all that is wrong: digest check",
                )
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[occasion] = variant
        return variant

    def _findings(self, variant: Variant, occasion: Occasion) -> list[Finding]:
        html, text = self._example(variant)
        return check_letter(
            html,
            text=text,
            subject=variant.subject,
            preheader=variant.preheader,
            postal_address=self._newsletter.postal_address,
            known=" ".join([self._newsletter.name, *(one.subject for one in occasion.past)]),
        )

    def _example(self, variant: Variant) -> tuple[str, str]:
        """Return HTML and text filled in for somebody invented."""
        values = {
            CONFIRM_URL: f"{self._public}/confirm/{PREVIEW_TOKEN}",
            ACCOUNT_URL: f"{self._public}/account/{PREVIEW_TOKEN}",
            READER: PREVIEW_TOKEN,
            TOKENS["address"]: SOMEBODY,
        }
        for name, link in reader_links(self._public, LABEL, PREVIEW_TOKEN).items():
            values[TOKENS[name]] = link
        return _filled(variant.html, values), _filled(variant.text, values)


def _filled(body: str, links: Mapping[str, str]) -> str:
    """Return the body with its own tokens filled; the values need no escaping in either part."""
    for token, value in links.items():
        body = body.replace(token, value)
    return body


def _sample(form: LetterForm) -> Occasion:
    return Occasion(form=form, next_at=SAMPLE_NEXT, past=SAMPLE_PAST)
