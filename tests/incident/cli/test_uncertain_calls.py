"""At the terminal “was it done?” cannot be taken for “do it”, and each answer says what it brings about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.estates import Estate
from tests.support.runs import CAREFUL, install_careful
from tests.support.services import EffectService

STEP = "cut-off-by-service"


@pytest.fixture
def service() -> Iterator[EffectService]:
    """Has its effect, and then the connection is cut: nobody knows."""
    with EffectService() as found:
        found.cut["/"] = 1
        yield found


@pytest.fixture
def asked(estate: Estate, service: EffectService) -> Any:
    """A run that asks; its document."""
    install_careful(estate.root)
    given = ("--var", f"containment_url={service.url}", "--var", "endpoint=/api/members")
    return estate.done("run", CAREFUL, "--on", estate.id, *given, "--json").document


def test_the_question_says_what_was_sent_to_whom_and_what_each_answer_does(
    estate: Estate, service: EffectService
) -> None:
    install_careful(estate.root)
    given = ("--var", f"containment_url={service.url}", "--var", "endpoint=/api/members")
    answer = estate.done("run", CAREFUL, "--on", estate.id, *given)
    out = answer.out
    run = out.split()[0]
    for part in (
        f"waits for people: {STEP}",
        "Was this carried out? Close the interface through the containment service",
        f"POST {service.url}",
        '{"action": "disable-endpoint", "endpoint": "/api/members"}',
        "Look at “Containment service” first.",
        f"it was carried out\n      → incident --as NAME done {run} {STEP} --was-done",
        f"it was not carried out: send it now\n      → incident --as NAME done {run} {STEP} --not-done",
        f"do not send it, go on as after a failure\n      → incident --as NAME done {run} {STEP} --failed",
    ):
        assert part in out
    assert "no answer" in answer.err.lower() or "connection broke" in answer.err


def test_in_chinese_it_says_the_same(estate: Estate, service: EffectService) -> None:
    install_careful(estate.root)
    given = ("--var", f"containment_url={service.url}", "--var", "endpoint=/api/members")
    out = estate.done("run", CAREFUL, "--on", estate.id, *given, INCIDENT_LANGUAGE="zh-Hans").out
    for part in (
        "这项操作执行了吗？通过处置服务关闭接口",
        "向“处置服务”发出的调用",
        "没有收到答复",
        "请先到“处置服务”核实",
        "已经执行\n",
        "没有执行：现在发出\n",
        "不发出，按失败继续处理\n",
    ):
        assert part in out


def test_in_json_every_answer_is_a_command(asked: Any) -> None:
    [waits_for] = asked["waits_for"]
    assert (waits_for["step"], waits_for["command"], waits_for["why"]) == (STEP, "done", "no_answer")
    assert {outcome: command.rsplit(" ", 1)[1] for outcome, command in waits_for["answers"].items()} == {
        "done": "--was-done",
        "not_done": "--not-done",
        "failed": "--failed",
    }


def test_the_list_of_runs_asks_instead_of_saying_done(estate: Estate, asked: Any) -> None:
    [run] = estate.done("runs", "--json").document
    assert run["waits_for"] == [f"{STEP} (was it carried out?)"]


def test_a_plain_done_is_refused_and_names_the_answers(estate: Estate, asked: Any) -> None:
    run = asked["run"]
    says = ["whether a call was carried out", "--was-done", "--not-done", "--failed"]
    estate.refused("--as", "anna", "done", run, STEP, says=says)


def test_two_answers_at_once_are_refused(estate: Estate, asked: Any) -> None:
    for pair in (("--was-done", "--not-done"), ("--was-done", "--failed"), ("--not-done", "--failed")):
        estate.refused("done", asked["run"], STEP, *pair, code=2, says=["exclude each other"])


def test_it_was_done_sends_nothing(estate: Estate, asked: Any, service: EffectService) -> None:
    after = estate.done("--as", "anna", "done", asked["run"], STEP, "--was-done", "--json").document
    assert {each["step"] for each in after["waits_for"]} == {"preserve-evidence", "verify-scope"}
    assert list(service.effects.values()) == [1]


def test_it_was_not_done_sends_it_now(estate: Estate, asked: Any, service: EffectService) -> None:
    service.effects.clear()  # as if it had never arrived
    after = estate.done("--as", "anna", "done", asked["run"], STEP, "--not-done", "--json").document
    assert {each["step"] for each in after["waits_for"]} == {"preserve-evidence", "verify-scope"}
    assert list(service.effects.values()) == [1]


def test_failed_goes_on_as_after_a_failure(estate: Estate, asked: Any, service: EffectService) -> None:
    after = estate.done("done", asked["run"], STEP, "--failed", "--note", "gone", "--json").document
    assert [each["step"] for each in after["waits_for"]] == ["cut-off-another-way"]
    assert list(service.effects.values()) == [1]


def test_these_answers_fit_no_other_question(estate: Estate) -> None:
    run = estate.done("run", "personal-data-breach", "--on", estate.id, "--json").document["run"]
    for answer in ("--was-done", "--not-done"):
        estate.refused("done", run, "cut-off-by-hand", answer, says=["asks for work"])
    estate.refused("done", run, "no-such-step", "--failed", says=["no-such-step", "cut-off-by-hand"])


def test_cancelling_says_that_nobody_knows(estate: Estate, asked: Any) -> None:
    answer = estate.done("cancel", asked["run"], "--reason", "false alarm")
    assert f"nobody knows whether {STEP} was carried out" in answer.err
    assert f"incident log {estate.id}" in answer.err
