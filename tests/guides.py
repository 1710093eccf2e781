"""Guides for people who write plug-ins, followed to the letter."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w/-]+\.\w+)`")


class Guide:
    """A page whose second and third part make a plug-in and a project that uses it.

    Its files are written to their folders, and its commands run in a shell; `said` is what each
    block of commands printed.
    """

    def __init__(self, page: Path, folder: Path) -> None:
        text = page.read_text(encoding="utf-8")
        self.blocks = len(BLOCK.findall(text))
        assert self.blocks == text.count("```") / 2, "a block that is not followed"
        self._site = folder / "site"
        _, plug_in, project, _ = text.split("\n## ")
        self.said = [
            output
            for name, section in (("plug-in", plug_in), ("project", project))
            for output in self._follow(folder / name, section)
        ]

    def _follow(self, folder: Path, section: str) -> Iterator[str]:
        for block in BLOCK.finditer(section):
            if block[1] == "sh":
                yield self.run(folder, block[2])
            else:
                path = folder / FILE.findall(section[: block.start()])[-1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block[2], encoding="utf-8")

    def run(self, folder: Path, commands: str) -> str:
        """Run commands; what they install goes to a folder of its own, and comes from nowhere."""
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(self._site),
            "PIP_TARGET": str(self._site),
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # in pip's words: no isolation
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "NO_COLOR": "1",
        }
        done = subprocess.run(
            ["sh", "-e"],
            input=commands,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout
