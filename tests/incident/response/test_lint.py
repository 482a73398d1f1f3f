import copy
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from incident.response.compile import compile_form
from incident.response.findings import Finding, NotRunnable, Severity
from incident.response.form import check
from incident.response.lint import lint, require_runnable
from incident.response.model import Playbook
from tests.support.playbooks import Builder

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MEASURES = frozenset({"contain.disable-endpoint"})
REPEATABLE = {"repeatable": {"because": "twice is as once"}}


def manual(**more: Any) -> dict[str, Any]:
    return {"type": "action", "agent": "people", "commands": [{"type": "manual", "command": "do it"}], **more}


def workflow() -> dict[str, Any]:
    return {
        "start": {"type": "start", "on_completion": "both"},
        "both": {"type": "parallel", "next_steps": ["left", "right"], "on_completion": "check"},
        "left": manual(on_completion="left-end"),
        "left-end": {"type": "end"},
        "right": manual(on_completion="right-end"),
        "right-end": {"type": "end"},
        "check": {
            "type": "if-condition",
            "condition": "__v__:value = 'x'",
            "on_true": "yes",
            "on_completion": "call",
        },
        "yes": manual(on_completion="yes-end"),
        "yes-end": {"type": "end"},
        "call": {
            "type": "action",
            "agent": "machine",
            "commands": [{"type": "http-api", "command": "POST /x HTTP/1.1"}],
            "step_extensions": REPEATABLE,
            "on_completion": "end",
        },
        "end": {"type": "end"},
    }


VARIABLES = {"playbook_variables": {"__v__": {"type": "string", "value": "x"}}}


def codes(found: Iterable[Finding]) -> set[str]:
    return {each.code for each in found if each.severity is Severity.error}


def test_a_sound_playbook_has_no_findings(build: Builder) -> None:
    assert lint(build(workflow(), **VARIABLES), now=NOW, known_measures=MEASURES) == []


def change(path: str, value: Any) -> Any:
    def apply(steps: dict[str, Any]) -> None:
        step, _, word = path.partition(".")
        if value is None:
            del steps[step][word]
        elif word:
            steps[step][word] = value
        else:
            steps[step] = value

    return apply


