"""Every finding has a cure, an example that brings it about, and one without it."""

import ast
import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incident.response.compile import compile_form
from incident.response.cures import CURES
from incident.response.findings import Finding
from incident.response.form import check
from incident.response.lint import lint
from incident.response.lint_containment import Catalogue
from incident.response.lint_graph import DEEPEST, MOST_LINKS, MOST_STEPS
from incident.response.model import Playbook
from incident.response.vocabularies import TLP
from tests.support.playbooks import form_of

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MEASURES = frozenset({"contain.disable-endpoint", "restore.enable-endpoint"})
RED = next(key for key, level in TLP.items() if level == "TLP:RED")
FOREIGN = "extension-definition--418ee24c-9cb1-46d9-afa5-309e01aabc7f"
OTHER = "92efc06a-8fbe-4c9d-8f66-8f3aef5c2709"


def manual(**more: Any) -> dict[str, Any]:
    return {"type": "action", "agent": "people", "commands": [{"type": "manual", "command": "do it"}], **more}


def sound() -> dict[str, Any]:
    """A playbook without a finding that holds something of all that there is."""
    call = {"type": "http-api", "command": "POST /x HTTP/1.1", "playbook_activity": "eliminate-risk"}
    repeatable = {"repeatable": {"because": "twice is as once"}}
    steps: dict[str, Any] = {
        "start": {"type": "start", "on_completion": "both"},
        "both": {"type": "parallel", "next_steps": ["left", "right"], "on_completion": "decide"},
        "left": manual(on_completion="left-end"),
        "left-end": {"type": "end"},
        "right": manual(on_completion="right-end", step_variables={"__own__": {"type": "string"}}, out_args=["__own__"]),
        "right-end": {"type": "end"},
        "decide": {"type": "if-condition", "condition": "__v__:value = 'x'", "on_true": "yes", "on_completion": "which"},
        "yes": manual(on_completion="yes-end"),
        "yes-end": {"type": "end"},
        "which": {"type": "switch-condition", "switch": "__v__:value", "cases": {"x": "case", "default": "case-2"}, "on_completion": "over"},
        "case": manual(on_completion="case-end"),
        "case-end": {"type": "end"},
        "case-2": {"type": "end"},
        "over": {"type": "playbook-action", "playbook_id": f"playbook--{OTHER}", "in_args": ["__v__"], "on_completion": "call"},
        "call": {"type": "action", "agent": "machine", "commands": [call], "step_extensions": repeatable, "on_completion": "shell"},
        "shell": {"type": "action", "agent": "host", "commands": [{"type": "ssh", "command": "true"}], "step_extensions": repeatable, "on_completion": "here-step"},
        "here-step": {"type": "action", "agent": "here", "commands": [{"type": "bash", "command": "true"}], "step_extensions": repeatable, "on_success": "end", "on_failure": "end"},
        "end": {"type": "end"},
    }  # fmt: skip
    data = compile_form(
        form_of(
            steps,
            playbook_types=["mitigation"],
            valid_from="2025-01-01T00:00:00.000Z",
            playbook_variables={"__v__": {"type": "string", "value": "x"}},
            markings=[RED],
            data_marking_definitions={
                RED: {
                    "type": "marking-tlp",
                    "id": RED,
                    "created_by": "identity--5abe695c-7bd5-4c31-8824-2528696cdbf1",
                    "created": "2022-10-01T00:00:00.000Z",
                    "tlpv2_level": "TLP:RED",
                }
            },
            authentication_info_definitions={
                "key": {
                    "type": "user-auth", "name": "key", "username": "u", "kms": True, "kms_key_identifier": "ssh-key"
                },
                "web": {
                    "type": "oauth2", "oauth_header": "Bearer", "kms": True, "kms_key_identifier": "token"
                },
            },
            agent_definitions={
                "people": {"type": "group", "name": "People"},
                "machine": {"type": "http-api", "name": "Machine", "address": {"dname": ["machine.example"]}},
                "host": {
                    "type": "ssh", "name": "Host", "address": {"ipv4": ["192.0.2.7"]}, "authentication_info": "key"
                },
                "here": {"type": "linux", "name": "Here", "address": {"dname": ["localhost"]}},
            },
        )
    )  # fmt: skip
    data["playbook_extensions"] = {**data["playbook_extensions"], FOREIGN: {"width": 5}}
    data["extension_definitions"][FOREIGN] = {
        "type": "extension-definition",
        "name": "layout",
        "created_by": "identity--5abe695c-7bd5-4c31-8824-2528696cdbf1",
        "schema": "https://schema.example/layout.json",
        "version": "1.0.0",
    }
    return dict(data)


