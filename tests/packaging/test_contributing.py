"""Every package we depend on has a stated reason."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def test_each_dependency_has_a_line_that_says_why() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chapter = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Dependencies")[1].split("\n## ")[0]
    )
    explained = re.findall(r"(?m)^\| `([^`]+)` \| \S", chapter)
    extras = [text for extra in project.get("optional-dependencies", {}).values() for text in extra]
    assert sorted(explained) == sorted(
        {Requirement(text).name for text in [*project["dependencies"], *extras]}
    )
