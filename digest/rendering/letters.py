"""What the templates of a letter see: its words in the newsletter's language, and where they lead.

What differs from person to person stands as a token: those of `digest.merging`, and LETTER_TOKENS.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from digest.merging import ACCOUNT_URL, CONFIRM_URL, READER, TOKENS, shown_link, shown_text
from digest.model.editions import Edition, Period
from digest.model.letterforms import LetterForm, Occasion
from digest.normalising.urls import domain
from digest.rendering.locales import Words
from digest.settings import NewsletterSettings

_NEVER = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link and its words."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """Links under a heading of their own."""

    heading: str
    links: tuple[LinkView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterView:
    """All that the templates of a letter get, under the name `letter`; empty texts are not shown.

    `lines` are paragraphs above the button, `notes` those below it. `is_listed` says that whoever
    gets it is on the list, so that the footer has their address, and the links to leave and to
    choose; else `reason` says there why the mail came.
    """

    form: str
    subject: str
    preheader: str
    title: str
    lines: tuple[str, ...]
    button: LinkView | None
    notes: tuple[str, ...]
    groups: tuple[GroupView, ...]
    reason: str
    is_listed: bool


def letter_view(occasion: Occasion, newsletter: NewsletterSettings, words: Words) -> LetterView:
    """Return the view of a letter: same occasion and words, same view."""
    makers: dict[LetterForm, Callable[[_Maker], LetterView]] = {
        LetterForm.CONFIRM: _confirm,
        LetterForm.RETURN: _return,
        LetterForm.LINKS: _links,
        LetterForm.WELCOME: _welcome,
    }
    return makers[occasion.form](_Maker(occasion, newsletter, words))


def letter_frame(view: LetterView, newsletter: NewsletterSettings) -> Edition:
    """Return an edition without stories in whose frame the letter is shown."""
    return Edition(
        newsletter=newsletter.slug,
        period=Period(start=_NEVER, end=_NEVER, timezone=newsletter.timezone, label="letter"),
        subject=view.subject,
        preheader=view.preheader,
    )


class _Maker:
    """What the forms have in common."""

    def __init__(self, occasion: Occasion, newsletter: NewsletterSettings, words: Words) -> None:
        self.occasion = occasion
        self.gettext = words.gettext
        self.name = shown_text(newsletter.name)
        self.site = domain(newsletter.public_url)
        self.home = shown_link(newsletter.public_url).rstrip("/")
        self._words = words
        self._zone = ZoneInfo(newsletter.timezone)

    def next_edition(self) -> str:
        """Return when the next edition goes out, "" where nobody can say."""
        at = self.occasion.next_at
        if at is None:
            return ""
        return self.gettext(
            "The next edition comes on %(date)s at %(time)s (%(place)s).",
            date=self._words.date(at, self._zone),
            time=self._words.time(at, self._zone),
            place=self._words.place(self._zone),
        )

    def confirm_button(self) -> LinkView:
        return LinkView(self.gettext("Confirm"), CONFIRM_URL)

    def about_the_button(self) -> str:
        return self.gettext("The link opens a page with the button. It is good for 48 hours.")

    def why_unlisted(self) -> str:
        return self.gettext(
            "This mail was asked for on a page. This address is on no list because of it."
        )

    def account(self) -> GroupView:
        label = self.gettext("See it or delete it, within 24 hours")
        return GroupView(heading=self.gettext("Your data"), links=(LinkView(label, ACCOUNT_URL),))


def _confirm(make: _Maker) -> LetterView:
    return LetterView(
        form=LetterForm.CONFIRM,
        subject=make.gettext("Confirm that you want %(newsletter)s", newsletter=make.name),
        preheader=make.gettext("One press, and it comes. Nothing comes unless you press."),
        title=make.gettext("One press, and you are on the list"),
        lines=(
            make.gettext(
                "Somebody, probably you, asked at %(site)s that %(newsletter)s be sent to this "
                "address.",
                site=make.site,
                newsletter=make.name,
            ),
        ),
        button=make.confirm_button(),
        notes=(
            make.about_the_button(),
            make.gettext(
                "If it was not you, do nothing: nothing more comes. On the same page you can also "
                "say that it was not you; then nobody can ask for this address again."
            ),
        ),
        groups=(),
        reason=make.why_unlisted(),
        is_listed=False,
    )


def _return(make: _Maker) -> LetterView:
    return LetterView(
        form=LetterForm.RETURN,
        subject=make.gettext("Your links for %(newsletter)s", newsletter=make.name),
        preheader=make.gettext(
            "This address has left the list. Here are the ways back, and to your data."
        ),
        title=make.gettext("You have left the list"),
        lines=(
            make.gettext(
                "Somebody, probably you, asked at %(site)s for the links of this address. It has "
                "left the list of %(newsletter)s. If you want the newsletter back, confirm it:",
                site=make.site,
                newsletter=make.name,
            ),
        ),
        button=make.confirm_button(),
        notes=(make.about_the_button(),),
        groups=(make.account(),),
        reason=make.why_unlisted(),
        is_listed=False,
    )


def _links(make: _Maker) -> LetterView:
    past = tuple(
        LinkView(
            shown_text(edition.subject) or edition.label,
            f"{make.home}/archive/{edition.label}/{READER}",
        )
        for edition in make.occasion.past
    )
    rated = GroupView(heading=make.gettext("The last editions, to read and to rate"), links=past)
    return LetterView(
        form=LetterForm.LINKS,
        subject=make.gettext("Your links for %(newsletter)s", newsletter=make.name),
        preheader=make.gettext("Your preferences, the last editions to rate, and your data."),
        title=make.gettext("Your own links"),
        lines=(
            make.gettext(
                "This address is on the list of %(newsletter)s. Somebody, probably you, asked at "
                "%(site)s for its links, or to be put on the list once more; there is nothing to "
                "confirm.",
                site=make.site,
                newsletter=make.name,
            ),
        ),
        button=LinkView(make.gettext("Change preferences"), TOKENS["preferences_url"]),
        notes=(
            make.gettext("These links are yours alone: whoever has them can choose in your place."),
        ),
        groups=(*((rated,) if past else ()), make.account()),
        reason="",
        is_listed=True,
    )


def _welcome(make: _Maker) -> LetterView:
    coming = make.next_edition()
    lines, button = [coming] if coming else [], None
    for last in make.occasion.past[:1]:
        subject = shown_text(last.subject) or last.label
        lines.append(make.gettext("Until then, this is the last one: %(subject)s", subject=subject))
        url = f"{make.home}/archive/{last.label}"
        button = LinkView(make.gettext("Read the last edition"), url)
    return LetterView(
        form=LetterForm.WELCOME,
        subject=make.gettext("Welcome to %(newsletter)s", newsletter=make.name),
        preheader=coming or make.gettext("You are on the list. The next edition comes by itself."),
        title=make.gettext("You are on the list"),
        lines=tuple(lines),
        button=button,
        notes=(make.gettext("Leaving takes one press, here or in any edition."),),
        groups=(),
        reason="",
        is_listed=True,
    )
