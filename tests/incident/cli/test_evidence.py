"""Evidence at the terminal: taken in, looked at, copied out, and the chain that tells of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.copies import unpack_by_hand
from tests.support.estates import Estate


@pytest.fixture
def evidence(estate: Estate, tmp_path: Path) -> str:
    file = tmp_path / "access.log"
    file.write_text("192.0.2.7 GET /members")
    taken = estate.done(
        "evidence", "add", estate.id, file, "--by", "zhao", "--note", "from the gateway", "--json"
    )
    return str(taken.document["evidence"])


def test_the_chain_of_custody_is_shown(estate: Estate, evidence: str, tmp_path: Path) -> None:
    estate.done("--as", "bo", "evidence", "verify", estate.id)
    copy = tmp_path / "copy.log"
    said = estate.done(
        *("--as", "anna", "evidence", "take", estate.id, evidence[:8], "-o", copy),
        *("--reason", "the police asked for it", "--to", "Officer Li"),
    )
    assert copy.read_text() == "192.0.2.7 GET /members"
    assert "the copy lies open" in said.out
    document = estate.done("evidence", "show", estate.id, evidence[:8], "--json").document
    assert [(each["step"], each["by"], each["to"], each["reason"]) for each in document["custody"]] == [
        ("taken in", "zhao", "", ""),
        ("verified", "bo", "", ""),
        ("copied out", "anna", "Officer Li", "the police asked for it"),
    ]
    assert (document["file"], document["note"], document["evidence"]) == (
        "access.log",
        "from the gateway",
        evidence,
    )
    shown = estate.done("evidence", "show", estate.id, evidence[:8], INCIDENT_LANGUAGE="zh-Hans").out
    assert all(word in shown for word in ("入库", "核验一致", "取出副本", "Officer Li"))
    assert estate.done("verify").code == 0


def test_a_changed_file_fails_the_look_and_that_is_on_record(
    estate: Estate, evidence: str, tmp_path: Path
) -> None:
    [sealed] = (estate.root / "blobs" / estate.id).iterdir()
    sealed.write_bytes(sealed.read_bytes()[:-1])
    assert estate.run("evidence", "verify", estate.id).code == 1
    custody = estate.done("evidence", "show", estate.id, evidence, "--json").document["custody"]
    assert [each["step"] for each in custody] == ["taken in", "not the same"]
    estate.refused("evidence", "take", estate.id, evidence, "-o", tmp_path / "copy", "--reason", "x")
    assert not (tmp_path / "copy").exists()


def test_a_closed_incident_still_hands_out_its_evidence(
    estate: Estate, evidence: str, tmp_path: Path
) -> None:
    estate.done("close", estate.id)
    estate.done(
        "evidence", "take", estate.id, evidence, "-o", tmp_path / "copy", "--reason", "the court asked"
    )
    assert (tmp_path / "copy").exists()


def test_without_a_reason_nothing_is_copied_out(estate: Estate, evidence: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    estate.refused("evidence", "take", estate.id, evidence, "-o", copy, code=2)
    estate.refused(
        "evidence", "take", estate.id, evidence, "-o", copy, "--reason", "", says=["--reason", "empty"]
    )
    estate.refused("evidence", "take", estate.id, "zz", "-o", copy, "--reason", "x", says=["evidence list"])
    copy.write_text("mine")
    estate.refused(
        "evidence", "take", estate.id, evidence, "-o", copy, "--reason", "x", says=["written over none"]
    )
    assert copy.read_text() == "mine"


def test_what_cannot_be_taken_in_is_said(estate: Estate, tmp_path: Path) -> None:
    estate.refused("evidence", "add", estate.id, tmp_path, says=["it is a folder, no file"])
    estate.refused("evidence", "add", estate.id, "/dev/zero", says=["it is a device, no file"])
    estate.refused("log", estate.id, "x", "--evidence", "/dev/zero", says=["it is a device, no file"])


def test_evidence_of_a_log_entry_that_is_refused_is_not_kept(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("x")
    estate.refused("log", estate.id, "x", "--evidence", file, "--measure", "contain.nothing")
    assert not (estate.root / "blobs" / estate.id).exists()


def test_a_copy_of_the_record_that_may_not_act_still_looks_at_its_evidence(
    estate: Estate, evidence: str, tmp_path: Path
) -> None:
    estate.done("backup", tmp_path / "b.tgz")
    unpack_by_hand(tmp_path / "b.tgz", tmp_path / "out")
    shutil.copytree(estate.root / "keyring", tmp_path / "out" / "keyring")
    copy = Estate(tmp_path / "out", estate.id, estate.keys)
    answer = copy.done("evidence", "verify", estate.id, "--json")
    assert [each["holds"] for each in answer.document] == [True]
    assert "not journalled" in answer.err
    copy.refused(
        "evidence", "take", estate.id, evidence, "-o", tmp_path / "c", "--reason", "x", says=["copy"]
    )
    assert not (tmp_path / "c").exists()
