"""What the check says of containment: its owner, its verification, its way back, and the evidence before it."""

from __future__ import annotations

from typing import Any

from incident.response.downtime import duration_fields
from incident.response.findings import Finding, Severity
from incident.response.lint import lint
from incident.response.lint_containment import Catalogue
from tests.support.playbooks import Builder

CATALOGUE = Catalogue(frozenset({"contain.shut-down-host"}), duration_fields())
MANUAL = [{"type": "manual", "command": "Do it."}]


def step(action: str, following: str = "end", **more: Any) -> dict[str, Any]:
    extension = {"containment_action": {"action_ids": [action], **more}}
    return {
        "type": "action",
        "agent": "people",
        "commands": MANUAL,
        "step_extensions": extension,
        "on_completion": following,
    }


def found(build: Builder, workflow: dict[str, Any], *, imported: bool = False) -> list[Finding]:
    workflow = {"start": {"type": "start", "on_completion": "one"}, "end": {"type": "end"}, **workflow}
    return lint(build(workflow), catalogue=CATALOGUE, imported=imported)


def codes(build: Builder, workflow: dict[str, Any]) -> set[str]:
    return {each.code for each in found(build, workflow)}


PRESERVE, DESTROY = "analyse.preserve-evidence", "contain.shut-down-host"


def test_what_destroys_evidence_needs_it_preserved_before(build: Builder) -> None:
    [finding] = [each for each in found(build, {"one": step(DESTROY)}) if each.code == "evidence-first"]
    assert finding.severity is Severity.error
    assert "one" in (finding.place or "")
    [finding] = [
        each for each in found(build, {"one": step(DESTROY)}, imported=True) if each.code == "evidence-first"
    ]
    assert finding.severity is Severity.warning
    assert "evidence-first" not in codes(build, {"one": step(PRESERVE, "two"), "two": step(DESTROY)})


def test_each_way_counts_and_a_failed_preserving_is_none(build: Builder) -> None:
    failed = step(PRESERVE) | {"on_success": "end", "on_failure": "two"}
    del failed["on_completion"]
    assert "evidence-first" in codes(build, {"one": failed, "two": step(DESTROY)})


def test_branches_count_as_they_are_gone_through(build: Builder) -> None:
    def both(kind: dict[str, Any]) -> dict[str, Any]:
        return {
            "one": {**kind, "on_completion": "two"},
            "left": step(PRESERVE, "left-end"),
            "left-end": {"type": "end"},
            "right": step("analyse.freeze-logs", "right-end"),
            "right-end": {"type": "end"},
            "two": step(DESTROY),
        }

    parallel = {"type": "parallel", "next_steps": ["left", "right"]}
    assert "evidence-first" not in codes(build, both(parallel)), "all branches are waited for"
    condition = {
        "type": "if-condition",
        "condition": "__x__:value = 'a'",
        "on_true": "left",
        "on_false": "right",
    }
    assert "evidence-first" in codes(build, both(condition)), "one way leads past it"


def test_an_owner_a_verification_and_an_interruption_must_be_known(build: Builder) -> None:
    workflow = {
        "one": step("contain.lock-account", "two", interrupts="site_up"),
        "two": step("contain.lock-account", interrupts="site_down"),
    }
    workflow["two"]["step_extensions"]["verification"] = {"verifies": ["start"]}
    assert {"unknown-interruption", "verifies-nothing"} <= codes(build, workflow)
    stranger = "agent--11111111-1111-4111-8111-111111111111"
    assert "unknown-owner" in codes(build, {"one": step("contain.lock-account", owner=stranger)})


def test_commands_that_take_it_back_must_run_where_the_step_acts(build: Builder) -> None:
    def with_undo(*commands: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"one": step("contain.lock-account", undo_commands=list(commands), **more)}

    assert "command-type-not-run" in codes(build, with_undo({"type": "sigma", "command_b64": "eA=="}))
    assert "undo-command" in codes(build, with_undo({"command": "POST / HTTP/1.1"}))
    assert "undeclared-variable" in codes(
        build, with_undo({"type": "manual", "command": "Unlock __who__:value."})
    )
    assert "manual-text" in codes(build, with_undo({"type": "manual", "command": " "}))


def test_what_only_people_take_back_is_noted(build: Builder) -> None:
    called = step("contain.lock-account", undo_ids=["restore.unlock-account"])
    called |= {"agent": "machine", "commands": [{"type": "http-api", "command": "POST /x HTTP/1.1"}]}
    [note] = [each for each in found(build, {"one": called}) if each.code == "undone-by-hand"]
    assert note.severity is Severity.note
    assert "undone-by-hand" not in codes(
        build, {"one": step("contain.lock-account", undo_ids=["restore.unlock-account"])}
    )


def test_branches_nested_very_deeply_end_the_check_without_harm(build: Builder) -> None:
    workflow: dict[str, Any] = {
        "one": {"type": "parallel", "next_steps": ["b0", "c0"], "on_completion": "end"}
    }
    for n in range(400):
        workflow[f"b{n}"] = {
            "type": "parallel",
            "next_steps": [f"b{n + 1}", f"c{n + 1}"],
            "on_completion": f"be{n}",
        }
        workflow[f"be{n}"] = {"type": "end"}
    for n in range(401):
        workflow[f"c{n}"] = step("analyse.freeze-logs", f"ce{n}")
        workflow[f"ce{n}"] = {"type": "end"}
    workflow["b400"] = step(DESTROY, "be400")
    workflow["be400"] = {"type": "end"}
    assert "cycle" not in codes(build, workflow)
