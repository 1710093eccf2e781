"""The preview's server: what it hands out, to whom, and how it follows changes."""

import http.client
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lxml import html as lxml_html

from digest.errors import UsageError
from digest.viewer.live import Board, serving
from digest.viewer.page import error_page, viewer_page
from digest.viewer.watching import stamps, watch
from tests.unit.test_viewer_page import PAGE


@pytest.fixture
def board() -> Board:
    made = Board()
    made.show(viewer_page(PAGE))
    return made


@pytest.fixture
def port(board: Board) -> Iterator[int]:
    with serving(board) as address:
        parts = urlsplit(address)
        assert (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/")
        yield parts.port or 0


def ask(
    port: int, path: str = "/", *, method: str = "GET", host: str = ""
) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{port}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_page_is_the_one_on_disk_and_its_own_script(port: int) -> None:
    answer, text = ask(port)
    assert answer.status == 200
    tree = lxml_html.fromstring(text)
    (script,) = tree.xpath("//script")
    nonce = script.get("nonce")
    for policy in (
        answer.headers["Content-Security-Policy"],
        tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0],
    ):
        assert f"script-src 'nonce-{nonce}'" in policy
        assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    script.drop_tree()
    disk = lxml_html.fromstring(viewer_page(PAGE))
    assert tree.xpath("//iframe/@srcdoc") == disk.xpath("//iframe/@srcdoc")


def test_each_answer_has_a_nonce_of_its_own(port: int) -> None:
    nonces = {re.findall(r'nonce="([^"]+)"', ask(port)[1])[0] for _ in range(3)}
    assert len(nonces) == 3


@pytest.mark.parametrize(
    "path", ["/mail.html", "/index.html", "/report.json", "/../etc/passwd", "/?a", "/media/"]
)
def test_nothing_else_is_served(port: int, path: str) -> None:
    answer, text = ask(port, path)
    assert answer.status == 404
    assert text == "There is nothing here but the preview.\n"


def test_served_page_links_to_no_file_that_is_not_served(port: int) -> None:
    hrefs = lxml_html.fromstring(ask(port)[1]).xpath("//@href")
    assert hrefs
    assert all(href.startswith("#") for href in hrefs)


@pytest.mark.parametrize("path", ["/", "/changes"])
@pytest.mark.parametrize("host", ["evil.test", "evil.test:{port}", "127.0.0.1", "localhost:1", "x"])
def test_a_web_site_that_points_its_name_here_reads_nothing(
    port: int, path: str, host: str
) -> None:
    answer, text = ask(port, path, host=host.format(port=port))
    assert answer.status == 403
    assert text == f"Open http://127.0.0.1:{port}/ instead.\n"


def test_this_machine_may_be_called_localhost(port: int) -> None:
    assert ask(port, host=f"localhost:{port}")[0].status == 200


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PURGE"])
def test_a_preview_can_only_be_looked_at(port: int, method: str) -> None:
    assert ask(port, method=method)[0].status == 405


def test_noise_is_answered_and_costs_nothing(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert connection.recv(1000)
    assert ask(port)[0].status == 200


def test_a_waiting_page_hears_of_each_change_at_once(port: int, board: Board) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/changes")
    answer = connection.getresponse()
    assert answer.headers["Content-Type"] == "text/event-stream"
    first = answer.readline().decode()
    assert f"let mine = {first.partition(': ')[2].strip()}," in ask(port)[1]
    board.show_error("templates/a.j2, line 1: no.", "Mend it.")
    assert answer.readline() == b"\n"
    second = answer.readline().decode()
    assert second.startswith("data: ")
    assert second != first
    assert "templates/a.j2, line 1: no." in ask(port)[1]
    connection.close()


def test_error_page_follows_changes_too(port: int, board: Board) -> None:
    board.show(error_page("It is broken.", ""))
    tree = lxml_html.fromstring(ask(port)[1])
    assert "It is broken." in tree.text_content()
    assert len(tree.xpath("//script[@nonce]")) == 1


def test_a_taken_port_is_said(board: Board, port: int) -> None:
    with pytest.raises(UsageError, match=f"port {port}") as caught, serving(board, port):
        pass
    assert "--port" in caught.value.hint


def test_the_port_is_free_again_afterwards(board: Board) -> None:
    with serving(board) as address:
        port = urlsplit(address).port or 0
        ask(port)
    with serving(board, port) as again:
        assert again == address


def test_stamps_tell_each_kind_of_change(tmp_path: Path) -> None:
    places = (tmp_path / "templates", tmp_path / "digest.toml", tmp_path / "gone")
    template = tmp_path / "templates" / "themes" / "base.css"
    template.parent.mkdir(parents=True)
    template.write_text("a")
    seen = [stamps(places)]
    (tmp_path / "digest.toml").write_text("x")
    seen.append(stamps(places))
    template.write_text("bc")
    seen.append(stamps(places))
    os.utime(template, ns=(1, 1))
    seen.append(stamps(places))
    template.unlink()
    seen.append(stamps(places))
    assert all(seen[i] != seen[j] for i in range(5) for j in range(i))
    (tmp_path / "templates" / ".base.css.swp").write_text("x")
    assert stamps(places) == seen[-1]


def test_watching_sees_a_change_and_one_that_comes_while_it_is_busy(tmp_path: Path) -> None:
    file, over = tmp_path / "a", threading.Event()
    file.write_text("1")
    seen: list[str] = []

    def changed() -> None:
        seen.append(file.read_text())
        if seen == ["22"]:
            file.write_text("333")
        else:
            over.set()

    since = stamps([file])
    file.write_text("22")
    worker = threading.Thread(
        target=watch, args=(lambda: [file], changed), kwargs={"since": since, "over": over}
    )
    worker.start()
    worker.join(10)
    over.set()
    assert seen == ["22", "333"]
