"""A real PostgreSQL server for tests, in a folder of its own, gone afterwards."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def find_programs() -> Path | None:
    """Return the folder of initdb and pg_ctl, or None where no server is installed."""
    named = os.environ.get("DIGEST_TEST_POSTGRES")
    folders = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).parent)
    return next((f for f in reversed(folders) if (f / "initdb").exists()), None)


@contextlib.contextmanager
def running_server() -> Iterator[str]:
    """Start a server and yield its address; skip where there is none, but fail under CI=true."""
    programs = find_programs()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is missing; .ci/run installs it")
        pytest.skip("no PostgreSQL server is installed")
    folder = Path(tempfile.mkdtemp(prefix="digest-postgres-"))
    # The server refuses to run as root, so root becomes the account that Debian made for it.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, "-D", folder / "data", *arguments],
            check=True,
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        )

    try:
        run("initdb", "--auth=trust", "--username=digest", "--no-sync", "--encoding=UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "--wait", "--silent", "--log=" + str(folder / "log"), f"-o{options}", "start")
        try:
            yield f"postgresql://digest@/postgres?host={folder}"
        finally:
            run("pg_ctl", "--mode=immediate", "--silent", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
