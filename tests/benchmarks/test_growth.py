"""The benchmark `growth`: lists of several sizes are really told, and a count that differs is no figure."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from benchmarks import growth
from benchmarks.growth import STEPS, sizes
from benchmarks.measure import CommandFailed
from tests.support.tools import need_tool


@pytest.fixture(autouse=True)
def sink() -> str:
    return need_tool("smtp-sink", "postfix")


def test_each_size_is_told_and_every_step_measured() -> None:
    result = growth.run(people=60)
    assert [line.who for line in result.lines] == [f"{step}_60" for step in STEPS]
    assert all(line.figure > 0 for line in result.lines)
    assert result.ratios == {}, "one size has nothing beside it"
    assert result.notes[-2].startswith("60 people: at most ")
    assert result.notes[-1].startswith("60 people: ") and result.notes[-1].endswith(" bytes of database each")


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        (500, [500]),
        (1000, [1000]),
        (9_999, [9_999]),
        (10_000, [1000, 10_000]),
        (250_000, [2500, 25_000, 250_000]),
    ],
)
def test_sizes_go_down_by_tens_to_a_thousand(largest: int, expected: list[int]) -> None:
    assert sizes(largest) == expected


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"accepted": 7, "attempts": 7, "adds_up": True, "broken": []}, "the ledger says"),
        ({"accepted": 0, "attempts": 0, "adds_up": False, "broken": []}, "the ledger says"),
        ({"accepted": 0, "attempts": 0, "adds_up": True, "broken": ["people.once"]}, "people.once"),
    ],
)
def test_a_count_that_differs_or_a_broken_record_is_no_figure(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, Any], says: str
) -> None:
    def nobody_told(command: Any, **options: Any) -> Any:
        return subprocess.CompletedProcess(command, 0, json.dumps({"steps": {}, **told}), "")

    monkeypatch.setattr(subprocess, "run", nobody_told)
    with pytest.raises(CommandFailed, match=says):
        growth.run(people=5)
