"""Each reader's own time, as somebody has it who runs the program."""

from pathlib import Path

import msgspec

from tests.acceptance.conftest import Digest

LIST = """email,tz
ada@example.com,Asia/Tokyo
bo@example.com,
cy@example.com,America/New_York
"""


def waves(project: Path) -> list[list[str]]:
    """Return to whom each batch in the outbox went, in order."""
    batches = sorted((project / "outbox" / "2026-W48").glob("batch-*"))
    return [sorted(path.stem for path in batch.glob("*.eml")) for batch in batches]


def test_edition_goes_to_each_reader_at_their_own_time_tick_by_tick(
    digest: Digest, project: Path
) -> None:
    settings = project / "config" / "digest.toml"
    text = settings.read_text().replace('send = "mon 07:00"', 'send = "mon 07:00 local"')
    settings.write_text(text.replace('unattended = "hold"', 'unattended = "send"'))
    (project / "list.csv").write_text(LIST)
    assert digest("subscribers", "import", "list.csv", "--now", "2026-11-25T12:00").code == 0
    shown = digest("schedule", "show", "--count", "1", "--now", "2026-11-25T12:00").out
    assert "own time: first Sun 2026-11-29 23:00, last Mon 2026-11-30 13:00" in shown
    assert "sun 18:00 and mon 07:00 in Europe/Berlin" in shown
    found = []
    for now in ("25T12:00", "29T22:30", "29T23:01", "30T06:30", "30T07:01", "30T12:54", "30T13:00"):
        told = digest("tick", "--now", f"2026-11-{now}")
        assert told.code == 0, told.err
        found.append(len(waves(project)))
    assert found == [0, 0, 1, 1, 2, 2, 3]
    assert len({name for wave in waves(project) for name in wave}) == 3
    report = digest("delivery", "report", "--now", "2026-11-30T14:00", "--json").document
    assert (report["accepted"], report["balanced"], report["state"]) == (3, True, "done")
    parts = report["waves"]
    assert [(w["release_at"][:16], w["last_at"][:16], w["accepted"]) for w in parts] == [
        ("2026-11-29T22:01", "2026-11-29T22:01", 1),  # nobody looked on the minute
        ("2026-11-30T06:00", "2026-11-30T06:01", 1),
        ("2026-11-30T12:00", "2026-11-30T12:00", 1),
    ]
    told = digest("delivery", "report", "--now", "2026-11-30T14:00").out
    for words in (
        "Released   at each reader's own time; told in Europe/Berlin:",
        "Sun 2026-11-29 23:01",
        "Mon 2026-11-30 07:00",
        "Mon 2026-11-30 13:00",
    ):
        assert words in told
    kept = project / "var" / "reports" / "2026-W48.json"
    assert msgspec.json.decode(kept.read_bytes())["waves"] == parts


def test_send_time_that_is_nearly_local_is_refused(digest: Digest, project: Path) -> None:
    settings = project / "config" / "digest.toml"
    for wrong in ("mon 07:00 locally", "mon 07:00  local", "local", "mon 07:00local"):
        settings.write_text(f'[schedule]\nsend = "{wrong}"\n')
        digest("schedule", "show").refuses(3, "schedule.send", "mon 07:00 local")
    settings.write_text('[schedule]\nperiod_ends = "sun 18:00 local"\n')
    digest("schedule", "show").refuses(3, "schedule.period_ends")
