import copy
import json
from pathlib import Path
from typing import Any

import pytest

from incident.errors import BadInput
from incident.response.compile import compile_form, derived_id, playbook_id
from incident.response.decompile import decompile
from incident.response.extensions import EXTENSION_IDS, PARAMETERS, Extension
from incident.response.findings import IDENTIFIER, NotRunnable
from incident.response.form import Written, check, load, to_cacao, to_form
from incident.response.model import Playbook, dump
from incident.response.yamltext import read_yaml, write_yaml

ROOT = Path(__file__).parents[3]
SHARED = ROOT / ".." / "shared"
SHIPPED = ROOT / "playbooks" / "personal-data-breach.yaml"
SAMPLES = sorted((SHARED / "samples" / "cacao").glob("*.json"))

FORM = """\
name: {en: Test, zh-Hans: 测试}
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
agent_definitions:
  people: {type: group, name: People}
workflow:
  start: {type: start, on_completion: ask}
  ask:
    type: action
    agent: people
    commands:
      - {type: manual, command: {en: Close it., zh-Hans: 请关闭。}}
    step_extensions:
      containment_action: {action_ids: [contain.lock-account]}
    on_completion: end
  end: {type: end}
"""


def schema_errors(data: dict[str, Any]) -> list[str]:
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    folder = SHARED / "schemas" / "cacao"
    if not folder.is_dir():
        pytest.skip("the official CACAO schemas are not beside this checkout")
    base = "https://raw.githubusercontent.com/oasis-open/cacao-json-schemas/main/schemas/"
    registry = referencing.Registry().with_resources(
        (
            base + path.relative_to(folder).as_posix(),
            referencing.Resource(json.loads(path.read_text()), referencing.jsonschema.DRAFT7),
        )
        for path in folder.rglob("*.json")
    )
    schema = json.loads((folder / "playbook.json").read_text())
    found = jsonschema.Draft7Validator(schema, registry=registry).iter_errors(data)
    return [f"{'/'.join(map(str, each.path))}: {each.message[:200]}" for each in found]


def test_a_form_compiles_to_cacao_and_back_to_itself() -> None:
    loaded = load(FORM, name="test.yaml")
    assert loaded.written is Written.form
    data = dump(loaded.playbook)
    form = read_yaml(FORM, name="x").data
    back = decompile(data)
    assert back.pop("id") == playbook_id("Test", [])
    assert back.pop("modified") == back["created"] == "2025-11-20T00:00:00.000Z"
    assert back == form | {"created": "2025-11-20T00:00:00.000Z"}
    assert dump(load(to_form(loaded.playbook), name="x").playbook) == data
    assert dump(load(to_cacao(loaded.playbook), name="x").playbook) == data


def test_ids_are_uuid_v4_and_stay_while_names_stay() -> None:
    first, second = compile_form(read_yaml(FORM, name="x").data), compile_form(read_yaml(FORM, name="x").data)
    assert first == second
    for step_id, step in first["workflow"].items():
        assert IDENTIFIER.fullmatch(step_id)
        assert step_id.startswith(step["type"] + "--")
        assert step_id.split("--")[1][14] == "4"
    ids = {derived_id(first["id"], section, "a", "x") for section in ("workflow", "agent_definitions")}
    assert len(ids) == 2


def test_languages_become_cacao_words_and_the_texts_extension() -> None:
    data = compile_form(read_yaml(FORM, name="x").data)
    step = next(each for each in data["workflow"].values() if each["type"] == "action")
    assert data["name"] == "Test"
    assert step["commands"][0]["command"] == "Close it."
    texts = step["step_extensions"][EXTENSION_IDS[Extension.texts]]
    assert texts == {"language": "en", "translations": [{"language": "zh-Hans", "commands": ["请关闭。"]}]}


def test_a_form_in_chinese_alone_is_known_to_be_chinese() -> None:
    text = FORM.replace("{en: Test, zh-Hans: 测试}", "测试").replace(
        "{en: Close it., zh-Hans: 请关闭。}", "请关闭。"
    )
    text = "language: zh-Hans\n" + text
    data = compile_form(read_yaml(text, name="x").data)
    step = next(each for each in data["workflow"].values() if each["type"] == "action")
    assert step["step_extensions"][EXTENSION_IDS[Extension.texts]] == {"language": "zh-Hans"}
    assert decompile(data)["language"] == "zh-Hans"


def test_our_extensions_are_declared_with_a_schema_where_they_are_used() -> None:
    data = compile_form(read_yaml(FORM, name="x").data)
    assert set(data["extension_definitions"]) == {
        EXTENSION_IDS[Extension.texts],
        EXTENSION_IDS[Extension.containment_action],
    }
    for each in data["extension_definitions"].values():
        assert json.loads(each["schema"])["type"] == "object"


