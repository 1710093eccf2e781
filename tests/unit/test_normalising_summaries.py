"""A summary is whole sentences of the article, without what feeds put around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.normalising.summaries import LIMIT, count_words, cut, summarise
from digest.normalising.text import clean_text

TITLE = "Chat App Learns To Listen"
ONE = "The chat app now hears what people say and writes it down for them."
TWO = "It costs nothing, works without a network, and forgets everything after a day."
THREE = "The makers say that a version for watches follows in the spring of the next year."
FOUR = "Whoever wants it earlier can ask for a place in the test, which has room for 500."
LONG = "word " * 80


def of(summary: str = "", text: str = "", *, title: str = TITLE, language: str = "en") -> str:
    return summarise(title, summary, text, language=language)


def test_the_sources_own_summary_comes_before_the_text() -> None:
    assert of(ONE, f"{TWO} {THREE}") == ONE


@pytest.mark.parametrize(
    "summary",
    [
        "",
        "Too short.",
        "It hears, and costs nothing.",
        TITLE,
        TITLE + ".",
        "It hears … […]",
        f"{ONE[:50]}…",
        f"{ONE[:50]} [...]",
        "Read more",
        "Continue reading Chat App Learns To Listen →",
        f"The post {TITLE} appeared first on App News.",
        "Article URL: https://example.com/x",
        ("x" * 39 + " ") * 20,
    ],
)
def test_a_summary_that_says_too_little_or_breaks_off_gives_way_to_the_text(summary: str) -> None:
    assert of(summary, f"{TWO} {THREE}") == f"{TWO} {THREE}"


def test_a_summary_is_as_many_whole_sentences_as_fit() -> None:
    assert of("", f"{ONE} {TWO} {THREE} {FOUR}") == f"{ONE} {TWO} {THREE}"
    assert len(f"{ONE} {TWO} {THREE}") <= LIMIT < len(f"{ONE} {TWO} {THREE} {FOUR}")


def test_a_first_sentence_that_is_too_long_ends_after_a_word() -> None:
    found = of("", LONG)
    assert found == ("word " * (LIMIT // 5)).rstrip() + "…"
    assert len(found) <= LIMIT


def test_a_word_or_two_do_not_stand_alone() -> None:
    found = of("", f"Wow. {LONG}")
    assert found.startswith("Wow. word word")
    assert found.endswith("word…")


def test_a_summary_that_breaks_off_keeps_its_whole_sentences_where_there_is_no_text() -> None:
    assert of(f"{ONE} {TWO[:40]} […]") == ONE
    assert of(f"{ONE[:60]} […]") == ONE[:60].rstrip() + "…"
    assert of(f"{ONE} […]") == ONE


def test_nothing_to_say_is_no_summary() -> None:
    assert of("", "") == ""
    assert of(TITLE, TITLE) == ""
    assert of("Comments", "Read more") == ""


@pytest.mark.parametrize(
    "noise",
    [
        f"{TITLE}\n\n{ONE}",
        f"{TITLE.upper()}!\n\n{ONE}",
        f"{TITLE}: {ONE}",
        f"{TITLE} – {ONE}",
        f"Update: {ONE}",
        f"[Updated] {ONE}",
        f"UPDATE 2 - {ONE}",
        f"UPDATE 2-{ONE}",
        f"BERLIN, Sept 14 — {ONE}",
        f"SAN FRANCISCO, Sept. 14, 2026 (GLOBE NEWSWIRE) -- {ONE}",
        f"LONDON (Reuters) - {ONE}",
        f"Wien (dpa) - {ONE}",
        f"MÜNCHEN, September 14, 2026 – {ONE}",
        f"Cupertino, Calif. (AP) — {ONE}",
        f"Update: BERLIN, Sept 14 — {ONE}",
        f"Image Credits: Example Press\n\n{ONE}",
        f"Photo by Somebody / Example\n\n{ONE}",
        f"{ONE}\n\nShare this:",
        f"Advertisement\n\n{ONE}\n\nComments",
        f"{ONE} Read more",
        f"{ONE}\n\nContinue reading “Chat App Learns To Listen” →",
        f"{ONE}\n\nThe post {TITLE} appeared first on App News.",
        f"{ONE}\n\nThe post {TITLE} first appeared on App News.",
        f"{ONE} Read the full story at The Example.",
        f"{ONE}\n\nDer Beitrag {TITLE} erschien zuerst auf App News.",
        f"{ONE}\n\nL’article {TITLE} est apparu en premier sur App News.",
        f"{ONE} Weiterlesen",
        f"Article URL: https://example.com/{'x' * 80}\n\n{ONE}\n\nPoints: 12\n\n# Comments: 3",
        f"{ONE}\n\nContinue reading “{THREE}” →",
        f"{ONE}\n\nRead more.\n\nComments",
        f"{ONE} Read more. See the full story at The Example.",
    ],
)
def test_what_feeds_put_around_the_text_is_left_out(noise: str) -> None:
    assert of(noise) == ONE
    assert of("", noise) == ONE


@pytest.mark.parametrize(
    "meant",
    [
        "Chat App Learns To Listen And Speak is the name of the talk that opened the day.",
        "Apple — and not only Apple — now lets people choose where they buy their apps.",
        "Updates for the most used apps are out, and they are larger than they have been.",
        "Berlin, the capital, gets an app for its buses (and one for its trains) - at last.",
        "Apple Pay (Beta) - what it is, and who can have it on their telephone by now.",
        "Apple Event, Sept 14 – what to expect of the day, and where to see it.",
        "Update-Manager for everybody: this one app keeps all of the others up to date.",
        "Updated maps of the whole world are now in the app, and they work on the train.",
        "Continue reading is what the button says that nobody in the test wanted to press, "
        "so the makers took it away and put the whole text on the page, which people liked better, "
        "as a poll of 1,500 readers showed that was made in the spring.",
        "Only those on a team that pays for it see the full history of a page.",
        "Sponsored by a foundation, the library's new app costs nothing and has no accounts.",
        "Share via QR code is the feature that most people have asked for, says its maker.",
        "Photos by a new satellite show how the coast moves, and one app compares them.",
        "Photos by a new satellite are in the app of the coast guard.",
        "The post office says that its parcel app appeared on older phones this week.",
    ],
)
def test_sentences_that_only_look_like_noise_stay(meant: str) -> None:
    assert of(meant) == meant


@pytest.mark.parametrize(
    ("text", "language", "start"),
    [
        ("The U.S. government and Dr. Who tried No. 1 of them, i.e. iOS 14.0.1, today.", "en", ""),
        ("Am 3. Oktober kommt z. B. Version 2.5 der App, sagt Dr. Beispiel aus Wien.", "de", ""),
        ("Version 2∯0 of the app is out for all of those who wait. It works.", "en", ""),
        ("新しいアプリが出ました。" * 30, "ja", "新しいアプリが出ました。" * 23),
        ("这个应用很好用。" * 40, "zh-Hans", "这个应用很好用。" * 35),
    ],
)
def test_sentences_end_where_the_language_ends_them(text: str, language: str, start: str) -> None:
    whole = start or f"{text} "
    assert cut(whole + LONG, 280, language=language) == whole.strip()


@pytest.mark.parametrize("language", ["", "en", "xx", "de-AT", "ja", "ar", "zh-Hant"])
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=400), limit=st.integers(1, 90)
)
def test_a_cut_is_a_start_of_the_text_and_never_longer(
    text: str, limit: int, language: str
) -> None:
    text = clean_text(text)
    part = cut(text, limit, language=language)
    assert len(part) <= limit
    assert part == text or text.startswith(part.removesuffix("…"))


PARTS = [ONE, TWO, THREE, TITLE, LONG, "Update:", "…", "[…]", "\n\n", " ", "(", "“", "Dr."]
PARTS += ["Read more", "BERLIN, Sept 14 —", "Share this", "The post x appeared first on y"]
ANY_BODY = st.lists(st.sampled_from(PARTS), max_size=8).map(" ".join)


@given(ANY_BODY | st.text(), ANY_BODY | st.text(), st.sampled_from([TITLE, "", "…", "A"]))
def test_a_summary_is_clean_and_never_too_long(summary: str, text: str, title: str) -> None:
    found = of(summary, text, title=title)
    assert len(found) <= LIMIT
    assert clean_text(found) == found
    assert found != title or not title


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("one", 1),
        ("Don't split it-s apart, please!", 5),
        (" — … ! ", 0),
        ("新しいアプリ", 3),
        ("新しいアプリ。 New app", 5),
        ("새로운 앱이 나왔다", 4),
        ("word " * 500, 500),
    ],
)
def test_words_are_counted_and_letters_without_blanks_as_half_a_word(text: str, words: int) -> None:
    assert count_words(text) == words


def test_short_japanese_sentence_is_a_summary() -> None:
    sentence = "新しい写真アプリが本日公開されました。"
    assert summarise("写真", sentence, "", language="ja") == sentence
