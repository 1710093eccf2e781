"""Bringing a project's database up to date, which the app itself refuses to open until then."""

from digest.errors import UsageError
from digest.project import Project


def upgrade_database(project: Project) -> tuple[str, str]:
    """Bring the database's schema up to date; return the versions before and after.

    Raises:
        UsageError: There is no project, and so no database.
        SchemaMismatch: It is of a newer program; nothing was changed.
        StoreError: The database cannot be used.
    """
    from digest.storage.database import Database

    if project.is_starter:
        raise UsageError("There is no project here.", hint="Make one first: digest init DIR")
    database = Database(project.database_url)
    try:
        return database.upgrade()
    finally:
        database.close()
