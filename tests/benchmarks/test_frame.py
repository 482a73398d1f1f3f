"""The benchmarks' frame: turns, medians, and what is printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import measure
from benchmarks.measure import CommandFailed, Line, Result, Sample, median_of, run_command, take_turns


def test_commands_take_turns_and_the_first_round_does_not_count(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write = "import sys; open('log', 'a').write(sys.argv[1])"
    commands = {who: (sys.executable, "-S", "-c", write, who) for who in ("a", "b")}
    taken = take_turns(commands, rounds=2, cwd=tmp_path)
    assert log.read_text() == "ababab"
    assert taken.keys() == {"a", "b"}


def test_cpu_time_is_the_commands_own_and_its_childrens() -> None:
    burn = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    in_a_child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    assert run_command((sys.executable, "-c", in_a_child)).cpu >= 0.2
    asleep = run_command((sys.executable, "-S", "-c", "import time; time.sleep(0.3)"))
    assert asleep.wall >= 0.3 > asleep.cpu


def test_a_command_that_fails_gives_no_figure_but_its_last_words() -> None:
    with pytest.raises(CommandFailed, match="no such luck"):
        run_command((sys.executable, "-c", "import sys; sys.exit('no such luck')"))


def test_the_median_is_taken_of_each_measure_by_itself() -> None:
    samples = [Sample(wall=1, cpu=9), Sample(wall=2, cpu=1), Sample(wall=30, cpu=5)]
    assert median_of(samples) == Sample(wall=2, cpu=5)


RESULT = Result(
    "tea", "seconds", (Line("ours", 3.0, 3.0, 4.0), Line("kettle", 2.0, 2.0, 2.5)), {"kettle": 1.5}
)


def test_the_document_holds_figures_and_ratios_and_nothing_else() -> None:
    assert RESULT.as_document() == {
        "name": "tea",
        "figures": {"ours": 3.0, "kettle": 2.0},
        "ratios": {"kettle": 1.5},
    }


def test_json_is_the_only_thing_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.startup.run", lambda: RESULT)
    assert command.main(["startup", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == RESULT.as_document()


def test_the_table_shows_cpu_seconds_and_the_ratio(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.startup.run", lambda: RESULT)
    command.main(["startup"])
    printed = capsys.readouterr().out
    assert "CPU s" in printed
    assert "ours / kettle: 1.50" in printed


def test_an_unknown_name_is_refused_with_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command.main(["tortoise"])
    assert stop.value.code == 2
    assert (
        "no benchmark 'tortoise'; there is: email, growth, incidents, letters, match, people, playbooks, sms, startup"
        in capsys.readouterr().err
    )


def test_a_failed_command_is_told_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> Result:
        raise CommandFailed("incident init ended with 1")

    monkeypatch.setattr("benchmarks.startup.run", fail)
    assert command.main(["startup"]) == 1
    assert "incident init ended with 1" in capsys.readouterr().err


def test_every_named_benchmark_has_its_module() -> None:
    folder = Path(measure.__file__).parent
    assert [name for name in command.NAMES if not (folder / f"{name}.py").is_file()] == []
