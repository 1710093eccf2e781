import datetime as dt
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.merging import MARKS, TOKENS, count_tokens
from digest.model.articles import Image, Rating
from digest.model.editions import Edition
from digest.project import starter_root
from digest.rendering.locales import load_words
from digest.rendering.themes import load_theme
from digest.rendering.views import MailView, StoryView, mail_view
from digest.settings import NewsletterSettings
from digest.testing.factories import make_edition, make_period, make_story

PICTURE = "https://news.example.com/media/lead.jpg"
UTC = dt.UTC
TEMPLATES = starter_root() / "templates"


def mail(**changes: Any) -> MailView:
    """Return the view of an edition; `language`, `timezone` and the like go to the newsletter."""
    newsletter = {name: changes.pop(name) for name in ("language", "name") if name in changes}
    return view_of(make_edition(**changes), NewsletterSettings(**newsletter))


def view_of(edition: Edition, newsletter: NewsletterSettings, theme: str = "plain") -> MailView:
    words = load_words([TEMPLATES], newsletter.language)
    return mail_view(edition, newsletter, words, load_theme([TEMPLATES], theme))


def lead(newsletter_language: str = "en", **changes: Any) -> StoryView:
    edition = make_edition(1, stories=(make_story(1, **changes),))
    view = view_of(edition, NewsletterSettings(language=newsletter_language)).lead
    assert view is not None
    return view


def rated(mean: float, votes: int) -> Rating:
    return Rating(mean=mean, votes=votes, origin="feed")


@pytest.mark.parametrize(
    ("words", "language", "minutes"),
    [
        (0, "en", 0),
        (230, "en", 0),
        (231, "en", 2),
        (460, "en", 2),
        (461, "en", 3),
        (250, "ja", 0),
        (500, "ja", 2),
        (501, "zh-Hant", 3),
        (500, "ko", 3),
        (500, "", 3),
    ],
)
def test_reading_time_is_rounded_up_and_shown_from_two_minutes(
    words: int, language: str, minutes: int
) -> None:
    assert lead(words=words, language=language).minutes == minutes


@pytest.mark.parametrize(
    ("mean", "stars", "number"),
    [
        (1.0, "★☆☆☆☆", "1.0"),
        (3.49, "★★★☆☆", "3.5"),
        (4.5, "★★★★★", "4.5"),
        (4.44, "★★★★☆", "4.4"),
        (5.0, "★★★★★", "5.0"),
    ],
)
def test_stars_come_with_their_number_and_a_sentence(mean: float, stars: str, number: str) -> None:
    rating = lead(rating=rated(mean, 1204)).rating
    assert rating is not None
    assert (rating.stars, rating.number, rating.votes) == (stars, number, "1,204 votes")
    assert rating.sentence == f"{number} of 5 stars from 1,204 votes"
    assert not rating.is_new


@pytest.mark.parametrize(("votes", "is_new"), [(1, True), (4, True), (5, False)])
def test_rating_of_fewer_than_five_votes_reads_new(votes: int, is_new: bool) -> None:
    rating = lead(rating=rated(5.0, votes)).rating
    assert rating is not None
    assert rating.is_new is is_new
    assert bool(rating.stars and rating.number and rating.votes) is not is_new
    assert ("New" in rating.sentence) is is_new


def test_story_whose_source_states_no_rating_shows_none() -> None:
    assert lead(rating=None).rating is None


def test_numbers_and_days_are_written_as_the_newsletter_s_language_does() -> None:
    view = lead("de", rating=rated(4.63, 1204))
    assert view.rating is not None
    assert (view.rating.number, view.rating.votes) == ("4,6", "1.204 Stimmen")
    assert view.published == "24. Nov."


@pytest.mark.parametrize(
    ("published_at", "day"),
    [
        (dt.datetime(2026, 11, 24, 22, 59, tzinfo=UTC), "Nov 24"),
        (dt.datetime(2026, 11, 24, 23, 0, tzinfo=UTC), "Nov 25"),
        (None, ""),
    ],
)
def test_day_of_a_story_is_that_of_the_newsletter_s_zone(
    published_at: dt.datetime | None, day: str
) -> None:
    assert lead(published_at=published_at).published == day


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ((2026, 11, 22, 17), (2026, 11, 29, 17), "Nov 22 – 29, 2026"),
        ((2026, 11, 22, 23), (2026, 11, 29, 23), "Nov 23 – 29, 2026"),
        ((2026, 10, 25, 17), (2026, 11, 1, 17), "Oct 25 – Nov 1, 2026"),
        ((2026, 12, 27, 17), (2027, 1, 3, 17), "December 27, 2026 – January 3, 2027"),
    ],
)
def test_week_names_its_first_and_its_last_day(
    start: tuple[int, int, int, int], end: tuple[int, int, int, int], days: str
) -> None:
    period = make_period(start=dt.datetime(*start, tzinfo=UTC), end=dt.datetime(*end, tzinfo=UTC))
    assert unicodedata.normalize("NFKC", mail(period=period).week) == days


@pytest.mark.parametrize(
    ("newsletter", "story", "shown"),
    [
        ("en", "en", ""),
        ("en", "en-GB", ""),
        ("en-US", "en", ""),
        ("en", "", ""),
        ("en", "de", "de"),
        ("zh-Hans", "zh-Hant", "zh-Hant"),
        ("en", 'de" onload="x', ""),
    ],
)
def test_language_is_marked_where_it_differs(newsletter: str, story: str, shown: str) -> None:
    assert lead(newsletter, language=story).language == shown


