"""What the chaos runs say at the end: what was killed where, and what was counted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_TOLD = "told"

Tell = Callable[[str], None]


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Add a line to what pytest prints after the run."""
    # It travels with the report, also from a process of its own.
    return lambda line: request.node.user_properties.append((_TOLD, line))


@pytest.fixture
def sink_folder(tmp_path: Path) -> Iterator[Path]:
    """Where a sink keeps its messages; they are many, so unlike other folders of tests it does not stay."""
    yield tmp_path / "sink"
    shutil.rmtree(tmp_path / "sink", ignore_errors=True)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    lines = [
        f"{report.location[2]}: {line}"
        for report in reports
        if report.when == "call"
        for name, line in report.user_properties
        if name == _TOLD
    ]
    if lines:
        terminalreporter.section("chaos")
        for line in lines:
            terminalreporter.line(line)
