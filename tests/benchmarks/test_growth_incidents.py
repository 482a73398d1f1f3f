"""The benchmark of many incidents: it measures what it says it measures."""

from __future__ import annotations

import pytest

from benchmarks import __main__ as command
from benchmarks import growth_incidents
from benchmarks.measure import Sample


def test_each_command_is_measured_in_a_store_of_real_incidents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth_incidents, "ROUNDS", 1)
    result = growth_incidents.run(incidents=1)
    assert [line.who for line in result.lines] == [
        "duties of all, 1",
        "list, 1",
        "duties of one, 1",
        "show, 1",
    ]
    assert all(line.cpu > 0 for line in result.lines)


def test_a_ratio_is_what_the_next_larger_store_costs() -> None:
    taken = {
        1000: {"list": Sample(wall=9, cpu=6)},
        10: {"list": Sample(wall=9, cpu=1)},
        100: {"list": Sample(wall=9, cpu=2)},
    }
    assert growth_incidents.ratios(taken) == {"list, 10": 2.0, "list, 100": 3.0}


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
