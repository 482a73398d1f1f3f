import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from incident.errors import BadInput
from incident.response.commands.going_out import GoingOut, host_rule
from incident.response.exporting import NotExported, export_playbook
from incident.response.extensions import OUR_IDENTITY
from incident.response.findings import IDENTIFIER
from incident.response.form import load
from incident.response.importing import Imported, NotImported, Surroundings, import_playbook
from incident.response.model import dump
from incident.response.repair import digest
from tests.support.shared import need_shared

NOW = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
ID = "playbook--11036b97-0d3c-4922-9a9c-d3ae649c1d33"
START = "start--5760a34a-f066-4c91-8d4b-db1ded8602c3"
ACT = "action--808b60f0-e6f4-45f0-87aa-b193ec27b8f8"
BACK = "action--347fcbac-3608-42f8-b037-c7b411934796"
ASK = "if-condition--49a5b03c-5477-4ddf-80fe-78db89dbf4ba"
END = "end--12944823-2e36-453b-8998-aba3b26f513e"
TEAM = "group--624befeb-fd75-4340-9fa6-1445328c40b7"
HOST = "http-api--e4382885-0dc9-456f-8a28-080fecc2dd4e"


def file(**more: Any) -> dict[str, Any]:
    """Another tool's playbook, without a fault."""
    return {
        "type": "playbook",
        "spec_version": "cacao-2.0",
        "id": ID,
        "name": "Theirs",
        "created_by": "identity--5abe695c-7bd5-4c31-8824-2528696cdbf1",
        "created": "2025-08-20T08:00:00.000Z",
        "modified": "2025-08-20T08:00:00.000Z",
        "workflow_start": START,
        "workflow": {
            START: {"type": "start", "on_completion": ACT},
            ACT: {
                "type": "action",
                "agent": TEAM,
                "commands": [{"type": "manual", "command": "look"}],
                "on_completion": END,
            },
            END: {"type": "end"},
        },
        "agent_definitions": {
            TEAM: {"type": "group", "name": "Team"},
            HOST: {"type": "http-api", "name": "Host", "address": {"dname": ["api.example"]}},
        },
        **more,
    }


def act(**more: Any) -> dict[str, Any]:
    """The same with another action."""
    data = file()
    data["workflow"][ACT].update(more)
    return data


def take(data: dict[str, Any], here: Surroundings | None = None) -> Imported:
    raw = json.dumps(data, indent=1).encode()
    return import_playbook(raw, name="theirs.json", title="theirs", now=NOW, here=here)


def codes(imported: Imported) -> set[str]:
    return {each.code for each in imported.repairs}


def steps(imported: Imported) -> list[dict[str, Any]]:
    return list(dump(imported.playbook)["workflow"].values())


def action(imported: Imported) -> dict[str, Any]:
    return next(each for each in steps(imported) if each["type"] == "action")


def test_what_is_sound_is_taken_in_as_it_is() -> None:
    imported = take(file())
    assert imported.repairs == ()
    assert imported.needs == ()
    assert dump(imported.playbook) == file()
    assert load(imported.text, name="x").playbook == imported.playbook
    assert imported.sha256 in imported.text


def test_a_repaired_playbook_is_another_that_names_the_first_and_the_digest_of_its_file() -> None:
    data = act(agent=None) | {"signatures": [{"type": "jss"}]}
    found = take(data)
    assert found.playbook.id != ID
    assert IDENTIFIER.fullmatch(found.playbook.id)
    assert found.playbook.derived_from == [ID]
    assert found.playbook.external_references[-1]["external_id"] == f"sha256:{found.sha256}"
    assert found.sha256 == digest(json.dumps(data, indent=1).encode())
    assert found.playbook.created_by == OUR_IDENTITY
    assert found.playbook.signatures == []
    assert {"another-playbook", "signatures", "no-agent"} <= codes(found)
    assert take(data).text == found.text


def test_ids_are_minted_and_every_reference_follows() -> None:
    text = json.dumps(file(id="no id", workflow_exception=END))
    for old, new in ((START, "step--1"), (ACT, "act"), (END, "step--end"), (TEAM, "team"), (HOST, "host")):
        text = text.replace(old, new)
    found = take(json.loads(text))
    workflow = dump(found.playbook)["workflow"]
    assert all(
        IDENTIFIER.fullmatch(key) and key.startswith(f"{each['type']}--") for key, each in workflow.items()
    )
    assert found.playbook.external_references[-1]["source"] == "its id: no id"
    assert workflow[found.playbook.workflow_start]["type"] == "start"
    assert action(found)["agent"] in found.playbook.agent_definitions
    assert all(each.place.startswith("theirs.json:") for each in found.repairs if each.place and each.code == "identifier")  # fmt: skip
    assert codes(found) == {"identifier", "another-playbook"}


