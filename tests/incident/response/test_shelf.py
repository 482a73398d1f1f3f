"""The list of playbooks: what is told quickly is what a whole reading tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.response.form import load, to_cacao, to_form
from incident.response.model import ActionStep, Playbook, PlaybookActionStep
from incident.response.shelf import playbook_names, summary_of
from tests.support.random_playbooks import make


def kinds_in(playbook: Playbook) -> set[str]:
    found = {
        command.type
        for step in playbook.workflow.values()
        if isinstance(step, ActionStep)
        for command in step.commands
    }
    calls = any(isinstance(step, PlaybookActionStep) for step in playbook.workflow.values())
    return (found - {"manual"}) | ({"playbook-action"} if calls else set())


def test_every_shipped_playbook_is_summed_up_as_it_is() -> None:
    for name, path in playbook_names(None).items():
        playbook = load(Path(path).read_text(encoding="utf-8"), name=name).playbook
        found = summary_of(name, path)
        assert (found.steps, set(found.needs)) == (len(playbook.workflow), kinds_in(playbook)), name
        assert found.types == tuple(playbook.playbook_types)
        english = found.title if isinstance(found.title, str) else found.title["en"]
        assert english == playbook.name


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_playbook_is_summed_up_alike_in_yaml_and_in_json(tmp_path: Path, seed: int) -> None:
    playbook = make(seed)
    for name, text in (("a.yaml", to_form(playbook)), ("a.json", to_cacao(playbook))):
        (tmp_path / name).write_text(text, encoding="utf-8")
        found = summary_of("a", str(tmp_path / name))
        assert (found.title, found.steps) == (playbook.name, len(playbook.workflow))
        assert set(found.needs) == kinds_in(playbook)


def test_a_workflow_in_braces_is_read_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("name: x\nworkflow: {a: {type: start}, b: {type: end}}\n", encoding="utf-8")
    assert summary_of("a", str(file)).steps == 2


@pytest.mark.parametrize("text", ["{", "[1]", "- a\n- b\n", "\xff"])
def test_what_is_no_playbook_is_said_with_its_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput) as wrong:
        summary_of("a", str(file))
    assert str(file) in (wrong.value.where or "")
    json.dumps(wrong.value.what)