CHILD = Playbook.model_validate(
    compile_form(
        form_of(
            {"start": {"type": "start", "on_completion": "a"}, "a": manual(on_completion="end"), "end": {"type": "end"}},
            id=f"playbook--{OTHER}",
            modified="2025-12-01T00:00:00.000Z",
            playbook_variables={"__v__": {"type": "string", "external": True}},
        )
    )
)  # fmt: skip

Edit = Callable[[dict[str, Any], Callable[[str], str]], None]


def put(path: str, value: Any) -> Edit:
    """Sets a value by its path; short names stand for ids, `None` as the value takes the property out."""

    def edit(data: dict[str, Any], id_of: Callable[[str], str]) -> None:
        *way, last = [int(p) if p.isdigit() else id_of(p) for p in path.split("/")]
        holder: Any = data
        for part in way:
            holder = holder.setdefault(part, {}) if isinstance(holder, dict) else holder[part]
        if value is None:
            del holder[last]
        else:
            holder[last] = json.loads(
                json.dumps(value), object_pairs_hook=lambda pairs: {id_of(k): v for k, v in pairs}
            )

    return edit


def lead(path: str, to: str) -> Edit:
    return lambda data, id_of: put(path, id_of(to))(data, id_of)


def rename(section: str, old: str, new: str) -> Edit:
    def edit(data: dict[str, Any], id_of: Callable[[str], str]) -> None:
        text = json.dumps(data).replace(id_of(old), new)
        data.clear()
        data.update(json.loads(text))

    return edit


