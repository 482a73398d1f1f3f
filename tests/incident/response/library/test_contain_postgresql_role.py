"""The part that locks a PostgreSQL role, on a real server over a real sshd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from incident.response.events import Outcome
from tests.support.hosts import Host
from tests.support.parts import Carried, on_host
from tests.support.postgres import SUPERUSER, PostgresServer
from tests.support.tools import need_tool

PART = "contain-postgresql-role"
ROLES = ("billing", "reporting", "o'\"brien; drop")
Carry = Callable[..., Carried]


@pytest.fixture
def server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    for each in ROLES:
        postgres.execute(f"CREATE ROLE {quoted(each)} LOGIN")
    yield postgres
    for each in ROLES:
        postgres.execute(f"DROP ROLE {quoted(each)}")


@pytest.fixture
def carry(server: PostgresServer, tmp_path: Path) -> Iterator[Carry]:
    need_tool("psql", "postgresql-client")
    environment = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": SUPERUSER}
    with Host(tmp_path / "host", environment=environment, network=False) as host:
        yield on_host(host, PART)


def quoted(role: str) -> str:
    return '"' + role.replace('"', '""') + '"'


def sign_in(server: PostgresServer, role: str = "billing") -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host="127.0.0.1",
        port=server.port,
        user=role,
        dbname="postgres",
        autocommit=True,
        application_name="psql",
    )


def works(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    try:
        return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def test_an_open_session_works_before_and_is_dead_after_and_the_role_works_again_once_undone(
    carry: Carry, server: PostgresServer
) -> None:
    with sign_in(server) as first, sign_in(server) as second, sign_in(server, "reporting") as bystander:
        assert works(first) and works(second)
        done = carry(__role__="billing")
        assert not works(first) and not works(second)
        assert works(bystander)
    assert (done.outcome, done.asked) == (Outcome.succeeded, [])
    assert done.values["__sessions_ended__"] == "2"
    assert '"127.0.0.1"' in str(done.values["__sessions_before__"])
    assert done.measures() == ["contain.lock-account", "contain.terminate-session"]
    assert done.verified() == {"lock", "end-sessions"}
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        sign_in(server)
    assert [each.success for each in done.undo()] == [True]
    with sign_in(server) as again:
        assert works(again)


def test_twice_is_as_once_and_undoing_the_second_lets_nobody_in(carry: Carry, server: PostgresServer) -> None:
    first, second = carry(__role__="billing"), carry(__role__="billing")
    assert second.outcome is Outcome.succeeded
    assert second.values["__sessions_ended__"] == "0"
    assert all(each.success for each in second.undo())
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        sign_in(server)
    assert all(each.success for each in [*first.undo(), *first.undo()])
    sign_in(server).close()


def test_a_role_that_is_not_there_is_a_question_to_a_person_and_no_measure(carry: Carry) -> None:
    done = carry(__role__="nobody-knows")
    assert (done.outcome, done.asked, done.measures()) == (Outcome.failed, ["by-hand"], [])
    assert "no such role" in done.said["remember"][0].detail
    assert carry(__role__="nobody-knows", answer=True).measures() == [
        "contain.lock-account",
        "contain.terminate-session",
    ]


def test_the_role_that_the_containment_itself_uses_is_never_locked(
    carry: Carry, server: PostgresServer
) -> None:
    done = carry(__role__=SUPERUSER)
    assert done.outcome is Outcome.failed
    assert server.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = current_user") == [(True,)]


def test_a_name_full_of_quotes_is_a_name(carry: Carry, server: PostgresServer) -> None:
    odd = ROLES[2]
    with sign_in(server, odd) as session:
        done = carry(__role__=odd)
        assert not works(session)
    assert done.outcome is Outcome.succeeded
    assert all(each.success for each in done.undo())
    sign_in(server, odd).close()


HOSTILE = (
    "billing'; DROP ROLE reporting; --\n\\! touch /run/owned",
    'billing" LOGIN; DROP ROLE "reporting $(touch /run/owned) `touch /run/owned`',
    "$$; \nSQL\ntouch /run/owned\n:reporting",
)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_role_does_nothing_but_fail(hostile: str, carry: Carry, server: PostgresServer) -> None:
    before = server.execute("SELECT rolname, rolcanlogin FROM pg_roles ORDER BY 1")
    assert carry(__role__=hostile).outcome is Outcome.failed
    assert server.execute("SELECT rolname, rolcanlogin FROM pg_roles ORDER BY 1") == before
    assert not Path("/run/owned").exists()


def test_a_hostile_database_is_a_name_and_leads_to_no_other_server(
    carry: Carry, server: PostgresServer
) -> None:
    before = server.execute("SELECT rolname, rolcanlogin FROM pg_roles ORDER BY 1")
    done = carry(__role__="billing", __database__="host=192.0.2.1 dbname=postgres $(touch /run/owned)")
    assert done.outcome is Outcome.failed
    assert "does not exist" in done.said["remember"][0].detail
    assert server.execute("SELECT rolname, rolcanlogin FROM pg_roles ORDER BY 1") == before
