"""Restoring: a whole copy that does not act, or nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from incident.store.copying import tally
from incident.store.database import open_engine
from incident.store.migrations import HEAD_REVISION
from tests.support.commands import ROOT, Answer, run
from tests.support.copies import content_of, database_says, names_in, pack_by_hand, unpack_by_hand
from tests.support.estates import Estate, with_people
from tests.support.postgres import PostgresServer
from tests.support.workspaces import make_workspace, open_one


@pytest.fixture
def kept(estate: Estate, tmp_path: Path) -> Path:
    """A backup of a workspace with people, evidence and data of its own."""
    with_people(estate)
    evidence = tmp_path / "evidence.txt"
    evidence.write_text("203.0.113.66 asked for everybody")
    estate.done("evidence", "add", estate.id, evidence)
    own = estate.root / "templates" / "en" / "own.txt"
    own.parent.mkdir(parents=True)
    own.write_text("own")
    estate.done("backup", tmp_path / "b.tgz")
    return tmp_path / "b.tgz"


def restored(kept: Path, folder: Path, *words: str | Path) -> Answer:
    answer = run("restore", kept, folder, *words)
    assert answer.code == 0, answer.text
    return answer


def refused(says: str, *words: str | Path, code: int = 1) -> None:
    answer = run("restore", *words)
    assert answer.code == code, answer.text
    assert answer.err.count("error: ") == 1 and "Traceback" not in answer.err
    assert says in answer.err


def tally_of(url: str, root: Path) -> object:
    engine = open_engine(url, root=root)
    with engine.connect() as connection:
        found = tally(connection)
    engine.dispose()
    return found


def test_what_comes_out_is_what_went_in(estate: Estate, kept: Path, tmp_path: Path) -> None:
    answer = restored(kept, tmp_path / "new" / "r", "--keyring", estate.root / "keyring", "--json")
    copy = Estate(tmp_path / "new" / "r", estate.id, estate.keys)
    assert tally_of("sqlite:///incident.db", copy.root) == tally_of("sqlite:///incident.db", estate.root)
    for name in names_in(kept):
        if "/" in name:
            assert (copy.root / name).read_bytes() == (estate.root / name).read_bytes()
    document = answer.document
    assert document["root"] == str(copy.root)
    assert (document["keys"], document["standing"], document["chains"]) == (True, "copy", 2)
    assert document["needed"] == ["the keyring"]
    assert copy.done("verify", "--json").document["sound"] is True
    assert copy.done("evidence", "verify", estate.id).code == 0
    assert copy.done("people", "stats", estate.id).out == estate.done("people", "stats", estate.id).out


def test_the_folder_is_for_this_user_alone(kept: Path, tmp_path: Path) -> None:
    restored(kept, tmp_path / "r")
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "r" / "incident.db").stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in (tmp_path / "r").iterdir()) == [
        "blobs",
        "incident.db",
        "incident.toml",
        "templates",
    ]


def test_a_copy_can_be_read_and_does_not_act(estate: Estate, kept: Path, tmp_path: Path) -> None:
    restored(kept, tmp_path / "r", "--keyring", estate.root / "keyring")
    copy = Estate(tmp_path / "r", estate.id, estate.keys)
    shown = copy.done("show", estate.id)
    assert "Member look-up left open" in shown.out
    assert "copy" in shown.err
    copy.refused("log", estate.id, "seen", says=["copy", "incident restore --activate --reason"])
    copy.refused("worker", says=["copy"])
    estate.done("log", estate.id, "the old one acts on")


def test_without_keys_it_says_so_and_works_once_they_are_there(
    estate: Estate, kept: Path, tmp_path: Path
) -> None:
    answer = restored(kept, tmp_path / "r")
    assert "NOT THERE" in answer.out and str(tmp_path / "r" / "keyring") in answer.out
    copy = Estate(tmp_path / "r", estate.id, estate.keys)
    anna = str(estate.keys / "anna")
    act = ("--as", "anna", "restore", "--activate", "--reason", "x")
    copy.refused(*act, says=["no key for workspace"], INCIDENT_SIGNING_KEY=anna)
    shutil.copytree(estate.root / "keyring", tmp_path / "r" / "keyring")
    assert "Member look-up" in copy.done("show", estate.id).out
    copy.done(*act, INCIDENT_SIGNING_KEY=anna)


def test_a_database_anywhere_comes_out_in_the_folder_and_the_old_place_is_not_named(
    estate: Estate, tmp_path: Path
) -> None:
    """Otherwise the copy's commands would work on the old database."""
    elsewhere = tmp_path / "data" / "record.db"
    elsewhere.parent.mkdir()
    shutil.move(estate.root / "incident.db", elsewhere)
    comment = '\n# kept on the big disk\n[store]\nurl = "sqlite:///' + str(elsewhere) + '"  # here\n'
    estate.settings_file.write_text(estate.settings_file.read_text("utf-8") + comment, "utf-8")
    estate.done("backup", tmp_path / "b.tgz")
    answer = restored(tmp_path / "b.tgz", tmp_path / "r", "--keyring", estate.root / "keyring", "--json")
    assert answer.document["store"] == "sqlite:///incident.db"
    text = (tmp_path / "r" / "incident.toml").read_text("utf-8")
    assert str(elsewhere) not in text
    assert "# kept on the big disk" in text and "# here" in text


