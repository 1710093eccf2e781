"""The schema's version: what a database has, what this program expects, and the way between."""

from pathlib import Path

import sqlalchemy as sa

from digest.errors import SchemaMismatch

MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = ("0001", "0002", "0003", "0004")
"""All versions in order; a constant, so that an up-to-date database costs no import of Alembic."""

EXPECTED = VERSIONS[-1]


def current(connection: sa.Connection) -> str:
    """Return the version of the database, "" for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return str(
        connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() or ""
    )


def upgrade(connection: sa.Connection) -> tuple[str, str]:
    """Bring the database to EXPECTED in the connection's transaction.

    Returns:
        The versions before and after.

    Raises:
        SchemaMismatch: It was written by a newer program; nothing was changed.
    """
    before = current(connection)
    refuse_newer(before)
    if not before and sa.inspect(connection).has_table("articles"):
        raise SchemaMismatch(
            "The database holds tables of something else; it was left as it is.",
            hint="Name another database in database.url.",
        )
    if before != EXPECTED:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, EXPECTED


def refuse_newer(version: str) -> None:
    """Raise for a version that this program does not know.

    Raises:
        SchemaMismatch: See above.
    """
    if version and version not in VERSIONS:
        raise SchemaMismatch(
            f"The database has schema {version}, and this digest knows {EXPECTED} at most; "
            "it was left as it is.",
            hint="Use the newer digest that made it, or name another database.",
        )
