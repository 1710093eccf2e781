"""The readers' pages over a real server: opening changes nothing, a press of the button does."""

import datetime as dt
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import structlog

from digest.model.deliveries import Refused
from tests.website import FORM, ONE_CLICK, Answer, Site, served

PUBLIC = "https://news.example.com"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path / "weekly") as running:
        yield running


def multipart(name: str, value: str) -> tuple[bytes, dict[str, str]]:
    body = f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--b--\r\n'
    return body.encode(), {"Content-Type": "multipart/form-data; boundary=b"}


def test_link_shows_a_button_and_the_address_masked(site: Site) -> None:
    answer = site.ask("GET", f"/u/{site.token()}")
    assert answer.status == 200
    assert answer.text.count('<button name="leave"') == 1
    assert "App News Weekly" in answer.text
    assert "R…@example.com" in answer.text
    assert "Reader0" not in answer.text
    assert site.token() not in answer.text
    assert len(answer.body) < 15_000
    assert not re.search(r"<script|<link|<img|https?://|\bon[a-z]+=", answer.text)


def test_opening_links_changes_nothing_however_often(site: Site) -> None:
    before = site.rows()
    token = site.token()
    paths = [f"/u/{token}", f"/preferences/{token}", "/archive/2026-W48", "/health", "/u/", "/"]
    asked = [
        (method, path + query)
        for method in ("GET", "HEAD", "OPTIONS", "PROPFIND", "PUT", "DELETE", "TRACE")
        for path in paths
        for query in ("", "?List-Unsubscribe=One-Click&leave=yes")
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda request: site.ask(*request), asked * 2))
    assert {answer.status for answer in answers} == {200, 404, 405}
    assert site.rows() == before
    assert site.state() == "active"


def test_head_is_get_without_a_body(site: Site) -> None:
    head, get = (site.ask(method, f"/u/{site.token()}") for method in ("HEAD", "GET"))
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize("place", ["u", "preferences"])
def test_one_click_takes_the_reader_off_at_once(site: Site, place: str) -> None:
    path = f"/{place}/{site.token()}"
    first, again = (site.ask("POST", path, ONE_CLICK, FORM) for _ in range(2))
    assert first.status == again.status == 200
    assert first.body == again.body
    assert not first.headers.get_all("Set-Cookie")
    assert [site.state(reader) for reader in range(2)] == ["left", "active"]
    left = site.app.subscribers.subscriber_by_id(site.sent.readers[0])
    assert left is not None
    assert (left.left_by, left.left_at) == ("one-click", site.clock.now())
    body, kind = multipart("List-Unsubscribe", "One-Click")
    assert site.ask("POST", f"/{place}/{site.token(1)}", body, kind).body == first.body
    assert site.state(1) == "left"


def test_one_click_answers_the_same_for_any_token(site: Site) -> None:
    good = site.ask("POST", f"/u/{site.token()}", ONE_CLICK, FORM)
    stranger = site.app.tokens.reader(99, 99)
    for token in ("x", "A" * 36, site.token()[:-1] + "!", stranger, "%00", "a" * 3000):
        answer = site.ask("POST", f"/u/{token}", ONE_CLICK, FORM)
        assert (answer.status, answer.body) == (200, good.body)
    assert site.state(1) == "active"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", FORM),
        (b"", {}),
        (ONE_CLICK, {}),
        (ONE_CLICK, {"Content-Type": "text/plain"}),
        (b'{"List-Unsubscribe": "One-Click"}', {"Content-Type": "application/json"}),
        (b"List-Unsubscribe=", FORM),
        (b"List-Unsubscribe=Two-Clicks", FORM),
        (b"leave=no", FORM),
        (b"&" * 1000 + b"=" * 1000, FORM),
        (b"a=1&" * 100 + ONE_CLICK, FORM),
        (b"\xff\xfe%ff%00", FORM),
        (ONE_CLICK, {"Content-Type": "multipart/form-data"}),
        (b"--b\r\nfoo\r\n\r\n", {"Content-Type": "multipart/form-data; boundary=b"}),
        (multipart('List-Unsubscribe"; filename="a', "One-Click")),
        (b"\x00" * 5000, {"Content-Type": 'multipart/form-data; boundary="' + "b" * 90 + '"'}),
    ],
)
def test_post_without_the_words_changes_nothing(
    site: Site, body: bytes, headers: dict[str, str]
) -> None:
    answer = site.ask("POST", f"/u/{site.token()}", body, headers)
    assert answer.status == 400
    assert "Nothing was changed" in answer.text
    assert site.state() == "active"


