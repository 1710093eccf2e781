"""Mail scanners open every link of every mail within seconds: none of that may change anything."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.scanning import mailed

METHODS = ("GET", "HEAD", "OPTIONS", "PROPFIND")


def test_scanner_that_opens_every_link_of_every_mail_changes_nothing(tmp_path: Path) -> None:
    with mailed(tmp_path / "weekly") as project:
        before = project.rows()
        asked = [(method, path) for path in project.paths for method in METHODS]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda request: project.ask(*request), asked * 2))
            opened = dict(zip(asked, answers, strict=False))
            for path in project.paths:
                get, head = opened["GET", path], opened["HEAD", path]
                assert get.status == (410 if path == project.used else 200)
                assert (head.status, head.body) == (get.status, b"")
                assert get.headers["Content-Type"] == head.headers["Content-Type"]
                assert not get.headers.get_all("Set-Cookie")
            pages = [answer.body for (m, _), answer in opened.items() if m == "GET"]
            further = {p.decode() for page in pages for p in re.findall(rb'href="(/[^"#]*)', page)}
            list(pool.map(lambda path: project.ask("GET", path), sorted(further)))
        assert {answer.status for (m, _), answer in opened.items() if m not in METHODS[:2]} <= {
            200,
            204,
            405,
        }
        assert project.rows() == before
        assert before["votes"] == []
        assert before["letters"]
