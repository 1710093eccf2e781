"""Writes the pictures of docs/compared.md: `python -m bench.comparing.pictures FOLDER`."""

import sys
import tempfile
from pathlib import Path

from bench.comparing.browser import browser, shoot
from bench.comparing.inliners import run_node
from bench.comparing.mails import PICTURE, sample


def main() -> None:
    """Write our mail and MJML's, light and dark."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with sample() as material, tempfile.TemporaryDirectory() as name, browser() as started:
        source = Path(name, "digest.mjml")
        source.write_text(material.mjml(), encoding="utf-8")
        mails = {
            "digest": material.mail(),
            "mjml": run_node("mjml.mjs", source, 1, "{}")["html"],
        }
        for tool, html in mails.items():
            for scheme in ("light", "dark"):
                shoot(started, html, scheme, PICTURE, out / f"{tool}-{scheme}.png")


if __name__ == "__main__":
    main()
