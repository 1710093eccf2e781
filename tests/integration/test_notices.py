"""Editors are told by mail: once each, in words, on no list, and nothing of it is counted."""

import datetime as dt
import email
import email.policy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import structlog

from digest.app import App
from digest.errors import DigestError
from digest.model.deliveries import Accepted, DeliveryReport, Outcome, Refused, Unavailable
from digest.model.editions import Edition, EditionState
from digest.model.notices import Event, NoticeKind
from digest.project import load
from digest.testing.sendgrid import SendgridStandIn
from digest.tokens import BadToken
from tests.desks import HOUR, JO, MARIA, open_project
from tests.editing import LABEL, SUNDAY
from tests.website import rows_of

NOW = SUNDAY + HOUR
MONDAY = dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)  # when it goes out
DRAFTED = Event(kind=NoticeKind.DRAFTED, at=NOW)
REPORT = DeliveryReport(
    edition=LABEL,
    state="done",
    sha256="0" * 64,
    candidates=12_410,
    excluded={"left": 10},
    planned=12_400,
    accepted=12_379,
    withdrawn={"left": 2},
    refused={"invalid": 7},
    unknown=12,
    abandoned=0,
    cancelled=0,
    pending=0,
    batches=(),
    events={},
)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with open_project(tmp_path / "weekly") as app:
        yield app


def edition(app: App) -> Edition:
    found = app.editions.stored(LABEL, now=NOW)
    assert found is not None
    return found


def mails(app: App) -> list[EmailMessage]:
    """Return the notices in the outbox, by address."""
    found = []
    for path in app.project.root.glob("outbox/notices/*/*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        assert not mail.defects
        found.append(mail)
    return sorted(found, key=lambda mail: str(mail["To"]))


def tell(
    app: App,
    event: Event,
    about: Edition,
    *,
    now: dt.datetime = NOW,
    report: DeliveryReport | None = None,
) -> list[Outcome]:
    """Tell each editor of something, and return what became of each mail."""
    return [
        app.notices.tell(event, about, number, now=now, report=report)
        for number in app.notices.editors()
    ]


def told(
    app: App,
    kind: NoticeKind,
    *,
    now: dt.datetime = NOW,
    at: dt.datetime | None = None,
    reason: str = "",
    report: DeliveryReport | None = None,
    **changes: Any,
) -> EmailMessage:
    """Tell the editors of something about a changed edition, and return the last one's mail."""
    event = Event(kind=kind, at=at or now, reason=reason)
    outcomes = tell(app, event, replace(edition(app), **changes), now=now, report=report)
    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted]
    return mails(app)[-1]


def text(mail: EmailMessage) -> str:
    """Return the text part on one line."""
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


def page(mail: EmailMessage) -> str:
    body = mail.get_body(("html",))
    assert body is not None
    return body.get_content()


def test_each_editor_gets_a_mail_with_a_link_of_their_own(app: App) -> None:
    before = rows_of(app)
    assert len(tell(app, DRAFTED, edition(app))) == 2
    jo, maria = mails(app)
    assert ["maria@example.com" in mail["To"] for mail in (jo, maria)] == [False, True]
    links = [
        re.findall(r"https://news\.example\.com/desk/edition/([\w-]{36})", text(mail))
        for mail in (jo, maria)
    ]
    assert [len(found) for found in links] == [1, 1]
    assert links[0] != links[1]
    for mail, [token] in zip((jo, maria), links, strict=True):
        assert f'href="https://news.example.com/desk/edition/{token}"' in page(mail)
        assert app.tokens.read_editor(token)[0] == edition(app).id
        with pytest.raises(BadToken):
            app.tokens.read_reader(token)
    assert rows_of(app) == before


def test_notice_is_no_mail_of_the_list(app: App) -> None:
    mail = told(app, NoticeKind.DRAFTED)
    assert not [name for name in mail.keys() if name.lower().startswith("list-")]  # noqa: SIM118
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["From"] == "App News Weekly <news@example.com>"
    for body in (page(mail), text(mail)):
        assert "xDIGEST" not in body
        assert not re.search(r"/u/|/preferences/|<img|utm_", body)
    assert not list(app.project.root.glob("outbox/2026-*"))


def test_draft_says_what_is_in_it_when_it_goes_and_what_happens_if_nobody_acts(app: App) -> None:
    mail = told(app, NoticeKind.DRAFTED)
    assert mail["Subject"] == "2026-W48 waits for you: goes Mon 30 Nov 07:00 Europe/Berlin"
    shown = text(mail)
    assert "It has 4 stories" in shown
    assert "If nobody does, it is held, and nobody gets it." in shown
    assert "1. <script>alert(1)</script> & more Lead · news.example.com 2. Article" in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page(mail)
    assert "<script" not in page(mail)


