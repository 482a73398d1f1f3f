"""Random playbooks as CACAO JSON with things that nobody knows, and the official schemas."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

import pytest

from incident.response.compile import compile_form
from tests.support.playbooks import form_of
from tests.support.shared import need_shared

OF_OTHERS = "extension-definition--418ee24c-9cb1-46d9-afa5-309e01aabc7f"


@cache
def _validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    folder = need_shared("schemas/cacao")
    base = "https://raw.githubusercontent.com/oasis-open/cacao-json-schemas/main/schemas/"
    registry = referencing.Registry().with_resources(
        (
            base + path.relative_to(folder).as_posix(),
            referencing.Resource(json.loads(path.read_text()), referencing.jsonschema.DRAFT7),
        )
        for path in folder.rglob("*.json")
    )
    schema = json.loads((folder / "playbook.json").read_text())
    return jsonschema.Draft7Validator(schema, registry=registry)


def schema_errors(data: dict[str, Any]) -> list[str]:
    """What the official schemas say. Without them beside the checkout the test is skipped."""
    return [
        f"{'/'.join(map(str, each.path))}: {each.message[:200]}" for each in _validator().iter_errors(data)
    ]


class _Maker:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.steps: dict[str, Any] = {}

    def level(self, depth: int) -> str:
        following = f"end-{len(self.steps)}"
        self.steps[following] = {"type": "end"}
        for _ in range(self.rng.randint(0 if depth else 1, 3)):
            following = self.step(following, depth)
        return following

    def step(self, following: str, depth: int) -> str:
        rng = self.rng
        kinds = ["action"] * 3 + (["if", "while", "switch", "parallel"] if depth < 2 else [])
        kind = rng.choice(kinds)
        name = f"{kind}-{len(self.steps)}"
        self.steps[name] = {}
        step: dict[str, Any]
        if kind == "action":
            commands = [
                {"type": "manual", "command": "do __n__:value"},
                {"type": "http-api", "command": "POST /x/__n__:value HTTP/1.1", "headers": {"X-A": ["é b"]}},
                {"type": "sigma", "command_b64": "Lg=="},
            ]
            step = {"type": "action", "agent": "machine", "commands": [rng.choice(commands)]}
            if rng.random() < 0.3:
                step["out_args"] = ["__n__"]
        elif kind in {"if", "while"}:
            step = {
                "type": f"{kind}-condition",
                "condition": "__n__:value > 3",
                "on_true": self.level(depth + 1),
            }
        elif kind == "switch":
            step = {
                "type": "switch-condition",
                "switch": "__n__:value",
                "cases": {"1": self.level(depth + 1)},
            }
        else:
            step = {"type": "parallel", "next_steps": [self.level(depth + 1), self.level(depth + 1)]}
        if rng.random() < 0.2:
            step["delay"] = rng.randint(1, 10)
        if rng.random() < 0.3:
            step |= {"on_success": following, "on_failure": following}
        else:
            step["on_completion"] = following
        self.steps[name] = step
        return name


def random_playbook(seed: int, strange: Any) -> dict[str, Any]:
    """CACAO JSON without a finding; `strange` stands in an extension and in a property that nobody knows."""
    maker = _Maker(seed)
    maker.steps["action-first"] = {
        "type": "action",
        "agent": "people",
        "commands": [{"type": "manual", "command": "do __n__:value"}],
        "on_completion": maker.level(0),
    }
    maker.steps["start"] = {"type": "start", "on_completion": "action-first"}
    data = compile_form(
        form_of(
            maker.steps,
            playbook_variables={"__n__": {"type": "integer", "value": "2"}},
            labels=["a"],
            severity=maker.rng.randint(0, 100),
        )
    )
    data["extension_definitions"][OF_OTHERS] = {
        "type": "extension-definition",
        "name": "layout",
        "created_by": "identity--5abe695c-7bd5-4c31-8824-2528696cdbf1",
        "schema": "https://schema.example/layout.json",
        "version": "1.0.0",
    }
    data["playbook_processing_summary"]["extensions"] = True
    keys = sorted(data["workflow"])
    step = data["workflow"][maker.rng.choice(keys)]
    step.setdefault("step_extensions", {})[OF_OTHERS] = {"anything": strange}
    data["x_unknown"] = strange
    step["x_unknown"] = {"deep": [strange]}
    return dict(data)