@pytest.mark.parametrize(
    ("language", "headline", "direction", "start"),
    [
        ("ar", "iPhone جديد", "rtl", "right"),
        ("ar-Latn", "kitab", "ltr", "left"),
        ("az-Arab", "x", "rtl", "right"),
        ("he", "x", "rtl", "right"),
        ("en", "Words", "ltr", "left"),
        ("", "شيء", "rtl", "right"),
        ("", "42 — 17", "ltr", "left"),
    ],
)
def test_story_runs_in_its_own_direction(
    language: str, headline: str, direction: str, start: str
) -> None:
    view = lead(language=language, headline=headline)
    assert (view.direction, view.start) == (direction, start)


@pytest.mark.parametrize(
    ("language", "sides"), [("en", ("left", "right")), ("fa", ("right", "left"))]
)
def test_mail_has_sides_in_its_own_direction(language: str, sides: tuple[str, str]) -> None:
    view = mail(language=language)
    assert (view.start, view.end) == sides


@pytest.mark.parametrize(
    ("alt", "shown"),
    [
        ("A paper notebook", "A paper notebook"),
        ("", ""),
        ("lead-final_2.JPG", ""),
        ("IMG_2044", ""),
        ("20261124_101500", ""),
        ("HEADLINE number 1", ""),
        ("word " * 60, ("word " * 25)[:124].rstrip() + "…"),
        ("a\u202eb\0c", "abc"),
    ],
)
def test_text_of_a_picture_says_what_it_shows_or_nothing(alt: str, shown: str) -> None:
    image = lead(image=Image(url=PICTURE, width=1120, height=630, alt=alt)).image
    assert image is not None
    assert image.alt == shown


@pytest.mark.parametrize(
    ("width", "height", "fitted"),
    [(1120, 630, (552, 310)), (400, 300, (400, 300)), (552, 828, (552, 828))],
)
def test_picture_is_fitted_to_the_mail(width: int, height: int, fitted: tuple[int, int]) -> None:
    image = lead(image=Image(url=PICTURE, width=width, height=height)).image
    assert image is not None
    assert (image.width, image.height) == fitted


@pytest.mark.parametrize(
    "image",
    [
        Image(url=PICTURE),
        Image(url=PICTURE, width=64, height=64),
        Image(url=PICTURE, width=1200, height=100),
        Image(url=PICTURE, width=600, height=1000),
        Image(url=PICTURE.replace("https", "http"), width=1120, height=630),
        Image(url="data:image/png;base64,AA", width=1120, height=630),
    ],
)
def test_picture_of_which_a_mail_would_make_a_mess_is_left_out(image: Image) -> None:
    assert lead(image=image).image is None


def test_only_the_lead_has_a_picture() -> None:
    picture = Image(url=PICTURE, width=1120, height=630)
    view = mail(stories=(make_story(1), make_story(2, image=picture)))
    assert view.stories[0].image is None


@pytest.mark.parametrize(
    ("outlet", "url", "source", "origin"),
    [
        ("The Outlet", "https://www.example.com/a", "Feed", "The Outlet"),
        ("", "https://www.example.com/a", "Feed", "example.com"),
        ("", "", "Feed", "Feed"),
    ],
)
def test_every_story_says_where_it_is_from(outlet: str, url: str, source: str, origin: str) -> None:
    assert lead(outlet=outlet, url=url, source=source).origin == origin


def test_edition_without_stories_has_no_lead() -> None:
    view = mail(count=0)
    assert (view.lead, view.stories) == (None, ())


@pytest.mark.parametrize("token", [*TOKENS.values(), *MARKS.values()])
def test_token_that_a_stranger_types_is_never_filled(token: str) -> None:
    story = {
        "headline": f"Read {token} now",
        "summary": token,
        "outlet": token,
        "topics": (token,),
        "url": f"https://example.com/{token}?{token}#{token}",
        "image": Image(url=f"https://example.com/{token}", width=1120, height=630, alt=token),
    }
    edition = {"subject": token, "preheader": f"x{token}", "intro": f"{token}{token}"}
    view = mail(name=token, stories=(make_story(1, **story),), **edition)
    assert (view.tokens, view.marks) == (TOKENS, MARKS)
    shown = repr(view).replace(repr(view.tokens), "").replace(repr(view.marks), "")
    assert count_tokens(shown) == {}
    assert view.lead is not None
    assert view.lead.headline == f"Read {token.lower()} now"
    assert view.lead.url == "https://example.com/{0}?{0}#{0}".format(
        token.replace("xDIGEST", "x%44IGEST")
    )


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_hides_a_token_behind_what_cleaning_takes_away(before: str, between: str) -> None:
    token = TOKENS["unsubscribe_url"]
    typed = before.join(token[:4] + between + token[4:])
    shown = lead(headline=typed + token).headline
    assert count_tokens(shown) == {}


def test_hidden_text_is_one_clean_line() -> None:
    view = lead(
        headline="a\0\u202eb\r\nc", summary="d\u2066e", outlet="f\x1bg", topics=("h\u200bi",)
    )
    assert (view.headline, view.summary, view.origin, view.topic) == ("ab c", "de", "fg", "hi")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "https://a@b.test/", ""]
)
def test_link_that_is_none_is_not_shown(url: str) -> None:
    assert lead(url=url).url == ""
