"""The benchmark over many incidents: its copies count as open, are due later, and are not read one by one."""

from __future__ import annotations

import pytest

from benchmarks import incidents


def test_a_small_run_counts_what_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidents, "ROUNDS", 1)
    monkeypatch.setattr(incidents, "_REAL", 2)
    result = incidents.run(incidents=40)
    assert {line.who for line in result.lines} == {"incident_duties", "incident_show", "import_sqlmodel"}
    assert set(result.ratios) == {"import_sqlmodel"}
    assert result.notes[0].startswith("40 open incidents")
    assert "2 incidents opened as the command does" in result.notes[0]
    assert result.notes[1].startswith("duties showed")
