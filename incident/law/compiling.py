"""Write `compiled.json` anew from the shipped YAML of the law and of the languages of notices.

`python -m incident.law.compiling`; with `--check`, only compare.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from incident.law.data import COMPILED, read_file, read_yaml
from incident.workspace import shipped

LAW = Path(__file__).parent
HOUSE_RULES = LAW.parent / "notice" / "house_rules.yaml"


def compiled_text() -> str:
    """The content that `compiled.json` must have: one line a file, in the order of their names."""
    lines = [f"{json.dumps(key)}:{_as_json(data)}" for key, data in _shipped()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _shipped() -> Iterator[tuple[str, Any]]:
    languages = shipped("templates").glob("notice/*/*.yaml")
    for path in [*sorted(LAW.rglob("*.yaml")), *sorted(languages), HOUSE_RULES]:
        text = read_file(path)
        yield hashlib.sha256(text.encode()).hexdigest(), read_yaml(text, name=path.name)


def _as_json(data: Any) -> str:
    # Days are written as days (2025-11-01), which the models read back.
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)


def main(arguments: list[str]) -> int:
    wanted = compiled_text()
    if arguments == ["--check"]:
        held = COMPILED.read_text("utf-8") if COMPILED.exists() else ""
        if held != wanted:
            sys.stderr.write(f"{COMPILED.name} is not in step with the YAML: make data\n")
            return 1
        return 0
    COMPILED.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