HTTP = {"type": "http-api", "command": "POST /x HTTP/1.1"}
COMMANDS = "workflow/left/commands"
CASES: dict[str, Edit] = {
    "spec-version": put("spec_version", "1.1"),
    "identifier": put("created_by", "somebody"),
    "uuid-version": rename("workflow", "left", f"action--{OTHER[:14]}5{OTHER[15:]}"),
    "uuid-reused": lambda data, id_of: rename("x", "host", "ssh--" + id_of("machine").partition("--")[2])(data, id_of),
    "timestamp": put("created", "2025-11-20T00:00:00.000000Z"),
    "validity": put("valid_until", "soon"),
    "validity-order": put("valid_until", "2024-12-31T00:00:00.000Z"),
    "not-yet-valid": put("valid_from", "2026-02-01T00:00:00.000Z"),
    "expired": put("valid_until", "2025-12-31T00:00:00.000Z"),
    "revoked": put("revoked", True),
    "number-range": put("priority", 101),
    "empty": put("labels", []),
    "vocabulary": put("playbook_types", ["cure"]),
    "activity": put("playbook_types", ["notification"]),
    "no-activities": put("playbook_activities", None),
    "summary": put("playbook_processing_summary", {"while_logic": True}),
    "reference-name": put("external_references", [{"url": "https://x.example"}]),
    "marking": put(f"data_marking_definitions/{RED}/tlpv2_level", "TLP:GREEN"),
    "unresolved-marking": put("markings", [next(iter(TLP))]),
    "signature": put("signatures", [{"type": "jss"}]),
    "extension-definition": put(f"extension_definitions/{FOREIGN}/version", "new"),
    "extension-property": put(f"playbook_extensions/{FOREIGN}", {"step-result": 1}),
    "undeclared-extension": put(f"extension_definitions/{FOREIGN}", None),
    "no-start": lead("workflow_start", "left"),
    "several-starts": put(f"workflow/start--{OTHER}", {"type": "start", "on_completion": f"start--{OTHER}"}),
    "start-entered": lead("workflow/left/on_completion", "start"),
    "start-with-outcome": lead("workflow/start/on_success", "both"),
    "no-end": put("workflow/left-end/type", "start"),
    "end-goes-on": lead("workflow/left-end/on_completion", "end"),
    "leads-nowhere": put("workflow/left/on_completion", None),
    "completion-and-success": lead("workflow/call/on_success", "end"),
    "cycle": lead("workflow/call/on_completion", "both"),
    "shared-step": lead("workflow/left/on_completion", "right-end"),
    "dangling-reference": put("workflow/left/on_completion", f"end--{OTHER}"),
    "unreached": put(f"workflow/end--{OTHER}", {"type": "end"}),
    "no-action": lambda data, id_of: data["workflow"].update({k: {"type": "end"} for k in data["workflow"]}),
    "too-few-branches": lambda data, id_of: put("workflow/both/next_steps", [id_of("left")])(data, id_of),
    "unknown-step-type": put("workflow/left/type", "single"),
    "no-command": put(COMMANDS, []),
    "unknown-agent": put("workflow/left/agent", f"group--{OTHER}"),
    "unknown-target": put("workflow/left/targets", [f"group--{OTHER}"]),
    "command-type-not-run": put(COMMANDS, [{"type": "sigma", "command_b64": "Lg=="}]),
    "command-missing": put(COMMANDS, [{"type": "sigma", "command": "x"}]),
    "two-commands": put(COMMANDS, [{"type": "manual", "command": "x", "command_b64": "Lg=="}]),
    "base64": put(COMMANDS, [{"type": "yara", "command_b64": "no!"}]),
    "http-command": put("workflow/call/commands", [{"type": "http-api", "command": "POST x"}]),
    "openc2-command": put("workflow/call/commands", [{"type": "openc2-http", "command": "POST /x HTTP/1.1", "content_b64": "e30="}]),
    "shell-command": put("workflow/shell/commands", [{"type": "ssh"}]),
    "two-contents": put("workflow/call/commands", [{**HTTP, "content": "a", "content_b64": "YQ=="}]),
    "content-type": put("workflow/call/commands", [{**HTTP, "content": "<__v__:value>"}]),
    "manual-text": put(COMMANDS, [{"type": "manual", "command": " "}]),
    "negative-time": put("workflow/left/timeout", -1),
    "bash-targets": lambda data, id_of: put("workflow/here-step/targets", [id_of("host")])(data, id_of),
    "bash-elsewhere": lead("workflow/here-step/agent", "host"),
    "would-ask": put("workflow/call/step_extensions", None),
    "nothing-to-repeat": lambda data, id_of: data["workflow"][id_of("left")].update(step_extensions=data["workflow"][id_of("call")]["step_extensions"]),
    "condition": put("workflow/decide/condition", "v == 'x'"),
    "switch": put("workflow/which/switch", "v"),
    "no-case": put("workflow/which/cases", {}),
    "no-default": put("workflow/which/cases/default", None),
    "agent-name": put("agent_definitions/people/name", " "),
    "agent-properties": put("agent_definitions/machine/address", {}),
    "agent-address": put("agent_definitions/host/address", {"ipv4": ["__v__:value"]}),
    "no-address": lead("workflow/call/agent", "people"),
    "no-user": put("agent_definitions/host/authentication_info", None),
    "authentication": put("authentication_info_definitions/web/oauth_header", None),
    "authentication-type": lead("agent_definitions/host/authentication_info", "web"),
    "unknown-authentication": put("agent_definitions/machine/authentication_info", f"http-basic--{OTHER}"),
    "secret-reference": put("authentication_info_definitions/key/kms_key_identifier", None),
    "inline-secret": put("authentication_info_definitions/key/password", "hunter2"),
    "variable-name": put("playbook_variables/v", {"type": "string"}),
    "variable-case": put("playbook_variables/__V__", {"type": "string"}),
    "variable-value": put("playbook_variables/__v__/type", "integer"),
    "undeclared-variable": put("workflow/over/in_args", ["__none__"]),
    "unused-variable": put("playbook_variables/__w__", {"type": "string"}),
    "overloaded-variable": put("playbook_variables/__own__", {"type": "string"}),
    "external-in-step": put("workflow/right/step_variables/__own__/external", True),
    "constant-written": put("workflow/right/step_variables/__own__/constant", True),
    "argument": put("workflow/over/out_args", ["__v__", "__own__"]),
    "unknown-playbook": put("workflow/over/playbook_id", f"playbook--{OTHER[:-1]}0"),
    "playbook-version": put("workflow/over/playbook_version", "2024-01-01T00:00:00.000Z"),
    "playbook-cycle": put("id", f"playbook--{OTHER}"),
    "extension": put("workflow/left/step_extensions", {"containment_action": {"action_ids": []}}),
    "approval-question": put("workflow/call/step_extensions", {"approval": {"approver_roles": ["a"]}}),
    "two-tasks": put("workflow/left/step_extensions", {"notice": {"task": "draft"}, "regulator_report": {"regime": "r", "phase": "p"}}),
    "in-house-command": put("workflow/call/step_extensions", {"notice": {"task": "draft"}}),
    "unknown-measure": put("workflow/left/step_extensions", {"containment_action": {"action_ids": ["contain.all"]}}),
}  # fmt: skip


def many_steps(data: dict[str, Any], id_of: Callable[[str], str]) -> None:
    data["workflow"] |= {f"end--{number}": {"type": "end"} for number in range(MOST_STEPS)}


def many_links(data: dict[str, Any], id_of: Callable[[str], str]) -> None:
    data["workflow"][id_of("both")]["next_steps"] *= MOST_LINKS // 2


