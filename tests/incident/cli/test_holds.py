"""Holds and instructions as a person types them: silence at once, its risk signed, orders among the duties."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.commands import run
from tests.support.estates import Estate, with_release
from tests.support.relays import RecordingRelay, recording_relay


@pytest.fixture
def relay(estate: Estate) -> Iterator[RecordingRelay]:
    with recording_relay() as relay:
        estate.change_settings("port = 9", f"port = {relay.port}")
        yield relay


def place(estate: Estate, *more: str) -> str:
    return estate.done("hold", "add", estate.id, "--by", "police", "--until", "+48h", *more).out


def test_a_hold_says_what_it_conflicts_with_by_which_article_and_that_authorities_are_told_all_the_same(
    estate: Estate,
) -> None:
    said = place(estate, "--paper", "No. 17", "--officer", "Li")
    assert said.startswith("H1 stands until ")
    assert (
        "held back: messages to people, public pages, answers of the self-check, what chat messages say"
        in said
    )
    assert "conflicts with cn-pipl-57/people, 第五十七条第一款" in said
    assert "conflicts with eu-gdpr/people, Art. 34(1)" in said
    assert "paper: No. 17" in said and "officer: Li" in said
    assert "duties to authorities go on:" in said and "cn-pipl-57/authority" in said
    assert "risk not accepted yet" in said


def test_the_same_is_said_in_chinese(estate: Estate) -> None:
    place(estate)
    said = estate.done("hold", "show", estate.id, "H1", INCIDENT_LANGUAGE="zh").out
    assert "暂不发出：给个人的通知、公开页面、自助查询的答复、聊天工具中的内容" in said
    assert "与 cn-pipl-57/people 冲突，第五十七条第一款" in said
    assert "向主管部门履行的义务照常进行" in said and "风险尚无人承担" in said


def test_with_as_the_risk_is_signed_at_once_and_without_it_later(estate: Estate) -> None:
    signed = estate.done(
        "--as", "anna", "--json", "hold", "add", estate.id, "--by", "police", "--until", "+1h"
    )
    assert signed.document["accepted_by"] == ["anna"]
    place(estate)
    assert estate.done("--as", "bo", "--json", "hold", "accept", estate.id, "h2").document["accepted_by"] == [
        "bo"
    ]
    later = estate.done("--json", "hold", "extend", estate.id, "H2", "--until", "+90h").document
    assert later["accepted_by"] == []
    estate.refused("hold", "accept", estate.id, "H2", says=["--as"])


def test_silence_stands_when_the_one_who_asks_for_it_may_not_sign(estate: Estate) -> None:
    answer = estate.done(
        "--as", "carl", "hold", "add", estate.id, "--by", "police", "--until", "+1h", "--json"
    )
    assert answer.document["state"] == "stands" and answer.document["accepted_by"] == []
    assert answer.document["placed_by"] == "carl"
    assert "H1 stands, but its risk was not accepted: carl is no" in answer.err


def test_that_the_risk_is_open_is_shown_with_the_duties_and_with_the_sending(estate: Estate) -> None:
    place(estate)
    for words in (
        ["duties", estate.id],
        ["notice", "status", estate.id],
        ["show", estate.id],
        ["hold", "list", estate.id],
    ):
        assert "risk not accepted yet" in estate.done(*words).out.replace("\n", " "), words
    assert "a hold stands on" in estate.done("list").err
    assert estate.done("--json", "duties", estate.id).document["holds"][0]["accepted_by"] == []
    estate.done("--as", "anna", "hold", "accept", estate.id, "H1")
    assert "risk accepted by anna" in estate.done("notice", "status", estate.id).out


def test_a_notice_under_a_hold_is_refused_by_its_name_and_goes_out_once_it_is_lifted(
    estate: Estate, relay: RecordingRelay
) -> None:
    with_release(estate)
    place(estate)
    estate.refused("notice", "send", estate.id, says=["H1, asked for by police", "incident hold lift"])
    lifted = estate.done("--as", "anna", "hold", "lift", estate.id, "H1", "--reason", "police agreed").out
    assert "may go out now: messages to people" in lifted
    estate.done("notice", "send", estate.id)
    [campaign] = estate.done("--json", "notice", "status", estate.id).document["campaigns"]
    assert campaign["in_progress"] == 0 and campaign["accepted"] > 0 and relay.taken
    told = campaign["accepted"]
    assert f"already out, and not called back: {told} people told, 2 public pages" in place(estate)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--until", "-1h"], 1, ["--until"]),
        (["--until", "soon"], 1, ["--until"]),
        (["--until", "+1h", "--covers", "fax"], 1, ["fax is nothing", "people, public"]),
        (["--until", "+1h", "--covers", ","], 1, ["--covers"]),
    ],
)
def test_a_hold_that_cannot_be_is_refused_and_nothing_is_changed(
    estate: Estate, words: list[str], code: int, says: list[str]
) -> None:
    estate.refused("hold", "add", estate.id, "--by", "police", *words, says=says, code=code)


def test_lifting_takes_a_signature_and_is_done_once(estate: Estate) -> None:
    place(estate)
    estate.refused("hold", "lift", estate.id, "H1", "--reason", "agreed", says=["--as NAME"])
    estate.refused("--as", "carl", "hold", "lift", estate.id, "H1", "--reason", "agreed", says=["carl is no"])
    estate.refused("--as", "anna", "hold", "lift", estate.id, "H4", "--reason", "agreed", says=["H4"])
    estate.done("--as", "anna", "hold", "lift", estate.id, "H1", "--reason", "agreed")
    estate.refused(
        "--as", "bo", "hold", "lift", estate.id, "H1", "--reason", "agreed", says=["lifted already"]
    )
    timeline = estate.done("timeline", estate.id).out
    assert "H1 placed for police" in timeline and "H1 lifted: agreed" in timeline


def test_an_order_changes_the_duties_and_says_so(estate: Estate) -> None:
    words = ["--from", "CAC", "--officer", "Li", "--at", "now"]
    said = estate.done(
        *("instruction", "add", estate.id, "report within four hours", *words),
        *("--effect", "deadline", "--duty", "cn-pipl-57/authority", "--due", "+4h"),
    ).out
    assert said.startswith("I1: a deadline, by order of CAC of ")
    assert "duty cn-pipl-57/authority: due changed" in said
    shown = estate.done("duties", estate.id, "--json").document["duties"]
    [duty] = [each for each in shown if each["id"] == "cn-pipl-57/authority"]
    assert duty["due_at"] is not None and "CAC" in duty["ordered"]["zh-Hans"]
    settled = estate.done("instruction", "settle", estate.id, "I1", "--how", "reported by phone").out
    assert "I1 settled: reported by phone" in settled and "due changed, no fixed hour" in settled
    estate.refused("instruction", "settle", estate.id, "I1", "--how", "again", says=["settled already"])


def test_an_order_to_be_silent_places_a_hold_and_is_settled_once_that_is_lifted(estate: Estate) -> None:
    placed = estate.done(
        *("--json", "instruction", "add", estate.id, "tell nobody", "--from", "police"),
        *("--effect", "hold", "--until", "+24h", "--covers", "people,calendar"),
    ).document
    assert placed["placed"]["hold"] == "H1" and placed["placed"]["covers"] == ["people", "calendar"]
    estate.refused("instruction", "settle", estate.id, "I1", "--how", "over", says=["H1 still stands"])
    estate.done("--as", "anna", "hold", "lift", estate.id, "H1", "--reason", "police agreed")
    estate.done("instruction", "settle", estate.id, "I1", "--how", "over")
    listed = estate.done("--json", "instruction", "list", estate.id).document["instructions"]
    assert [each["settled_how"] for each in listed] == ["over"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--effect", "deadline", "--duty", "cn-pipl-57/peopel", "--due", "+4h"], 1, ["cn-pipl-57/people"]),
        (["--effect", "deadline"], 1, ["--due"]),
        (["--effect", "reopen"], 1, ["--duty"]),
        (["--effect", "require", "--duty", "cn-pipl-57/people"], 1, ["--duty"]),
        (["--effect", "require", "--until", "+1h"], 2, ["--until"]),
        (["--effect", "hold"], 2, ["--until"]),
        (["--effect", "fun"], 1, ["hold, require, deadline, reopen"]),
        (["--effect", "require", "--at", "+2h"], 1, []),
        (["--effect", "require", "--due", "+1h", "--at", "tomorrow 08:00"], 1, []),
    ],
)
def test_an_order_that_does_not_fit_together_is_refused_and_nothing_is_changed(
    estate: Estate, words: list[str], code: int, says: list[str]
) -> None:
    estate.refused("instruction", "add", estate.id, "do it", "--from", "CAC", *words, says=says, code=code)


def test_an_incident_that_is_not_there_is_said(estate: Estate) -> None:
    for words in (
        ["hold", "list", "INC-1999-0001"],
        ["instruction", "list", "INC-1999-0001"],
        ["hold", "add", "INC-1999-0001", "--by", "police", "--until", "+1h"],
    ):
        estate.refused(*words, says=["INC-1999-0001"])
    assert run("hold", "--help").code == 0
