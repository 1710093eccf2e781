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
from digest.model.deliveries import DeliveryReport
from digest.model.editions import Edition, EditionState
from digest.model.notices import NoticeKind
from digest.project import load
from digest.testing.sendgrid import SendgridStandIn
from digest.tokens import BadToken
from tests.desks import HOUR, JO, MARIA, open_project
from tests.editing import LABEL, SUNDAY
from tests.website import rows_of

NOW = SUNDAY + HOUR
MONDAY = dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)  # when it goes out
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


def told(
    app: App,
    kind: NoticeKind,
    *,
    now: dt.datetime = NOW,
    reason: str = "",
    report: DeliveryReport | None = None,
    **changes: Any,
) -> EmailMessage:
    """Tell the editors of something about a changed edition, and return the last one's mail."""
    about = replace(edition(app), **changes)
    assert app.notices.tell(kind, about, now=now, reason=reason, report=report) == 2
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
    assert app.notices.tell(NoticeKind.DRAFTED, edition(app), now=NOW) == 2
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
        assert app.notices.tell(NoticeKind.DRAFTED, edition(app), now=NOW) == 0
        assert not (app.project.root / "outbox").exists()
        assert not (app.project.root / "var" / "keys.toml").exists()


# What fails is logged, and stops nobody


def test_transport_that_fails_is_logged_without_the_address(app: App) -> None:
    (app.project.root / "outbox").write_text("no folder")
    with structlog.testing.capture_logs() as logs:
        assert app.notices.tell(NoticeKind.DRAFTED, edition(app), now=NOW) == 0
    failed = [entry for entry in logs if entry["event"] == "notice_not_sent"]
    assert [(e["kind"], e["edition"]) for e in failed] == [("drafted", LABEL)] * 2
    assert all(entry["reason"] for entry in failed)
    assert "maria@" not in str(logs)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('[delivery]\ntransport = "sendgrid"\n', "API key"),
        ("[sendgrid]\nhold_minutes = 5\n", "notice.txt.j2"),
    ],
)
def test_missing_key_and_broken_template_are_logged(
    tmp_path: Path, settings: str, words: str
) -> None:
    templates = tmp_path / "weekly" / "templates"
    templates.mkdir(parents=True)
    (templates / "notice.txt.j2").write_text("{{ nothing }}")
    project = open_project(tmp_path / "weekly", settings + MARIA)
    with project as app, structlog.testing.capture_logs() as logs:
        assert app.notices.tell(NoticeKind.HELD, edition(app), now=NOW, reason="R") == 0
    [failed] = [entry for entry in logs if entry["event"] == "notice_not_sent"]
    assert words in failed["reason"]


def test_provider_gets_a_notice_without_anything_of_the_list(tmp_path: Path) -> None:
    with SendgridStandIn(now=lambda: NOW) as provider:
        host = f'[delivery]\ntransport = "sendgrid"\n[sendgrid]\nhost = "{provider.url}"\n'
        root = tmp_path / "weekly"
        with open_project(root, host + MARIA + JO) as opened:
            about = edition(opened)
        key = {"DIGEST_SENDGRID__API_KEY": provider.api_key}
        with App(load(root, key), opened.clock) as app:
            assert app.notices.tell(NoticeKind.HELD, about, now=NOW, reason="Because") == 2
            with provider.refusing():
                assert app.notices.tell(NoticeKind.HELD, about, now=NOW, reason="Because") == 0
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