HTTP = {"type": "http-api", "command": "POST /x HTTP/1.1"}
APPROVAL = {"approval": {"approver_roles": ["approver"]}}


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (change("call.on_completion", "start"), "start-entered"),
        (change("call.on_completion", "both"), "cycle"),
        (change("call.on_completion", "left-end"), "shared-step"),
        (change("left.on_completion", "right-end"), "shared-step"),
        (change("yes.on_completion", "end"), "shared-step"),
        (change("call.on_completion", None), "leads-nowhere"),
        (change("check.on_completion", None), "leads-nowhere"),
        (change("call.on_failure", "end"), "completion-and-success"),
        (change("start.on_success", "both"), "completion-and-success"),
        (change("left-end.on_completion", "end"), "end-goes-on"),
        (change("both.next_steps", ["left"]), "too-few-branches"),
        (change("both.next_steps", ["left", "left"]), "too-few-branches"),
        (change("other", {"type": "start", "on_completion": "end"}), "several-starts"),
        (change("call.type", "single"), "unknown-step-type"),
        (
            change(
                "call",
                {
                    "type": "while-condition",
                    "condition": "__v__:value = 'x'",
                    "on_true": "left",
                    "on_completion": "end",
                },
            ),
            "shared-step",
        ),
        (
            change(
                "call",
                {
                    "type": "switch-condition",
                    "switch": "__v__",
                    "cases": {"x": "left"},
                    "on_completion": "end",
                },
            ),
            "shared-step",
        ),
        (
            change(
                "call",
                {
                    "type": "playbook-action",
                    "playbook_id": "playbook--x",
                    "in_args": ["__no__"],
                    "on_completion": "end",
                },
            ),
            "undeclared-variable",
        ),
        (change("call.commands", [{"type": "kestrel", "command_b64": "Lg=="}]), "command-type-not-run"),
        (change("call.commands", []), "no-command"),
        (change("call.commands", [{"type": "http-api", "command": "POST x"}]), "http-command"),
        (
            change("call.commands", [{"type": "http-api", "command": "POST /__no__:value HTTP/1.1"}]),
            "undeclared-variable",
        ),
        (change("call.commands", [{**HTTP, "headers": {"Host": ["x"]}}]), "http-command"),
        (change("call.commands", [{**HTTP, "content": "a", "content_b64": "YQ=="}]), "two-contents"),
        (change("call.commands", [{**HTTP, "content": "<__v__:value>"}]), "content-type"),
        (change("call.agent", "people"), "no-address"),
        (change("left.agent", "group--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702"), "unknown-agent"),
        (change("left.targets", ["group--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702"]), "unknown-target"),
        (change("left.on_completion", "end--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702"), "dangling-reference"),
        (change("left.commands", [{"type": "manual", "command": "  "}]), "manual-text"),
        (
            change("left.commands", [{"type": "manual", "command": "do __nobody__:value"}]),
            "undeclared-variable",
        ),
        (change("left.out_args", ["__nobody__"]), "undeclared-variable"),
        (change("left.timeout", -1), "negative-time"),
        (change("left.step_variables", {"v": {"type": "string"}}), "variable-name"),
        (change("left.step_variables", {"__x__": {"type": "integer", "value": "x"}}), "variable-value"),
        (change("left.step_variables", {"__x__": {"type": "integer", "external": True}}), "external-in-step"),
        (change("check.condition", "v == 'x'"), "condition"),
        (change("check.condition", "__nobody__:value = 'x'"), "condition"),
        (
            change("left.step_extensions", {"containment_action": {"action_ids": ["contain.everything"]}}),
            "unknown-measure",
        ),
        (change("left.step_extensions", {"containment_action": {"action_ids": []}}), "extension"),
        (change("left.step_extensions", {"approval": {"approver_roles": ["a"], "quorum": 0}}), "extension"),
        (change("left.step_extensions", {"notice": {"task": "shred"}}), "extension"),
        (change("check.step_extensions", APPROVAL), "extension"),
        (change("call.step_extensions", APPROVAL), "approval-question"),
        (change("call.step_extensions", {"notice": {"task": "draft"}}), "in-house-command"),
        (
            change(
                "left.step_extensions",
                {"notice": {"task": "draft"}, "regulator_report": {"regime": "r", "phase": "p"}},
            ),
            "two-tasks",
        ),
        (change("left.step_extensions", REPEATABLE), "nothing-to-repeat"),
        (change("check.step_extensions", REPEATABLE), "extension"),
        (change("call.step_extensions", {"repeatable": {}}), "extension"),
        (change("call.step_extensions", {"repeatable": {"because": ""}}), "extension"),
        (change("call.step_extensions", {"repeatable": True}), "shape"),
    ],
)
def test_what_cannot_be_run_is_refused(edit: Callable[[dict[str, Any]], None], code: str) -> None:
    from_conftest = {
        "id": "playbook--11036b97-0d3c-4922-9a9c-d3ae649c1d33",
        "name": "test",
        "created_by": "identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702",
        "created": "2025-11-20T00:00:00.000Z",
        "agent_definitions": {
            "people": {"type": "group", "name": "People"},
            "machine": {"type": "http-api", "name": "Machine", "address": {"dname": ["machine.example"]}},
        },
        **copy.deepcopy(VARIABLES),
    }
    steps = workflow()
    edit(steps)
    found = check(
        json.dumps(from_conftest | {"workflow": steps}), name="t.yaml", now=NOW, known_measures=MEASURES
    )
    assert code in codes(found)
    place = next(each.place for each in found if each.code == code)
    assert place is not None
    assert place.startswith("t.yaml")


