"""An empty database of each kind, made by copying one that is up to date: that is quick."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest.storage.database import Database, open_database
from tests.postgres import running_server


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "digest.db"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def empty_server() -> Iterator[Iterator[str]]:
    """Yield one address after the other, each of an empty database of a running PostgreSQL."""
    with running_server() as url:
        engine = sa.create_engine(
            url.replace("postgresql", "postgresql+psycopg", 1), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(sa.text("CREATE DATABASE empty"))
            open_database(url.replace("/postgres?", "/empty?")).close()

            def copy(number: int) -> str:
                connection.execute(sa.text(f"CREATE DATABASE copy{number} TEMPLATE empty"))
                return url.replace("/postgres?", f"/copy{number}?")

            yield map(copy, count())
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgres":
        url = next(request.getfixturevalue("empty_server"))
    else:
        shutil.copy(request.getfixturevalue("empty_file"), tmp_path / "digest.db")
        url = f"sqlite:///{tmp_path}/digest.db"
    database = open_database(url)
    yield database
    database.close()
