"""Evidence in custody: what cannot be taken in, who looked at it, who took a copy."""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from incident.errors import BadInput, KeyDestroyed, NotFound, StoreUnavailable, Unreadable
from incident.record.custody import (
    VERIFIED,
    CustodyStep,
    Step,
    custody_of,
    record_verified,
    take_out,
)
from incident.record.evidence import EvidenceLine, add_evidence, evidence_holds, list_evidence
from incident.store import blobs
from tests.support.at_once import at_once
from tests.support.journals import sound
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START, Made, all_rows, make_workspace, open_one

ROOT = Path(__file__).parents[3]
CONTENT = b"192.0.2.7 GET /members\n" * 100_000


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "access.log"
    file.write_bytes(CONTENT)
    return file


def take_in(made: Made, incident: str, file: Path, *, by: str = "zhao") -> EvidenceLine:
    return add_evidence(
        made.store,
        incident,
        file,
        blobs=made.workspace.blobs,
        by=by,
        note="",
        actor="ana",
        now=made.clock(),
    )


def copy(
    made: Made, incident: str, name: str, out: Path, *, to: str = "the expert", reason: str = "a look"
) -> EvidenceLine:
    return take_out(
        made.store,
        incident,
        name,
        out,
        blobs=made.workspace.blobs,
        to=to,
        reason=reason,
        actor="bo",
        now=made.clock(),
    )


def refused_whole(
    made: Made, incident: str, call: Callable[[], object], error: type[Exception], says: str
) -> None:
    before = all_rows(made.store)
    with pytest.raises(error, match=says):
        call()
    assert all_rows(made.store) == before
    assert not (made.workspace.blobs / incident).exists(), "nothing is kept of it"


# -- taking in ---------------------------------------------------------------------------------------


def test_what_is_no_file_is_not_taken_in(made: Made, tmp_path: Path) -> None:
    incident = open_one(made)
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    for wrong, says in (
        (pipe, "it is a pipe, no file"),
        (tmp_path, "it is a folder, no file"),
        (Path("/dev/zero"), "it is a device, no file"),
        (link, "it is a device, no file"),
        (tmp_path / "socket", "cannot be read"),
        (tmp_path / "missing", "cannot be read"),
        (Path("a\0b"), "cannot be read"),
    ):
        refused_whole(made, incident, lambda wrong=wrong: take_in(made, incident, wrong), BadInput, says)  # type: ignore[misc]
    listening.close()