def test_a_refusal_names_file_line_and_step() -> None:
    text = """\
name: t
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
agent_definitions: {people: {type: group, name: People}}
workflow:
  start: {type: start, on_completion: contain-portal}
  contain-portal:
    type: action
    agent: people
    commands: [{type: yara, command_b64: Lg==}]
    on_completion: end
  end: {type: end}
"""
    found = [each for each in check(text, name="t.yaml") if each.severity is Severity.error]
    assert [each.place for each in found] == ["t.yaml:10, step “contain-portal”"]
    assert "this engine runs manual, http-api, openc2-http, ssh, bash" in found[0].message


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"revoked": True}, "revoked"),
        ({"valid_until": "2025-12-31T00:00:00.000Z"}, "expired"),
        ({"valid_from": "2026-02-01T00:00:00.000Z"}, "not-yet-valid"),
        ({"spec_version": "1.1"}, "spec-version"),
        (
            {
                "authentication_info_definitions": {
                    "a": {"type": "http-basic", "user_id": "u", "password": "hunter2"}
                }
            },
            "inline-secret",
        ),
        ({"authentication_info_definitions": {"a": {"type": "http-basic", "kms": True}}}, "secret-reference"),
    ],
)
def test_a_playbook_that_may_not_run_is_refused(build: Builder, words: dict[str, Any], code: str) -> None:
    playbook = build(workflow(), **VARIABLES, **words)
    with pytest.raises(NotRunnable) as caught:
        require_runnable(playbook, now=NOW)
    assert {each.code for each in caught.value.findings} == {code}
    assert "hunter2" not in str(caught.value)


def test_validity_is_ignored_for_a_revoked_playbook(build: Builder) -> None:
    playbook = build(workflow(), **VARIABLES, revoked=True, valid_until="2025-12-31T00:00:00.000Z")
    assert codes(lint(playbook, now=NOW)) == {"revoked"}


def test_a_condition_in_another_language_is_asked_of_a_person_when_imported(build: Builder) -> None:
    steps = workflow()
    steps["check"]["condition"] = "verdict == 'malicious'"
    playbook = build(steps, **VARIABLES)
    assert codes(lint(playbook, imported=True)) == set()
    assert codes(lint(playbook)) == {"condition"}
    require_runnable(playbook)


def test_the_exception_route_may_share_the_main_end_but_no_branchs(build: Builder) -> None:
    assert codes(lint(build(workflow(), **VARIABLES, workflow_exception="end"))) == set()
    assert "shared-step" in codes(lint(build(workflow(), **VARIABLES, workflow_exception="left-end")))


def test_a_step_that_nothing_leads_to_is_mentioned(build: Builder) -> None:
    steps = workflow() | {"alone": manual(on_completion="alone-end"), "alone-end": {"type": "end"}}
    found = lint(build(steps, **VARIABLES))
    assert {(each.severity, each.code) for each in found} == {(Severity.warning, "unreached")}


def test_it_says_which_steps_would_ask_a_person_after_a_crash(build: Builder) -> None:
    steps = workflow()
    del steps["call"]["step_extensions"]
    found = lint(build(steps, **VARIABLES))
    assert [(each.severity, each.code, each.place) for each in found] == [
        (Severity.note, "would-ask", "step “call”")
    ]
    require_runnable(build(steps, **VARIABLES))


def test_errors_stand_before_warnings_and_notes_last(build: Builder) -> None:
    steps = workflow() | {"alone": manual(on_completion="alone-end"), "alone-end": {"type": "end"}}
    del steps["call"]["step_extensions"]
    steps["check"]["condition"] = "v == 'x'"
    found = lint(build(steps, **VARIABLES))
    severities = [each.severity for each in found]
    assert list(dict.fromkeys(severities)) == [Severity.error, Severity.warning, Severity.note]


def test_a_very_long_playbook_is_checked_without_deep_recursion(build: Builder) -> None:
    steps: dict[str, Any] = {"start": {"type": "start", "on_completion": "s0"}}
    for number in range(3000):
        steps[f"s{number}"] = manual(on_completion=f"s{number + 1}")
    steps["s3000"] = {"type": "end"}
    assert lint(build(steps)) == []


def test_compiling_keeps_what_lint_needs() -> None:
    form = {
        "name": "x",
        "created_by": "y",
        "created": "2025-11-20",
        "workflow": {"start": {"type": "start", "on_completion": "end"}, "end": {"type": "end"}},
    }
    found = lint(Playbook.model_validate(compile_form(form)))
    assert {"no-action", "identifier"} <= {each.code for each in found}
