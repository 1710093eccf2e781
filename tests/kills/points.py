"""The points of a send at which it may be killed: each statement, each commit, each request."""

import os
import signal
import sys
import threading
from typing import Any

import sqlalchemy as sa
from urllib3.connection import HTTPConnection

from digest.storage.database import Database
from tests.kills.scenes import Kill


class Points:
    """Counts the points that this process passes, and ends or stops it at the chosen one.

    Args:
        kill: Where.
        told: A file that gets the name of the point at which it ended.
    """

    def __init__(self, kill: Kill, told: int) -> None:
        self.names: list[str] = []
        self._kill, self._told = kill, told
        self._seen = 0
        self._last = ""
        self._lock = threading.Lock()

    def pass_by(self, name: str) -> None:
        with self._lock:
            self.names.append(name)
            if self._kill.point not in ("", name):
                return
            self._seen += 1
            if self._seen != self._kill.at:
                return
            os.write(self._told, name.encode())
            os.kill(os.getpid(), signal.SIGSTOP if self._kill.stops else signal.SIGKILL)

    def watch(self, database: Database) -> None:
        """Pass a point at each step of the database and of HTTP from now on."""
        engine = database.engine
        sa.event.listen(engine, "after_cursor_execute", self._after_statement)
        sa.event.listen(engine, "commit", lambda _: self.pass_by(f"before commit of {self._last}"))
        sa.event.listen(engine, "checkin", lambda *_: self.pass_by(f"after end of {self._last}"))
        sys.addaudithook(self._audit)
        answering = HTTPConnection.getresponse

        def getresponse(connection: HTTPConnection) -> Any:
            self.pass_by("after a request")
            answer = answering(connection)
            self.pass_by("after an answer")
            return answer

        HTTPConnection.getresponse = getresponse  # type: ignore[assignment, method-assign]

    def _after_statement(self, *arguments: Any) -> None:
        self._last = " ".join(str(arguments[2]).split()[:3])
        self.pass_by(f"after {self._last}")

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "http.client.connect":
            self.pass_by("before a connection")
        elif event == "http.client.send":  # the head of a request, and then its body
            head = bytes(arguments[1][:80]).partition(b" HTTP/1.1")
            self.pass_by(f"before {head[0].decode()}" if head[1] else "in a request")