@pytest.mark.parametrize(
    ("data", "code", "now"),
    [
        (act(type="single"), "step-type", {"type": "action"}),
        (act(on_completion=[END]), "list", {"on_completion": END}),
        (act(on_failure=END), "completion-and-success", {"on_success": END, "on_failure": END}),
        (act(delay="5"), "number", {"delay": 5}),
        (act(delay=0), "no-delay", {}),
        (act(targets=[]), "empty", {}),
        (act(target_ids=[HOST]), "old-word", {"targets": [HOST]}),
        (act(in_args="__x__", step_variables={"__x__": {"type": "string"}}), "no-list", {"in_args": ["__x__"]}),
        (act(commands={"type": "manual", "command": "x"}), "no-list", {"commands": [{"type": "manual", "command": "x"}]}),
        (act(commands=[{"type": "attack-cmd", "command": "x"}]), "command-type", {"commands": [{"type": "caldera-cmd", "command": "x"}]}),
        (act(commands=[{"type": "http-api", "command": "GET x HTTP1.1", "headers": {"A": "b"}, "body": {"c": 1}}]), "body", {"commands": [{"type": "http-api", "command": "GET /x HTTP/1.1", "headers": {"A": ["b"]}, "content": '{"c": 1}'}]}),
        (act(step_variables={"__x__": {"type": "integer", "value": 5, "external": True}}), "external", {"step_variables": {"__x__": {"type": "integer", "value": "5"}}}),
    ],
)  # fmt: skip
def test_what_is_commonly_broken_in_a_step_is_repaired(
    data: dict[str, Any], code: str, now: dict[str, Any]
) -> None:
    found = take(data)
    assert code in codes(found)
    assert now.items() <= action(found).items()
    assert {"no-delay": "delay", "empty": "targets"}.get(code) not in action(found)
    assert take(json.loads(json.dumps(dump(found.playbook)))).repairs == ()


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"spec_version": "1.1"}, "spec-version"),
        ({"created": "2025-08-20T10:00:00+02:00"}, "timestamp"),
        ({"created": "2025-08-20T08:00:00.123456Z", "modified": "2025-08-21"}, "timestamp"),
        ({"modified": None}, "no-time"),
        ({"created_by": "someone"}, "no-author"),
        ({"name": ""}, "no-name"),
        ({"priority": "3"}, "number"),
        ({"playbook_activities": ["step-sequence"]}, "activities"),
        ({"playbook_processing_summary": {"if_logic": True}}, "summary"),
        ({"markings": []}, "empty"),
        ({"workflow_start": None}, "workflow-start"),
        ({"workflow_exception": "end--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702"}, "missing-end"),
    ],
)
def test_what_is_commonly_broken_in_a_playbook_is_repaired(more: dict[str, Any], code: str) -> None:
    found = take(file(**more))
    assert code in codes(found)
    assert take(dump(found.playbook)).repairs == ()
    export_playbook(found.playbook, name="x")


def test_other_ways_to_write_variables_become_those_of_the_standard() -> None:
    script = "block {{ ip }} $$host$$ $port $HOME __done__ __init__"
    data = act(commands=[{"type": "ssh", "command": script}], targets=[HOST])
    data["playbook_variables"] = {"$$host$$": {"type": "string"}, "port": {"type": "integer", "value": 22}, "__done__": {"type": "bool"}}  # fmt: skip
    found = take(data)
    assert action(found)["commands"][0]["command"] == (
        "block __ip__:value __host__:value __port__:value $HOME __done__:value __init__"
    )
    variables = found.playbook.playbook_variables
    assert variables["__ip__"].external
    assert variables["__ip__"].value is None
    assert variables["__port__"].value == "22"
    assert {"variable", "undeclared-variable", "variable-value"} <= codes(found)


def branching(**more: Any) -> dict[str, Any]:
    data = file()
    data["workflow"][START]["on_completion"] = ASK
    data["workflow"][ASK] = {"type": "if-condition", "condition": "__v__:value = 'x'", "on_true": ACT, **more}
    data["workflow"][BACK] = copy.deepcopy(data["workflow"][ACT])
    data["playbook_variables"] = {"__v__": {"type": "string", "value": "x"}}
    return data