# -- where it goes ---------------------------------------------------------------------------------


def test_only_a_new_or_empty_folder_is_taken(estate: Estate, kept: Path, tmp_path: Path) -> None:
    before = estate.snapshot()
    refused("not empty", kept, estate.root)
    assert estate.snapshot() == before
    file = tmp_path / "file"
    file.write_text("x")
    refused("not empty", kept, file)
    assert file.read_text() == "x"
    (tmp_path / "empty").mkdir(mode=0o755)
    restored(kept, tmp_path / "empty")
    refused("not empty", kept, tmp_path / "empty")


def test_a_keyring_that_is_none_is_refused_before_anything_is_written(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "ring").mkdir()
    refused("no keyring", kept, tmp_path / "r", "--keyring", tmp_path / "ring")
    assert not (tmp_path / "r").exists()


def test_the_keyring_of_another_workspace_is_refused(kept: Path, tmp_path: Path) -> None:
    other = make_workspace(tmp_path / "other")
    refused("another workspace", kept, tmp_path / "r", "--keyring", other.store.keyring.folder)
    assert not (tmp_path / "r").exists()


def test_words_that_do_not_go_together_are_wrong_usage(estate: Estate, kept: Path, tmp_path: Path) -> None:
    refused("restore FILE DIR", kept, code=2)
    refused("--activate", kept, tmp_path / "r", "--reason", "x", code=2)
    estate.refused(
        "restore", kept, tmp_path / "r", "--activate", "--reason", "x", code=2, says=["--workspace"]
    )
    refused("password", kept, tmp_path / "r", "--store", "postgresql://a:b@h/d")
    assert not (tmp_path / "r").exists()


# -- what must not come out ------------------------------------------------------------------------


def _journal(database: Path) -> None:
    database_says(database, "UPDATE journal_entry SET actor = 'nobody' WHERE seq = 2")


def _cut_off(database: Path) -> None:
    database_says(database, "DELETE FROM journal_entry WHERE chain LIKE 'INC%' AND seq > 1")
    change = """
        UPDATE journal_head SET seq = 1, hash = (SELECT hash FROM journal_entry AS e
        WHERE e.chain = journal_head.chain AND e.seq = 1) WHERE chain LIKE 'INC%'"""
    database_says(database, change)


def _row(database: Path) -> None:
    database_says(database, "UPDATE incident SET state = 'closed'")


