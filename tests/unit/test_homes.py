"""Where a database is at home: two machines that each talk to themselves are two."""

import pytest
import sqlalchemy as sa

from digest.afterwards import server_place

HERE = (
    "postgresql://ana@localhost/digest",
    "postgresql://ana@LOCALHOST:5433/digest",
    "postgresql://127.0.0.1/digest",
    "postgresql://127.8.9.10:6432/digest",
    "postgresql://[::1]:5432/digest",
    "postgresql:///digest",
    "postgresql:///digest?host=/run/postgresql",
    "postgresql:///digest?host=localhost:5433",
    "postgresql:///digest?hostaddr=127.0.0.1&host=db.example.com",
    "postgresql://localhost,db.example.com/digest",
)
ELSEWHERE = (
    "postgresql://db.example.com/digest",
    "postgresql://10.0.0.7:5432/digest",
    "postgresql://[2001:db8::1]/digest",
    "postgresql:///digest?host=db.example.com",
    "postgresql://localhost.example.com/digest",
)


def place(url: str, machine: str = "one") -> str:
    return server_place(sa.make_url(url), machine)


@pytest.mark.parametrize("url", HERE)
def test_database_on_the_machine_itself_is_another_one_on_a_copy_of_the_machine(url: str) -> None:
    assert place(url) != place(url, "two")


@pytest.mark.parametrize("url", ELSEWHERE)
def test_database_on_a_server_is_one_from_whichever_machine_it_is_used(url: str) -> None:
    assert place(url) == place(url, "two")


def test_other_databases_are_other_places_and_a_password_or_user_is_none() -> None:
    assert len({place(url) for url in (*HERE, *ELSEWHERE[:3])}) == len(HERE) + 3
    assert place("postgresql://ana:old@db.test/d") == place("postgresql://bo:new@db.test/d")
    assert place("postgresql://db.test/d") == place("postgresql:///d?host=db.test")