def test_branches_that_meet_end_before_and_lead_on_from_where_they_meet() -> None:
    data = branching(on_false=BACK)
    after = "action--3cd9b956-d7d8-455c-8ade-2eb9aed47f5a"
    data["workflow"][after] = copy.deepcopy(data["workflow"][ACT])
    data["workflow"][ACT]["on_completion"] = data["workflow"][BACK]["on_completion"] = after
    workflow = dump(take(data).playbook)["workflow"]
    assert workflow[ASK]["on_completion"] == after
    ends = {workflow[each]["on_completion"] for each in (ACT, BACK, after)}
    assert len(ends) == 3
    assert {workflow[each]["type"] for each in ends} == {"end"}


def test_branches_that_share_an_end_get_each_their_own() -> None:
    data = branching(on_false=BACK, on_completion=END)
    found = take(data)
    workflow = dump(found.playbook)["workflow"]
    assert len({workflow[each]["on_completion"] for each in (ACT, BACK, ASK)}) == 3
    assert "own-end" in codes(found)


def test_a_branch_that_does_nothing_before_they_meet_goes() -> None:
    data = branching(on_false=BACK)
    data["workflow"][ACT]["on_completion"] = BACK
    workflow = dump(take(data).playbook)["workflow"]
    assert workflow[ASK]["on_completion"] == BACK
    assert "on_false" not in workflow[ASK]


def test_a_loop_that_leads_back_to_its_condition_ends_its_branch() -> None:
    data = branching(on_completion=END)
    loop = ASK.replace("if-", "while-")
    text = json.dumps(data).replace(ASK, loop).replace('"if-condition"', '"while-condition"')
    data = json.loads(text)
    data["workflow"][ACT]["on_completion"] = loop
    found = take(data)
    workflow = dump(found.playbook)["workflow"]
    assert workflow[workflow[ACT]["on_completion"]]["type"] == "end"


def test_a_flow_without_start_and_end_gets_both() -> None:
    data = file(workflow_start=ACT)
    del data["workflow"][START], data["workflow"][END], data["workflow"][ACT]["on_completion"]
    assert [each["type"] for each in steps(take(data))] == ["start", "action", "end"]


def test_people_do_what_nobody_is_named_for_and_the_engine_the_rest() -> None:
    people = take(act(agent=None))
    engine = take(act(agent=None, commands=[{"type": "bash", "command": "true"}]))
    assert people.playbook.endpoint(action(people)["agent"]).name == "People"  # type: ignore[union-attr]
    assert engine.playbook.endpoint(action(engine)["agent"]).name == "Playbook engine"  # type: ignore[union-attr]
    assert people.needs == ()
    assert any("a bash command runs on this machine" in each for each in engine.needs)


def test_a_secret_in_the_file_is_named_and_told_to_nobody() -> None:
    secret = "http-basic--76c26f7f-9a15-40ff-a90a-7b19e23372ae"
    data = file(authentication_info_definitions={secret: {"type": "http-basic", "user_id": "admin", "password": "hunter2"}})  # fmt: skip
    found = take(data)
    assert "hunter2" not in found.text + repr(found)
    assert found.needs == ("the secret “admin” (its place in [playbooks] secrets)",)
    assert take(data, Surroundings(secrets=["admin"])).needs == ()


def test_it_says_what_the_playbook_needs_here() -> None:
    call = {"type": "http-api", "command": "GET /x HTTP/1.1"}
    data = act(agent=HOST, commands=[call])
    needs = take(data).needs
    assert len(needs) == 1
    assert 'add "api.example:443" to [playbooks] hosts' in needs[0]
    assert take(data, Surroundings(rules=GoingOut(hosts=(host_rule("api.example"),)))).needs == ()
    assert "cannot be run" in take(act(commands=[{"type": "sigma", "command_b64": "Lg=="}])).needs[0]
    external = {"__ip__": {"type": "string", "external": True}}
    assert take(act(commands=[{"type": "manual", "command": "block __ip__:value"}]) | {"playbook_variables": external}).needs == ("a value for __ip__ (--var ip=VALUE)",)  # fmt: skip


