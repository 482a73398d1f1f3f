"""What the chaos runs say at the end: what was killed where, and what was counted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.told import TOLD

Tell = Callable[[str], None]


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Add a line to what pytest prints after the run."""
    # It travels with the report, also from a process of its own.
    return lambda line: request.node.user_properties.append((TOLD, line))


@pytest.fixture
def sink_folder(tmp_path: Path) -> Iterator[Path]:
    """Where a sink keeps its messages; they are many, so unlike other folders of tests it does not stay."""
    yield tmp_path / "sink"
    shutil.rmtree(tmp_path / "sink", ignore_errors=True)
