"""The editors' page over a real server: opening it changes nothing, a press of a button does."""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from digest.app import App
from digest.model.editions import EditionState
from digest.project import load
from digest.services.editors import EditorLinks
from digest.tokens import BadToken
from tests.desks import JO, MARIA, EditorsDesk, editors_desk
from tests.editing import LABEL, SUNDAY, rated, sent
from tests.editing import add as add_article
from tests.website import FORM, ask


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[EditorsDesk]:
    with editors_desk(tmp_path / "weekly") as running:
        yield running


def test_page_says_what_the_edition_is_and_what_happens_if_nobody_acts(desk: EditorsDesk) -> None:
    page = desk.open()
    assert page.status == 200
    for words in (
        LABEL,
        "App News Weekly",
        "It is a draft",
        "It goes out Mon 30 Nov 07:00 Europe/Berlin if somebody approves it",
        "it is held, and nobody gets it",
        "Lead",
        "Article number 4",
        "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more",
    ):
        assert words in page.text
    assert "<script" not in page.text
    assert page.text.count("<form") == page.text.count("<button") == 3
    assert desk.seen()["sha256"] == desk.app.freezing.freeze(LABEL, now=SUNDAY).sha256
    assert "Its mail is fixed" in desk.open().text


def test_opening_the_link_changes_nothing_however_often(desk: EditorsDesk) -> None:
    before = desk.rows()
    paths = [desk.path(), desk.path(1), f"{desk.path()}/mail", f"{desk.path()}/nothing"]
    asked = [
        (method, path + query)
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
        for path in paths
        for query in ("", "?act=approve&revision=1&sha256=")
    ]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda request: ask(desk.address, *request), asked * 2))
    assert {answer.status for answer in answers} == {200, 404, 405}
    assert desk.rows() == before


def test_mail_is_shown_as_a_reader_sees_it_and_can_do_nothing(desk: EditorsDesk) -> None:
    answer = desk.open(f"{desk.path()}/mail")
    assert answer.status == 200
    assert "reader@example.com" in answer.text
    assert "xDIGEST" not in answer.text
    assert "https://news.example.com/u/preview" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox ")
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy
    assert "allow-forms" not in policy
    assert "script-src" not in policy


def test_approving_a_draft_freezes_the_mail_that_was_seen_and_approves_it(
    desk: EditorsDesk,
) -> None:
    seen = desk.seen()
    answer = desk.press(act="approve", **seen)
    assert answer.status == 200
    assert "Maria approved it. It goes out Mon 30 Nov 07:00 Europe/Berlin" in answer.text
    edition = desk.edition
    assert (edition.state, edition.approved_by) == (EditionState.APPROVED, "Maria")
    assert edition.sha256 == seen["sha256"]
    assert edition.approved_at == desk.clock.now()
    acts = [(entry.actor, entry.action) for entry in desk.app.audit.entries(edition=LABEL)]
    assert acts[-2:] == [("Maria", "frozen"), ("Maria", "approved")]
    assert "Approve" not in desk.open().text


def test_approving_a_frozen_mail_approves_it_as_it_is(desk: EditorsDesk) -> None:
    frozen = desk.app.freezing.freeze(LABEL, now=desk.clock.now())
    seen = desk.seen()
    assert seen["sha256"] == frozen.sha256
    assert desk.press(desk.path(1), act="approve", **seen).status == 200
    assert desk.edition.sha256 == frozen.sha256
    assert desk.edition.approved_by == "Jo <b>"
    page = desk.open().text
    assert "Jo &lt;b&gt; approved it" in page
    assert page.count("<form") == 2


def test_holding_and_skipping_say_why_and_who(desk: EditorsDesk) -> None:
    assert "is held" in desk.press(act="hold", **desk.seen()).text
    assert (desk.edition.state, desk.edition.reason) == (EditionState.HELD, "Maria held it.")
    page = desk.open().text
    assert "until somebody approves it" in page
    assert page.count("<form") == 2
    answer = desk.press(desk.path(1), act="skip", reason="A <b>holiday", **desk.seen())
    assert "It is skipped: A &lt;b&gt;holiday. It does not go out." in answer.text
    assert (desk.edition.state, desk.edition.reason) == (EditionState.SKIPPED, "A <b>holiday")
    assert "<form" not in desk.open().text
    actors = [entry.actor for entry in desk.app.audit.entries(edition=LABEL)]
    assert actors[-2:] == ["Maria", "Jo <b>"]


def test_a_held_edition_goes_once_somebody_approves_it(desk: EditorsDesk) -> None:
    desk.press(act="hold", **desk.seen())
    assert desk.press(desk.path(1), act="approve", **desk.seen()).status == 200
    assert (desk.edition.state, desk.edition.reason) == (EditionState.APPROVED, "")


def test_an_approved_edition_can_still_be_held(desk: EditorsDesk) -> None:
    desk.press(act="approve", **desk.seen())
    assert desk.press(act="hold", reason="Wait.", **desk.seen()).status == 200
    assert (desk.edition.state, desk.edition.approved_by) == (EditionState.HELD, "")


