"""Freezing and approving: an edition's mails are rendered once, for good, before anybody gets one.

What was previewed is what is sent: from freezing on, the stored bytes are what a preview shows and
what is handed over, and the approval covers their hash.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import structlog

from digest import curation
from digest.checking import Finding, Severity
from digest.errors import ChecksFailed, Conflict, NotApproved, UsageError
from digest.merging import hash_parts
from digest.model.editions import (
    SENT_STATES,
    WHOLE,
    Edition,
    EditionState,
    FrozenVariant,
    Variant,
)
from digest.normalising.text import clean_text
from digest.ports import Renderer, Store
from digest.services.drafting import OPEN
from digest.services.editions import EditionService

REOPENABLE = curation.FIXED | {EditionState.HELD, EditionState.SKIPPED}
NAMED_FINDINGS = 5
LONGEST_NAME = 100  # characters

Choices = Sequence[tuple[tuple[str, ...], int]]
"""Each choice of topics among the active readers, with how many have it."""

log = structlog.get_logger(__name__)


class FreezingService:
    """Freezes, approves and reopens editions, and says which mail a reader gets.

    Args:
        store: Where editions and their frozen variants are kept.
        editions: Finds and narrows editions.
        renderer: Makes the mail.
        minimum: The fewest stories of a mail for some topics; see `curation.stories_for`.
        findings: What the checks find in an edition's mail, the ignored left out.
        choices: Returns the readers' choices of topics as they are now.
        last_editor: Returns for a label who changed that edition last, who may then not approve
            it; None where they may.
    """

    def __init__(  # noqa: PLR0913  # each is a seam
        self,
        store: Store,
        editions: EditionService,
        renderer: Renderer,
        *,
        minimum: int,
        findings: Callable[[Edition, Variant], Sequence[Finding]],
        choices: Callable[[], Choices],
        last_editor: Callable[[str], str] | None = None,
    ) -> None:
        self._store = store
        self._editions = editions
        self._renderer = renderer
        self._minimum = minimum
        self._findings = findings
        self._choices = choices
        self._last_editor = last_editor

    # Freezing

    def freeze(self, label: str, *, now: dt.datetime) -> Edition:
        """Render the edition's mails, check them, and store them with the edition, now frozen.

        An edition that was never drafted is drafted first, as `EditionService.compose` does.
        `now` is aware UTC.

        Raises:
            UsageError: It is frozen already or later, or has a story that readers had, unless it
                is an update with something new.
            NothingToSend: It has too few stories.
            RenderError: A template is broken.
            ChecksFailed: A check finds an error; nothing is stored.
            Conflict: Somebody changed the edition meanwhile; nothing is stored.
        """
        edition = self._editions.compose(label, now=now)
        if edition.state not in OPEN:
            raise _not_to_freeze(edition)
        self._editions.require_enough(edition)
        self._editions.require_unsent(edition)
        variants = self._rendered(edition)
        frozen = replace(
            edition,
            state=EditionState.FROZEN,
            reason="",
            sha256=variants[0].variant.sha256,
            variants_sha256=hash_variants(variants),
            frozen_at=now,
            approved_by="",
            approved_at=None,
        )
        saved = self._store.freeze(frozen, variants)
        log.info("edition_frozen", edition=saved.period.label, variants=len(variants))
        return saved

    def _rendered(self, edition: Edition) -> list[FrozenVariant]:
        """Return the checked variants, the whole one first."""
        found = {WHOLE: (edition, self._renderer.render(edition))}
        segments = self._segments(edition)
        for kept in segments:
            narrow = self._editions.narrowed(edition, kept)
            found[_key(kept)] = (narrow, self._renderer.render(narrow))
        _require_no_error(
            edition,
            [finding for pair in found.values() for finding in self._findings(*pair)],
        )
        topics = {_key(kept): choices for kept, choices in segments.items()}
        return [
            FrozenVariant(key=key, variant=variant, topics=topics.get(key, ()))
            for key, (_, variant) in found.items()
        ]

    def _segments(self, edition: Edition) -> dict[tuple[int, ...], tuple[tuple[str, ...], ...]]:
        return curation.segments(edition.stories, self._choices(), minimum=self._minimum)

    # Approving

    def approve(
        self, label: str, *, by: str, now: dt.datetime, sha256: str | None = None
    ) -> Edition:
        """Record that somebody approved the frozen mail.

        Args:
            label: Of the edition, "" for the due one.
            by: Their name.
            now: Aware UTC.
            sha256: The hash of the mail that they saw; None where they name none.

        Raises:
            UsageError: The name is blank, or the edition is not frozen.
            NotApproved: The stored mail is not the one that was frozen, or it takes somebody else.
            Conflict: It is another mail than they saw, or somebody changed the edition meanwhile;
                nothing is approved.
        """
        name = clean_text(by, limit=LONGEST_NAME)
        if not name:
            raise UsageError("An approval needs a name; nothing was approved.")
        edition = self._editions.compose(label, now=now)
        if edition.state is not EditionState.FROZEN:
            raise _not_to_approve(edition)
        if sha256 not in (None, edition.sha256):
            raise Conflict(
                f"The mail of {edition.period.label} is another one by now; nothing was approved.",
                hint="Look at it as it is now.",
            )
        self._require_somebody_else(edition, name)
        self._require_intact(edition)
        approved = replace(edition, state=EditionState.APPROVED, approved_by=name, approved_at=now)
        saved = self._store.save_edition(approved)
        log.info("edition_approved", edition=saved.period.label, sha256=saved.sha256)
        return saved

    def _require_somebody_else(self, edition: Edition, name: str) -> None:
        last = self._last_editor(edition.period.label) if self._last_editor else ""
        if last and last.casefold() == name.casefold():
            raise NotApproved(
                f"{name} changed {edition.period.label} last, and schedule.two_people asks for "
                "somebody else. Nothing was approved.",
                hint="Let another editor look at it and approve it.",
            )

    def reopen(self, label: str, *, now: dt.datetime) -> Edition:
        """Make an edition a draft again that is frozen, approved, held or skipped.

        Its frozen mails are deleted.

        Raises:
            UsageError: It is a draft already, or readers may have it.
            Conflict: Somebody changed the edition meanwhile; nothing is reopened.
        """
        edition = self._editions.compose(label, now=now)
        if edition.state not in REOPENABLE:
            raise UsageError(
                "Only an edition that is frozen, approved, held or skipped is reopened, and "
                f"{edition.period.label} is {_standing(edition)}. Nothing was changed.",
                hint="See: digest edition show",
            )
        draft = curation.reopened(edition)
        if edition.state not in curation.FIXED:  # people took it back, so it is theirs from now on
            draft = replace(draft, held_at=edition.held_at or now)
        saved = self._store.save_edition(draft)
        log.info("edition_reopened", edition=saved.period.label)
        return saved

    def require_approved(self, edition: Edition) -> list[FrozenVariant]:
        """Return the edition's variants, the whole one first, if they are what was approved.

        The hash of each is made anew from its content, so that a changed row is never sent.

        Raises:
            NotApproved: The edition is not approved, or a stored mail is not the approved one.
        """
        label = edition.period.label
        is_covered = edition.state is EditionState.APPROVED or edition.state in SENT_STATES
        if not is_covered or not edition.approved_by:
            todo = f"digest edition approve --by NAME --edition {label}"
            if edition.state is not EditionState.FROZEN:
                todo = f"digest edition freeze --edition {label}, then {todo}"
            raise NotApproved(
                f"Edition {label} is {_standing(edition)} and not approved. Nothing was sent.",
                hint=f"Approve it first: {todo}",
            )
        if edition.state is EditionState.APPROVED:  # an edition held before may have gone meanwhile
            self._editions.require_unsent(edition)
        return self._require_intact(edition)

    def _require_intact(self, edition: Edition) -> list[FrozenVariant]:
        variants = [] if edition.id is None else self._store.variants(edition.id)
        is_whole = bool(variants) and variants[0].key == WHOLE
        if (
            is_whole
            and variants[0].variant.sha256 == edition.sha256
            and hash_variants(variants) == edition.variants_sha256
            and all(_is_intact(frozen.variant) for frozen in variants)
        ):
            return variants
        label = edition.period.label
        hint = "Find out who changed the database, and how, before anything goes on."
        if edition.state in curation.FIXED:
            hint += f" Then freeze the mail anew: digest edition reopen --edition {label}"
        raise NotApproved(
            f"The stored mail of {label} is not the one that was frozen: its hash differs. "
            "Nothing was sent.",
            hint=hint,
        )

    # What a reader gets

    def mail_for(self, edition: Edition, topics: Sequence[str]) -> tuple[Edition, FrozenVariant]:
        """Return what a reader of `topics` (none: everything) gets, and the stories in it.

        That is the stored mail of an edition that is frozen or later; one that is not is rendered
        as it would be frozen now.

        Raises:
            RenderError: A template is broken.
            NotApproved: The stored mail of a frozen edition is not there or was changed.
        """
        wanted = tuple(topics)
        if edition.sha256:
            variants = self._require_intact(edition)
            frozen = next((v for v in variants if wanted in v.topics), variants[0])
            return _as_frozen(self._narrowed(edition, frozen.key), frozen.variant), frozen
        segments = self._segments(edition) if wanted else {}
        key = next((_key(kept) for kept, found in segments.items() if wanted in found), WHOLE)
        narrow = self._narrowed(edition, key)
        return narrow, FrozenVariant(key=key, variant=self._renderer.render(narrow))

    def _narrowed(self, edition: Edition, key: str) -> Edition:
        if key == WHOLE:
            return edition
        return self._editions.narrowed(edition, [int(number) - 1 for number in key.split(",")])


def hash_variants(variants: Sequence[FrozenVariant]) -> str:
    """Return the SHA-256, in hexadecimal, that covers which mails there are and who gets which."""
    rows = [(frozen.key, frozen.topics, frozen.variant.sha256) for frozen in variants]
    return hash_parts(msgspec.json.encode(rows).decode())


def _as_frozen(narrow: Edition, variant: Variant) -> Edition:
    """Return the edition with the envelope of the stored mail, which is not made anew."""
    return replace(narrow, subject=variant.subject, preheader=variant.preheader)


def _key(kept: Sequence[int]) -> str:
    """Return the key of the variant with these stories: their positions in the whole edition."""
    return ",".join(str(index + 1) for index in kept)


def _is_intact(variant: Variant) -> bool:
    content = hash_parts(variant.subject, variant.preheader, variant.html, variant.text)
    return content == variant.sha256


def _standing(edition: Edition) -> str:
    """Return the edition's state in words that follow "it is"."""
    if edition.state is EditionState.DRAFT:
        return "a draft"
    return str(edition.state)


