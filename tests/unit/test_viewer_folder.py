import datetime as dt
import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from digest.errors import UsageError
from digest.viewer.folder import write_preview
from digest.viewer.page import PreviewPage

PICTURE = "https://news.example.com/media/lead.png"
PAGE = PreviewPage(
    newsletter="App News Weekly",
    edition="2026-W47",
    starts_at=dt.datetime(2026, 11, 15, 17, tzinfo=dt.UTC),
    ends_at=dt.datetime(2026, 11, 22, 17, tzinfo=dt.UTC),
    timezone="Europe/Berlin",
    state="draft",
    subject="Ten apps",
    preheader="And why",
    sender="App News Weekly <news@example.com>",
    reader="reader@example.com",
    sha256="0" * 64,
    html=f'<!DOCTYPE html>\r\n<p>Grüße</p><img src="{PICTURE}" alt="">\n',
    text="Grüße\r\n",
)


def report(files: Mapping[str, str]) -> bytes:
    return json.dumps({"files": dict(files)}).encode()


def write(
    out: Path, page: PreviewPage = PAGE, media: Mapping[str, Path] | None = None
) -> Mapping[str, str]:
    return write_preview(page, b"a mail", out, media=media or {}, report=report)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_preview_writes_its_files_and_says_where_they_are(tmp_path: Path) -> None:
    out = tmp_path / "previews" / "2026-W47"
    files = write(out)
    names = ["index.html", "mail.eml", "mail.html", "mail.txt", "report.json"]
    assert sorted(contents(out)) == sorted(files) == names
    assert all(path == str(out / name) for name, path in files.items())
    assert json.loads((out / "report.json").read_bytes())["files"] == files
    assert [path.name for path in out.parent.iterdir()] == ["2026-W47"]


def test_mail_is_written_byte_for_byte(tmp_path: Path) -> None:
    write(tmp_path / "out")
    assert (tmp_path / "out" / "mail.html").read_bytes() == PAGE.html.encode()
    assert (tmp_path / "out" / "mail.txt").read_bytes() == PAGE.text.encode()
    assert (tmp_path / "out" / "mail.eml").read_bytes() == b"a mail"


def test_only_pictures_that_the_mail_uses_are_copied_and_the_mail_keeps_their_url(
    tmp_path: Path,
) -> None:
    for name in ("lead.png", "other.png"):
        (tmp_path / name).write_bytes(b"\x89PNG " + name.encode())
    media = {PICTURE: tmp_path / "lead.png", PICTURE + "2": tmp_path / "other.png"}
    files = write(tmp_path / "out", media=media)
    assert (tmp_path / "out/media/lead.png").read_bytes() == b"\x89PNG lead.png"
    assert [name for name in files if name.startswith("media/")] == ["media/lead.png"]
    assert PICTURE.encode() in (tmp_path / "out/mail.html").read_bytes()
    assert PICTURE.encode() not in (tmp_path / "out/index.html").read_bytes()


def test_two_pictures_of_one_name_are_both_kept_and_a_lost_one_costs_nothing(
    tmp_path: Path,
) -> None:
    urls = [f"https://news.example.com/{folder}/a.png" for folder in ("x", "y", "lost")]
    media = {url: tmp_path / url.split("/")[3] / "a.png" for url in urls}
    for url in urls[:2]:
        media[url].parent.mkdir()
        media[url].write_bytes(url.encode())
    page = replace(PAGE, html="".join(f'<img src="{url}" alt="">' for url in urls))
    files = write(tmp_path / "out", page, media)
    copies = {Path(path).read_bytes().decode() for name, path in files.items() if "media" in name}
    assert copies == set(urls[:2])


def test_earlier_preview_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "lead.png").write_bytes(b"png")
    out = tmp_path / "out"
    write(out, media={PICTURE: tmp_path / "lead.png"})
    write(out, replace(PAGE, html="<p>Second</p>"))
    assert (out / "mail.html").read_text() == "<p>Second</p>"
    assert not (out / "media").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lead.png", "out"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out")
    assert (tmp_path / "out/index.html").is_file()