def test_skipping_needs_a_reason(desk: EditorsDesk) -> None:
    for reason in ("", "  \n", "\u202e\x00"):
        answer = desk.press(act="skip", reason=reason, **desk.seen())
        assert answer.status == 400
        assert "needs a reason" in answer.text
    assert desk.edition.state is EditionState.DRAFT


@pytest.mark.parametrize("act", ["approve", "hold", "skip"])
def test_what_changed_since_it_was_seen_is_not_decided_about(desk: EditorsDesk, act: str) -> None:
    seen = desk.seen()
    now = desk.clock.now()
    desk.app.editions.edit(LABEL, subject="Another", preheader=None, intro=None, now=now)
    before = desk.rows()
    answer = desk.press(act=act, reason="Because", **seen)
    assert answer.status == 409
    assert "has changed since you opened its page" in answer.text
    assert desk.rows() == before
    assert desk.press(act=act, reason="Because", **desk.seen()).status == 200
    again = desk.press(act=act, reason="Because", **seen)
    assert again.status == 409


def test_another_mail_than_the_one_seen_is_not_approved(desk: EditorsDesk) -> None:
    seen = desk.seen()
    before = desk.rows()
    for sha256 in ("", "0" * 64, seen["sha256"].upper()):
        assert desk.press(act="approve", **(seen | {"sha256": sha256})).status == 409
    assert desk.rows() == before


def test_two_editors_who_press_at_once_decide_once(desk: EditorsDesk) -> None:
    seen = desk.seen()
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda n: desk.press(desk.path(n % 2), act="approve", **seen), range(6))
        )
    assert sorted(answer.status for answer in answers)[0] == 200
    assert {answer.status for answer in answers} <= {200, 400, 409}
    approvals = [e for e in desk.app.audit.entries(edition=LABEL) if e.action == "approved"]
    assert len(approvals) <= 1
    assert desk.edition.sha256 in ("", seen["sha256"])


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", FORM),
        (b"act=approve", FORM),
        (b"act=approve&revision=1", FORM),
        (b"act=approve&sha256=", FORM),
        (b"act=hold&revision=-1&sha256=", FORM),
        (b"act=hold&revision=1e9&sha256=", FORM),
        (b"act=hold&revision=%C2%B2&sha256=", FORM),
        (b"act=hold&revision=" + b"9" * 5000 + b"&sha256=", FORM),
        (b"act=destroy&revision=1&sha256=", FORM),
        (b"act=hold&revision=1&sha256=", {"Content-Type": "text/plain"}),
        (b'{"act": "hold", "revision": 1}', {"Content-Type": "application/json"}),
        (b"List-Unsubscribe=One-Click", FORM),
    ],
)
def test_post_without_the_forms_fields_changes_nothing(
    desk: EditorsDesk, body: bytes, headers: dict[str, str]
) -> None:
    before = desk.rows()
    answer = ask(desk.address, "POST", desk.path(), body, headers)
    assert answer.status == 400
    assert "Nothing was changed" in answer.text
    assert desk.rows() == before


def test_link_of_nobody_shows_nothing_and_does_nothing(desk: EditorsDesk) -> None:
    tokens, edition_id = desk.app.tokens, desk.edition.id or 0
    good = desk.token()
    _, number = tokens.read_editor(good)
    bad = [
        "x",
        good[:-1],
        good.swapcase(),
        good + "A",
        tokens.make("reader", edition_id, number),
        tokens.editor(edition_id, number ^ 1),
        tokens.editor(edition_id + 7, number),
    ]
    seen, before = desk.seen(), desk.rows()
    for token in bad:
        path = f"/desk/edition/{token}"
        for answer in (
            desk.open(path),
            desk.open(f"{path}/mail"),
            desk.press(path, act="hold", **seen),
        ):
            assert answer.status == 404
            assert LABEL not in answer.text
    assert ask(desk.address, "GET", f"/u/{good}").status == 404
    assert desk.rows() == before


def test_link_of_another_edition_shows_that_one(desk: EditorsDesk) -> None:
    path, seen = desk.path(), desk.seen()
    sent(desk.app.store, desk.edition)
    later = SUNDAY + dt.timedelta(days=5)
    for number in range(11, 15):
        add_article(desk.app.store, rated(number, published_at=later), at=later)
    desk.app.editions.draft("2026-W49", now=later)
    answer = desk.press(path, act="hold", **seen)
    assert answer.status == 409
    assert "It went out" in desk.open(path).text
    other = desk.app.editions.stored("2026-W49", now=later)
    assert other is not None
    assert other.state is EditionState.DRAFT


