"""What the chaos runs say at the end: what was killed where, and what was counted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_LINES = pytest.StashKey[list[str]]()

Tell = Callable[[str], None]


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Add a line to what pytest prints after the run."""
    lines = request.config.stash.setdefault(_LINES, [])
    return lambda line: lines.append(f"{request.node.name}: {line}")


@pytest.fixture
def sink_folder(tmp_path: Path) -> Iterator[Path]:
    """Where a sink keeps its messages; they are many, so unlike other folders of tests it does not stay."""
    yield tmp_path / "sink"
    shutil.rmtree(tmp_path / "sink", ignore_errors=True)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if lines := config.stash.get(_LINES, []):
        terminalreporter.section("chaos")
        for line in lines:
            terminalreporter.line(line)