def test_a_condition_in_another_language_stays_and_is_mentioned() -> None:
    data = branching(condition="verdict == 'malicious'")
    found = take(data)
    assert "verdict == 'malicious'" in found.text
    assert "condition" in {each.code for each in found.findings if each.severity == "warning"}
    with pytest.raises(NotExported):
        export_playbook(found.playbook, name="x")
    data = branching(condition="$$v$$ = 'x'")
    assert "__v__:value = 'x'" in take(data).text


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (act(on_completion="action--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702"), "dangling-reference"),
        (act(on_completion=ACT), "cycle"),
        (act(on_completion=END, on_success=START), "completion-and-success"),
        (act(type="dance"), "unknown-step-type"),
        (act(commands=[]), "no-command"),
        (act(agent="group--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702"), "unknown-agent"),
        (act(on_completion=[END, ACT]), "shape"),
        (act(commands="dance"), "shape"),
        (file(spec_version="cacao-3.0"), "spec-version"),
        (file(workflow_start="nowhere", workflow={END: {"type": "end"}}), "no-start"),
        (branching(condition=5), "shape"),
    ],
)
def test_what_has_no_one_reading_is_refused_with_the_reason(data: dict[str, Any], code: str) -> None:
    with pytest.raises(NotImported) as caught:
        take(data)
    assert code in {each.code for each in caught.value.findings}
    assert all(each.place and each.place.startswith("theirs.json") for each in caught.value.findings)


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"[1]", b"{}", b'{"workflow": 5}', b"just words", b'{"workflow": {"a": 5}}']
)
def test_what_is_no_playbook_is_refused(text: bytes) -> None:
    with pytest.raises(BadInput):
        import_playbook(text, name="x", title="x", now=NOW)


# What import says of each published playbook: its repairs, and how many needs keep it from running.
SAMPLES: dict[str, tuple[set[str], int]] = {
    "ai4soar__t1110_brute_force": ({"no-time", "no-author", "identifier", "no-agent", "no-list", "body", "start-line", "variable", "undeclared-variable", "no-start"}, 7),
    "ai4soar__t1499_dos": ({"no-time", "no-author", "identifier", "no-agent", "no-list", "body", "start-line", "variable", "undeclared-variable", "no-start"}, 8),
    "ai4soar__t1566_phishing": ({"no-time", "no-author", "identifier", "no-agent", "no-list", "body", "start-line", "variable", "undeclared-variable", "no-start"}, 4),
    "aidfir__pb-cloud-llm-log-triage": ({"branches-meet", "own-end"}, 11),
    "pforge__malware-containment": ({"identifier", "no-agent", "branches-meet", "own-end", "empty-branch", "activities", "empty"}, 0),
    "soarca__docs-concepts-executable-playbooks": ({"identifier", "no-agent", "undeclared-variable", "activities", "empty"}, 8),
    "soarca__example-playbooks-caldera-basic-step": ({"identifier"}, 1),
    "soarca__examples-caldera-basic-step-2": ({"identifier"}, 1),
    "soarca__examples-caldera-basic-step-3": ({"identifier"}, 1),
    "soarca__examples-caldera-basic-step": (set(), 1),
    "soarca__examples-http-playbook": ({"timestamp", "start-line"}, 1),
    "soarca__examples-manual-playbook": ({"identifier"}, 0),
    "soarca__examples-openc2-playbook": ({"timestamp", "start-line", "command-type"}, 1),
    "soarca__examples-security-ip-lookup": ({"identifier"}, 3),
    "soarca__test-playbooks-invalid_playbook": ({"timestamp", "identifier", "secret", "start-line", "variable", "undeclared-variable", "missing-end", "no-start"}, 9),
    "soarca__test-playbooks-missing_step_playbook": ({"timestamp", "secret", "start-line", "variable", "undeclared-variable", "missing-end", "no-start"}, 9),
    "soarca__test-playbooks-parallels_playbook": ({"timestamp", "secret", "start-line", "variable", "undeclared-variable", "missing-end", "no-start", "own-end", "leads-nowhere"}, 3),
    "soarca__test-playbooks-playbook": ({"timestamp", "secret", "start-line", "variable", "undeclared-variable", "missing-end", "no-start"}, 9),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_of_each_published_playbook_import_says_what_it_repairs_and_needs(name: str) -> None:
    raw = (need_shared("samples/cacao") / f"{name}.json").read_bytes()
    found = import_playbook(raw, name=f"{name}.json", title=name, now=NOW)
    repairs, needs = SAMPLES[name]
    assert codes(found) - {"another-playbook"} == repairs
    assert len(found.needs) == needs, found.needs
    again = import_playbook(found.text.encode(), name="again", title="x", now=NOW)
    assert again.playbook == found.playbook
    assert again.repairs == ()


def test_every_published_playbook_is_looked_at() -> None:
    folder = need_shared("samples/cacao")
    assert {path.stem for path in folder.glob("*.json")} == set(SAMPLES)
