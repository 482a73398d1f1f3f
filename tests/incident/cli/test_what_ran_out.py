"""What ran out while nothing was running is told by the next command, until a worker has told somebody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.breaches import Breach, make_breach
from tests.support.commands import Answer, run


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    """Its duties ran out by the clock of the machine; the reminders of that are due."""
    return make_breach(tmp_path, scope={"countries": ["eu"]}, reminders={})


def command(breach: Breach, *words: str, language: str = "en") -> Answer:
    breach.made.store.close()
    return run("--workspace", breach.made.workspace.root, *words, environment={"INCIDENT_LANGUAGE": language})


def test_the_next_command_tells_what_ran_out_with_the_time_since(breach: Breach) -> None:
    breach.later(minutes=0)
    answer = command(breach, "list")
    lines = [line for line in answer.err.splitlines() if "ran out" in line]
    assert lines and all(line.startswith(f"{breach.id}: ") for line in lines), answer.err
    assert all("no worker runs that would call anybody" in line for line in lines)
    assert len(lines) <= 5
    chinese = command(breach, "list", language="zh-Hans")
    assert "没有运行中的工作进程" in chinese.err


def test_once_a_worker_has_told_it_no_command_repeats_it(breach: Breach) -> None:
    breach.later(days=30)
    breach.work()
    answer = command(breach, "list")
    assert "no worker runs that would call anybody" not in answer.err
    assert "a deadline has run out" in answer.err
