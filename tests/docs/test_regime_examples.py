"""The examples of regimes of a workspace's own can be used as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.law.lint import Severity, lint_regimes
from incident.law.regime_files import regimes_that_can_be_read

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "regimes"


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_an_example_has_no_error(file: Path) -> None:
    errors = [str(each) for each in lint_regimes([file]) if each.severity is Severity.error]
    assert errors == []


def test_the_examples_are_in_use_beside_the_shipped_regimes() -> None:
    read = regimes_that_can_be_read(EXAMPLES)
    assert not read.broken
    assert {"contract-24h", "province-plan", "cn-pipl-57"} <= set(read.regimes)