@pytest.mark.parametrize("how", ["longer", "shorter", "other bytes"])
def test_a_file_that_changes_while_it_is_read_is_not_taken_in(
    made: Made, log: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Somebody writes after the first piece was read: a hash over half of each would prove nothing."""
    incident = open_one(made)
    reading = blobs._reading

    def read_and_write(file: object, source: Path) -> Callable[[], bytes]:
        read, pieces = reading(file, source), 0  # type: ignore[arg-type]

        def one() -> bytes:
            nonlocal pieces
            pieces += 1
            if pieces == 2:
                _write(log, how)
            return read()

        return one

    monkeypatch.setattr(blobs, "_reading", read_and_write)
    refused_whole(made, incident, lambda: take_in(made, incident, log), BadInput, "changed while it was read")


def _write(file: Path, how: str) -> None:
    with file.open("r+b") as handle:
        if how == "shorter":
            handle.truncate(1000)
        elif how == "longer":
            handle.seek(0, os.SEEK_END)
            handle.write(b"more")
        else:
            handle.write(b"X")


def test_a_disk_that_is_full_keeps_nothing(made: Made, log: Path) -> None:
    incident = open_one(made)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # The limit concerns the sealed file, which is larger than the database's own writes.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(CONTENT) // 2, before[1]))
    try:
        with pytest.raises(StoreUnavailable, match="cannot be kept"):
            take_in(made, incident, log)
        assert not (made.workspace.blobs / incident).exists()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list_evidence(made.store, incident) == []


def test_an_interrupt_while_it_is_copied_keeps_nothing(
    made: Made, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = open_one(made)

    def interrupted(*_: object, **__: object) -> tuple[str, int]:
        raise KeyboardInterrupt

    monkeypatch.setattr(blobs, "_seal_pieces", interrupted)
    with pytest.raises(KeyboardInterrupt):
        take_in(made, incident, log)
    assert not (made.workspace.blobs / incident).exists()


def test_a_name_that_is_no_text_is_written_out(made: Made, tmp_path: Path) -> None:
    incident = open_one(made)
    file = tmp_path / os.fsdecode(b"log\xff\x1b[2J.txt")
    file.write_bytes(b"x")
    assert take_in(made, incident, file).name == "log\\xff\\u001b[2J.txt"


_MEASURE = """
import resource, sys
from pathlib import Path
from incident.store.blobs import blob_hash, store_blob
folder = Path(sys.argv[1])
taken = store_blob(folder / "blobs", folder / sys.argv[2], name="one", key=b"k" * 32)
assert blob_hash(folder / "blobs", taken.place, key=b"k" * 32) == taken.sha256
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_large_file_takes_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    peaks = []
    for name, size in (("small", 4 << 20), ("large", 256 << 20)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE, str(tmp_path), name],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        peaks.append(int(done.stdout))
    small, large = peaks
    assert large - small < 8 * 1024, f"{small} and {large} KiB"


# -- the chain of custody ----------------------------------------------------------------------------


def test_the_chain_names_who_took_it_in_looked_at_it_and_took_a_copy(
    made: Made, log: Path, tmp_path: Path
) -> None:
    incident = open_one(made)
    line, other = take_in(made, incident, log), take_in(made, incident, log)
    looked = made.clock.move(minutes=5)
    with made.store.write(incident, kind=VERIFIED, actor="cy", now=looked) as change:
        record_verified(change, [(line, True), (other, False)])
    copied = made.clock.move(minutes=5)
    copy(made, incident, line.id[:8], tmp_path / "copy.log", to="the police", reason="they asked for it")
    assert custody_of(made.store, incident, line) == [
        CustodyStep(line.id, Step.TAKEN_IN, START, "zhao", sha256=line.sha256),
        CustodyStep(line.id, Step.VERIFIED, looked, "cy"),
        CustodyStep(line.id, Step.TAKEN_OUT, copied, "bo", "the police", "they asked for it", line.sha256),
    ]
    assert [each.step for each in custody_of(made.store, incident, other)] == [Step.TAKEN_IN, Step.FAILED]
    assert sound(made.store, *made.store.heads())


def test_a_copy_is_the_file_as_it_was_and_only_its_owner_reads_it(
    made: Made, log: Path, tmp_path: Path
) -> None:
    incident = open_one(made)
    line = take_in(made, incident, log)
    out = tmp_path / "copy.log"
    copy(made, incident, line.id, out)
    assert out.read_bytes() == CONTENT
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert evidence_holds(made.store, incident, line, blobs=made.workspace.blobs)


def test_a_copy_is_refused_whole(made: Made, log: Path, tmp_path: Path) -> None:
    incident = open_one(made)
    line = take_in(made, incident, log)
    existing, dangling, new = tmp_path / "existing", tmp_path / "dangling", tmp_path / "new"
    existing.write_text("mine")
    dangling.symlink_to(tmp_path / "nowhere")
    before = all_rows(made.store)
    cases: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: copy(made, incident, line.id, existing), BadInput, "there is a file already"),
        (lambda: copy(made, incident, line.id, dangling), BadInput, "there is a file already"),
        (lambda: copy(made, incident, line.id, tmp_path), BadInput, "there is a file already"),
        (lambda: copy(made, incident, line.id, tmp_path / "no" / "folder"), BadInput, "cannot be written"),
        (lambda: copy(made, incident, "nothing", new), NotFound, "no evidence 'nothing'"),
        (lambda: copy(made, incident, "", new), NotFound, "no evidence"),
        (lambda: copy(made, incident, line.id, new, reason=" "), BadInput, "empty"),
        (lambda: copy(made, incident, line.id, new, to="a\nb"), BadInput, "one line"),
        (lambda: copy(made, "INC-1999-0001", line.id, new), NotFound, "no incident"),
    ]
    for call, error, says in cases:
        with pytest.raises(error, match=says):
            call()
        assert not new.exists()
    assert existing.read_text() == "mine"
    assert all_rows(made.store) == before


