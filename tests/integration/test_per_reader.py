"""A reader's mail, put together from one rendering, is the mail rendered for them alone."""

import random
from dataclasses import replace

import pytest

from digest.curation import stories_for
from digest.merging import MARKS, TOKENS, compile_variant
from digest.model.editions import Edition
from digest.project import load, starter_root
from digest.rendering.renderer import MailRenderer
from digest.settings import NewsletterSettings
from digest.testing.factories import make_edition, make_story

TOPICS = ("Apps", "Games", "Privacy", "Maps & Travel", "Ärzte")


@pytest.fixture(scope="module", params=["plain", "magazine", "compact"])
def renderer(request: pytest.FixtureRequest) -> MailRenderer:
    project = load(starter_root(), {})
    return MailRenderer(project.template_folders, NewsletterSettings(theme=request.param))


@pytest.fixture(scope="module")
def edition() -> Edition:
    rng = random.Random(7)
    stories = [
        make_story(number, topics=tuple(rng.sample(TOPICS, 2)), headline=f"Headline {number} <&>")
        for number in range(1, 13)
    ]
    return make_edition(0, stories=tuple(stories), subject="One subject for all")


def values_of(number: int) -> dict[str, str]:
    rng = random.Random(number)
    word = "".join(rng.choices("abcdef0123456789", k=22))
    odd = ["", "+tag", "'quote", "&co"][number % 4]
    return {
        "address": f"reader-{number}{odd}@example.com",
        "unsubscribe_url": f"https://news.example.com/u/{word}",
        "preferences_url": f"https://news.example.com/preferences/{word}?a=1&b={number}",
        "rate_url": f"https://news.example.com/r/{word}?a=1&b={number}",
        "web_url": "https://news.example.com/archive/2026-W48",
    }


def alone(edition: Edition, kept: tuple[int, ...]) -> Edition:
    """Return the edition that has the kept stories only."""
    stories = [
        replace(edition.stories[index], position=place, lead=place == 1)
        for place, index in enumerate(kept, 1)
    ]
    return replace(edition, stories=tuple(stories))


@pytest.mark.parametrize("readers", [30, pytest.param(200, marks=pytest.mark.long)])
def test_readers_get_the_mail_that_is_rendered_for_them_alone(
    renderer: MailRenderer, edition: Edition, readers: int
) -> None:
    compiled = compile_variant(renderer.render(edition))
    rng = random.Random(2026)
    forms = set()
    for number in range(readers):
        wanted = rng.sample(TOPICS, rng.randint(0, 3))
        kept = stories_for(edition.stories, wanted, minimum=3)
        forms.add(kept)
        their_own = alone(edition, kept or tuple(range(len(edition.stories))))
        expected = compile_variant(renderer.render(their_own)).fill(values_of(number))
        assert compiled.fill(values_of(number), kept=kept) == expected
    assert len(forms) > 10


def test_filled_mail_holds_no_token_and_numbers_its_stories_from_one(
    renderer: MailRenderer, edition: Edition
) -> None:
    compiled = compile_variant(renderer.render(edition))
    html, text = compiled.fill(values_of(1), kept=(0, 4, 7))
    assert "xDIGEST" not in html + text
    assert [line for line in text.splitlines() if line[:2] in ("1.", "2.", "3.", "4.")] == [
        "1. Headline 1 <&>",
        "2. Headline 5 <&>",
        "3. Headline 8 <&>",
    ]
    assert "Headline 2 " not in html
    assert html.count('class="place-number"') == 2


def test_whole_variant_keeps_the_readers_tokens_and_no_mark(
    renderer: MailRenderer, edition: Edition
) -> None:
    html, text = compile_variant(renderer.render(edition)).whole()
    assert all(token in html for token in TOKENS.values())
    assert not any(mark in html + text for mark in MARKS.values())


@pytest.mark.parametrize("kept", [(0, 99), (-1,), (3, 1), (1, 1)])
def test_stories_that_do_not_exist_or_stand_wrong_stop_the_fill(
    renderer: MailRenderer, edition: Edition, kept: tuple[int, ...]
) -> None:
    compiled = compile_variant(renderer.render(edition))
    with pytest.raises(ValueError, match="no such stories"):
        compiled.fill(values_of(1), kept=kept)


def test_template_that_marks_its_stories_wrongly_is_refused(
    renderer: MailRenderer, edition: Edition
) -> None:
    variant = renderer.render(edition)
    begin, end = MARKS["begin_story"], MARKS["end_story"]
    for html in (
        variant.html.replace(end, "", 1),
        variant.html.replace(begin, "", 1),
        variant.html.replace("</body>", MARKS["place"] + "</body>"),
        variant.html.replace("</body>", f"{begin}{end}</body>"),
    ):
        with pytest.raises(ValueError, match="stor"):
            compile_variant(replace(variant, html=html))


def test_reader_of_few_topics_gets_the_lead_and_theirs_or_the_whole_edition() -> None:
    stories = make_edition(6).stories
    topics = [("Apps",), ("Games",), ("Games",), ("Privacy",), ("games", "Apps"), ()]
    stories = tuple(replace(s, topics=t) for s, t in zip(stories, topics, strict=True))
    assert stories_for(stories, ["GAMES"], minimum=3) == (0, 1, 2, 4)
    assert stories_for(stories, ["Privacy"], minimum=3) is None
    assert stories_for(stories, [], minimum=1) is None
    assert stories_for(stories, ["Cooking"], minimum=1) is None
    assert stories_for(stories[:5], ["apps", "games", "privacy"], minimum=3) is None
