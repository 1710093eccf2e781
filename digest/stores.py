"""The stores of one project: what is kept, opened when it is first used."""

from functools import cached_property
from typing import TYPE_CHECKING

from digest.ports import (
    Archive,
    Choosing,
    Clock,
    Corrections,
    Figures,
    Ledger,
    Letters,
    Marks,
    Store,
    SubscriberStore,
    Votes,
)
from digest.project import Project

if TYPE_CHECKING:
    from digest.storage.audit import Audit
    from digest.storage.database import Database

NOBODY = "somebody"


class Stores:
    """The stores of one project on one database.

    Args:
        project: The project.
        clock: Tells the time.
        actor: The name under which the audit log keeps what is done, of a person or of a part of
            the program.
    """

    def __init__(self, project: Project, clock: Clock, *, actor: str = "") -> None:
        self.project = project
        self.clock = clock
        self.actor = actor or NOBODY

    @cached_property
    def store(self) -> Store:
        """The database; the first use of a new one creates it."""
        from digest.storage.store import SqlStore

        return SqlStore(self.database, self.audit)

    @cached_property
    def audit(self) -> "Audit":
        """The log of what is done to editions, and by whom."""
        from digest.storage.audit import Audit

        return Audit(self.database, self.clock, self.actor)

    @cached_property
    def database(self) -> "Database":
        """The database itself, which the stores share; the first use of a new one creates it."""
        from digest.storage.database import open_database

        return open_database(self.project.database_url)

    @cached_property
    def subscribers(self) -> SubscriberStore:
        """The readers of the newsletter, and whom nobody mails again."""
        from digest.storage.subscribers import SqlSubscribers

        return SqlSubscribers(self.database)

    @cached_property
    def marks(self) -> Marks:
        """What schedulers remember."""
        from digest.storage.marks import SqlMarks

        return SqlMarks(self.database)

    @cached_property
    def ledger(self) -> Ledger:
        """Deliveries, batches and attempts."""
        from digest.storage.ledger import SqlLedger

        return SqlLedger(self.database, self.audit)

    @cached_property
    def choosing(self) -> Choosing:
        """What readers decide about their own mail."""
        from digest.storage.choices import SqlChoices

        return SqlChoices(self.database)

    @cached_property
    def letters_store(self) -> Letters:
        """The letters that people asked for."""
        from digest.storage.letters import SqlLetters

        return SqlLetters(self.database)

    @cached_property
    def votes(self) -> Votes:
        """The log of readers' votes."""
        from digest.storage.votes import SqlVotes

        return SqlVotes(self.database)

    @cached_property
    def corrections(self) -> Corrections:
        """What was put right in editions that went out."""
        from digest.storage.corrections import SqlCorrections

        return SqlCorrections(self.database, self.audit)

    @cached_property
    def past(self) -> Archive:
        """The editions that readers have."""
        from digest.storage.archive import SqlArchive

        return SqlArchive(self.database)

    @cached_property
    def figures(self) -> Figures:
        """What became of editions, in numbers."""
        from digest.storage.statistics import SqlFigures

        return SqlFigures(self.database)