def test_draft_that_goes_by_itself_says_until_when_it_can_be_stopped(tmp_path: Path) -> None:
    rule = '[schedule]\nunattended = "send"\n'
    with open_project(tmp_path / "weekly", rule + MARIA + JO) as app:
        mail = told(app, NoticeKind.DRAFTED)
    assert mail["Subject"] == "2026-W48 is drafted: goes Mon 30 Nov 07:00 Europe/Berlin"
    assert "also if nobody approves it. Whoever objects holds or skips it before" in text(mail)


@pytest.mark.parametrize(
    ("before", "left"),
    [
        (dt.timedelta(hours=3), "3 hours"),
        (dt.timedelta(minutes=55), "55 minutes"),
        (dt.timedelta(hours=1, seconds=3), "1 hour"),
        (dt.timedelta(seconds=5), "1 minute"),
    ],
)
def test_reminder_says_how_long_is_left(app: App, before: dt.timedelta, left: str) -> None:
    mail = told(app, NoticeKind.WAITING, now=MONDAY - before)
    assert mail["Subject"] == f"2026-W48 still waits for you: {left} left"
    assert "Nobody has approved 2026-W48 yet" in text(mail)


@pytest.mark.parametrize(
    ("kind", "state", "subject", "words"),
    [
        (NoticeKind.HELD, EditionState.HELD, "2026-W48 is held", "Because. It does not go out"),
        (NoticeKind.SKIPPED, EditionState.SKIPPED, "2026-W48 does not go out", "Because."),
        (
            NoticeKind.LEAD_CHANGED,
            EditionState.DRAFT,
            "2026-W48 has another lead",
            "Because. Now this stands first: <script>",
        ),
        (
            NoticeKind.STOPPED,
            EditionState.PAUSED,
            "Sending of 2026-W48 stopped",
            "Because. Who has it does not get it twice.",
        ),
    ],
)
def test_what_was_decided_is_told_with_its_reason(
    app: App, kind: NoticeKind, state: EditionState, subject: str, words: str
) -> None:
    mail = told(app, kind, state=state, reason="Because")
    assert mail["Subject"] == subject
    assert words in text(mail)


def test_account_of_a_send_names_who_did_not_get_it(app: App) -> None:
    mail = told(app, NoticeKind.SENT, state=EditionState.DONE, report=REPORT)
    assert mail["Subject"] == "2026-W48 went out to 12,379 readers; of 12 nobody knows"
    account = "12,379 accepted by the provider, 7 refused, 12 unknown, 2 left since it was planned"
    assert f"Of 12,400 readers: {account}." in text(mail)
    assert "12,379" in page(mail)


def test_no_reason_becomes_a_header_or_a_readers_link(app: App) -> None:
    reason = "x\r\nBcc: victim@example.com xDIGESTunsubscribeurlx <b>"
    mail = told(app, NoticeKind.HELD, state=EditionState.HELD, reason=reason, subject="a\nBcc: b")
    assert mail["Bcc"] is None
    assert "xdigestunsubscribeurlx" in text(mail)
    assert "&lt;b&gt;" in page(mail)


def test_newsletter_in_another_language_tells_its_editors_all_the_same(tmp_path: Path) -> None:
    words = '[newsletter]\nlanguage = "ar"\ntheme = "magazine"\n'
    with open_project(tmp_path / "weekly", words + MARIA + JO) as app:
        mail = told(app, NoticeKind.DRAFTED)
    assert '<html lang="en" dir="ltr"' in page(mail)
    assert "Nobody" not in text(mail)
    assert "It has 4 stories" in text(mail)


def test_without_editors_nobody_is_told_and_nothing_is_made(tmp_path: Path) -> None:
    with open_project(tmp_path / "weekly", "") as app:
        assert app.notices.editors() == ()
        assert not (app.project.root / "outbox").exists()
        assert not (app.project.root / "var" / "keys.toml").exists()


# What comes late


def test_what_comes_late_says_of_when_it_is(app: App) -> None:
    at, now = MONDAY, MONDAY + 3 * HOUR
    mail = told(app, NoticeKind.HELD, at=at, now=now, reason="R", state=EditionState.HELD)
    assert "what it tells happened Mon 30 Nov 07:00 Europe/Berlin." in text(mail)
    assert mail["Subject"] == "2026-W48 is held"
    told(app, NoticeKind.HELD, at=at, now=at + HOUR / 6, reason="R", state=EditionState.HELD)
    assert ["late" in text(mail) for mail in mails(app)].count(True) == len(mails(app)) / 2