def test_repeatable_is_written_as_one_line_and_comes_back_as_it_was() -> None:
    text = FORM.replace(
        "      containment_action: {action_ids: [contain.lock-account]}\n",
        "      repeatable: {because: locked stays locked}\n",
    )
    data = compile_form(read_yaml(text, name="x").data)
    id_ = EXTENSION_IDS[Extension.repeatable]
    step = next(each for each in data["workflow"].values() if each["type"] == "action")
    assert step["step_extensions"][id_] == {"because": "locked stays locked"}
    assert json.loads(data["extension_definitions"][id_]["schema"])["required"] == ["because"]
    assert decompile(data)["workflow"]["ask"]["step_extensions"] == {
        "repeatable": {"because": "locked stays locked"}
    }


def test_property_names_of_our_extensions_keep_the_standards_rule() -> None:
    def names(schema: Any) -> list[str]:
        if isinstance(schema, list):
            return [name for each in schema for name in names(each)]
        if not isinstance(schema, dict):
            return []
        return [*schema.get("properties", {}), *(name for each in schema.values() for name in names(each))]

    for kind in PARAMETERS.values():
        for name in names(kind.model_json_schema()):
            assert 3 <= len(name) <= 250
            assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")


def test_the_shipped_playbook_fits_the_official_schema() -> None:
    assert schema_errors(dump(load(SHIPPED.read_text(encoding="utf-8"), name="p.yaml").playbook)) == []


def test_a_small_form_fits_the_official_schema() -> None:
    assert schema_errors(compile_form(read_yaml(FORM, name="x").data)) == []


@pytest.mark.skipif(not SAMPLES, reason="the published samples are not beside this checkout")
def test_published_playbooks_keep_every_value() -> None:
    read = 0
    for path in SAMPLES:
        data = json.loads(path.read_text(encoding="utf-8"))
        try:
            loaded = load(path.read_text(encoding="utf-8"), name=path.name)
        except NotRunnable as error:
            assert error.findings
            continue
        read += 1
        assert loaded.written is Written.cacao
        assert dump(loaded.playbook) == data
        try:
            form = decompile(data)
        except BadInput:
            continue
        assert compile_form(read_yaml(write_yaml(form), name="x").data) == data
    assert read >= 10


def test_unknown_properties_and_extensions_of_others_survive_the_form() -> None:
    data = compile_form(read_yaml(FORM, name="x").data)
    other = "extension-definition--418ee24c-9cb1-46d9-afa5-309e01aabc7f"
    step = next(each for each in data["workflow"].values() if each["type"] == "action")
    step["step_extensions"][other] = {"x": 1.5, "deep": [None, {"é": True}]}
    step["x_vendor"] = {"keep": ["me"]}
    data["x_top"] = 3
    expected = copy.deepcopy(data)
    assert dump(Playbook.model_validate(data)) == expected
    assert compile_form(decompile(data)) == expected


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("on_completion: ask", "on_completion: asc"), 7, "near it: ask"),
        (("agent: people", "agent: peopel"), 10, "near it: people"),
        (("containment_action:", "containment_actions:"), 14, "did you mean “containment_action”"),
        (("  end: {type: end}", "  End!: {type: end}"), 16, "short name"),
        (("created: 2025-11-20", "created: yesterday"), 3, "no time with a zone"),
        (("  end: {type: end}", "  end: {}"), 16, "needs a type"),
    ],
)
def test_what_is_wrong_in_a_form_is_named_with_its_line(
    change: tuple[str, str], line: int, message: str
) -> None:
    with pytest.raises(NotRunnable) as caught:
        load(FORM.replace(*change), name="test.yaml")
    assert any(
        f"test.yaml:{line}" in (each.place or "") and message in each.message
        for each in caught.value.findings
    )


@pytest.mark.parametrize("text", ["", "- a", "a: [", "{not json", '{"type": "playbook"', "a: 1\na: 2"])
def test_what_is_no_playbook_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        load(text, name="test.yaml")
    assert "test.yaml" in str(caught.value)


def test_a_misspelt_word_is_found_in_a_form_and_only_mentioned_in_an_import() -> None:
    text = FORM.replace("    agent: people", "    timeuot: 5\n    agent: people")
    assert [each.severity for each in check(text, name="t") if each.code == "unknown-word"] == ["error"]
    cacao = to_cacao(load(text, name="t").playbook)
    found = [each for each in check(cacao, name="t") if each.code == "unknown-word"]
    assert [each.severity for each in found] == ["warning"]
    assert "did you mean “timeout”" in found[0].message