def test_evidence_that_was_changed_is_not_handed_out(made: Made, log: Path, tmp_path: Path) -> None:
    incident = open_one(made)
    line, other = take_in(made, incident, log), take_in(made, incident, log)
    folder = made.workspace.blobs / incident
    sealed = bytearray((folder / line.place).read_bytes())
    sealed[-1] ^= 1
    (folder / line.place).write_bytes(sealed)
    (folder / other.place).unlink()
    for each in (line, other):
        with pytest.raises(Unreadable):
            copy(made, incident, each.id, tmp_path / "copy")
        assert not (tmp_path / "copy").exists(), "not even the part that could be read"


def test_of_two_who_copy_to_one_file_at_once_one_is_refused(made: Made, log: Path, tmp_path: Path) -> None:
    incident = open_one(made)
    line = take_in(made, incident, log)
    desks = [made.another() for _ in range(3)]
    outcomes = at_once(
        *(lambda desk=desk: copy(desk, incident, line.id, tmp_path / "copy") for desk in desks)
    )
    assert sorted(type(each).__name__ for each in outcomes) == ["BadInput", "BadInput", "EvidenceLine"]
    assert (tmp_path / "copy").read_bytes() == CONTENT
    assert [each.step for each in custody_of(made.store, incident, line)].count(Step.TAKEN_OUT) == 1


def test_a_copy_that_cannot_be_journalled_is_taken_away(
    made: Made, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = open_one(made)
    line = take_in(made, incident, log)

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("the database is away")

    monkeypatch.setattr(made.store, "write", away)
    with pytest.raises(StoreUnavailable):
        copy(made, incident, line.id, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_large_copy_keeps_nobody_from_writing(
    made: Made, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is made before the change begins, so others go on while it is written."""
    incident = open_one(made)
    line = take_in(made, incident, log)
    copying, written = threading.Event(), threading.Event()
    write = os.write

    def slowly(descriptor: int, piece: bytes) -> int:
        copying.set()
        assert written.wait(10), "another change waits for the copy"
        return write(descriptor, piece)

    monkeypatch.setattr(os, "write", slowly)

    def another() -> None:
        assert copying.wait(10)
        with made.another().store.write(incident, kind=VERIFIED, actor="cy", now=made.clock()) as change:
            record_verified(change, [(line, True)])
        written.set()

    assert at_once(lambda: copy(made, incident, line.id, tmp_path / "copy"), another)[1] is None
    assert [each.step for each in custody_of(made.store, incident, line)][1:] == [
        Step.VERIFIED,
        Step.TAKEN_OUT,
    ]


def test_after_the_key_is_destroyed_nothing_is_handed_out(made: Made, log: Path, tmp_path: Path) -> None:
    incident = open_one(made)
    line = take_in(made, incident, log)
    made.store.keyring.destroy(incident, now=made.clock())
    with pytest.raises(KeyDestroyed):
        copy(made, incident, line.id, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_copy_that_fills_the_disk_is_taken_away(made: Made, log: Path, tmp_path: Path) -> None:
    incident = open_one(made)
    line = take_in(made, incident, log)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(CONTENT) // 2, before[1]))
    try:
        with pytest.raises(BadInput, match="cannot be written"):
            copy(made, incident, line.id, tmp_path / "copy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not (tmp_path / "copy").exists()
    assert [each.step for each in custody_of(made.store, incident, line)] == [Step.TAKEN_IN]
