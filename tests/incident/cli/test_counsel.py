"""Notes for counsel at the terminal: nothing but `counsel list` shows a word of them, wherever they are carried."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from incident.settings import read_settings
from incident.store.keyring import counsel_key
from incident.store.opening import open_store
from incident.workspace import Workspace
from tests.support.commands import run, sql
from tests.support.copies import unpack_by_hand
from tests.support.devices import ED25519, Device, agent_with
from tests.support.estates import Estate, make_key, with_people
from tests.support.postgres import PostgresServer

NOTE = "Vergleichsangebot: zweihunderttausend an Familie Öczgürsel, 和解底线二十万"
WORDS = ("Vergleichsangebot", "zweihunderttausend", "Öczgürsel", "和解底线")


@pytest.fixture
def advised(estate: Estate) -> Estate:
    """A workspace with lex for counsel, who wrote a note."""
    make_key(estate.keys / "lex")
    estate.done("operator", "add", "lex", "--key", estate.keys / "lex", "--roles", "counsel")
    added = estate.done("--as", "lex", "counsel", "add", estate.id, "-", stdin=NOTE)
    assert "N1 is kept for counsel" in added.out
    assert found(added.text) == []
    return estate


def found(data: str | bytes) -> list[str]:
    raw = data.encode() if isinstance(data, str) else data
    return [word for word in WORDS if any(word.encode(coding) in raw for coding in ("utf-8", "utf-16-le"))]


def notes(estate: Estate) -> list[str]:
    document = estate.done("--as", "lex", "counsel", "list", estate.id, "--json").document
    return [each["text"] for each in document]


def test_counsel_reads_and_is_told_that_it_is_on_record(advised: Estate) -> None:
    shown = advised.done("--as", "lex", "counsel", "list", advised.id)
    assert set(found(shown.out)) == set(WORDS)
    assert "on record" in shown.err
    chinese = advised.done("--as", "lex", "counsel", "list", advised.id, INCIDENT_LANGUAGE="zh-Hans")
    assert "记录在案" in chinese.err
    timeline = advised.done("timeline", advised.id, "--json").document["events"]
    said = [event["text"] for event in timeline if event["by"] == "lex" and event["kind"] == "decision"]
    assert [each.partition(" approved")[0] for each in said] == [
        "note for counsel",
        "reading of the notes for counsel",
        "reading of the notes for counsel",
    ]


def test_who_is_no_counsel_neither_writes_nor_reads(advised: Estate) -> None:
    advised.refused("--as", "anna", "counsel", "list", advised.id, says=["anna is no counsel"])
    advised.refused("--as", "anna", "counsel", "add", advised.id, NOTE, says=["anna is no counsel"])
    advised.refused("counsel", "list", advised.id, says=["--as NAME"])
    other = str(advised.keys / "anna")
    advised.refused(
        *("--as", "lex", "counsel", "list", advised.id),
        says=["not the one that belongs to lex"],
        INCIDENT_SIGNING_KEY=other,
    )


def test_a_note_that_cannot_be_taken_is_refused_without_a_word_of_it(advised: Estate) -> None:
    add = ("--as", "lex", "counsel", "add")
    for words, stdin in (
        ((*add, advised.id, "-"), NOTE.encode("utf-16")),
        ((*add, advised.id, "-"), b""),
        ((*add, advised.id, "-"), NOTE * 3000),
        ((*add, "INC-1999-0001", NOTE), ""),
        (("counsel", "add", advised.id, NOTE), ""),
        (("--as", "anna", "counsel", "add", advised.id, NOTE), ""),
    ):
        answer = advised.refused(*words, stdin=stdin)
        assert found(answer.text) == [], words
        as_json = advised.run(*words, "--json", stdin=stdin)
        assert as_json.document["error"]["what"]
        assert found(as_json.text) == [], words


def test_no_other_command_shows_a_word_of_it(advised: Estate, tmp_path: Path) -> None:
    with_people(advised)
    notes(advised)
    asked = ("--question", "Portal off?", "--decision", "yes", "--reasons", "the leak goes on")
    one = advised.id
    for words in (
        ("show", one),
        ("timeline", one),
        ("list",),
        ("duties", one, "--why", "--all"),
        ("grade", one),
        ("--as", "anna", "decide", one, *asked),
        ("decisions", one),
        ("decisions", one, "--save", str(tmp_path / "signed")),
        ("notice", "draft", one),
        ("notice", "preview", one),
        ("--as", "anna", "notice", "release", one),
        ("--as", "bo", "notice", "release", one),
        ("report", one),
        ("report", one, "--regime", "eu-gdpr", "--format", "text", "-o", str(tmp_path / "report.txt")),
        ("evidence", "list", one),
        ("people", "stats", one),
        ("runs",),
        ("verify", "--save-head", str(tmp_path / "heads.json")),
        ("check",),
        ("doctor",),
        ("engine", "status"),
        ("backup", str(tmp_path / "b.tgz")),
    ):
        for form in ((), ("--json",)):
            if form and str(tmp_path) in words[-1]:
                continue
            assert found(advised.run(*words, *form).text) == [], words
    for file in [*tmp_path.rglob("*"), *advised.root.rglob("*")]:
        if file.is_file():
            data = file.read_bytes()
            assert found(gzip.decompress(data) if file.suffix == ".tgz" else data) == [], file


def test_a_backup_opened_with_every_key_but_counsel_s_says_nothing_of_it(
    advised: Estate, tmp_path: Path
) -> None:
    advised.done("backup", tmp_path / "b.tgz")
    unpack_by_hand(tmp_path / "b.tgz", tmp_path / "r")
    database = next((tmp_path / "r").rglob("incident.db"))
    shutil.copytree(advised.root / "keyring", database.parent / "keyring")
    (database.parent / "keyring" / f"{counsel_key(advised.id)}.key").unlink()
    workspace = Workspace(database.parent)
    shutil.copy(advised.settings_file, workspace.settings_file)
    store = open_store(workspace, read_settings(workspace.settings_file))
    opened = 0
    for chain in store.chains():
        for recorded in store.recorded(chain):
            assert recorded.body is not None
            assert found(repr(recorded)) == []
            opened += 1
    assert opened > 5
    store.close()


# -- found when it was changed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    ["sealed = randomblob(length(sealed))", "digest = 'x'", "written_by = 'anna'", "incident_id = 'INC-1'"],
)
def test_verify_and_check_find_a_changed_note(advised: Estate, change: str) -> None:
    assert advised.done("verify", "--json").document["sound"] is True
    advised.done("check")
    sql(advised.root, f"UPDATE privileged_note SET {change}")  # noqa: S608
    assert advised.run("verify", "--json").document["sound"] is False
    assert advised.run("check").code == 1


def test_verify_and_check_find_a_note_that_is_gone(advised: Estate) -> None:
    sql(advised.root, "DELETE FROM privileged_note")
    verified = advised.run("verify", "--json")
    assert verified.document["sound"] is False
    assert "row missing: privileged_note" in verified.text
    assert advised.run("check").code == 1


def test_without_counsel_s_key_the_check_says_what_it_cannot_tell(advised: Estate) -> None:
    (advised.root / "keyring" / f"{counsel_key(advised.id)}.key").unlink()
    assert counsel_key(advised.id) in advised.run("check").text
    assert advised.done("verify", "--json").document["sound"] is True
    advised.refused("--as", "lex", "counsel", "list", advised.id, says=[counsel_key(advised.id)])


# -- destroyed ----------------------------------------------------------------------------------------


def test_a_purge_destroys_the_notes_in_every_copy(advised: Estate, tmp_path: Path) -> None:
    advised.done("backup", tmp_path / "b.tgz")
    advised.done("close", advised.id, "--reason", "over")
    assert notes(advised) == [NOTE]
    advised.done("--as", "anna", "purge", advised.id)
    ring = advised.root / "keyring"
    name = counsel_key(advised.id)
    assert not (ring / f"{name}.key").exists()
    assert (ring / f"{name}.destroyed").exists()
    assert sql(advised.root, "SELECT number, sealed FROM privileged_note") == [(1, b"")]
    advised.refused("--as", "lex", "counsel", "list", advised.id, says=["destroyed"])
    advised.refused("--as", "lex", "counsel", "add", advised.id, "more", says=["destroyed"])
    assert run("restore", tmp_path / "b.tgz", tmp_path / "old", "--keyring", ring).code == 0
    old = Estate(tmp_path / "old", advised.id, advised.keys)
    assert found(old.run("--as", "lex", "counsel", "list", old.id).text) == []
    advised.done("check")
    assert advised.done("verify", "--json").document["sound"] is True


def test_a_destroyed_incident_whose_counsel_key_is_left_is_found(advised: Estate) -> None:
    key = advised.root / "keyring" / f"{counsel_key(advised.id)}.key"
    kept = key.read_bytes()
    advised.done("close", advised.id, "--reason", "over")
    advised.done("--as", "anna", "purge", advised.id)
    (key.with_suffix(".destroyed")).unlink()
    key.write_bytes(kept)
    answer = advised.run("check")
    assert answer.code == 1
    assert "its key is not" in answer.text
    advised.done("--as", "anna", "purge", advised.id)
    advised.done("check")


# -- carried ------------------------------------------------------------------------------------------


def test_a_restored_copy_that_acts_has_the_notes(advised: Estate, tmp_path: Path) -> None:
    advised.done("backup", tmp_path / "b.tgz")
    answer = run("restore", tmp_path / "b.tgz", tmp_path / "r", "--keyring", advised.root / "keyring")
    assert answer.code == 0, answer.text
    copy = Estate(tmp_path / "r", advised.id, advised.keys)
    named = {"INCIDENT_SIGNING_KEY": str(advised.keys / "lex")}
    # A copy does not act: a reading that cannot be recorded is none.
    refused = copy.run("--as", "lex", "counsel", "list", copy.id, **named)
    assert refused.code == 1
    assert found(refused.text) == []
    act = ("--as", "anna", "restore", "--activate", "--reason", "the disk broke")
    copy.done(*act, INCIDENT_SIGNING_KEY=str(advised.keys / "anna"))
    shown = copy.done("--as", "lex", "counsel", "list", copy.id, **named)
    assert set(found(shown.out)) == set(WORDS)


def test_a_record_that_moved_has_the_notes(advised: Estate, postgres: PostgresServer) -> None:
    advised.done("move", "--to", postgres.url(postgres.create_database()))
    assert notes(advised) == [NOTE]
    advised.done("--as", "lex", "counsel", "add", advised.id, "another")
    assert notes(advised) == [NOTE, "another"]
    settings = read_settings(advised.settings_file)
    store = open_store(Workspace(advised.root), settings)
    with store.read() as session:
        rows = session.connection().execute(text("SELECT number FROM privileged_note ORDER BY number")).all()
    store.close()
    assert [number for (number,) in rows] == [1, 2]


def test_a_device_reads_and_writes_notes(estate: Estate, tmp_path: Path) -> None:
    public = tmp_path / "max.pub"
    with agent_with(Device(ED25519)) as agent:
        public.write_text(agent.device.public)
        estate.done("operator", "add", "max", "--key", public, "--roles", "counsel")
        estate.done("--as", "max", "counsel", "add", estate.id, NOTE, SSH_AUTH_SOCK=agent.name)
        shown = estate.done("--as", "max", "counsel", "list", estate.id, SSH_AUTH_SOCK=agent.name)
        assert set(found(shown.out)) == set(WORDS)
        agent.manner = "refuses"
        answer = estate.refused("--as", "max", "counsel", "list", estate.id, SSH_AUTH_SOCK=agent.name)
        assert found(answer.text) == []
    assert estate.done("verify", "--json").document["sound"] is True
