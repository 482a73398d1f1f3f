"""The benchmark of many incidents: it measures what it says it measures."""

from __future__ import annotations

import pytest

from benchmarks import __main__ as command
from benchmarks import growth_incidents


def test_each_command_is_measured_in_each_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth_incidents, "ROUNDS", 1)
    result = growth_incidents.run(incidents=2)
    names = ("duties of all", "list", "duties of one", "show")
    assert [line.who for line in result.lines] == [f"{name}, {size}" for size in (1, 2) for name in names]
    assert all(line.cpu > 0 for line in result.lines)
    assert result.ratios.keys() == {f"{name}, 1" for name in names}


@pytest.mark.parametrize(
    "words", [("startup", "--incidents", "5"), ("growth_incidents", "--incidents", "0")], ids=str
)
def test_a_number_of_incidents_that_means_nothing_is_refused(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        command.main(words)
    assert stop.value.code == 2
    assert "only with growth_incidents" in capsys.readouterr().err