def test_link_dies_with_the_editor_in_the_settings(tmp_path: Path) -> None:
    root = tmp_path / "weekly"
    with editors_desk(root) as desk:
        maria, jo = desk.token(0), desk.token(1)
    (root / "config" / "digest.toml").write_text(JO.replace("Jo <b>", "Joanna"))
    with App(load(root, {}), desk.clock) as app:
        links = EditorLinks(app.project.settings, app.tokens, app.keys)
        assert links.read(jo)[1].name == "Joanna"
        with pytest.raises(BadToken):
            links.read(maria)


def test_link_runs_out_two_weeks_after_its_week(desk: EditorsDesk) -> None:
    path, seen = desk.path(), desk.seen()
    desk.clock.move(SUNDAY + dt.timedelta(days=14) - desk.clock.now())
    assert desk.open(path).status == 200
    desk.clock.move(dt.timedelta(seconds=1))
    for answer in (desk.open(path), desk.press(path, act="hold", **seen)):
        assert answer.status == 410
        assert "run out" in answer.text
    assert desk.edition.state is EditionState.DRAFT


def test_what_cannot_be_approved_says_why_and_stays_a_draft(tmp_path: Path) -> None:
    with editors_desk(tmp_path / "thin", stories=2) as desk:
        answer = desk.press(act="approve", **desk.seen())
        assert answer.status == 409
        assert "has 2 stories, and it needs 3" in answer.text
        assert desk.edition.state is EditionState.DRAFT


def test_who_changed_it_last_is_not_the_one_who_approves_it(tmp_path: Path) -> None:
    rule = "[schedule]\ntwo_people = true\n"
    with editors_desk(tmp_path / "two", rule + MARIA + JO) as desk:
        maria = desk.app.acting_as("Maria")
        maria.editions.hide(LABEL, "4", now=desk.clock.now())
        answer = desk.press(act="approve", **desk.seen())
        assert answer.status == 409
        assert "asks for somebody else" in answer.text
        assert (desk.edition.state, desk.edition.sha256) == (EditionState.DRAFT, "")
        assert desk.press(desk.path(1), act="approve", **desk.seen()).status == 200


def test_held_edition_that_cannot_be_approved_stays_held_for_its_reason(tmp_path: Path) -> None:
    rule = "[schedule]\ntwo_people = true\n"
    with editors_desk(tmp_path / "two", rule + MARIA + JO) as desk:
        maria = desk.app.acting_as("Maria")
        maria.editions.hide(LABEL, "4", now=desk.clock.now())
        held = maria.editions.hold(LABEL, reason="A holiday.", now=desk.clock.now())
        answer = desk.press(act="approve", **desk.seen())
        assert answer.status == 409
        assert "asks for somebody else" in answer.text
        after = desk.edition
        assert replace(after, revision=held.revision) == held
        assert desk.app.store.variants(after.id or 0) == []
        assert "It is held: A holiday." in desk.open().text
        assert desk.press(desk.path(1), act="approve", **desk.seen()).status == 200


def test_held_edition_that_cannot_be_frozen_stays_held_for_its_reason(tmp_path: Path) -> None:
    with editors_desk(tmp_path / "thin", stories=2) as desk:
        held = desk.app.editions.hold(LABEL, reason="A holiday.", now=desk.clock.now())
        answer = desk.press(act="approve", **desk.seen())
        assert answer.status == 409
        assert "has 2 stories, and it needs 3" in answer.text
        assert desk.edition == held


def test_broken_template_is_told_and_the_edition_can_still_be_held(tmp_path: Path) -> None:
    templates = tmp_path / "weekly" / "templates"
    templates.mkdir(parents=True)
    (templates / "edition.txt.j2").write_text("{{ nothing }}")
    with editors_desk(tmp_path / "weekly") as desk:
        page = desk.open()
        assert page.status == 200
        assert "Its mail cannot be made" in page.text
        assert "Approve" not in page.text
        assert desk.open(f"{desk.path()}/mail").status == 409
        assert desk.press(act="hold", **desk.seen()).status == 200


def test_what_is_being_sent_is_shown_without_a_button(desk: EditorsDesk) -> None:
    seen = desk.seen()
    desk.app.store.save_edition(replace(desk.edition, state=EditionState.SENDING))
    page = desk.open().text
    assert "It is being sent" in page
    assert "digest delivery pause" in page
    assert "<form" not in page
    for act in ("approve", "hold", "skip"):
        current = seen | {"revision": str(desk.edition.revision)}
        assert desk.press(act=act, reason="Stop", **current).status in (400, 409)
    assert desk.edition.state is EditionState.SENDING


def test_every_answer_is_safe_and_the_log_has_no_token(desk: EditorsDesk) -> None:
    token, path = desk.token(), desk.path()
    with structlog.testing.capture_logs() as logs:
        answers = [
            desk.open(),
            desk.open(f"{path}/mail"),
            desk.press(act="hold"),
            desk.press(act="skip", reason="Holiday", **desk.seen()),
        ]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert not answer.headers.get_all("Set-Cookie")
        assert "maria@" not in answer.text
    assert {entry.get("place") for entry in logs if "place" in entry} == {"desk"}
    assert token not in str(logs)
    assert "maria@" not in str(logs)
