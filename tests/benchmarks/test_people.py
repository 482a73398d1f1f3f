"""The benchmark `people`: both importers really import, and find what the list was made with."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import people
from benchmarks.measure import CommandFailed
from benchmarks.people import Expected, write_list

ROWS = 200


def test_both_importers_find_the_same_people_and_faults() -> None:
    pytest.importorskip("pandas", reason="the peers of benchmarks are installed by `make bench`")
    result = people.run(people=ROWS, rounds=1)
    assert result.as_document()["figures"].keys() == {"tocsin", "pandas"}  # type: ignore[attr-defined]
    assert result.ratios.keys() == {"pandas"}
    assert all(line.figure > 0 and line.cpu > 0 for line in result.lines)
    assert result.notes[0].startswith(f"{ROWS} rows; every turn found ")


def test_an_importer_that_finds_other_people_has_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_many(file: Path, *, rows: int) -> Expected:
        made = write_list(file, rows=rows)
        return Expected(made.people + 1, made.faulty)

    monkeypatch.setattr(people, "write_list", too_many)
    monkeypatch.setattr(people, "find_spec", lambda name: object())
    with pytest.raises(CommandFailed, match=r"tocsin found \d+ people and \d+ rows with a fault,"):
        people.run(people=20, rounds=1)


def test_the_list_is_the_same_each_time_and_has_its_share_of_faults_and_repeats(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    expected = write_list(first, rows=2000)
    assert write_list(second, rows=2000) == expected
    assert first.read_bytes() == second.read_bytes()
    with first.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 2000
    assert len({row["客户编号"] for row in rows}) == expected.people
    assert 1940 <= expected.people <= 1980
    assert 40 <= expected.faulty <= 80


def test_a_missing_peer_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(people, "find_spec", lambda name: None)
    assert command.main(["people", "--people", "20"]) == 1
    assert "pandas is not here: `make bench-peers` installs it" in capsys.readouterr().err
