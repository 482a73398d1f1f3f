"""A condition or a switch that cannot be decided is asked at the terminal, with all that is known and every answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.estates import Estate
from tests.support.runs import install

ASKS = """
name: Asks
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
playbook_variables:
  __verdict__: {type: string, external: true, value: null}
  __kind__: {type: string, external: true, value: ""}
agent_definitions:
  people: {type: group, name: People}
workflow:
  start: {type: start, on_completion: sure}
  sure:
    type: if-condition
    name: {en: Is it malicious?, zh-Hans: 是否恶意？}
    condition: "__verdict__:value = 'bad'"
    on_true: act
    on_completion: which
  act:
    type: action
    agent: people
    commands: [{type: manual, command: act}]
    on_completion: act-end
  act-end: {type: end}
  which:
    type: switch-condition
    name: {en: What leaked?, zh-Hans: 泄露的是什么？}
    switch: "__kind__:value"
    cases: {bucket: close, "a b": close-other}
    on_completion: end
  close:
    type: action
    agent: people
    commands: [{type: manual, command: close the bucket}]
    on_completion: close-end
  close-end: {type: end}
  close-other:
    type: action
    agent: people
    commands: [{type: manual, command: close the other}]
    on_completion: other-end
  other-end: {type: end}
  end: {type: end}
"""


@pytest.fixture
def asking(estate: Estate) -> Estate:
    install(estate.root, "asks", ASKS)
    return estate


def start(estate: Estate, *more: str, **environment: str) -> Any:
    return estate.done("run", "asks", "--on", estate.id, *more, **environment)


def test_a_condition_is_shown_with_its_values_and_both_answers_and_takes_either(asking: Estate) -> None:
    out = start(asking, "--var", "kind=disk").out
    run = out.split()[0]
    for part in (
        "Does this hold? Is it malicious?",
        "Condition: __verdict__:value = 'bad'",
        "__verdict__ is not known",
        f"it holds\n      → incident --as NAME done {run} sure\n",
        f"it does not hold\n      → incident --as NAME done {run} sure --failed",
    ):
        assert part in out
    after = asking.done("done", run, "sure", "--json").document
    assert [each["step"] for each in after["waits_for"]] == ["act"]
    [listed] = asking.done("runs", "--json").document
    assert listed["waits_for"] == ["act (done)"]


def test_a_switch_is_shown_with_its_value_and_every_case_and_takes_one(asking: Estate) -> None:
    run = start(asking, "--var", "kind=disk", "--json").document["run"]
    asking.refused("done", run, "sure", "--case", "bucket", says=["does not ask for a case"])
    [asked] = asking.done("done", run, "sure", "--failed", "--json").document["waits_for"]
    assert (asked["step"], asked["switch"], asked["value"]) == ("which", "__kind__:value", "disk")
    assert asked["cases"] == ["a b", "bucket"]
    how = f"incident --as NAME done {run} which"
    assert asked["answers"] == {
        "it is “bucket”": f"{how} --case bucket",
        "it is “a b”": f"{how} --case 'a b'",
        "none of them: go on as after a failure": f"{how} --failed",
    }
    [listed] = asking.done("runs", "--json").document
    assert listed["waits_for"] == ["which (which case? a b, bucket)"]
    asking.refused("done", run, "which", says=["which case holds", "--case", "a b, bucket"])
    asking.refused("done", run, "which", "--case", "disk", says=["no case of the step", "a b, bucket"])
    asking.refused("done", run, "which", "--case", "bucket", "--failed", code=2, says=["--case stands alone"])
    after = asking.done("done", run, "which", "--case", "a b", "--json").document
    assert [each["step"] for each in after["waits_for"]] == ["close-other"]


def test_both_questions_are_asked_in_chinese_too(asking: Estate) -> None:
    out = start(asking, "--var", "kind=disk", INCIDENT_LANGUAGE="zh-Hans").out
    for part in ("该条件成立吗？是否恶意？", "条件：__verdict__:value = 'bad'", "__verdict__ 未知", "不成立\n"):
        assert part in out
    run = out.split()[0]
    out = asking.done("done", run, "sure", "--failed", INCIDENT_LANGUAGE="zh-Hans").out
    for part in ("属于哪一种情形？泄露的是什么？", "__kind__ = disk", "属于“bucket”", "均不属于：按失败继续处理"):
        assert part in out


def test_no_case_of_a_switch_ends_as_a_failure(asking: Estate) -> None:
    run = start(asking, "--json").document["run"]
    asking.done("done", run, "sure", "--failed")
    after = asking.done("done", run, "which", "--failed", "--json").document
    assert after["state"] == "failed"
