"""Previewing: the edition exactly as it would go, and touching nobody."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from digest.checking import Finding, Severity, check_mail, without_ignored
from digest.merging import compile_variant, count_tokens, reader_links, shown_link, shown_text
from digest.model.deliveries import Audience
from digest.model.editions import Edition, EditionState, FrozenVariant, Story, Variant
from digest.model.messages import Envelope
from digest.normalising.urls import web_link
from digest.ports import MessageBuilder
from digest.settings import NewsletterSettings

SOMEBODY = "reader@example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """An edition's mail to one reader, with what the checks say of it, and who would get it.

    `edition` has the stories that this reader gets; `key` names their variant (WHOLE: all).
    """

    edition: Edition
    key: str
    variant: Variant
    audience: Audience
    reader: str
    html: str
    text: str
    eml: bytes
    findings: tuple[Finding, ...]

    @property
    def has_errors(self) -> bool:
        """Whether a check found something that must not reach readers."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


class PreviewService:
    """Fills and checks an edition's mail. No provider, no key, no row of any state, no network.

    Args:
        newsletter: Its settings.
        messages: Makes its bytes.
        ignored: The checks whose findings are left out of a preview, each with the reason.
        weights: Bytes of the newsletter's own pictures, by URL.
    """

    def __init__(
        self,
        newsletter: NewsletterSettings,
        messages: MessageBuilder,
        *,
        ignored: Mapping[str, str],
        weights: Mapping[str, int],
    ) -> None:
        self._weights = weights
        self._ignored = ignored
        self._newsletter = newsletter
        self._messages = messages

    def preview(
        self,
        edition: Edition,
        frozen: FrozenVariant,
        *,
        audience: Audience,
        now: dt.datetime,
        reader: str = "",
    ) -> Preview:
        """Fill the mail for `reader` (an address; "" for an invented one), and check it.

        The links of the footer lead to pages that only show; none of them acts.

        Args:
            edition: With the stories of `frozen`.
            frozen: The mail, as `FreezingService.mail_for` gives it.
            audience: Who would get the edition.
            now: Aware; the date of the message.
            reader: Whose address stands in it.
        """
        variant = frozen.variant
        reader = reader or SOMEBODY
        values = self._values(edition, reader)
        html, text = compile_variant(variant).fill(values)
        return Preview(
            edition=edition,
            key=frozen.key,
            variant=variant,
            audience=audience,
            reader=reader,
            html=html,
            text=text,
            eml=self._eml(edition, variant, (html, text), values, now),
            findings=tuple(self.findings(edition, variant)),
        )

    def findings(self, edition: Edition, variant: Variant) -> list[Finding]:
        """Return what `check` finds without what the settings ignore."""
        return without_ignored(self.check(edition, variant), self._ignored)[0]

    def check(self, edition: Edition, variant: Variant) -> list[Finding]:
        """Return what the checks find in the rendered edition, before any reader's values."""
        html, text = compile_variant(variant).whole()
        return check_mail(
            html,
            text=text,
            subject=variant.subject,
            preheader=variant.preheader,
            stories=[
                (shown_text(s.headline), shown_link(s.url), _words(s)) for s in edition.stories
            ],
            tokens=count_tokens(html),
            postal_address=self._newsletter.postal_address,
            weights=self._weights,
            also=[
                (shown_text(other.headline), shown_link(other.url))
                for story in edition.stories
                for other in story.also
            ],
        )

    def _values(self, edition: Edition, reader: str) -> Mapping[str, str]:
        public = web_link(self._newsletter.public_url).rstrip("/")
        return {"address": reader, **reader_links(public, edition.period.label, "preview")}

    def _eml(
        self,
        edition: Edition,
        variant: Variant,
        bodies: tuple[str, str],
        values: Mapping[str, str],
        now: dt.datetime,
    ) -> bytes:
        html, text = bodies
        letter = self._newsletter
        host = urlsplit(web_link(letter.public_url)).hostname or ""
        host = "localhost" if ":" in host else host  # an IPv6 address is no name for an identifier
        return self._messages(
            Envelope(
                sender=letter.sender,
                to=values["address"],
                subject=variant.subject,
                html=html,
                text=text,
                date=now,
                message_id=f"{edition.period.label}.preview@{host}",
                list_unsubscribe=values["unsubscribe_url"],
                list_id=f"{letter.slug}.{host}",
            )
        )


def _words(story: Story) -> str:
    """Return what a source wrote beside the headline; oddities there are no template's fault."""
    others = [word for o in story.also for word in (o.headline, o.outlet, o.source)]
    return " ".join((story.summary, story.outlet, story.source, *story.topics, *others))


def rating_words(story: Story) -> str:
    """Return a story's stars for people: "4.6 of 5 from 120 votes", "no votes yet"."""
    if story.rating is None:
        return "no votes yet"
    noun = "vote" if story.rating.votes == 1 else "votes"
    return f"{story.rating.mean:.1f} of 5 from {story.rating.votes:,} {noun}"


def edition_state(edition: Edition) -> str:
    """Return where the edition stands; one that is not stored is only what would be drafted."""
    return str(edition.state) if edition.id else "not drafted yet"


def state_words(edition: Edition) -> str:
    """Return where the edition stands for people: "approved by Ana"."""
    by = f" by {edition.approved_by}" if edition.state is EditionState.APPROVED else ""
    return edition_state(edition) + by


def audience_words(audience: Audience) -> tuple[str, str]:
    """Return for people who gets an edition, and who does not and why ("" where that is nobody)."""
    if not audience.candidates:
        return "nobody yet: the list is empty", ""
    noun = "reader" if audience.planned == 1 else "readers"
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in audience.excluded.items())
    return f"{audience.planned:,} {noun}", reasons


def story_document(story: Story) -> dict[str, Any]:
    """Return a story with stable keys, for `--json`."""
    return {
        "position": story.position,
        "lead": story.lead,
        "article": story.article_id,
        "title": story.headline,
        "url": story.url,
        "source": story.outlet or story.source,
        "rating": story.rating.mean if story.rating else None,
        "votes": story.rating.votes if story.rating else 0,
        "score": story.score,
        "reasons": [{"text": reason.text, "stars": reason.stars} for reason in story.reasons],
        "update_of": story.update_of,
        "also": [
            {
                "article": other.article_id,
                "title": other.headline,
                "url": other.url,
                "source": other.outlet or other.source,
            }
            for other in story.also
        ],
    }


def report(preview: Preview, *, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the preview as one document with stable keys, for `--json` and report.json."""
    edition, variant = preview.edition, preview.variant
    return {
        "edition": edition.period.label,
        "state": edition_state(edition),
        "approved_by": edition.approved_by,
        "period": {
            "start": edition.period.start.isoformat(),
            "end": edition.period.end.isoformat(),
            "timezone": edition.period.timezone,
        },
        "subject": variant.subject,
        "preheader": variant.preheader,
        "sha256": variant.sha256,
        "variant": preview.key,
        "candidates": edition.candidates,
        "stories": [story_document(story) for story in edition.stories],
        "audience": {
            "planned": preview.audience.planned,
            "excluded": dict(preview.audience.excluded),
        },
        "size": {
            "html": len(preview.html.encode()),
            "text": len(preview.text.encode()),
        },
        "checks": [
            {"rule": f.rule, "severity": str(f.severity), "message": f.message}
            for f in preview.findings
        ],
        "notes": list(edition.notes),
        "files": dict(files),
    }
