"""What is asked at two in the morning, how it is answered, and what is owed in the next 24 hours."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incident.cli.main import main
from tests.support.commands import ROOT, spawn
from tests.support.estates import SHANGHAI, Estate

ZH = {"INCIDENT_LANGUAGE": "zh-Hans"}


@pytest.fixture
def fresh(estate: Estate) -> Estate:
    """An incident of which no more is known than a title."""
    opened = estate.done("open", "--title", "Customer portal open", "--not-state-secret", "--json")
    return Estate(estate.root, opened.document["incident"], estate.keys)


def _asked(estate: Estate, *words: str) -> dict[str, Any]:
    document = estate.done("ask", estate.id, *words, "--json").document
    return {each["field"]: each for each in document["questions"]}


def _facts(estate: Estate) -> dict[str, Any]:
    return {each["field"]: each for each in estate.done("show", estate.id, "--json").document["facts"]}


# -- ask ------------------------------------------------------------------------------------------------


def test_the_first_questions_of_an_almost_empty_record_are_eight_and_in_order(fresh: Estate) -> None:
    document = fresh.done("ask", fresh.id, "--json").document
    assert [each["number"] for each in document["questions"]] == list(range(1, 9))
    asked = [each["field"] for each in document["questions"]]
    assert asked[:3] == ["discovered_at", "personal_data_breach", "cii_involved"]
    assert {"persons", "persons_minor_u18", "eu_data_subjects", "risk_to_people"} <= set(asked)
    assert document["open"] == document["left"] + 8
    everything = fresh.done("ask", fresh.id, "--all", "--json").document
    assert len(everything["questions"]) == document["open"]
    assert everything["left"] == 0


def test_each_question_says_what_it_decides_how_soon_who_can_say_and_how(fresh: Estate) -> None:
    said = fresh.done("ask", fresh.id).out
    assert "1. When did we find it? [discovered_at]" in said
    assert "no clock can be read before it is answered" in said
    assert "who handles the incident: anna, bo, carl" in said
    assert f"incident answer {fresh.id} cii_involved VALUE" in said
    assert "VALUE: yes or no or unknown" in said
    assert "informed_at, aware_at, flaw_found_at would do instead" in said
    assert f"incident ask {fresh.id} --all" in said
    chinese = fresh.done("ask", fresh.id, **ZH).out
    assert "1. 我们什么时候发现的？ [discovered_at]" in chinese
    assert "回答之前无法计时" in chinese
    assert "应急处置人员：anna、bo、carl" in chinese
    assert "《个人信息保护法》第五十七条" in chinese


def test_a_question_carries_what_hangs_on_it_as_data(fresh: Estate) -> None:
    question = _asked(fresh)["cii_involved"]
    assert question["question"]["zh-Hans"] == "事件是否涉及关键信息基础设施？"
    assert (question["type"], question["who"], question["known"]) == ("bool", "legal", None)
    first = question["decides"][0]
    assert first["duties"] == ["cn-cac-incident-2025/initial"]
    assert "within 1 h" in first["text"]["en"]
    assert "1 小时内" in first["text"]["zh-Hans"]
    assert question["answer_with"] == ["incident", "answer", fresh.id, "cii_involved", "VALUE"]


def test_what_is_known_only_within_bounds_is_said_with_the_question(fresh: Estate) -> None:
    fresh.done("set", fresh.id, "persons=800000..1300000", "--sure", "likely")
    assert "800,000–1,300,000 (likely)" in fresh.done("ask", fresh.id).out
    assert "（很可能）" in fresh.done("ask", fresh.id, **ZH).out
    assert _asked(fresh)["persons"]["known"] == {"min": 800000, "likely": None, "max": 1300000}


def test_an_order_of_an_authority_asks_nothing_and_ends_the_question_of_its_exemption(fresh: Estate) -> None:
    fresh.done("answer", fresh.id, "discovered_at", "20 minutes ago")
    fresh.done("answer", fresh.id, "personal_data_breach", "actual")
    fresh.done("answer", fresh.id, "harm_to_rights", "no")
    before = _asked(fresh, "--all")
    assert "harm_effectively_avoided" in before
    order = ("instruction", "add", fresh.id, "--from", "Provincial CAC", "--effect")
    fresh.done(*order, "require", "hand over the access logs")
    assert list(_asked(fresh, "--all")) == list(before)
    for regime in ("cn-pipl-57", "cn-csl-44", "cn-dsl-29", "cn-civil-1038"):
        fresh.done(*order, "reopen", "tell everybody", "--duty", f"{regime}/people")
    assert "harm_effectively_avoided" not in _asked(fresh, "--all")


# -- answer ---------------------------------------------------------------------------------------------


def test_an_answer_carries_who_said_it_and_tells_what_changed_and_what_comes_next(fresh: Estate) -> None:
    fresh.done("answer", fresh.id, "discovered_at", "20 minutes ago")
    answer = fresh.done(
        "answer", fresh.id, "cii_involved", "no",
        "--said-by", "Li Wei", "--source", "phone", "--sure", "confirmed",
    )  # fmt: skip
    assert "Does the incident touch critical information infrastructure? [cii_involved]" in answer.out
    assert "recorded: no (confirmed, said by Li Wei)" in answer.out
    assert "duty cn-cac-incident-2025/initial: due changed" in answer.out
    assert "next: 1. " in answer.out
    fact = _facts(fresh)["cii_involved"]
    assert (fact["value"], fact["said_by"], fact["source"], fact["sure"]) == (
        False,
        "Li Wei",
        "phone",
        "confirmed",
    )
    assert "cii_involved" not in _asked(fresh, "--all")


def test_an_answer_is_claimed_unless_more_is_said(fresh: Estate) -> None:
    document = fresh.done("answer", fresh.id, "crime_suspected", "yes", "--json").document
    assert document["sure"] == "claimed"
    assert document["answer"] is True
    assert document["still_open"] is False
    assert document["next"]["number"] == 1
    assert document["said_by"] == _facts(fresh)["crime_suspected"]["said_by"]


def test_a_number_is_the_number_in_the_list_and_the_question_is_said_back(fresh: Estate) -> None:
    numbers = {each["field"]: each["number"] for each in _asked(fresh).values()}
    answer = fresh.done("answer", fresh.id, str(numbers["persons"]), "120万")
    assert "How many people's data is affected? [persons]" in answer.out
    assert _facts(fresh)["persons"]["value"]["min"] == 1_200_000
    fresh.refused("answer", fresh.id, "99", "yes", says=["no question 99", "incident ask ID --all"])


def test_a_time_is_read_as_it_is_typed_and_said_back_in_full(fresh: Estate) -> None:
    answer = fresh.done("answer", fresh.id, "discovered_at", "yesterday", "23:40")
    day = (datetime.now(SHANGHAI) - timedelta(days=1)).date()
    assert f"{day} 23:40 +0800 (Asia/Shanghai)" in answer.out
    assert _facts(fresh)["discovered_at"]["value"] == f"{day}T15:40:00Z"
    chinese = fresh.done("answer", fresh.id, "discovered_at", "昨天 23:50", **ZH).out
    assert f"{day} 23:50 +0800（Asia/Shanghai）" in chinese


@pytest.mark.parametrize("words", [["unknown"], ["I", "don't", "know"], ["I don’t know."], ["不知道"]])
def test_not_knowing_is_an_answer_with_a_name_and_the_question_stands_behind(
    fresh: Estate, words: list[str]
) -> None:
    said = fresh.done("answer", fresh.id, "persons", *words, "--said-by", "DBA on call").out
    assert "recorded: not known (DBA on call was asked)" in said
    fact = _facts(fresh)["persons"]
    assert (fact["value"], fact["said_by"]) == (None, "DBA on call")
    questions = fresh.done("ask", fresh.id, "--json").document["questions"]
    last = questions[-1]
    assert (last["field"], last["nobody_knows"], last["asked_of"]) == ("persons", True, "DBA on call")
    assert all(not each["nobody_knows"] for each in questions[:-1])
    assert "Nobody knows yet:" in fresh.done("ask", fresh.id).out
    chinese = fresh.done("ask", fresh.id, **ZH).out
    assert "暂时无人知道" in chinese
    assert "询问 DBA on call" in chinese
    fresh.done("answer", fresh.id, "persons", "5000")
    assert "Nobody knows yet:" not in fresh.done("ask", fresh.id).out


def test_not_knowing_does_not_undo_what_another_said(fresh: Estate) -> None:
    fresh.done("answer", fresh.id, "persons", "5000", "--said-by", "Chen")
    says = ["persons is known: 5,000, said by Chen", f"incident set {fresh.id} persons=unknown"]
    fresh.refused("answer", fresh.id, "persons", "unknown", says=says)


def test_an_answer_that_still_leaves_it_open_says_so(fresh: Estate) -> None:
    answer = fresh.done("answer", fresh.id, "persons", "800000..1300000")
    assert "the question stays open" in answer.out
    assert "persons" in _asked(fresh, "--all")


def test_bad_answers_are_refused_and_leave_the_record_as_it_was(fresh: Estate) -> None:
    refused = fresh.refused
    refused("answer", fresh.id, "personal_data_breach", "yes", says=["personal_data_breach", "actual"])
    refused("answer", fresh.id, "persons", "many", says=["persons", "no whole number"])
    refused("answer", fresh.id, "person", "5", says=["no fact called “person”", "persons"])
    refused("answer", fresh.id, "discovered_at", "25:70", says=["discovered_at"])
    tomorrow = f"{datetime.now(SHANGHAI) + timedelta(days=1):%Y-%m-%d %H:%M}"
    refused("answer", fresh.id, "discovered_at", tomorrow, says=["still to come"])
    refused("answer", fresh.id, "data_categories", "shoe size", says=["shoe size"])
    refused("answer", fresh.id, "persons", "5", "--sure", "very", code=2, says=["confirmed"])
    refused("answer", fresh.id, "persons", "5", "--known-at", "someday", says=["--known-at"])
    refused("answer", fresh.id, "persons", code=2, says=["no answer was given to persons", "VALUE"])
    refused("answer", "INC-1999-0001", "persons", "5", says=["INC-1999-0001"])
    refused("answer", "INC-1999-0001", "1", "5", says=["INC-1999-0001"])
    refused("ask", "INC-1999-0001", says=["INC-1999-0001"])


def test_a_closed_incident_takes_no_answer(fresh: Estate) -> None:
    fresh.done("close", fresh.id)
    fresh.refused("answer", fresh.id, "persons", "5", says=["closed"])


def test_the_next_update_may_lie_ahead(fresh: Estate) -> None:
    ahead = datetime.now(SHANGHAI) + timedelta(days=1)
    document = fresh.done("answer", fresh.id, "next_update_at", f"{ahead:%Y-%m-%d %H:%M}", "--json").document
    assert document["answer"].startswith(f"{ahead.astimezone(UTC):%Y-%m-%dT%H:%M}")


def test_at_a_terminal_the_answer_is_asked_for(fresh: Estate) -> None:
    ours, theirs = os.openpty()
    words = [sys.executable, "-m", "incident.cli.main", "--workspace", str(fresh.root)]
    process = subprocess.Popen(
        [*words, "answer", fresh.id, "cii_involved"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "INCIDENT_LANGUAGE": "en"},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(ours, b"yes\n")
    out, err = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, err
    assert "Does the incident touch critical information infrastructure?" in err
    assert "recorded: yes" in out


def test_two_answers_at_the_same_moment_are_both_in_the_record(fresh: Estate) -> None:
    fresh.done("answer", fresh.id, "discovered_at", "1 hour ago")
    given = [("cii_involved", "no"), ("central_organ", "no"), ("crime_suspected", "yes"), ("persons", "7")]
    processes = [spawn("--workspace", fresh.root, "answer", fresh.id, field, value) for field, value in given]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
    facts = _facts(fresh)
    assert {field for field, _ in given} <= set(facts)
    duty = _duties(fresh)["cn-cac-incident-2025/initial"]
    found = datetime.fromisoformat(facts["discovered_at"]["value"])
    assert datetime.fromisoformat(duty["due_at"]) == found + timedelta(hours=4)
    assert fresh.done("verify", fresh.id).code == 0
    assert fresh.done("check", fresh.id).code == 0


def test_answering_every_question_ends_the_list(fresh: Estate) -> None:
    values = {"time": "2 hours ago", "bool": "no", "count": "0", "amount": "0", "percent": "0"}
    for _ in range(60):
        questions = fresh.done("ask", fresh.id, "--json").document["questions"]
        if not questions:
            break
        field, kind, choices = (questions[0][key] for key in ("field", "type", "choices"))
        value = values.get(kind) or next(iter(choices), "0min")
        assert main(["--workspace", str(fresh.root), "answer", fresh.id, field, value]) == 0
    assert fresh.done("ask", fresh.id, "--json").document["open"] == 0
    assert "no question is open" in fresh.done("ask", fresh.id).out
    assert "均已查明" in fresh.done("ask", fresh.id, **ZH).out
    assert not any(each["assumed"] for each in _duties(fresh).values())


# -- the duties of the next 24 hours ------------------------------------------------------------------------


def _duties(estate: Estate) -> dict[str, Any]:
    document = estate.done("duties", estate.id, "--json").document
    return {each["id"]: each for each in document["duties"]}


def test_the_worst_case_is_marked_as_assumed_with_the_other_ways_beside_it(fresh: Estate) -> None:
    fresh.done("answer", fresh.id, "discovered_at", "20 minutes ago")
    fresh.done("answer", fresh.id, "central_organ", "no")
    said = " ".join(fresh.done("duties", fresh.id).out.split())
    assert "1 h (assumed; 4 h if" in said
    assert "assumed: a fact is missing" in said
    chinese = fresh.done("duties", fresh.id, **ZH).out
    assert "1 小时（推定；" in chinese
    duty = _duties(fresh)["cn-cac-incident-2025/initial"]
    assert [way["within_seconds"] for way in duty["ways"]] == [3600, 4 * 3600]
    fresh.done("answer", fresh.id, "cii_involved", "no")
    assert [way["path"] for way in _duties(fresh)["cn-cac-incident-2025/initial"]["ways"]] == ["other"]


def test_what_is_due_later_waits_behind_all(fresh: Estate) -> None:
    fresh.done("answer", fresh.id, "discovered_at", "20 minutes ago")
    fresh.done("answer", fresh.id, "handling_ended_at", "10 minutes ago")
    flags = {key: duty["next_24h"] for key, duty in _duties(fresh).items()}
    assert flags["cn-cac-incident-2025/initial"]
    assert flags["cn-pipl-57/people"]
    assert not flags["cn-cac-incident-2025/final"]
    assert not flags["eu-gdpr/authority"]
    shown = fresh.done("duties", fresh.id).out
    assert "cn-cac-incident-2025/final" not in shown
    later = sum(not each for each in flags.values())
    assert f"not shown: {later} due later, 0 met or not owed" in shown
    assert f"incident duties {fresh.id} --all" in shown
    assert f"未显示：24 小时之后到期的 {later} 项" in fresh.done("duties", fresh.id, **ZH).out
    everything = fresh.done("duties", fresh.id, "--all").out
    assert "cn-cac-incident-2025/final" in everything
    assert "not shown" not in everything


def test_what_is_overdue_and_what_waits_for_its_start_is_shown(fresh: Estate) -> None:
    assert "waits for discovered_at" in fresh.done("duties", fresh.id).out
    assert "待查明 discovered_at" in fresh.done("duties", fresh.id, **ZH).out
    fresh.done("answer", fresh.id, "discovered_at", "2 days ago")
    fresh.done("answer", fresh.id, "persons", "2000000")
    assert "OVERDUE" in fresh.done("duties", fresh.id).out
    assert "已逾期" in fresh.done("duties", fresh.id, **ZH).out
    flags = _duties(fresh)
    assert flags["eu-gdpr/authority"]["next_24h"]
    assert flags["cn-cac-incident-2025/initial"]["overdue"]


def test_a_deadline_that_was_ordered_stands_without_the_periods_of_the_law(fresh: Estate) -> None:
    fresh.done("answer", fresh.id, "discovered_at", "20 minutes ago")
    assert "1 h (assumed; 2 h if" in fresh.done("duties", fresh.id).out
    fresh.done(
        "instruction", "add", fresh.id, "report now", "--from", "Provincial CAC",
        "--effect", "deadline", "--duty", "cn-cac-incident-2025/initial", "--due", "+15m",
    )  # fmt: skip
    assert "1 h (assumed; 2 h if" not in fresh.done("duties", fresh.id).out
    ordered = _duties(fresh)["cn-cac-incident-2025/initial"]
    assert ordered["next_24h"]
    assert "Provincial CAC" in ordered["ordered"]["en"]


def test_the_reasons_are_told_as_before(fresh: Estate) -> None:
    said = fresh.done("duties", fresh.id, "--why").out
    assert "cannot tell yet" in said
    assert "cn-cac-incident-2025/final  [owed]" in said


def test_duties_without_an_incident_are_those_of_all_that_are_open(fresh: Estate) -> None:
    opened = ("open", "--title", "a second one", "--found-at", "-1h", "--not-state-secret")
    second = fresh.done("--json", *opened).document["incident"]
    still_open = [each["incident"] for each in fresh.done("--json", "list").document]
    document = fresh.done("--json", "duties").document
    assert [each["incident"] for each in document["incidents"]] == still_open
    alone = fresh.done("--json", "duties", second).document
    told = {each["incident"]: [duty["id"] for duty in each["duties"]] for each in document["incidents"]}
    assert told[second] == [each["id"] for each in alone["duties"]]
    assert f"{second}  a second one" in fresh.done("duties").out
    key, aside = fresh.root / "keyring" / f"{second}.key", fresh.root / "kept-elsewhere"
    key.rename(aside)
    answer = fresh.done("duties")
    assert f"warning: {second} cannot be read" in answer.err
    assert fresh.id in answer.out and second not in answer.out
    aside.rename(key)
    for each in still_open:
        fresh.done("close", each, "--reason", "a false alarm")
    assert fresh.done("duties").out == "no incident is open\n"
    assert fresh.done("duties", **ZH).out == "没有未结案的事件\n"
