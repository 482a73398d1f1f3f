"""Evidence in custody: the file as it was, and any change of it found."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from incident.errors import BadInput, Refused
from incident.record.evidence import (
    EvidenceLine,
    add_evidence,
    evidence_holds,
    list_evidence,
    put_evidence,
    take_files,
)
from incident.record.incidents import close_incident
from incident.store.blobs import read_blob
from tests.support.postgres import PostgresServer
from tests.support.workspaces import Made, all_rows, make_workspace, open_one, stored_bytes

MIB = 1 << 20
CONTENT = b"2026-11-21 192.0.2.7 GET /api/v2/members/search\n" * 60_000  # three pieces


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "access.log"
    file.write_bytes(CONTENT)
    return file


def take(made: Made, incident_id: str, file: Path) -> EvidenceLine:
    return add_evidence(
        made.store,
        incident_id,
        file,
        blobs=made.workspace.blobs,
        by="zhao",
        note="from the gateway",
        actor="ana",
        now=made.clock(),
    )


def sealed_file(made: Made, incident_id: str, line: EvidenceLine) -> Path:
    return made.workspace.blobs / incident_id / line.place


def holds(made: Made, incident_id: str, line: EvidenceLine) -> bool:
    return evidence_holds(made.store, incident_id, line, blobs=made.workspace.blobs)


def pieces(raw: bytes) -> list[bytes]:
    """The sealed pieces of a file, each with its length in front."""
    found, at = [], 0
    while at < len(raw):
        length = 4 + int.from_bytes(raw[at : at + 4], "big")
        found.append(raw[at : at + length])
        at += length
    return found


def test_a_file_in_custody_has_its_hash_and_size_and_reads_back(made: Made, log: Path) -> None:
    incident_id = open_one(made)
    line = take(made, incident_id, log)
    assert (line.sha256, line.size, line.name) == (
        sha256(CONTENT).hexdigest(),
        len(CONTENT),
        "access.log",
    )
    key = made.store.key(incident_id)
    folder = made.workspace.blobs / incident_id
    assert b"".join(read_blob(folder, line.place, key=key)) == CONTENT
    assert holds(made, incident_id, line)
    assert list_evidence(made.store, incident_id) == [line]


def test_neither_content_nor_name_lies_open_on_the_disk(made: Made, log: Path) -> None:
    incident_id = open_one(made)
    line = take(made, incident_id, log)
    assert b"192.0.2.7" not in sealed_file(made, incident_id, line).read_bytes()
    assert b"access.log" not in stored_bytes(made)


@pytest.mark.parametrize("at", [0, 3, 5, MIB // 2, 2 * MIB + 200, -1])
def test_a_changed_byte_is_found_wherever_it_is(made: Made, log: Path, at: int) -> None:
    incident_id = open_one(made)
    line = take(made, incident_id, log)
    file = sealed_file(made, incident_id, line)
    raw = bytearray(file.read_bytes())
    raw[at] ^= 1
    file.write_bytes(raw)
    assert not holds(made, incident_id, line)


@pytest.mark.parametrize("kept", [0, 1, 4, 100, MIB, 2 * MIB])
def test_a_file_cut_short_is_found(made: Made, log: Path, kept: int) -> None:
    incident_id = open_one(made)
    line = take(made, incident_id, log)
    file = sealed_file(made, incident_id, line)
    file.write_bytes(file.read_bytes()[:kept])
    assert not holds(made, incident_id, line)


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 2], [0, 1], [0, 0, 1, 2], [0, 1, 2, 2], [2]])
def test_pieces_swapped_left_out_or_repeated_are_found(made: Made, log: Path, order: list[int]) -> None:
    incident_id = open_one(made)
    line = take(made, incident_id, log)
    file = sealed_file(made, incident_id, line)
    whole = pieces(file.read_bytes())
    assert len(whole) == 3
    file.write_bytes(b"".join(whole[number] for number in order))
    assert not holds(made, incident_id, line)


def test_a_file_that_is_gone_or_another_one_is_found(made: Made, log: Path) -> None:
    incident_id = open_one(made)
    first, second = take(made, incident_id, log), take(made, incident_id, log)
    sealed_file(made, incident_id, second).replace(sealed_file(made, incident_id, first))
    assert not holds(made, incident_id, first)
    assert not holds(made, incident_id, second)


def test_a_file_that_cannot_be_read_leaves_everything_as_it_was(made: Made, tmp_path: Path) -> None:
    incident_id = open_one(made)
    before = all_rows(made.store)
    for wrong in (tmp_path / "missing.log", tmp_path):
        with pytest.raises(BadInput):
            take(made, incident_id, wrong)
    assert all_rows(made.store) == before
    assert not (made.workspace.blobs / incident_id).exists()


def test_a_closed_incident_takes_no_evidence(made: Made, log: Path) -> None:
    incident_id = open_one(made)
    with made.store.write(incident_id, kind="incident.closed", actor="ana", now=made.clock()) as change:
        close_incident(change, incident_id, reason="over")
    with pytest.raises(Refused):
        take(made, incident_id, log)
    assert not (made.workspace.blobs / incident_id).exists()


def test_a_change_that_fails_keeps_no_file(made: Made, log: Path) -> None:
    incident_id = open_one(made)
    with (
        pytest.raises(RuntimeError),
        take_files(made.store, incident_id, [log, log], blobs=made.workspace.blobs) as taken,
    ):
        assert len(list((made.workspace.blobs / incident_id).iterdir())) == len(taken) == 2
        raise RuntimeError("something else failed")
    assert not (made.workspace.blobs / incident_id).exists()


def test_an_interrupt_after_the_commit_keeps_what_is_on_record(made: Made, log: Path) -> None:
    incident_id = open_one(made)
    blobs, store = made.workspace.blobs, made.store
    with (
        pytest.raises(KeyboardInterrupt),
        take_files(store, incident_id, [log], blobs=blobs) as [taken],
    ):
        with store.write(incident_id, kind="evidence.added", actor="ana", now=made.clock()) as change:
            put_evidence(change, incident_id, taken, by="zhao", note="")
        raise KeyboardInterrupt
    [line] = list_evidence(store, incident_id)
    assert holds(made, incident_id, line)
