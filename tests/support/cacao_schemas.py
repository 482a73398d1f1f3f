"""The official JSON schemas of CACAO 2.0, where they lie beside this checkout."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from tests.support.shared import need_shared

_BASE = "https://raw.githubusercontent.com/oasis-open/cacao-json-schemas/main/schemas/"


def schema_errors(playbook: dict[str, Any]) -> list[str]:
    """What the official schemas say of a playbook; the test is skipped where they are not here."""
    need_shared("schemas/cacao")
    found = _validator().iter_errors(playbook)
    return [f"{'/'.join(map(str, each.path))}: {each.message[:200]}" for each in found]


@cache
def _validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    folder = need_shared("schemas/cacao")
    registry = referencing.Registry().with_resources(
        (
            _BASE + path.relative_to(folder).as_posix(),
            referencing.Resource(json.loads(path.read_text()), referencing.jsonschema.DRAFT7),
        )
        for path in folder.rglob("*.json")
    )
    return jsonschema.Draft7Validator(json.loads((folder / "playbook.json").read_text()), registry=registry)