def test_button_takes_the_reader_off_and_says_so(site: Site) -> None:
    answer = site.ask("POST", f"/u/{site.token()}", b"leave=yes", FORM)
    assert answer.status == 200
    assert "You are not on the list" in answer.text
    assert site.state() == "left"
    later = site.ask("GET", f"/u/{site.token()}")
    assert later.status == 200
    assert 'name="leave"' not in later.text


def test_link_of_nobody_is_told_so_and_an_erased_reader_is_not_on_the_list(site: Site) -> None:
    for path in ("/u/x", f"/u/{site.token()}A", f"/u/{site.token().lower()}", "/preferences/x"):
        for answer in (site.ask("GET", path), site.ask("POST", path, b"leave=yes", FORM)):
            assert answer.status == 404
            assert "copy all of it" in answer.text
    erased = site.app.tokens.reader(1, 10**9)
    assert "You are not on the list" in site.ask("GET", f"/u/{erased}").text
    assert "You are not on the list" in site.ask("POST", f"/u/{erased}", b"leave=yes", FORM).text


def secure(answer: Answer) -> None:
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert not answer.headers.get_all("Set-Cookie")
    assert "Server" not in answer.headers


def test_every_answer_is_safe_and_those_with_a_token_are_not_kept(site: Site) -> None:
    token, big = site.token(), b"a" * 70_000
    asked = [
        ("GET", f"/u/{token}", b""),
        ("GET", "/u/x", b""),
        ("POST", f"/u/{token}", b"oops"),
        ("POST", f"/u/{token}", big),
        ("POST", "/hooks/sendgrid", b"[]"),
        ("DELETE", f"/u/{token}", b""),
        ("GET", "/nothing", b""),
        ("GET", "/health", b""),
        ("POST", f"/u/{token}", ONE_CLICK),
    ]
    for request in asked:
        answer = site.ask(*request, FORM)
        secure(answer)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Robots-Tag"] == "noindex"
    archive = site.ask("GET", "/archive/2026-W48")
    secure(archive)
    assert "public" in archive.headers["Cache-Control"]


def test_archive_shows_sent_editions_without_any_reader(site: Site) -> None:
    answer = site.ask("GET", "/archive/2026-W48")
    assert answer.status == 200
    assert "xDIGEST" not in answer.text
    assert "/u/" not in answer.text
    assert "example.com/preferences" not in answer.text
    assert answer.body == site.ask("GET", "/archive/2026-W48?a=b").body
    for label in ("2026-W47", "1", "..%2f..%2fconfig", "%00"):
        assert site.ask("GET", f"/archive/{label}").status == 404


def test_archive_has_an_edition_once_a_reader_may_have_it(site: Site) -> None:
    path, ledger, edition = "/archive/2026-W48", site.app.ledger, site.sent.edition
    site.clock.move(-dt.timedelta(seconds=1))
    assert site.ask("GET", path).status == 404  # the provider waits for that second
    site.clock.move(dt.timedelta(seconds=1))
    assert site.ask("GET", path).status == 200  # the only batch may have been taken
    ledger.record(site.sent.claim, Refused(reason="no"), now=site.clock.now())
    assert site.ask("GET", path).status == 404
    ledger.change_state(edition.id or 0, ["sending", "paused"], "approved")
    assert site.ask("GET", path).status == 404


