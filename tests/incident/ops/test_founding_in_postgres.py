"""Making a workspace whose store is in PostgreSQL, and looking whether that database is ready."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.at_once import at_once
from tests.support.commands import ROOT, Answer, run, run_process
from tests.support.postgres import GUARDED, GUARDED_PASSWORD, PostgresServer


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """The URL of an empty database."""
    return postgres.url(postgres.create_database())


def database_lines(root: Path, **environment: str) -> list[dict[str, str]]:
    answer = run("--workspace", root, "doctor", "--json", environment=environment)
    return [each for each in answer.document if each["what"] == "database"]


def test_a_workspace_is_made_in_an_empty_database_and_works_there(tmp_path: Path, database: str) -> None:
    answer = run("init", tmp_path / "w", "--store", database, "--json")
    assert answer.code == 0, answer.text
    settings = tomllib.loads((tmp_path / "w/incident.toml").read_text("utf-8"))
    assert settings["store"] == {"url": database}
    assert not list((tmp_path / "w").glob("incident.db*"))
    opened = run("--workspace", tmp_path / "w", "open", "--title", "T", "--not-state-secret", "--json")
    assert opened.code == 0, opened.text
    assert run("--workspace", tmp_path / "w", "verify").code == 0


def test_the_password_is_kept_as_a_reference(tmp_path: Path, postgres: PostgresServer, database: str) -> None:
    name = database.rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {name} OWNER TO {GUARDED}")
    postgres.execute(f"GRANT CREATE ON SCHEMA public TO {GUARDED}", database=name)
    words = ("init", tmp_path / "w", "--store", postgres.url(name, user=GUARDED))
    secret = {"OF_THE_STORE": GUARDED_PASSWORD}
    refused = run(*words)
    assert (refused.code, list(tmp_path.iterdir())) == (1, [])
    assert "asks for a password" in refused.err
    made = run(*words, "--password-from", "env:OF_THE_STORE", environment=secret)
    assert made.code == 0, made.text
    written = (tmp_path / "w/incident.toml").read_text("utf-8")
    assert tomllib.loads(written)["store"]["password"] == "env:OF_THE_STORE"
    assert GUARDED_PASSWORD not in written
    assert run("--workspace", tmp_path / "w", "list", environment=secret).code == 0


def test_a_database_that_holds_anything_is_refused_and_the_folder_is_not_made(
    tmp_path: Path, postgres: PostgresServer, database: str
) -> None:
    assert run("init", tmp_path / "first", "--store", database).code == 0
    second = run("init", tmp_path / "second", "--store", database)
    assert second.code == 1
    assert "a workspace in this database already" in second.err
    others = postgres.create_database()
    postgres.execute("CREATE TABLE theirs (id int)", database=others)
    third = run("init", tmp_path / "third", "--store", postgres.url(others))
    assert third.code == 1
    assert "other tables" in third.err
    assert postgres.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'", database=others
    ) == [("theirs",)]
    assert [each.name for each in tmp_path.iterdir()] == ["first"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--store", "mysql://host/db"], 1, "store.url"),
        (["--store", "postgresql://me:pw@host/db"], 1, "store.password"),
        (["--store", "postgresql://127.0.0.1:1/db"], 1, "does not answer"),
        (["--store", "postgresql://127.0.0.1:1/db", "--password-from", "hunter2"], 1, "env:NAME"),
        (["--password-from", "env:X"], 2, "--store"),
    ],
)
def test_what_cannot_be_a_store_is_refused_and_nothing_is_left(
    tmp_path: Path, words: list[str], code: int, says: str
) -> None:
    answer = run("init", tmp_path / "w", *words)
    assert answer.code == code, answer.text
    assert says in answer.err
    assert "hunter2" not in answer.text
    assert list(tmp_path.iterdir()) == []


def test_two_that_make_a_workspace_in_one_database_at_once_make_one(tmp_path: Path, database: str) -> None:
    def init(name: str) -> Answer:
        return run_process("init", tmp_path / name, "--store", database)

    answers = at_once(lambda: init("a"), lambda: init("b"))
    assert all(isinstance(each, Answer) for each in answers)
    codes = sorted(each.code for each in answers if isinstance(each, Answer))
    assert codes == [0, 1], [str(each) for each in answers]
    [folder] = tmp_path.iterdir()
    assert run("--workspace", folder, "verify").code == 0


def test_an_init_that_failed_half_way_can_be_repeated(tmp_path: Path, database: str) -> None:
    folder = tmp_path / "w"
    stop_it = (
        "import sys\n"
        "from incident.store import keyring\n"
        "def full(*_: object) -> None: raise OSError(28, 'No space left on device')\n"
        "keyring._write_durably = full\n"
        "from incident.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = ["init", str(folder), "--store", database]
    failed = subprocess.run(
        [sys.executable, "-c", stop_it, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert failed.returncode == 1
    assert "No space left" in failed.stderr
    assert not folder.exists()
    assert run(*words).code == 0
    assert run("--workspace", folder, "verify").code == 0


def test_the_doctor_says_which_database_it_is_and_what_of_it_endangers_the_record(
    tmp_path: Path, database: str
) -> None:
    run("init", tmp_path / "w", "--store", database)
    found = database_lines(tmp_path / "w")
    # The server of the tests gives up what a power cut would take.
    assert [(each["state"], each["finding"].split(":")[0].split(" ")[0]) for each in found] == [
        ("fail", "fsync"),
        ("fail", "full_page_writes"),
        ("ok", "PostgreSQL"),
    ]
    assert database.rpartition("/")[2] in found[-1]["finding"]
    assert "connections" in found[-1]["finding"]


def test_the_doctor_names_the_file_of_an_sqlite_store(tmp_path: Path) -> None:
    run("init", tmp_path / "w")
    [line] = database_lines(tmp_path / "w")
    assert line["state"] == "ok"
    assert line["finding"].startswith("SQLite 3")
    assert str(tmp_path / "w/incident.db") in line["finding"]


def test_the_doctor_says_what_to_do_about_a_database_that_does_not_answer(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    run("init", tmp_path / "w", "--store", own_postgres.url(own_postgres.create_database()))
    own_postgres.stop_at_once()
    answer = run("--workspace", tmp_path / "w", "doctor", "--json")
    assert answer.code == 1
    [line] = answer.document
    assert (line["what"], line["state"]) == ("store", "fail")
    assert "does not answer" in line["finding"]
    assert "start it" in line["next_step"]


def test_without_the_driver_the_package_to_install_is_named_and_sqlite_needs_none(tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError('not here')\n")
    alone = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    answer = run_process("init", tmp_path / "w", "--store", "postgresql://127.0.0.1:1/x", environment=alone)
    assert answer.code == 1
    assert "pip install 'tocsin[postgres]'" in answer.err
    assert run_process("init", tmp_path / "v", environment=alone).code == 0
    assert run_process("--workspace", tmp_path / "v", "list", environment=alone).code == 0
