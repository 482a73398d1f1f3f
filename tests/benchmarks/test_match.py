"""The benchmark of matching: its files are as it says, and every count is held against them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import match
from benchmarks.measure import CommandFailed


def test_a_small_run_finds_whom_it_made_and_says_how_it_grew() -> None:
    result = match.run(people=400)
    assert {line.who for line in result.lines} >= {"tocsin", "tocsin, a quarter"}
    assert all(line.figure > 0 for line in result.lines)
    assert result.notes[0].startswith("400 people in 0 MB, 9 lines of the log; 8 people hit, 1 not")
    assert "times the CPU time" in result.notes[1]
    assert "MiB" in result.notes[2]


def test_a_count_that_does_not_agree_gives_no_figure(tmp_path: Path) -> None:
    made = match.make_files(tmp_path / "files", people=60)
    assert made.directory.read_text("gb18030").count("\n") == 61
    match.must_agree({"added": 2, "unmatched": 1}, made)
    with pytest.raises(CommandFailed, match="2 people were added"):
        match.must_agree({"added": 2, "unmatched": 1}, replace(made, hit=3))