@pytest.mark.parametrize(
    ("kind", "state", "subject", "words"),
    [
        (NoticeKind.HELD, EditionState.DRAFT, "2026-W48 was held", "R. It is a draft."),
        (NoticeKind.HELD, EditionState.DONE, "2026-W48 was held", "R. It went out."),
        (NoticeKind.SKIPPED, EditionState.DRAFT, "2026-W48 was skipped", "R. It is a draft."),
        (NoticeKind.LEAD_CHANGED, EditionState.DONE, "2026-W48 has another lead", "It went out."),
        (
            NoticeKind.STOPPED,
            EditionState.DONE,
            "Sending of 2026-W48 stopped",
            "R. It went out. Of 12,400 readers: 12,379 accepted",
        ),
        (
            NoticeKind.DRAFTED,
            EditionState.APPROVED,
            "2026-W48 is drafted: goes Mon 30 Nov 07:00 Europe/Berlin",
            "unless somebody holds or skips it before",
        ),
    ],
)
def test_nothing_is_told_as_if_it_were_still_so(
    app: App, kind: NoticeKind, state: EditionState, subject: str, words: str
) -> None:
    report = REPORT if kind is NoticeKind.STOPPED else None
    mail = told(app, kind, reason="R", state=state, report=report)
    assert mail["Subject"] == subject
    assert words in text(mail)
    assert "goes on with it by itself" not in text(mail)


def test_schedule_that_stands_still_is_told_without_an_edition(app: App) -> None:
    event = Event(kind=NoticeKind.STANDS_STILL, at=NOW, reason="The clock is wrong")
    nothing = Edition(newsletter="app-news-weekly", period=edition(app).period)
    assert len(tell(app, event, nothing)) == 2
    mail = mails(app)[0]
    assert mail["Subject"] == "The schedule of App News Weekly stands still"
    for words in ("The clock is wrong. Nothing is drafted", "digest schedule accept"):
        assert words in text(mail)
    for body in (text(mail), page(mail)):
        assert "/desk/" not in body
        assert "Open the edition" not in body
        assert "2026-W48" not in body


# What fails says so, and names nobody


def test_transport_that_fails_says_why_without_the_address(app: App) -> None:
    (app.project.root / "outbox").write_text("no folder")
    with structlog.testing.capture_logs() as logs:
        outcomes = tell(app, DRAFTED, edition(app))
    assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
    assert "maria@" not in str(outcomes) + str(logs)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('[delivery]\ntransport = "sendgrid"\n', "API key"),
        ("[sendgrid]\nhold_minutes = 5\n", "notice.txt.j2"),
    ],
)
def test_missing_key_and_broken_template_are_errors_for_people(
    tmp_path: Path, settings: str, words: str
) -> None:
    templates = tmp_path / "weekly" / "templates"
    templates.mkdir(parents=True)
    (templates / "notice.txt.j2").write_text("{{ nothing }}")
    with (
        open_project(tmp_path / "weekly", settings + MARIA) as app,
        pytest.raises(DigestError, match=re.escape(words)),
    ):
        tell(app, DRAFTED, edition(app))


def test_who_is_no_editor_any_more_is_not_told(app: App) -> None:
    outcome = app.notices.tell(DRAFTED, edition(app), 7, now=NOW)
    assert isinstance(outcome, Refused)
    assert mails(app) == []


def test_provider_gets_a_notice_without_anything_of_the_list(tmp_path: Path) -> None:
    with SendgridStandIn(now=lambda: NOW) as provider:
        host = f'[delivery]\ntransport = "sendgrid"\n[sendgrid]\nhost = "{provider.url}"\n'
        root = tmp_path / "weekly"
        with open_project(root, host + MARIA + JO) as opened:
            about = edition(opened)
        key = {"DIGEST_SENDGRID__API_KEY": provider.api_key}
        with App(load(root, key), opened.clock) as app:
            for outcome in tell(app, DRAFTED, about):
                assert isinstance(outcome, Accepted)
            with provider.refusing():
                for outcome in tell(app, DRAFTED, about):
                    assert not isinstance(outcome, Accepted)
        bodies = [json.loads(request.body) for request in provider.requests]
    sent = [body for body in bodies if "personalizations" in body][:2]
    assert len(sent) == 2
    for body in sent:
        assert body["headers"] == {"Auto-Submitted": "auto-generated"}
        assert body["categories"] == ["digest-notice"]
        assert body.keys() & {"custom_args", "send_at", "batch_id"} == set()
        [person] = body["personalizations"]
        assert person.keys() == {"to", "substitutions"}
        assert not body["tracking_settings"]["click_tracking"]["enable"]
        assert "List-Unsubscribe" not in json.dumps(body)