def test_pictures_of_the_project_are_served_and_nothing_else(site: Site) -> None:
    media = site.app.project.root / "config" / "media"
    media.mkdir()
    (media / "logo.png").write_bytes(b"picture")
    (media / "notes.txt").write_text("secret")
    answer = site.ask("GET", "/media/logo.png")
    assert (answer.status, answer.body) == (200, b"picture")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    secure(answer)
    for name in ("notes.txt", "none.png", "..%2fdigest.toml", "%2e%2e/digest.toml", ""):
        assert site.ask("GET", f"/media/{name}").status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "x/abc?y="},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"},
        {"X-Forwarded-For": "evil.example", "Forwarded": "host=evil.example"},
        {"X-Original-URL": "/health", "X-HTTP-Method-Override": "POST"},
    ],
    ids=str,
)
def test_no_header_changes_where_links_lead(site: Site, headers: dict[str, str]) -> None:
    for path in (f"/u/{site.token()}", "/archive/2026-W48", "/nothing"):
        answer = site.ask("GET", path, headers=headers)
        assert answer.status in (200, 400, 404)
        assert b"evil" not in answer.body
        assert "Location" not in answer.headers
    assert f'href="{PUBLIC}/archive/2026-W48"' in site.ask("GET", "/archive/2026-W48").text


def test_log_holds_no_token_and_no_address(tmp_path: Path) -> None:
    # A line is written after its answer: when the server has ended, all are there.
    with structlog.testing.capture_logs() as logged, served(tmp_path / "weekly") as site:
        token = site.token()
        for path in (f"/u/{token}", f"/preferences/{token}", f"/U/{token}", f"/{token}?a={token}"):
            site.ask("GET", path)
            site.ask("POST", path, ONE_CLICK, FORM)
    answered = [line for line in logged if line["event"] == "request_answered"]
    assert len(answered) == 8
    assert {line["place"] for line in answered} == {"u", "preferences", "other"}
    assert token not in str(logged)
    assert "example.com" not in str(logged)


def test_address_with_a_path_is_served_below_it(tmp_path: Path) -> None:
    settings = f'[newsletter]\npublic_url = "{PUBLIC}/weekly/"\n'
    with served(tmp_path / "weekly", settings) as site:
        assert site.ask("GET", f"/weekly/u/{site.token()}").status == 200
        assert site.ask("GET", f"/u/{site.token()}").status == 404
        assert site.ask("POST", f"/weekly/u/{site.token()}", ONE_CLICK, FORM).status == 200
        assert site.state() == "left"


def test_what_breaks_is_not_shown_and_the_rest_goes_on(site: Site) -> None:
    templates = site.app.project.root / "templates"
    templates.mkdir()
    (templates / "web.html.j2").write_text("{% oops %}")
    answer = site.ask("GET", "/archive/2026-W48")
    assert answer.status == 500
    assert "Something is wrong here" in answer.text
    assert "oops" not in answer.text
    secure(answer)
    assert site.ask("GET", "/health").status == 200


def raw(site: Site, *pieces: bytes) -> bytes:
    """Send bytes as they are, and return what comes back until the server hangs up."""
    address = urlsplit(site.address)
    with socket.create_connection((address.hostname, address.port or 0), timeout=60) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass  # it has heard enough
        answer = b""
        try:
            while more := connection.recv(65_536):
                answer += more
        except ConnectionResetError:
            pass
        return answer


def test_too_much_is_refused_before_it_is_read(site: Site) -> None:
    head = b"POST /u/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    told = raw(site, head + b"Content-Length: 100000000\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 413")
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    told = raw(site, head + b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk)
    assert told[9:12] in (b"413", b"")  # a server that hangs up on unread bytes may be cut short
    many = b"".join(b"X-%d: %d\r\n" % (number, number) for number in range(20_000))
    assert raw(site, b"GET /health HTTP/1.1\r\nHost: a\r\n" + many)[9:12] == b"400"
    assert raw(site, b"\x16\x03\x01\x02\x00garbage\r\n\r\n")[9:12] == b"400"
    assert site.ask("GET", "/health").text == "ok\n"


def test_others_are_answered_while_a_body_never_comes(site: Site) -> None:
    address = urlsplit(site.address)
    slow = [
        socket.create_connection((address.hostname, address.port or 0), timeout=60)
        for _ in range(50)
    ]
    for connection in slow:
        connection.sendall(b"POST /u/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\na")
    assert site.ask("GET", "/health").status == 200
    assert site.ask("POST", f"/u/{site.token()}", ONE_CLICK, FORM).status == 200
    assert site.state() == "left"
    for connection in slow:
        connection.close()
