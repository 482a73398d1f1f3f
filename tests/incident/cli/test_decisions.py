"""Deciding at the terminal: with the keys people have, and verified by a stranger who has only OpenSSH."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import ROOT, run, sql
from tests.support.devices import ECDSA, ED25519, Device, Kind, agent_with
from tests.support.estates import Estate, with_people
from tests.support.openssh import keygen, ssh_agent
from tests.support.tools import need_tool

QUESTION = ("--question", "Do we take the portal off the net?", "--option", "yes", "--option", "no")
YES = (*QUESTION, "--decision", "yes", "--reasons", "the leak goes on")
NO = (*QUESTION, "--decision", "no", "--reasons", "the leak is closed")


def listed(estate: Estate) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = estate.done("decisions", estate.id, "--json").document
    return found


def test_what_was_decided_is_listed_with_what_replaced_it(estate: Estate) -> None:
    first = estate.done("--as", "anna", "decide", estate.id, *YES, "--json").document
    assert (first["label"], first["decision"], first["signed_by"], first["stands"]) == (
        "D1",
        "yes",
        ["anna"],
        True,
    )
    second = estate.done("--as", "carl", "decide", estate.id, *NO, "--replaces", "D1").out
    assert "D2 decided and signed by carl: no" in second
    assert "D1 is replaced" in second
    one, two = listed(estate)
    assert (one["about"], one["operator"], one["holds"], one["counts"], one["replaced_by"]) == (
        "D1",
        "anna",
        True,
        True,
        "D2",
    )
    assert two["resolution"]["reasons"] == "the leak is closed"
    table = estate.done("decisions", estate.id).out
    assert "replaced by D2" in table
    assert "Do we take the portal off the net? → no" in table


def test_the_screen_speaks_the_language_of_the_desk(estate: Estate) -> None:
    assert "尚无签名的决定" in estate.done("decisions", estate.id, INCIDENT_LANGUAGE="zh-Hans").err
    told = estate.done("--as", "anna", "decide", estate.id, *YES, INCIDENT_LANGUAGE="zh-Hans").out
    assert "D1 已由 anna 决定并签名：yes" in told
    estate.done("--as", "anna", "decide", estate.id, *NO, "--replaces", "D1")
    table = estate.done("decisions", estate.id, INCIDENT_LANGUAGE="zh-Hans").out
    assert "对问题的决定 D1" in table
    assert "已被 D2 取代" in table


def test_a_decision_that_says_too_little_is_refused(estate: Estate) -> None:
    decide = ("--as", "anna", "decide", estate.id)
    estate.refused(
        *decide, *QUESTION, "--decision", "perhaps", "--reasons", "x", says=["perhaps", "--option"]
    )
    estate.refused(*decide, *QUESTION, "--decision", "yes", "--reasons", " ", says=["--reasons", "empty"])
    estate.refused(*decide, *YES, "--replaces", "D9", says=["D9"])
    estate.refused(*decide, *YES, "--replaces", "T1", says=["T1", "D1"])
    estate.refused("decide", estate.id, *YES, says=["--as NAME"])
    estate.refused("--as", "anna", "decide", "INC-1999-0001", *YES, says=["INC-1999-0001"])
    estate.refused("decisions", "INC-1999-0001", says=["INC-1999-0001", "incident list"])


def test_every_kind_of_decision_is_listed_by_its_name(estate: Estate) -> None:
    with_people(estate)
    estate.done("--as", "anna", "notice", "release", estate.id)
    estate.done("people", "problems", estate.id, "--reveal", "--as", "anna", "--reason", "a call")
    estate.done("--as", "anna", "decide", estate.id, *YES)
    assert [(line["kind"], line["about"]) for line in listed(estate)] == [
        ("notice", "version 1"),
        ("reveal", ""),
        ("resolution", "D1"),
    ]


def test_a_changed_decision_is_shown_as_such(estate: Estate) -> None:
    estate.done("--as", "anna", "decide", estate.id, *YES)
    sql(estate.root, "UPDATE decision SET verdict = 'rejected'")
    [line] = listed(estate)
    assert (line["holds"], line["counts"]) == (False, False)
    assert "DOES NOT HOLD" in estate.done("decisions", estate.id).out


def test_what_the_retired_signed_before_counts_and_what_they_signed_later_does_not(estate: Estate) -> None:
    estate.done("--as", "bo", "decide", estate.id, *YES)
    estate.done("operator", "retire", "bo")
    estate.refused("--as", "bo", "decide", estate.id, *NO, says=["bo", "retired"])
    [line] = listed(estate)
    assert (line["holds"], line["counts"]) == (True, True)
    operators = {each["name"]: each for each in estate.done("operator", "list", "--json").document}
    assert operators["bo"]["retired"] is not None
    sql(estate.root, "UPDATE operator SET retired_at = '2020-01-01 00:00:00.000000' WHERE name = 'bo'")
    [line] = listed(estate)
    assert (line["holds"], line["counts"]) == (True, False)
    assert "does not count" in estate.done("decisions", estate.id).out


def test_after_the_data_is_destroyed_who_signed_what_is_still_listed(estate: Estate) -> None:
    estate.done("--as", "anna", "decide", estate.id, *YES)
    estate.done("close", estate.id, "--reason", "over")
    estate.done("--as", "anna", "purge", estate.id)
    lines = listed(estate)
    assert [(line["kind"], line["holds"], line["reason"], line["resolution"]) for line in lines] == [
        ("resolution", True, None, None),
        ("destruction", True, None, None),
    ]


# -- the keys people have -----------------------------------------------------------------------------


def at_the_gate(estate: Estate) -> tuple[str, str]:
    """A run that waits for an approval, and the step that it waits at."""
    run = estate.done("run", "personal-data-breach", "--on", estate.id, "--json").document["run"]
    while (waits := estate.done("runs", "--json").document[0]["waits_for"])[0].endswith("(done)"):
        name = waits[0].split(" ")[0]
        value = ["--value", "contained_at=2026-11-23 08:00"] if "cut" in name else []
        estate.done("done", run, name, *value)
    return run, waits[0].split(" ")[0]


def new_key(file: Path, *, passphrase: str = "") -> Path:
    assert keygen("-q", "-t", "ed25519", "-N", passphrase, "-f", file).returncode == 0
    return file


def test_an_agent_approves_a_step_and_releases_a_notice_without_the_private_key(
    estate: Estate, tmp_path: Path
) -> None:
    with_people(estate)
    key = new_key(tmp_path / "dora")
    estate.done("operator", "add", "dora", "--key", key, "--roles", "approver")
    run, step = at_the_gate(estate)
    release = ("--as", "dora", "notice", "release", estate.id)
    with ssh_agent(key) as environment:
        key.unlink()
        Path(f"{key}.pub").unlink()
        estate.done("--as", "dora", "approve", run, step, **environment)
        released = estate.done(*release, "--json", **environment).document
        assert released["signed_by"] == ["dora"]
    estate.refused("--as", "dora", "decide", estate.id, *YES, says=["dora", "ssh-add"])
    assert [(line["kind"], line["counts"]) for line in listed(estate)] == [
        ("run-step", True),
        ("notice", True),
    ]
    assert estate.done("verify", "--json").document["sound"] is True


def test_an_operator_is_added_by_the_public_half_alone(estate: Estate, tmp_path: Path) -> None:
    key = new_key(tmp_path / "dora")
    with ssh_agent(key) as environment:
        key.unlink()
        added = estate.done("operator", "add", "dora", "--key", f"{key}.pub")
        assert "an agent or a device" in added.out
        estate.refused("--as", "dora", "decide", estate.id, *YES, says=["dora", "INCIDENT_SIGNING_KEY"])
        estate.done("--as", "dora", "decide", estate.id, *YES, **environment)
    assert [line["operator"] for line in listed(estate)] == ["dora"]


@pytest.mark.parametrize("kind", [ED25519, ECDSA])
def test_a_device_decides_once_it_is_touched(estate: Estate, tmp_path: Path, kind: Kind) -> None:
    public = tmp_path / "dora.pub"
    with agent_with(Device(kind)) as agent:
        public.write_text(f"{agent.device.public} dora@example.org\n")
        assert kind in estate.done("operator", "add", "dora", "--key", public).out
        told = estate.done("--as", "dora", "decide", estate.id, *YES, SSH_AUTH_SOCK=agent.name)
        assert "touch the device" in told.err
        agent.device.flags = 0
        untouched = ("--as", "dora", "decide", estate.id, *NO)
        estate.refused(*untouched, says=["not by the key of dora"], SSH_AUTH_SOCK=agent.name)
        agent.manner = "refuses"
        estate.refused(*untouched, says=["touch it"], SSH_AUTH_SOCK=agent.name)
    [line] = listed(estate)
    assert (line["holds"], line["counts"]) == (True, True)
    operators = {each["name"]: each["kind"] for each in estate.done("operator", "list", "--json").document}
    assert operators == {"anna": "ssh-ed25519", "bo": "ssh-ed25519", "carl": "ssh-ed25519", "dora": kind}


def test_whatever_is_signed_can_be_signed_by_a_device(estate: Estate, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("reference,name,email,language,data\nC1,Ann,none,en,phone_number\n")
    estate.done("people", "import", estate.id, people, "--keep-problems")
    public = tmp_path / "dora.pub"
    with agent_with(Device(ECDSA)) as agent:
        public.write_text(agent.device.public)
        estate.done("operator", "add", "dora", "--key", public)
        shown = estate.run(
            "--as",
            "dora",
            "people",
            "problems",
            estate.id,
            "--reveal",
            "--reason",
            "x",
            SSH_AUTH_SOCK=agent.name,
        )
        assert "Ann" in shown.out
        estate.done("backup", tmp_path / "b.tgz")
        assert (
            run("restore", tmp_path / "b.tgz", tmp_path / "r", "--keyring", estate.root / "keyring").code == 0
        )
        estate.done("close", estate.id, "--reason", "over")
        estate.done("--as", "dora", "purge", estate.id, SSH_AUTH_SOCK=agent.name)
        copy = Estate(tmp_path / "r", estate.id, estate.keys)
        copy.done(
            "--as", "dora", "restore", "--activate", "--reason", "the disk broke", SSH_AUTH_SOCK=agent.name
        )
        assert agent.asked == 3
    assert [(line["kind"], line["counts"]) for line in listed(estate)] == [
        ("reveal", True),
        ("destruction", True),
    ]
    assert copy.done("engine", "status", "--json").document


def test_a_device_that_is_not_there_is_asked_for(estate: Estate, tmp_path: Path) -> None:
    key = tmp_path / "dora"
    key.write_text(Device(ED25519).private_text)
    key.chmod(0o600)
    added = estate.done("operator", "add", "dora", "--key", key)
    assert f"signs here with {key}" in added.out
    estate.refused(
        "--as", "dora", "decide", estate.id, *YES, says=["plug the device in", "nothing was decided"]
    )


def test_a_passphrase_is_asked_for_at_the_terminal_whatever_standard_input_is(
    estate: Estate, tmp_path: Path
) -> None:
    key = new_key(tmp_path / "lex", passphrase="right")
    estate.done("operator", "add", "lex", "--key", key, "--roles", "counsel")
    note = tmp_path / "note"
    note.write_text("settle it")
    code, said = at_a_terminal(
        estate, *("--as", "lex", "counsel", "add", estate.id, "-"), given=note, types="right"
    )
    assert code == 0, said
    assert "passphrase" in said and "N1 is kept" in said and "right" not in said
    code, said = at_a_terminal(
        estate, *("--as", "lex", "counsel", "list", estate.id), given=note, types="wrong"
    )
    assert code == 1
    assert "INCIDENT_SIGNING_PASSPHRASE" in said and "settle" not in said


def test_an_encrypted_key_signs_with_its_passphrase_only(estate: Estate, tmp_path: Path) -> None:
    key = new_key(tmp_path / "dora", passphrase="right")
    Path(f"{key}.pub").unlink()
    estate.done("operator", "add", "dora", "--key", key)
    decide = ("--as", "dora", "decide", estate.id, *YES)
    estate.refused(*decide, says=[str(key), "INCIDENT_SIGNING_PASSPHRASE"])
    estate.refused(*decide, says=[str(key), "INCIDENT_SIGNING_PASSPHRASE"], INCIDENT_SIGNING_PASSPHRASE="no")
    estate.done(*decide, INCIDENT_SIGNING_PASSPHRASE="right")


def test_without_ssh_keygen_a_key_file_is_read_here_and_a_device_is_refused(
    estate: Estate, tmp_path: Path
) -> None:
    nothing = str(tmp_path)
    estate.done("--as", "anna", "decide", estate.id, *YES, PATH=nothing)
    public = tmp_path / "dora.pub"
    public.write_text(Device(ED25519).public)
    estate.done("operator", "add", "dora", "--key", public)
    decide = ("--as", "dora", "decide", estate.id, *YES)
    estate.refused(*decide, says=["dora", "INCIDENT_SIGNING_KEY"], PATH=nothing)
    estate.refused(*decide, says=["openssh-client"], PATH=nothing, INCIDENT_SIGNING_KEY=str(public))


# -- a stranger ---------------------------------------------------------------------------------------


def test_a_stranger_verifies_what_was_signed_with_ssh_keygen_alone(estate: Estate, tmp_path: Path) -> None:
    need_tool("ssh-keygen", "openssh-client")
    public = tmp_path / "dora.pub"
    with agent_with(Device(ECDSA)) as agent:
        public.write_text(agent.device.public)
        estate.done("operator", "add", "dora", "--key", public)
        estate.done("--as", "dora", "decide", estate.id, *YES, SSH_AUTH_SOCK=agent.name)
    estate.done("--as", "anna", "decide", estate.id, *NO, "--replaces", "D1")
    estate.done("--as", "bo", "decide", estate.id, *YES, "--replaces", "D2")
    estate.done("operator", "retire", "bo")
    folder = tmp_path / "out"
    saved = estate.done("decisions", estate.id, "--save", folder, "--json").document
    assert [each["statement"] for each in saved["decisions"]] == [
        "001-resolution.json",
        "002-resolution.json",
        "003-resolution.json",
    ]
    for each in saved["decisions"]:
        assert stranger(each["verify"], folder) == 0, each["verify"]
    first = saved["decisions"][0]
    assert json.loads((folder / first["statement"]).read_text())["operator"] == "dora"
    # With another name, another purpose or other words nothing verifies.
    assert stranger(first["verify"].replace("-I dora", "-I anna"), folder) != 0
    assert stranger(first["verify"].replace("decision@tocsin", "file"), folder) != 0
    statement = folder / first["statement"]
    statement.write_text(statement.read_text().replace("approved", "rejected"))
    assert stranger(first["verify"], folder) != 0
    # Of the retired only what they signed before counts for OpenSSH too.
    third = saved["decisions"][2]["verify"]
    now = " ".join(word for word in third.split(" ") if not word.startswith("verify-time")).replace(
        "-O -s", "-s"
    )
    subprocess.run(["sleep", "1.1"], check=True)
    assert stranger(now, folder) != 0


def test_the_file_of_allowed_signers_is_the_one_that_is_saved(estate: Estate, tmp_path: Path) -> None:
    estate.done("--as", "anna", "decide", estate.id, *YES)
    estate.done("operator", "retire", "bo")
    estate.done("decisions", estate.id, "--save", tmp_path / "out")
    printed = estate.done("operator", "list", "--allowed-signers").out
    assert (tmp_path / "out" / "allowed_signers").read_text() == printed
    assert [line.split(" ")[0] for line in printed.splitlines()] == ["anna", "bo", "carl"]
    assert [("valid-before=" in line) for line in printed.splitlines()] == [False, True, False]
    assert (
        estate.done("operator", "list", "--allowed-signers", "--json").document["allowed_signers"] == printed
    )


def test_decisions_are_saved_only_where_nothing_lies(estate: Estate, tmp_path: Path) -> None:
    estate.done("--as", "anna", "decide", estate.id, *YES)
    file = tmp_path / "file"
    file.write_text("mine")
    estate.refused("decisions", estate.id, "--save", file, says=[str(file), "empty"])
    estate.refused("decisions", estate.id, "--save", tmp_path, says=[str(tmp_path), "empty"])
    estate.done("decisions", estate.id, "--save", tmp_path / "a" / "b")
    assert file.read_text() == "mine"


def stranger(command: str, folder: Path) -> int:
    """Run a line as a person types it, in the folder that they were given."""
    words, _, file = command.partition(" < ")
    with (folder / file).open("rb") as statement:
        return subprocess.run(
            shlex.split(words), cwd=folder, stdin=statement, capture_output=True, timeout=60
        ).returncode


def at_a_terminal(estate: Estate, *words: str, given: Path, types: str) -> tuple[int, str]:
    """Call a command at a terminal of its own, with a file for standard input, and answer its first question."""
    child, terminal = pty.fork()
    if child == 0:
        os.dup2(os.open(given, os.O_RDONLY), 0)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
        command = [sys.executable, "-m", "incident.cli.main", "--workspace", str(estate.root), *words]
        os.execve(sys.executable, command, environment)  # noqa: S606
    said, until, answered = b"", time.monotonic() + 30, False
    while time.monotonic() < until:
        ready, _, _ = select.select([terminal], [], [], 1)
        try:
            more = os.read(terminal, 4096) if ready else b""
        except OSError:  # the other side is gone
            break
        said += more
        if b"passphrase" in said and not answered:
            answered = True
            os.write(terminal, f"{types}\n".encode())
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), said.decode()
