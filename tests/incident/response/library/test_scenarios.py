"""The scenario playbooks, walked from start to end through the machine with every kind of answer."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.record.measures import measure_catalogue
from incident.response import events as e
from incident.response.compile import compile_form
from incident.response.decompile import decompile
from incident.response.extensions import approval_of, measures_of, notice_of, report_of, verification_of
from incident.response.findings import Severity
from incident.response.form import load, to_cacao
from incident.response.lint import labels_of, lint
from incident.response.model import ActionStep, Playbook, PlaybookActionStep, StepType, dump
from incident.response.yamltext import read_yaml
from tests.support.cacao_schemas import schema_errors
from tests.support.walks import (
    PLAYBOOKS,
    Walk,
    begin,
    children_of,
    event_for,
    fail,
    is_time_limit,
    name_of,
    shipped,
    succeed,
    walk,
)

SCENARIOS: Mapping[str, str] = {
    "credential-leak": "playbook--f3b216ce-ed58-4374-9169-c00e99f0b693",
    "public-storage": "playbook--182795ea-04ad-4ac2-ab4b-2f69bdf8c250",
    "lost-device": "playbook--9f4cac3e-00e6-4e40-a06c-60162b476265",
    "misdirected-mail": "playbook--bb0d89d3-c176-486f-9545-f5f727b072a3",
    "insider-export": "playbook--c0bed547-b1df-4af8-ae48-fb5251dc6029",
    "portal-scraping": "playbook--23495abe-8971-4ca3-96c9-e018b3fc37d8",
    "ransomware-exfiltration": "playbook--7d1038a0-058b-4376-ad94-84ec0f0a8b02",
    "supplier-breach": "playbook--ca2aeb96-eefb-4e97-a350-d35117d0ddde",
    "leaked-repository-secret": "playbook--9c8953ec-3b24-4c46-91f2-8cb7ed873f4d",
}
PHASES = (
    "triage",
    "preserve-evidence",
    "freeze-logs",
    "verify-containment",
    "approve-release",
    "draft-notice",
    "prepare-report",
    "send-notice",
    "recover",
    "review",
)
RELEASES = {"approve-release", "approve-revised"}
FIRST_RELEASES = {"approve-first-report", "approve-first-report-again"}
HAND_INS = {"hand-in-first-report", "hand-in-first-report-otherwise"}
SHARED = (
    "prepare-first-report",
    "prepare-first-report-by-hand",
    "correct-first-report",
    *sorted(FIRST_RELEASES),
    *sorted(HAND_INS),
    "draft-notice",
    "prepare-report",
    "revise-texts",
    *sorted(RELEASES),
    "release",
    "send-notice",
    "send-notice-by-hand",
    "hand-in-report",
)
"""Steps in the same words in every scenario, so that a change in one is made in all."""
VALUES = {
    "string": "10.9.8.7",
    "uri": "https://sign-in.example/",
    "uuid": "6f1c6f0e-8a0b-4a53-9d2e-0c9a4b1f7f11",
    "integer": "3",
}
SWITCHED = {
    "__store_kind__": ["bucket", "database", "share", ""],
    "__encryption__": ["encrypted", "unencrypted", "", "perhaps"],
    "__recipient__": ["inside", "entrusted", "outside", ""],
    "__still_leaking__": ["yes", "no", ""],
    "__supplier_answered__": ["yes", "no"],
    "__confirmed__": ["yes", "no"],
    "__watch__": ["on", "off"],
}

each_scenario = pytest.mark.parametrize("name", SCENARIOS)


@cache
def form_of(name: str) -> Any:
    """A scenario as it is written."""
    return read_yaml((PLAYBOOKS / f"{name}.yaml").read_text(encoding="utf-8"), name=name).data


def steps_of(name: str) -> dict[str, Any]:
    """Its steps by their short names."""
    playbook = shipped(name)
    labels = labels_of(playbook)
    return {labels[step_id]: step for step_id, step in playbook.workflow.items()}


def known(name: str) -> dict[str, str]:
    """A value for every external variable, so that every part is called."""
    found = {}
    for variable, declared in shipped(name).playbook_variables.items():
        if declared.external and not declared.value:
            found[variable] = SWITCHED.get(variable, [VALUES[declared.type]])[0]
    return found


def nothing_concerned(name: str) -> dict[str, str]:
    """“none” for every external variable that takes it."""
    return {
        variable: "none"
        for variable, declared in shipped(name).playbook_variables.items()
        if declared.external and "none" in (declared.description or "")
    }


def check(one: Walk) -> None:
    """What holds on every way through a scenario."""
    secured = released = first_released = False
    for label, effect, event in one.heard:
        measures = getattr(effect, "measures", [])
        if any(measure_catalogue()[each].evidence_first for each in measures):
            assert secured, f"{label} before the evidence"
        if label == "send-notice":
            assert released, "the notice was sent unreleased"
        if label == "hand-in-report":
            assert released, "the report left unreleased"
        if label in HAND_INS:
            assert first_released, "the first report left unreleased"
        if isinstance(event, e.Approved):
            released = released or label in RELEASES
            first_released = first_released or label in FIRST_RELEASES
            if label in RELEASES | FIRST_RELEASES:
                assert len(set(event.by)) >= 2
        if isinstance(event, e.PersonAnswered) and event.success:
            secured = secured or "analyse.preserve-evidence" in measures


# -- as data ------------------------------------------------------------------------------------------


@each_scenario
def test_lint_has_no_complaint(name: str) -> None:
    found = lint(
        shipped(name),
        now=datetime(2026, 6, 1, tzinfo=UTC),
        known_measures=frozenset(measure_catalogue()),
        children=children_of(name),
    )
    assert [each for each in found if each.severity is not Severity.note] == []


@each_scenario
def test_its_id_stays(name: str) -> None:
    assert shipped(name).id == SCENARIOS[name]


@each_scenario
def test_every_text_that_people_read_is_in_both_languages(name: str) -> None:
    form = form_of(name)
    texts = [form["name"], form["description"]]
    texts += [each["name"] for each in form["agent_definitions"].values()]
    for short, step in form["workflow"].items():
        texts += [step[word] for word in ("name", "description") if word in step]
        texts += [command["command"] for command in step.get("commands", [])]
        assert "name" in step or step["type"] == "end", short
    for text in texts:
        assert set(text) == {"en", "zh-Hans"}
        assert any("一" <= letter <= "鿿" for letter in text["zh-Hans"])
        assert not any("一" <= letter <= "鿿" for letter in text["en"])
    for variable in form.get("playbook_variables", {}).values():
        english, chinese = variable["description"].split(" / ")
        assert english.isascii() or "“none”" in english
        assert any("一" <= letter <= "鿿" for letter in chinese)


@each_scenario
def test_another_engine_sees_a_valid_playbook(name: str) -> None:
    assert schema_errors(dump(shipped(name))) == []


@each_scenario
def test_export_and_import_give_it_back(name: str) -> None:
    playbook = shipped(name)
    assert load(to_cacao(playbook), name="x").playbook == playbook
    assert compile_form(decompile(dump(playbook))) == dump(playbook)


@each_scenario
def test_it_has_every_phase(name: str) -> None:
    steps = steps_of(name)
    assert set(PHASES) <= set(steps)
    actions = [step for step in steps.values() if isinstance(step, ActionStep)]
    taken = [measure for step in actions if (found := measures_of(step)) for measure in found.action_ids]
    assert any(each.startswith("contain.") for each in taken)
    assert any(each.startswith(("remediate.", "contain.", "restore.")) for each in taken)
    assert [step for step in actions if verification_of(step)]
    assert [step for step in actions if notice_of(step)]
    assert len([step for step in actions if report_of(step)]) == 2


def test_the_steps_that_all_share_are_the_same_in_all() -> None:
    first, *others = SCENARIOS
    wanted = {step: form_of(first)["workflow"][step] for step in SHARED}
    for name in others:
        assert {step: form_of(name)["workflow"][step] for step in SHARED} == wanted, name


def test_together_they_use_all_eight_step_types() -> None:
    used = {step.type for name in SCENARIOS for step in shipped(name).workflow.values()}
    assert used == set(StepType)


def called(playbook: Playbook) -> Iterator[PlaybookActionStep]:
    yield from (step for step in playbook.workflow.values() if isinstance(step, PlaybookActionStep))


def test_every_part_that_is_called_is_shipped() -> None:
    wanted = {step.playbook_id for name in SCENARIOS for step in called(shipped(name))}
    missing = {each for each in wanted if name_of(each) is None}
    assert len(wanted) == 9
    if missing == wanted:
        pytest.skip("the parts that contain are not merged yet")
    assert missing == set()


@each_scenario
def test_each_containment_says_whose_it_is_who_notices_and_how_it_is_taken_back(name: str) -> None:
    for label, step in steps_of(name).items():
        found = measures_of(step) if isinstance(step, ActionStep) else None
        if found is None or not any(each.startswith("contain.") for each in found.action_ids):
            continue
        inverses = [inverse for each in found.action_ids if (inverse := measure_catalogue()[each].undo)]
        if label in REMEDIES or not inverses:
            continue
        assert found.owner, label
        assert found.blast_radius, label
        assert found.undo_ids == inverses, label


REMEDIES = {"rotate-what-it-opened", "move-secrets", "trim-rights", "limit-supplier", "repair-interface"}
"""What is done for good after the breach, and not to be taken back."""


# -- walked through -----------------------------------------------------------------------------------


@each_scenario
def test_with_nothing_configured_people_do_it_and_all_goes_through(name: str) -> None:
    one = walk(name, succeed)
    assert one.state.outcome is e.Outcome.succeeded, one.heard[-1]
    check(one)
    taken = {measure for _, measure in one.measures}
    assert {"detect.confirm-breach", "analyse.preserve-evidence", "analyse.freeze-logs"} <= taken
    assert {"analyse.determine-scope", "inform.authority"} <= taken
    assert any(each.startswith("contain.") for each in taken)
    assert all(one.asked(phase) for phase in PHASES)


@each_scenario
def test_with_everything_known_the_parts_do_it(name: str) -> None:
    one = walk(name, succeed, known(name))
    assert one.state.outcome is e.Outcome.succeeded
    check(one)
    parts = {step.playbook_id for step in called(shipped(name))}
    assert {each.playbook for each in one.state.called.values()} == parts
    by_hand = [label for label, _, _ in one.heard if label.endswith("-by-hand")]
    assert by_hand == []


@each_scenario
def test_what_is_not_concerned_is_not_claimed(name: str) -> None:
    one = walk(name, succeed, nothing_concerned(name))
    assert one.state.outcome is e.Outcome.succeeded
    check(one)
    assert one.state.called == {}
    assert not [label for label, _, _ in one.heard if label.endswith("-by-hand")]


@each_scenario
@pytest.mark.parametrize("all_known", [True, False])
def test_where_everything_fails_it_ends_and_nothing_has_left(name: str, all_known: bool) -> None:
    one = walk(name, fail, known(name) if all_known else {})
    assert one.state.outcome is e.Outcome.failed
    check(one)
    assert one.measures == []
    assert one.asked("draft-notice")
    assert not one.asked("send-notice")
    assert not one.asked("hand-in-first-report")


@each_scenario
def test_where_containment_fails_the_notice_goes_out_all_the_same(name: str) -> None:
    told = {"recover", "review", "send-notice", "draft-notice", "prepare-report", *RELEASES, *FIRST_RELEASES}
    one = walk(
        name,
        lambda effect, label: (succeed if label in told else fail)(effect, label),
        known(name),
    )
    check(one)
    assert one.state.outcome is e.Outcome.succeeded
    assert one.asked("send-notice")
    assert "another-way" in " ".join(label for label, _, _ in one.heard) or not list(called(shipped(name)))


@each_scenario
def test_the_first_report_waits_for_no_containment(name: str) -> None:
    first_report = {"triage", "prepare-first-report", "approve-first-report", "hand-in-first-report"}
    one = walk(
        name, lambda effect, label: succeed(effect, label) if label in first_report else None, known(name)
    )
    assert not one.state.finished
    assert [label for label, _, _ in one.heard] == [
        "triage",
        "prepare-first-report",
        "approve-first-report",
        "hand-in-first-report",
    ]
    assert one.measures == [
        ("triage", "detect.confirm-breach"),
        ("hand-in-first-report", "inform.authority"),
    ]


@each_scenario
def test_where_nobody_answers_the_gate_is_reached_and_silence_opens_it_not(name: str) -> None:
    def nobody(effect: Any, label: str) -> e.Event | None:
        answers_itself = isinstance(effect, e.WaitUntil | e.DoInHouse | e.RunCommand)
        return event_for(effect, yes=True) if answers_itself else None

    one = walk(name, nobody)
    check(one)
    assert not one.state.finished
    waiting = {one.label(effect) for effect in one.open if not is_time_limit(effect)}
    assert {"approve-first-report", "approve-release"} <= waiting
    assert not one.asked("send-notice")
    assert one.measures == []


@each_scenario
def test_a_release_that_is_rejected_can_be_revised_once_and_two_people_decide_each_time(name: str) -> None:
    def revised(effect: Any, label: str) -> e.Event | None:
        return fail(effect, label) if label == "approve-release" else succeed(effect, label)

    one = walk(name, revised)
    check(one)
    assert one.state.outcome is e.Outcome.succeeded
    assert one.asked("revise-texts")
    assert one.asked("send-notice")

    def refused(effect: Any, label: str) -> e.Event | None:
        return fail(effect, label) if label in RELEASES else succeed(effect, label)

    one = walk(name, refused)
    check(one)
    assert one.state.outcome is e.Outcome.failed
    assert not one.asked("send-notice")
    assert one.asked("review")


@each_scenario
def test_two_people_approve_before_anything_leaves(name: str) -> None:
    steps = steps_of(name)
    for label in RELEASES | FIRST_RELEASES:
        gate = approval_of(steps[label])
        assert gate is not None
        assert (gate.quorum, gate.separation_of_duties) == (2, True)
    one = begin(name)
    while not isinstance(one.open[0], e.AskApproval):
        one.tell(one.open[0], event_for(one.open[0], yes=True))
    gate_effect = one.open[0]
    assert gate_effect.quorum == 2


@each_scenario
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(seed=st.integers(0, 2**32))
def test_with_any_answers_in_any_order_it_ends(name: str, seed: int) -> None:
    rng = random.Random(seed)
    start_values = rng.choice([{}, known(name), nothing_concerned(name)])
    external = {n for n, each in shipped(name).playbook_variables.items() if each.external}
    start_values = start_values | {
        variable: rng.choice(values)
        for variable, values in SWITCHED.items()
        if variable in external and rng.random() < 0.5
    }
    one = begin(name, start_values)
    luck = rng.random()
    while not one.state.finished:
        effect = rng.choice(one.open)
        if is_time_limit(effect) and rng.random() < 0.8:
            continue
        wanted = getattr(effect, "wanted", {})
        values = {
            each: rng.choice(SWITCHED.get(each, ["", "none", VALUES[declared.type]]))
            for each, declared in wanted.items()
            if rng.random() < 0.5 and (each in SWITCHED or declared.type == "string")
        }
        one.tell(effect, event_for(effect, yes=rng.random() < luck, values=values))
    check(one)


# -- case by case -------------------------------------------------------------------------------------


def positions(one: Walk) -> dict[str, int]:
    return {label: number for number, (label, _, _) in reversed(list(enumerate(one.heard)))}


def test_a_leaked_secret_is_revoked_first_and_its_history_rewritten_last() -> None:
    one = walk("leaked-repository-secret", succeed)
    at = positions(one)
    assert at["revoke-token"] < at["verify-containment"] < at["preserve-evidence"] < at["rewrite-history"]


@pytest.mark.parametrize(
    ("kind", "step"), [("bucket", "bucket-by-hand"), ("database", "close-database"), ("share", "close-share")]
)
def test_public_storage_is_closed_as_its_kind_asks(kind: str, step: str) -> None:
    one = walk("public-storage", succeed, {"__store_kind__": kind})
    closed = {"bucket-by-hand", "close-database", "close-share"} & {label for label, _, _ in one.heard}
    assert closed == {step}


@pytest.mark.parametrize(
    ("leaks", "asked", "closed"), [("yes", False, True), ("no", False, False), ("", True, True)]
)
def test_a_portal_that_leaks_is_closed_at_once_and_else_one_person_is_asked(
    leaks: str, asked: bool, closed: bool
) -> None:
    def answer(effect: Any, label: str) -> e.Event | None:
        if label == "look-whether-it-goes-on" and not is_time_limit(effect):
            return event_for(effect, yes=True, values={"__still_leaking__": leaks})
        return succeed(effect, label)

    one = walk("portal-scraping", answer)
    assert one.asked("approve-closing") is asked
    assert one.asked("endpoint-by-hand") is closed


def test_a_portal_stays_open_where_its_closing_is_rejected() -> None:
    one = walk(
        "portal-scraping",
        lambda effect, label: (fail if label == "approve-closing" else succeed)(effect, label),
    )
    assert not one.asked("endpoint-by-hand")
    assert one.state.outcome is e.Outcome.succeeded


@pytest.mark.parametrize(
    ("recipient", "steps"),
    [
        ("inside", {"recall-inside"}),
        ("entrusted", {"ask-entrusted"}),
        ("outside", {"recall-outside", "ask-recipient"}),
    ],
)
def test_misdirected_mail_is_dealt_with_by_who_received_it(recipient: str, steps: set[str]) -> None:
    one = walk("misdirected-mail", succeed, {"__recipient__": recipient})
    ways = {"recall-inside", "ask-entrusted", "recall-outside", "ask-recipient", "ask-outside"}
    assert ways & {label for label, _, _ in one.heard} == steps


def test_who_received_a_mail_is_asked_where_nobody_knows() -> None:
    one = walk("misdirected-mail", succeed)
    (question,) = [effect for _, effect, _ in one.heard if isinstance(effect, e.AskCase)]
    assert question.cases == ["inside", "entrusted", "outside"]


def test_the_deletion_is_asked_for_again_until_it_is_confirmed_and_five_times_at_most() -> None:
    one = walk("misdirected-mail", succeed)
    asked = [label for label, effect, _ in one.heard if isinstance(effect, e.AskPerson)]
    assert asked.count("ask-for-confirmation") == 5
    assert "not-confirmed" in asked

    def confirms(effect: Any, label: str) -> e.Event | None:
        if label == "ask-for-confirmation" and isinstance(effect, e.AskPerson):
            return event_for(effect, yes=True, values={"__confirmed__": "yes"})
        return succeed(effect, label)

    asked = [
        label
        for label, effect, _ in walk("misdirected-mail", confirms).heard
        if isinstance(effect, e.AskPerson)
    ]
    assert asked.count("ask-for-confirmation") == 1
    assert "not-confirmed" not in asked


def test_a_lost_device_of_unknown_encryption_is_asked_about_and_else_taken_as_open() -> None:
    one = walk("lost-device", fail)
    assert any(isinstance(effect, e.AskCase) and label == "decide-risk" for label, effect, _ in one.heard)
    assert one.asked("assume-disclosed-all-the-same")
    assert not walk("lost-device", succeed, {"__encryption__": "encrypted"}).asked("assume-disclosed")


EVIDENCE = {"preserve-evidence", "preserve-what-is-left"}


@pytest.mark.parametrize("agreed", [True, False])
def test_where_no_evidence_is_left_one_person_decides_whether_hosts_are_isolated(agreed: bool) -> None:
    refused = EVIDENCE | (set() if agreed else {"go-on-without-evidence"})
    one = walk(
        "ransomware-exfiltration",
        lambda effect, label: (fail if label in refused else succeed)(effect, label),
    )
    check(one)
    assert not one.asked("isolate-hosts")
    assert one.asked("carry-on-without-evidence") is agreed
    assert one.asked("send-notice")


def test_a_lost_device_is_not_wiped_without_an_approval() -> None:
    one = walk(
        "lost-device", lambda effect, label: (fail if label == "approve-wipe" else succeed)(effect, label)
    )
    assert not one.asked("wipe-device")


def test_a_silent_supplier_is_asked_twelve_times_and_holds_up_nothing() -> None:
    def silent(effect: Any, label: str) -> e.Event | None:
        return None if label == "ask-supplier-again" else succeed(effect, label)

    one = walk("supplier-breach", silent)
    assert one.asked("send-notice")
    assert one.asked("hand-in-first-report")
    one = walk("supplier-breach", succeed)
    asked = [label for label, effect, _ in one.heard if isinstance(effect, e.AskPerson)]
    assert asked.count("ask-supplier-again") == 12
    assert "supplier-silent" in asked


def test_hosts_with_ransomware_are_isolated_after_their_memory_was_taken_and_publication_is_watched() -> None:
    rounds = iter(["on", "on", "off"])

    def answer(effect: Any, label: str) -> e.Event | None:
        if label == "look-for-publication" and isinstance(effect, e.AskPerson):
            return event_for(effect, yes=True, values={"__watch__": next(rounds)})
        return succeed(effect, label)

    one = walk("ransomware-exfiltration", answer)
    at = positions(one)
    assert at["preserve-evidence"] < at["isolate-hosts"]
    assert next(rounds, None) is None
    assert one.state.outcome is e.Outcome.succeeded
