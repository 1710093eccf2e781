"""Marks: what a scheduler remembers between two ticks, so that any number of them agree."""

import datetime as dt

import sqlalchemy as sa

from digest.storage.database import Database
from digest.storage.tables import marks


class SqlMarks:
    """See `digest.ports.Marks` for the promises of each method."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> tuple[dt.datetime, str] | None:
        """Return when the mark was set and its value."""
        query = sa.select(marks.c.at, marks.c.value).where(marks.c.name == name)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return (row.at, row.value) if row else None

    def put(self, name: str, at: dt.datetime, value: str = "") -> None:
        """Set the mark."""
        insert = self._database.insert(marks).values(name=name, at=at, value=value)
        statement = insert.on_conflict_do_update(
            index_elements=["name"], set_={"at": at, "value": value}
        )
        with self._database.writing() as connection:
            connection.execute(statement)

    def claim(
        self, name: str, at: dt.datetime, *, every: dt.timedelta | None = None, value: str = ""
    ) -> bool:
        """Set the mark if there is none, or if it is `every` old; return whether this call did."""
        insert = self._database.insert(marks).values(name=name, at=at, value=value)
        statement = insert.on_conflict_do_nothing(index_elements=["name"])
        if every is not None:
            statement = insert.on_conflict_do_update(
                index_elements=["name"],
                set_={"at": at, "value": value},
                where=marks.c.at <= at - every,
            )
        with self._database.writing() as connection:
            return connection.execute(statement.returning(marks.c.name)).scalar() is not None

    def change(self, name: str, *, was: str, value: str) -> bool:
        """Give the mark another value if it still has the one it had; return whether it had."""
        statement = (
            sa.update(marks)
            .where(marks.c.name == name, marks.c.value == was)
            .values(value=value)
            .returning(marks.c.name)
        )
        with self._database.writing() as connection:
            return connection.execute(statement).scalar() is not None

    def valued(self, start: str) -> list[tuple[str, str]]:
        """Return the marks whose name begins so and that have a value, by name."""
        query = (
            sa.select(marks.c.name, marks.c.value)
            .where(marks.c.name.startswith(start, autoescape=True), marks.c.value != "")
            .order_by(marks.c.name)
        )
        with self._database.reading() as connection:
            return [(row.name, row.value) for row in connection.execute(query)]

    def remove(self, start: str) -> None:
        """Take away the marks whose name begins so."""
        statement = sa.delete(marks).where(marks.c.name.startswith(start, autoescape=True))
        with self._database.writing() as connection:
            connection.execute(statement)