def foreign_folder(out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")


def foreign_site(out: Path) -> None:
    out.mkdir()
    (out / "index.html").write_text("<title>My site</title>")
    (out / "report.json").write_text("{}")


def preview_with_a_note_in_it(out: Path) -> None:
    write(out)
    (out / "my-notes.txt").write_text("for Monday")


def a_file(out: Path) -> None:
    out.write_text("a file")


def a_repository(out: Path) -> None:
    (out / ".git").mkdir(parents=True)
    (out / ".git" / "HEAD").write_text("ref: refs/heads/main")
    (out / ".env").write_text("SECRET=1")


def preview_with_a_picture_in_it(out: Path) -> None:
    write(out)
    (out / "media").mkdir(exist_ok=True)
    (out / "media" / "mine.png").write_bytes(b"mine")


@pytest.mark.parametrize(
    "make",
    [
        foreign_folder,
        foreign_site,
        preview_with_a_note_in_it,
        a_file,
        a_repository,
        preview_with_a_picture_in_it,
    ],
)
def test_what_is_not_a_preview_is_never_replaced(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    out = tmp_path / "out"
    make(out)
    before = contents(tmp_path)
    with pytest.raises(UsageError) as caught:
        write(out, replace(PAGE, text="other"))
    assert "--out" in caught.value.hint
    assert contents(tmp_path) == before


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_failure_before_the_swap_leaves_the_earlier_preview(
    tmp_path: Path, error: BaseException
) -> None:
    out = tmp_path / "out"
    write(out)
    before = contents(tmp_path)

    def fail(_files: Mapping[str, str]) -> bytes:
        raise error

    with pytest.raises(type(error)):
        write_preview(PAGE, b"new", out, media={}, report=fail)
    assert contents(tmp_path) == before


def run_limited(before: str, out: Path) -> subprocess.CompletedProcess[str]:
    """Write a preview to `out` in another process, after the statements `before`."""
    script = f"""
        import sys
        sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}
        from dataclasses import replace
        from pathlib import Path
        from test_viewer_folder import PAGE, write
        {before}
        write(Path({str(out)!r}), replace(PAGE, text="new"))
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_full_disk_leaves_the_earlier_preview_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out)
    before = contents(tmp_path)
    # The system refuses to let a file grow beyond this, as it does on a full disk.
    done = run_limited(
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (999, 999))", out
    )
    assert "OSError" in done.stderr
    assert contents(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("at", range(1, 12))
def test_killed_anywhere_the_next_preview_finds_a_whole_one_and_clears_up(
    tmp_path: Path, at: int
) -> None:
    out = tmp_path / "out"
    write(out)
    old = contents(out)
    # Every change of the file system is announced to audit hooks before it happens.
    hook = f"""
        import os, signal
        left = [{at}]
        def hook(event, arguments):
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
            if event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir") or writes:
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)""".replace("\n        ", "\n        ").strip()
    done = run_limited(hook, out)
    assert done.returncode == -signal.SIGKILL, done.stderr
    beside = tmp_path / ".out.digest-old"
    whole = contents(out) if out.exists() else contents(beside)
    assert whole == old or whole["mail.txt"] == b"new"
    write(out, replace(PAGE, text="after"))
    assert contents(out)["mail.txt"] == b"after"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_preview_that_was_moved_aside_by_a_kill_comes_back_even_if_the_next_one_fails(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    write(out)
    before = contents(out)
    out.rename(tmp_path / ".out.digest-old")
    (tmp_path / ".out.digest-new").mkdir()
    media = {PICTURE: tmp_path / "unreadable.png"}
    media[PICTURE].write_bytes(b"png")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (999, 999))"
    assert run_limited(limit, out).returncode == 1
    assert contents(out) == before


def test_a_place_that_cannot_be_made_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "previews").write_text("a file")
    with pytest.raises(OSError, match="previews"):
        write(tmp_path / "previews" / "2026-W47")
    assert contents(tmp_path) == {"previews": b"a file"}
