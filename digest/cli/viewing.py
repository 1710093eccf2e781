"""Writing a preview's folder: the viewer's page with what the services say, and the files."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from digest.app import App
from digest.services.previews import (
    Preview,
    audience_words,
    rating_words,
    report,
    state_words,
)

if TYPE_CHECKING:
    from digest.viewer.page import PreviewPage


def write_preview(app: App, preview: Preview, out: Path) -> Mapping[str, str]:
    """Write the preview's folder at `out`, replacing an earlier one whole; return the files."""
    from digest.viewer import folder

    def document(files: Mapping[str, str]) -> bytes:
        encoded = msgspec.json.encode(report(preview, files=files))
        return msgspec.json.format(encoded, indent=2) + b"\n"

    return folder.write_preview(
        _page(app, preview), preview.eml, out, media=app.local_media(), report=document
    )


def _page(app: App, preview: Preview) -> "PreviewPage":
    from digest.viewer.page import FindingRow, PreviewPage, StoryRow

    edition, letter = preview.edition, app.project.settings.newsletter
    goes_to, not_to = audience_words(preview.audience)
    return PreviewPage(
        newsletter=letter.name,
        edition=edition.period.label,
        starts_at=edition.period.start,
        ends_at=edition.period.end,
        timezone=edition.period.timezone,
        state=state_words(edition),
        subject=preview.variant.subject,
        preheader=preview.variant.preheader,
        sender=letter.sender,
        reader=preview.reader,
        sha256=preview.variant.sha256,
        html=preview.html,
        text=preview.text,
        stories=tuple(
            StoryRow(
                position=story.position,
                headline=story.headline,
                source=story.outlet or story.source,
                score=story.score,
                lead=story.lead,
                rating=rating_words(story),
                reasons=tuple((reason.text, reason.stars) for reason in story.reasons),
            )
            for story in edition.stories
        ),
        findings=tuple(
            FindingRow(f.rule, str(f.severity), f.message, f.story, f.line)
            for f in preview.findings
        ),
        notes=edition.notes,
        goes_to=goes_to,
        not_to=not_to,
        is_sample=app.project.is_starter,
    )
