"""The outbox: what it writes, and what it finds there."""

import datetime as dt
import json
import re
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.model.deliveries import Accepted, Evidence, Handover, Refused, Unavailable, Unsent
from digest.normalising.text import header_text
from digest.testing.contracts.transport import read_message
from digest.testing.factories import NOON, make_addressee, make_handover, make_mail
from digest.transports.outbox import CONTENTS, OutboxTransport

LATER = NOON + dt.timedelta(minutes=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


@pytest.fixture
def outbox(folder: Path) -> OutboxTransport:
    return OutboxTransport(folder)


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below `folder`, hidden ones too, with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def identifiers(folder: Path) -> list[str]:
    mails = sorted(folder.rglob("*.eml"))
    return [read_message(path.read_bytes()).header("Message-ID") for path in mails]


def test_each_reader_has_a_file_that_does_not_name_them(
    outbox: OutboxTransport, folder: Path
) -> None:
    outcome = outbox.submit(make_handover(2, batch=7), now=NOON)
    assert outcome == Accepted(reference="2026-W48/batch-7")
    assert list(tree(folder)) == [
        "2026-W48/batch-7/1.eml",
        "2026-W48/batch-7/2.eml",
        "2026-W48/batch-7/batch.json",
    ]


def test_a_mail_has_the_headers_that_lists_need(outbox: OutboxTransport, folder: Path) -> None:
    outbox.submit(make_handover(1), now=NOON)
    [path] = folder.rglob("*.eml")
    raw = path.read_bytes()
    mail = read_message(raw)
    assert {"list-unsubscribe", "list-unsubscribe-post", "message-id"} < set(mail.names())
    assert mail.header("To") == "Name1 <reader1@example.com>"
    assert mail.header("List-Id") == "<app-news-weekly.news.example.com>"
    assert parsedate_to_datetime(mail.header("Date")) == NOON
    assert not re.search(rb"[^\r]\n|\r[^\n]", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_a_mail_is_dated_when_it_is_released(outbox: OutboxTransport, folder: Path) -> None:
    outbox.submit(make_handover(1, release_at=LATER), now=NOON)
    [path] = folder.rglob("*.eml")
    assert parsedate_to_datetime(read_message(path.read_bytes()).header("Date")) == LATER


def test_only_the_owner_may_read_the_mails(outbox: OutboxTransport, folder: Path) -> None:
    outbox.submit(make_handover(1), now=NOON)
    assert (folder / "2026-W48" / "batch-1").stat().st_mode & 0o077 == 0


def test_a_batch_that_is_tried_again_is_not_written_again(folder: Path) -> None:
    handover = make_handover(3)
    OutboxTransport(folder).submit(handover, now=NOON)
    before = tree(folder)
    again = OutboxTransport(folder)
    assert again.find(handover, now=LATER) is Evidence.ACCEPTED
    assert isinstance(again.submit(replace(handover, attempt=2), now=LATER), Accepted)
    assert tree(folder) == before


def test_a_batch_is_the_same_when_a_reader_has_left_it(
    outbox: OutboxTransport, folder: Path
) -> None:
    handover = make_handover(3)
    outbox.submit(handover, now=NOON)
    before = tree(folder)
    fewer = replace(handover, readers=handover.readers[1:], attempt=2)
    assert outbox.find(fewer, now=LATER) is Evidence.ACCEPTED
    assert isinstance(outbox.submit(fewer, now=LATER), Accepted)
    assert tree(folder) == before


def test_a_batch_counts_as_accepted_when_its_mails_have_been_taken_away(
    outbox: OutboxTransport, folder: Path
) -> None:
    outbox.submit(make_handover(3), now=NOON)
    for path in folder.rglob("*.eml"):
        path.unlink()
    assert outbox.find(make_handover(3), now=LATER) is Evidence.ACCEPTED
    assert isinstance(outbox.submit(make_handover(3), now=LATER), Accepted)
    assert [Path(name).name for name in tree(folder)] == [CONTENTS]


def test_what_was_never_handed_over_is_certainly_not_accepted(outbox: OutboxTransport) -> None:
    assert outbox.find(make_handover(), now=NOON) is Evidence.NOT_ACCEPTED
    outbox.submit(make_handover(batch=2), now=NOON)
    assert outbox.find(make_handover(), now=NOON) is Evidence.NOT_ACCEPTED


@pytest.mark.parametrize(
    "other",
    [
        make_handover(mail=make_mail(subject="Of another database")),
        make_handover(readers=(make_addressee(1, address="somebody@example.org"),)),
        make_handover(readers=(make_addressee(9),)),
    ],
    ids=["mail", "address", "reader"],
)
def test_another_batch_of_the_same_number_is_not_taken_for_this_one(
    outbox: OutboxTransport, folder: Path, other: Handover
) -> None:
    """A database that was made anew counts its batches from 1 again."""
    outbox.submit(make_handover(), now=NOON)
    before = tree(folder)
    assert outbox.find(other, now=LATER) is Evidence.NONE
    outcome = outbox.submit(other, now=LATER)
    assert isinstance(outcome, Unavailable)
    assert outcome.needs_person
    assert "2026-W48/batch-1" in outcome.reason
    assert tree(folder) == before


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"{}", b'{"readers": []}', b'{"readers": null}', None]
)
def test_a_folder_that_does_not_say_whose_it_is_is_left_alone(
    outbox: OutboxTransport, folder: Path, content: bytes | None
) -> None:
    outbox.submit(make_handover(), now=NOON)
    path = folder / "2026-W48" / "batch-1" / CONTENTS
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    before = tree(folder)
    assert outbox.find(make_handover(), now=LATER) is Evidence.NONE
    assert isinstance(outbox.submit(make_handover(), now=LATER), Unavailable)
    assert tree(folder) == before


