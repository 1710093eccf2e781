import html

from hypothesis import given
from hypothesis import strategies as st

from digest.viewer.sizes import weigh
from tests.golden.editions import rich_edition

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
ROW = '<tr><td><p>kicker</p><h3><a href="https://example.com/">{}</a></h3><p>words</p></td></tr>'


def mail(*headlines: str) -> tuple[str, list[str]]:
    rows = [ROW.format(html.escape(headline)) for headline in headlines]
    top = f"<html><title>{headlines[0]}</title><table><tr><td>Top</td></tr>"
    return top + "\n".join(rows) + "</table>x</html>", rows


def test_each_story_weighs_what_its_row_weighs() -> None:
    source, rows = mail("Grüße", "Ink <&> Pixel", "Third")
    weights = weigh(source, ["Grüße", "Ink <&> Pixel", "Third"])
    assert weights.stories == tuple(len(row.encode()) for row in rows)
    assert weights.frame == len(source.encode()) - sum(weights.stories)


def test_a_lone_story_is_its_row_and_not_the_whole_mail() -> None:
    source, rows = mail("Only")
    assert weigh(source, ["Only"]).stories == (len(rows[0].encode()),)


def test_equal_headlines_are_told_apart_by_their_order() -> None:
    source, rows = mail("Same", "Same", "Other")
    assert weigh(source, ["Same", "Same", "Other"]).stories == tuple(map(len, rows))


def test_a_headline_that_is_not_there_weighs_nothing() -> None:
    source, rows = mail("One", "Two")
    assert weigh(source, ["One", "Gone", "Two"]).stories == (len(rows[0]), 0, len(rows[1]))


def test_a_headline_outside_of_headings_and_links_is_no_anchor() -> None:
    source, rows = mail("One", "Two")
    source = source.replace("Top", "Two")
    assert weigh(source, ["One", "Two"]).stories == tuple(map(len, rows))


def test_all_stories_of_a_real_mail_are_found() -> None:
    headlines = [story.headline for story in rich_edition().stories]
    source, rows = mail(*headlines)
    assert weigh(source, headlines).stories == tuple(len(row.encode()) for row in rows)


@given(
    st.lists(
        st.sampled_from(["<h2>", "</h2>", "<a>", "</a>", "<tr>", "</p>", "<p", "<!--", "x", "y"])
    ),
    st.lists(st.sampled_from(["x", "y", "z"]), max_size=4),
)
def test_the_parts_of_any_html_add_up_to_all_of_it(parts: list[str], headlines: list[str]) -> None:
    source = "".join(parts)
    weights = weigh(source, headlines)
    assert weights.frame >= 0
    assert all(size >= 0 for size in weights.stories)
    assert weights.frame + sum(weights.stories) == len(source.encode())


@given(TEXT, st.lists(TEXT, max_size=3))
def test_the_parts_of_any_text_add_up_to_all_of_it(source: str, headlines: list[str]) -> None:
    weights = weigh(source, headlines)
    assert weights.frame + sum(weights.stories) == len(source.encode())
