"""Importing long lists: piece by piece, in flat memory, and with the garbage collector left as it was."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest
from sqlmodel import col, select

from incident.errors import BadInput
from incident.record import people, row_files
from incident.record.people import Counts
from incident.record.row_files import ReadSoFar
from incident.store.change import open_row
from incident.store.tables import Person
from tests.support.lists import ListDesk, many
from tests.support.postgres import PostgresServer
from tests.support.workspaces import all_rows, make_workspace


@pytest.fixture
def desk(tmp_path: Path, store_on: PostgresServer | None) -> ListDesk:
    return ListDesk(make_workspace(tmp_path, on=store_on), tmp_path)


@pytest.fixture
def desk_in_a_file(tmp_path: Path) -> ListDesk:
    return ListDesk(make_workspace(tmp_path), tmp_path)


def test_a_list_is_imported_piece_by_piece_with_progress_after_each(desk_in_a_file: ListDesk) -> None:
    seen: list[ReadSoFar] = []
    result = desk_in_a_file.load(many(5000), progress=seen.append)
    assert result.counts == Counts(rows=5000, added=5000)
    assert [read.rows for read in seen] == [*range(500, 5001, 500)]
    sizes = {read.size for read in seen}
    assert sizes == {seen[-1].bytes_read} and seen[0].bytes_read <= seen[-1].bytes_read


def test_memory_does_not_grow_with_the_list(
    desk_in_a_file: ListDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is held at a time is one piece; with small ones a short list is many times as long as a piece.
    monkeypatch.setattr(people, "_CHUNK", 100)
    monkeypatch.setattr(row_files, "_BLOCK_BYTES", 4096)

    def peak(count: int) -> int:
        other = ListDesk(desk_in_a_file.made, desk_in_a_file.folder)
        content = many(count).encode()
        tracemalloc.start()
        try:
            other.load(content)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(1500) < 1.5 * peak(300)


def test_an_import_leaves_the_garbage_collector_as_it_was(desk_in_a_file: ListDesk) -> None:
    desk_in_a_file.load(many(10))
    with pytest.raises(BadInput):
        desk_in_a_file.load("reference\n")
    assert gc.get_freeze_count() == 0


def test_people_stand_in_the_order_of_their_list_also_over_several_pieces(
    desk: ListDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "_CHUNK", 3)
    references = [f"C{number % 7}{number}" for number in range(20)]
    desk.load("reference\n" + "\n".join(references) + "\n")
    with desk.made.store.read() as session:
        rows = session.exec(select(Person).order_by(col(Person.id))).all()
    key = desk.made.store.key(desk.incident)
    assert [open_row(row, key=key)["reference"] for row in rows] == references


def test_a_dry_run_takes_the_first_thousand_rows_and_then_knows_no_hash(desk_in_a_file: ListDesk) -> None:
    before = all_rows(desk_in_a_file.made.store)
    dry = desk_in_a_file.load(many(30_000), dry_run=True)
    assert (dry.counts, dry.file_sha256) == (Counts(rows=1000, added=1000), None)
    assert all_rows(desk_in_a_file.made.store) == before