TAMPERING: dict[str, tuple[Callable[[Path], None], bool]] = {
    "an entry": (_journal, False),
    "the end of a chain, cut off": (_cut_off, False),
    "a row, seen with the keys": (_row, True),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_a_record_that_somebody_changed_is_refused_though_the_hashes_agree(
    estate: Estate, kept: Path, tmp_path: Path, what: str
) -> None:
    change, needs_keys = TAMPERING[what]
    unpack_by_hand(kept, tmp_path / "open")
    change(tmp_path / "open" / "incident.db")
    pack_by_hand(tmp_path / "open", tmp_path / "changed.tgz")
    ring = ("--keyring", estate.root / "keyring") if needs_keys else ()
    refused("does not verify", tmp_path / "changed.tgz", tmp_path / "r", *ring)
    assert not (tmp_path / "r").exists()
    # Packed again by hand without the change it is taken: it was not the packing.
    unpack_by_hand(kept, tmp_path / "whole")
    pack_by_hand(tmp_path / "whole", tmp_path / "again.tgz")
    restored(tmp_path / "again.tgz", tmp_path / "r", *ring)


def test_a_copy_that_calls_itself_active_comes_out_as_a_copy(
    estate: Estate, kept: Path, tmp_path: Path
) -> None:
    unpack_by_hand(kept, tmp_path / "open")
    database_says(tmp_path / "open" / "incident.db", "UPDATE instance SET standing = 'active'")
    pack_by_hand(tmp_path / "open", tmp_path / "changed.tgz")
    restored(tmp_path / "changed.tgz", tmp_path / "r", "--keyring", estate.root / "keyring")
    Estate(tmp_path / "r", estate.id, estate.keys).refused("log", estate.id, "seen", says=["copy"])


def test_a_damaged_file_leaves_nothing(kept: Path, tmp_path: Path) -> None:
    content = kept.read_bytes()
    (tmp_path / "cut.tgz").write_bytes(content[: len(content) // 2])
    refused("no whole backup", tmp_path / "cut.tgz", tmp_path / "new" / "r")
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    refused("no whole backup", tmp_path / "cut.tgz", tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_backup_of_a_newer_version_is_refused(kept: Path, tmp_path: Path) -> None:
    unpack_by_hand(kept, tmp_path / "open")
    database_says(tmp_path / "open" / "incident.db", "UPDATE alembic_version SET version_num = '9999'")
    pack_by_hand(tmp_path / "open", tmp_path / "newer.tgz")
    refused("newer than this version", tmp_path / "newer.tgz", tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_settings_that_this_version_cannot_read_are_refused(kept: Path, tmp_path: Path) -> None:
    unpack_by_hand(kept, tmp_path / "open")
    with (tmp_path / "open" / "incident.toml").open("a") as settings:
        settings.write("\n[unheard_of]\nx = 1\n")
    pack_by_hand(tmp_path / "open", tmp_path / "odd.tgz")
    refused("unheard_of", tmp_path / "odd.tgz", tmp_path / "r")
    assert not (tmp_path / "r").exists()


# -- cut off ---------------------------------------------------------------------------------------

CUT_OFF = """
import os, signal, sys
from pathlib import Path
from incident.cli.main import main
import incident.ops.restore as restore

def killed(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def killed_after(function):
    def call(*args, **kwargs):
        function(*args, **kwargs)
        killed()
    return call

place = sys.argv[1]
if place == "unpacked":
    restore.unpack = killed_after(restore.unpack)
elif place == "verified":
    restore._must_verify = killed_after(restore._must_verify)
elif place == "filled":
    restore.fill = killed_after(restore.fill)
elif place == "named":
    restore.sync_folder = lambda folder: killed() if (folder / "incident.toml").exists() else None
sys.exit(main(sys.argv[2:]))
"""


def cut_off(place: str, *words: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CUT_OFF, place, "restore", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert done.returncode == -9, done.stderr


@pytest.mark.parametrize("place", ["unpacked", "verified"])
def test_cut_off_there_is_no_workspace_and_calling_again_begins_anew(
    kept: Path, tmp_path: Path, place: str
) -> None:
    cut_off(place, kept, tmp_path / "r")
    assert run("--workspace", tmp_path / "r", "list").code == 1
    assert not (tmp_path / "r" / "incident.toml").exists()
    restored(kept, tmp_path / "r")
    assert not (tmp_path / "r" / ".restoring").exists()


def test_cut_off_what_somebody_put_beside_it_is_not_taken_away(
    estate: Estate, kept: Path, tmp_path: Path
) -> None:
    cut_off("unpacked", kept, tmp_path / "r")
    shutil.copytree(estate.root / "keyring", tmp_path / "r" / "keyring")
    refused("holds keyring beside", kept, tmp_path / "r")
    assert (tmp_path / "r" / "keyring" / "workspace.key").exists()
    shutil.rmtree(tmp_path / "r" / "keyring")
    restored(kept, tmp_path / "r")


def test_cut_off_after_the_last_step_it_is_whole(estate: Estate, kept: Path, tmp_path: Path) -> None:
    ring = estate.root / "keyring"
    cut_off("named", kept, tmp_path / "r", "--keyring", ring)
    copy = Estate(tmp_path / "r", estate.id, estate.keys)
    assert copy.done("verify", "--json").document["sound"] is True
    copy.refused("log", estate.id, "seen", says=["copy"])


def test_a_full_disk_leaves_nothing(kept: Path, tmp_path: Path) -> None:
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
    limit += "import sys; from incident.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", limit, "restore", kept, tmp_path / "r"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.count("error: ") == 1
    assert not (tmp_path / "r").exists()


def test_another_file_can_be_named_for_the_database(estate: Estate, kept: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    url = f"sqlite:///{tmp_path}/disk/record.db"
    restored(kept, tmp_path / "r", "--store", url, "--keyring", estate.root / "keyring")
    assert not (tmp_path / "r" / "incident.db").exists()
    assert tally_of(url, tmp_path) == tally_of("sqlite:///incident.db", estate.root)
    Estate(tmp_path / "r", estate.id, estate.keys).done("verify")


# -- PostgreSQL ------------------------------------------------------------------------------------


def test_a_backup_goes_into_an_empty_postgres_and_back_out(
    estate: Estate, kept: Path, tmp_path: Path, postgres: PostgresServer
) -> None:
    url = postgres.url(postgres.create_database())
    ring = estate.root / "keyring"
    restored(kept, tmp_path / "r", "--store", url, "--keyring", ring)
    assert not (tmp_path / "r" / "incident.db").exists()
    copy = Estate(tmp_path / "r", estate.id, estate.keys)
    assert tally_of(url, copy.root) == tally_of("sqlite:///incident.db", estate.root)
    assert copy.run("log", estate.id, "seen").code == 1
    assert copy.done("verify", "--json").document["sound"] is True
    copy.done("backup", tmp_path / "from-postgres.tgz")
    assert (
        json.loads(content_of(tmp_path / "from-postgres.tgz", "manifest.json"))["revision"] == HEAD_REVISION
    )
    restored(tmp_path / "from-postgres.tgz", tmp_path / "back", "--keyring", ring)
    assert tally_of("sqlite:///incident.db", tmp_path / "back") == tally_of(url, copy.root)


def test_a_postgres_that_holds_a_record_is_refused_and_stays(
    kept: Path, tmp_path: Path, postgres: PostgresServer
) -> None:
    made = make_workspace(tmp_path / "other", on=postgres)
    open_one(made)
    before = tally_of(made.settings.store.url, tmp_path)
    refused("record in this database", kept, tmp_path / "r", "--store", made.settings.store.url)
    assert tally_of(made.settings.store.url, tmp_path) == before
    assert not (tmp_path / "r").exists()


def test_cut_off_after_postgres_was_filled_calling_again_begins_anew(
    estate: Estate, kept: Path, tmp_path: Path, postgres: PostgresServer
) -> None:
    url = postgres.url(postgres.create_database())
    cut_off("filled", kept, tmp_path / "r", "--store", url)
    # For another folder it is somebody's record.
    refused("record in this database", kept, tmp_path / "elsewhere", "--store", url)
    restored(kept, tmp_path / "r", "--store", url, "--keyring", estate.root / "keyring")
    assert tally_of(url, tmp_path) == tally_of("sqlite:///incident.db", estate.root)


def test_a_password_for_postgres_is_named_by_reference(
    kept: Path, tmp_path: Path, postgres: PostgresServer
) -> None:
    url = postgres.url(postgres.create_database(owner="guarded"), user="guarded")
    words = ("restore", kept, tmp_path / "r", "--store", url, "--password-from", "env:TOCSIN_TEST_DB")
    assert run(*words).code == 1
    assert not (tmp_path / "r").exists()
    answer = run(*words, environment={"TOCSIN_TEST_DB": "correct horse"})
    assert answer.code == 0, answer.text
    assert 'password = "env:TOCSIN_TEST_DB"' in (tmp_path / "r" / "incident.toml").read_text()
    assert "correct horse" not in answer.text