def deep_branches(data: dict[str, Any], id_of: Callable[[str], str]) -> None:
    inner = id_of("yes")
    for number in range(DEEPEST + 1):
        step = {"type": "if-condition", "condition": "EXISTS __v__:value", "on_true": inner}
        inner = f"if-condition--{number}"
        data["workflow"][inner] = {**step, "on_completion": f"end--{number}"}
        data["workflow"][f"end--{number}"] = {"type": "end"}
    data["workflow"][id_of("decide")]["on_true"] = inner


def contains(**more: Any) -> Edit:
    action = {"action_ids": ["contain.disable-endpoint"], "undo_ids": ["restore.enable-endpoint"], **more}
    return put("workflow/call/step_extensions/containment_action", action)


UNDO = {"type": "http-api", "command": "POST /undo HTTP/1.1"}
CASES |= {
    "too-many-steps": many_steps,
    "too-many-links": many_links,
    "too-deep": deep_branches,
    "secret-place": put("authentication_info_definitions/key/kms_key_identifier", "env:KEY"),
    "unknown-owner": contains(owner="group--nobody"),
    "verifies-nothing": put("workflow/left/step_extensions", {"verification": {"verifies": ["right"]}}),
    "undo-command": contains(undo_commands=[{"command": "no type"}]),
    "undone-by-hand": contains(),
    "unknown-interruption": contains(undo_commands=[UNDO], interrupts="persons"),
    "evidence-first": put(
        "workflow/left/step_extensions", {"containment_action": {"action_ids": ["contain.disable-endpoint"]}}
    ),
}

READING: dict[str, str] = {
    "unreadable": "{",
    "shape": json.dumps({"type": "playbook", "spec_version": "cacao-2.0", "name": 5}),
    "missing-word": "name: x\nworkflow: {a: {type: end}}\n",
    "no-type": "name: x\ncreated: 2025-11-20\ncreated_by: i\nworkflow: {a: {}}\n",
    "not-a-mapping": "name: x\ncreated: 2025-11-20\ncreated_by: i\nworkflow: {a: {type: end}}\nagent_definitions: []\n",
    "short-name": "name: x\ncreated: 2025-11-20\ncreated_by: i\nworkflow: {A!: {type: end}}\n",
    "unknown-word": "name: x\ncreated: 2025-11-20\ncreated_by: i\nworkflow: {a: {type: start, on_completion: b}, b: {type: end}}\nlable: 1\n",
    "unknown-extension": "name: x\ncreated: 2025-11-20\ncreated_by: i\nworkflow: {a: {type: end, step_extensions: {notise: {}}}}\n",
}  # fmt: skip


def found_in(data: dict[str, Any]) -> list[Finding]:
    children = {CHILD.id: CHILD}
    catalogue = Catalogue(
        evidence_first=frozenset({"contain.disable-endpoint"}), durations=frozenset({"site_down"})
    )
    return lint(
        Playbook.model_validate(data),
        now=NOW,
        known_measures=MEASURES,
        children=children,
        catalogue=catalogue,
    )


def test_the_sound_playbook_has_no_finding() -> None:
    assert found_in(sound()) == []


@pytest.mark.parametrize("code", CASES)
def test_a_broken_playbook_has_the_finding_and_its_cure(code: str) -> None:
    data = sound()
    short = {
        each["short_name"]: each["object_id"]
        for texts in [data["playbook_extensions"]]
        for extension in texts.values()
        for each in extension.get("short_names", [])
    }
    from incident.response.extensions import EXTENSION_IDS, Extension

    short |= {each.value: EXTENSION_IDS[each] for each in Extension}
    CASES[code](data, lambda name: short.get(name, name))
    found = {each.code: each for each in found_in(copy.deepcopy(data))}
    assert code in found
    assert found[code].cure == CURES[code]


@pytest.mark.parametrize("code", READING)
def test_what_cannot_be_read_has_its_finding_and_cure(code: str) -> None:
    found = {each.code: each for each in check(READING[code], name="x")}
    assert code in found
    assert found[code].cure
    assert found[code].place is not None


def test_every_code_has_a_cure_and_an_example() -> None:
    assert set(CASES) | set(READING) == set(CURES)
    assert _codes() == set(CURES)


def _codes() -> set[str]:
    """Every code in the source: first of what a checker yields, second of a finding, first of a compiler's complaint."""
    folder = ROOT / "incident" / "response"
    files = [
        *folder.glob("lint*.py"),
        *folder.glob("commands/*.py"),
        folder / "form.py",
        folder / "compile.py",
    ]
    codes = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            first: ast.expr | None = None
            if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
                first = node.value.elts[0]
            elif isinstance(node, ast.Call):
                called = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                place = {"complain": 0, "Finding": 1}.get(called)
                first = node.args[place] if place is not None and len(node.args) > place else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and "/" not in first.value:
                codes.add(first.value)
    return {code for code in codes if code and "_" not in code}