def test_a_link_in_a_loop_is_no_evidence(outbox: OutboxTransport, folder: Path) -> None:
    folder.mkdir()
    (folder / "2026-W48").symlink_to("2026-W48")
    assert isinstance(outbox.submit(make_handover(), now=NOON), Unavailable)
    assert names(folder) == ["2026-W48"]


def test_leftovers_of_a_dead_run_go_when_the_batch_is_tried_again(
    outbox: OutboxTransport, folder: Path
) -> None:
    ours, others = folder / "2026-W48" / ".batch-1-dead", folder / "2026-W48" / ".batch-10-alive"
    for path in (ours, others):
        path.mkdir(parents=True)
        (path / "1.eml").write_bytes(b"half a ma")
    assert isinstance(outbox.submit(make_handover(1), now=NOON), Accepted)
    assert list(tree(folder)) == [
        "2026-W48/.batch-10-alive/1.eml",
        "2026-W48/batch-1/1.eml",
        "2026-W48/batch-1/batch.json",
    ]


def test_a_delivery_has_one_identifier_however_often_it_is_tried(tmp_path: Path) -> None:
    for place in ("a", "b"):
        OutboxTransport(tmp_path / place).submit(make_handover(20), now=NOON)
    found = identifiers(tmp_path / "a")
    assert len(set(found)) == 20
    assert found == identifiers(tmp_path / "b")
    OutboxTransport(tmp_path / "c").submit(make_handover(20, batch=5, attempt=3), now=LATER)
    assert found == identifiers(tmp_path / "c")


def test_test_mails_lie_apart_and_each_is_a_new_one(outbox: OutboxTransport, folder: Path) -> None:
    test = make_handover(2, is_test=True)
    references = {outbox.submit(test, now=NOON).reference for _ in range(3)}
    assert len(references) == 3
    for reference in references:
        assert reference.startswith("tests/20261124T120000Z-")
        assert names(folder / reference) == ["1.eml", "2.eml"]
    assert names(folder) == ["tests"]
    assert len(set(identifiers(folder))) == 6


def test_who_may_not_send_any_more_leaves_no_folder(outbox: OutboxTransport, folder: Path) -> None:
    for is_test in (False, True):
        handover = make_handover(2, is_test=is_test, may_send=lambda: False)
        assert outbox.submit(handover, now=NOON) == Unsent()
    assert tree(folder) == {}
    assert outbox.find(make_handover(2), now=NOON) is Evidence.NOT_ACCEPTED


