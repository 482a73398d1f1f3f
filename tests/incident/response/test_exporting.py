import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from incident.response.compile import compile_form
from incident.response.exporting import NotExported, export_playbook
from incident.response.form import load, to_form
from incident.response.lint import AGAINST_THE_STANDARD
from incident.response.model import Playbook, dump
from tests.support.cacao_files import OF_OTHERS, random_playbook, schema_errors
from tests.support.playbooks import form_of

ROOT = Path(__file__).parents[3]
SHIPPED = sorted((ROOT / "playbooks").glob("*.yaml"))
STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_é", max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def steps(**more: Any) -> dict[str, Any]:
    command = {"type": "manual", "command": "do it"}
    action = {"type": "action", "agent": "people", "commands": [command], "on_completion": "end", **more}
    return {"start": {"type": "start", "on_completion": "act"}, "act": action, "end": {"type": "end"}}


def playbook(workflow: dict[str, Any] | None = None, **more: Any) -> Playbook:
    return Playbook.model_validate(compile_form(form_of(workflow or steps(), **more)))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_playbook_goes_out_valid_and_comes_back_the_same(path: Path) -> None:
    loaded = load(path.read_text(encoding="utf-8"), name=path.name)
    exported = export_playbook(loaded.playbook, name=path.stem, places=loaded.places)
    data = json.loads(exported.text)
    assert schema_errors(data) == []
    assert not {each.code for each in exported.findings} & AGAINST_THE_STANDARD
    if not exported.changes:
        assert load(exported.text, name="x").playbook == loaded.playbook


# Smaller examples are not looked for: the seed says it all, and each takes long.
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.integers(0, 10**9), STRANGE)
def test_import_export_import_is_equal_and_keeps_what_nobody_knows(seed: int, strange: Any) -> None:
    data = random_playbook(seed, strange)
    first = load(json.dumps(data), name="x").playbook
    assert dump(first) == data
    exported = export_playbook(load(to_form(first), name="x").playbook, name="x")
    assert schema_errors(json.loads(exported.text)) == []
    assert exported.changes == ()
    again = load(exported.text, name="x").playbook
    assert again == first
    assert json.loads(exported.text)["x_unknown"] == strange
    kept = [s["step_extensions"][OF_OTHERS] for s in dump(again)["workflow"].values() if OF_OTHERS in s.get("step_extensions", {})]  # fmt: skip
    assert kept == [{"anything": strange}]


def test_a_variable_as_address_goes_out_under_dname() -> None:
    agents = {
        "people": {"type": "group", "name": "People"},
        "machine": {"type": "http-api", "name": "Machine", "address": {"ipv4": ["__ip__:value", "192.0.2.1"], "url": ["__u__:value"]}},
    }  # fmt: skip
    given_ = {name: {"type": "string", "external": True} for name in ("__ip__", "__u__")}
    exported = export_playbook(playbook(agent_definitions=agents, playbook_variables=given_), name="x")
    machine = next(
        e for e in json.loads(exported.text)["agent_definitions"].values() if e["name"] == "Machine"
    )
    assert machine["address"] == {"ipv4": ["192.0.2.1"], "dname": ["__ip__:value", "__u__:value"]}
    assert len(exported.changes) == 2
    assert schema_errors(json.loads(exported.text)) == []


def test_an_oauth2_secret_that_is_named_goes_out_as_the_schema_asks() -> None:
    secrets = {
        "web": {"type": "oauth2", "oauth_header": "Bearer", "kms": True, "kms_key_identifier": "token"}
    }
    exported = export_playbook(playbook(authentication_info_definitions=secrets), name="x")
    assert schema_errors(json.loads(exported.text)) == []
    assert "an empty token" in exported.changes[0]


def test_what_is_worked_out_is_worked_out_anew_and_what_is_empty_left_out() -> None:
    data = dump(playbook(labels=[], playbook_types=[]))
    data["playbook_processing_summary"] = {"while_logic": True}
    data["workflow"][data["workflow_start"]]["delay"] = 0
    found = json.loads(export_playbook(Playbook.model_validate(data), name="x").text)
    assert found["playbook_processing_summary"] == {"manual_playbook": True, "extensions": True}
    assert "labels" not in found
    assert schema_errors(found) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"created_by": "me"}, "identifier"),
        ({"playbook_types": ["notification"]}, "activity"),
        ({"priority": 200}, "number-range"),
        ({"authentication_info_definitions": {"a": {"type": "http-basic", "user_id": "u", "password": "hunter2"}}}, "inline-secret"),
        ({"markings": ["marking-tlp--94868c89-83c2-464b-929b-a1a8aa3c8487"]}, "unresolved-marking"),
        ({"agent_definitions": {"people": {"type": "http-api", "name": "P", "address": {"url": ["http://localhost/"]}}}}, "agent-address"),
    ],
)  # fmt: skip
def test_what_breaks_the_standard_does_not_go_out(change: dict[str, Any], code: str) -> None:
    with pytest.raises(NotExported) as caught:
        export_playbook(playbook(**change), name="x")
    assert code in {each.code for each in caught.value.findings}
    assert "hunter2" not in str(caught.value)
    assert all(each.cure in str(caught.value) for each in caught.value.findings)


def test_commands_that_only_others_run_go_out() -> None:
    exported = export_playbook(playbook(steps(commands=[{"type": "sigma", "command_b64": "Lg=="}])), name="x")
    assert schema_errors(json.loads(exported.text)) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_what_goes_out_is_always_valid_or_refused(seed: int) -> None:
    """Random damage to a sound playbook: the official schemas take whatever is handed out."""
    from pydantic import ValidationError

    rng = random.Random(seed)
    data = random_playbook(seed, 1)
    for _ in range(rng.randint(1, 3)):
        _damage(data, rng)
    try:
        model = Playbook.model_validate(data)
    except ValidationError:
        return
    try:
        exported = export_playbook(model, name="x")
    except NotExported as error:
        assert error.findings
        return
    assert schema_errors(json.loads(exported.text)) == []


def _damage(data: Any, rng: random.Random) -> None:
    """One value somewhere becomes another, or goes."""
    holder = data
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.8:
            holder = holder[key]
            continue
        if rng.random() < 0.3:
            del holder[key]
        else:
            holder[key] = rng.choice(
                [None, "", "x", 0, -1, 200, True, [], {}, ["x"], {"x": "y"}, "__n__:value", "end--x"]
            )
        return