def _not_to_freeze(edition: Edition) -> UsageError:
    label = edition.period.label
    if edition.state in curation.FIXED:
        return UsageError(
            f"The mail of {label} is {edition.state} already; it stays as it is.",
            hint=f"To render it anew, reopen it first: digest edition reopen --edition {label}",
        )
    return UsageError(
        f"Edition {label} is {edition.state}; nothing was frozen.", hint="See: digest edition show"
    )


def _not_to_approve(edition: Edition) -> UsageError:
    label = edition.period.label
    if edition.state in OPEN:
        return UsageError(
            f"Edition {label} is {_standing(edition)}, so there is no mail to approve yet.",
            hint=f"Freeze it first: digest edition freeze --edition {label}",
        )
    what = f"Edition {label} is {edition.state}"
    if edition.state is EditionState.APPROVED:
        what = f"{edition.approved_by} approved {label} already"
    return UsageError(f"{what}; nothing was changed.", hint="See: digest edition show")


def _require_no_error(edition: Edition, findings: Sequence[Finding]) -> None:
    """Raise if one of the findings must not reach readers."""
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    # A fault of the templates is in every variant; it is named once.
    told = list(dict.fromkeys(f"{error.rule}: {error.message}" for error in errors))
    if not told:
        return
    noun = "an error" if len(told) == 1 else f"{len(told)} errors"
    first = " ".join(told[:NAMED_FINDINGS])
    rest = f" And {len(told) - NAMED_FINDINGS} more." if len(told) > NAMED_FINDINGS else ""
    raise ChecksFailed(
        f"The checks find {noun} in {edition.period.label}. {first}{rest} Nothing was frozen.",
        hint="See where, and what else is to mend: digest check",
    )