def test_whether_it_may_send_is_asked_when_all_is_written(
    outbox: OutboxTransport, folder: Path
) -> None:
    seen: list[int] = []

    def may_send() -> bool:
        seen.append(len(list(folder.rglob("*.eml"))))
        return True

    outbox.submit(make_handover(5, may_send=may_send), now=NOON)
    assert seen == [5]


def test_a_mail_with_a_token_that_nobody_fills_is_refused_for_good(outbox: OutboxTransport) -> None:
    outcome = outbox.submit(make_handover(mail=make_mail(html="xDIGESTnamex")), now=NOON)
    assert isinstance(outcome, Refused)
    assert not outcome.can_split
    assert "xDIGESTnamex" in outcome.reason


def test_a_sender_that_cannot_be_written_needs_a_person(
    outbox: OutboxTransport, folder: Path
) -> None:
    outcome = outbox.submit(make_handover(mail=make_mail(sender="no address")), now=NOON)
    assert isinstance(outcome, Unavailable)
    assert outcome.needs_person
    assert "newsletter.from" in outcome.reason
    assert tree(folder) == {}


def test_a_place_that_cannot_be_written_needs_a_person(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("no folder")
    outcome = OutboxTransport(tmp_path / "outbox").submit(make_handover(), now=NOON)
    assert isinstance(outcome, Unavailable)
    assert outcome.needs_person
    assert str(tmp_path / "outbox") in outcome.reason


def test_a_reader_without_a_name_is_written_to_by_address(
    outbox: OutboxTransport, folder: Path
) -> None:
    outbox.submit(make_handover(readers=[make_addressee(first_name="")]), now=NOON)
    [path] = folder.rglob("*.eml")
    assert read_message(path.read_bytes()).header("To") == "reader1@example.com"


@given(name=st.text(max_size=120))
@example(name='Ada" <other@example.com>, "x')
@example(name='\\" <other@example.com>')
@example(name="Zoë, 日本")
def test_no_name_changes_who_a_mail_is_for(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.mktemp("outbox")
    readers = (make_addressee(first_name=name), make_addressee(2))
    outcome = OutboxTransport(folder).submit(make_handover(readers=readers), now=NOON)
    assert isinstance(outcome, Accepted)
    batch = folder / "2026-W48" / "batch-1"
    raw, usual = ((batch / own).read_bytes() for own in ("1.eml", "2.eml"))
    assert read_message(raw).names() == read_message(usual).names()
    written = message_from_bytes(raw)["To"]
    [(shown, address)] = getaddresses([written])
    assert address == "reader1@example.com"
    assert str(make_header(decode_header(shown))) == header_text(name, limit=100)


@given(address=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
@example(address=" o'neil+news@example.com ")
@example(address='x" <victim@example.com')
@example(address="Somebody <reader9@example.com>")
def test_an_address_is_mailed_alone_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, address: str
) -> None:
    folder = tmp_path_factory.mktemp("outbox")
    readers = (make_addressee(1, address=address), make_addressee(2))
    outcome = OutboxTransport(folder).submit(make_handover(readers=readers), now=NOON)
    if isinstance(outcome, Accepted):
        batch = folder / "2026-W48" / "batch-1"
        mail, usual = (read_message((batch / name).read_bytes()) for name in ("1.eml", "2.eml"))
        assert mail.names() == usual.names()
        assert mail.header("To") == f"Name1 <{address.strip()}>"
    else:
        assert isinstance(outcome, Refused)
        assert tree(folder) == {}


def test_what_is_kept_of_a_batch_names_no_address(outbox: OutboxTransport, folder: Path) -> None:
    outbox.submit(make_handover(2), now=NOON)
    content = (folder / "2026-W48" / "batch-1" / CONTENTS).read_text()
    assert json.loads(content)["batch"] == 1
    assert set(json.loads(content)["readers"]) == {"1", "2"}
    assert "example" not in content
    assert "token" not in content
