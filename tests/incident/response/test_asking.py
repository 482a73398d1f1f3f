"""The words of the question whether a call was carried out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from incident.response.asking import case_in_words, condition_in_words, outcome_in_words
from incident.response.events import AskCase, AskCondition, AskOutcome, CallOutcome, Uncertain


def question(**more: Any) -> AskOutcome:
    return AskOutcome.model_validate(
        {
            "visit": "R-3",
            "step": "s",
            "title": {"en": "Close it", "zh-Hans": "关闭接口"},
            "request": "POST https://gateway.example/close",
            "content": '{"a": 1,\n "b": 2}',
            "who": {"en": "Gateway", "zh-Hans": "网关"},
            "sent_at": datetime(2026, 1, 1, 12, tzinfo=UTC),
            "why": Uncertain.no_answer,
            "detail": "no whole answer within 60 s",
            **more,
        }
    )


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
@pytest.mark.parametrize("why", list(Uncertain))
@pytest.mark.parametrize("late", [True, False])
def test_every_question_is_said_whole_in_both_languages(language: str, why: Uncertain, late: bool) -> None:
    words = outcome_in_words(question(why=why), language, when="2026-01-01 20:00:00", late=late)
    told = "\n".join((words.question, *words.known, *words.answers.values()))
    assert "{" not in told.replace('{"a": 1,', "")
    assert "2026-01-01 20:00:00" in told and "POST https://gateway.example/close" in told
    assert len(set(words.answers.values())) == len(CallOutcome)
    assert ("60 s" in told) == (why is Uncertain.no_answer)


def test_a_call_whose_time_is_over_is_not_promised_to_be_sent() -> None:
    for language, sent in (("en", "send it now"), ("zh-Hans", "现在发出")):
        in_time = outcome_in_words(question(), language, when="-", late=False)
        late = outcome_in_words(question(), language, when="-", late=True)
        assert sent in in_time.answers[CallOutcome.not_done]
        assert sent not in late.answers[CallOutcome.not_done]


def test_braces_in_what_was_sent_are_shown_as_they_are() -> None:
    words = outcome_in_words(
        question(title={"en": "{who}"}, request="POST https://x.example/{detail}"), "en", when="-", late=False
    )
    assert words.question.endswith("{who}")
    assert "https://x.example/{detail}" in words.known[0]


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_a_value_from_an_alert_cannot_move_the_cursor_or_fill_the_screen(language: str) -> None:
    about = {"visit": "R-3", "step": "s", "title": {"en": "Kind?", "zh-Hans": "类型？"}}
    case = AskCase.model_validate(
        {**about, "switch": "__k__", "value": "\x1b[2J{name}" + "x" * 9999, "reason": "no", "cases": ["a'b"]}
    )
    words = case_in_words(case, language)
    told = "\n".join((words.question, *words.known))
    assert "\x1b" not in told and "{name}" in told and len(told) < 500
    assert list(words.answers) == ["--case 'a'\"'\"'b'", "--failed"]
    condition = AskCondition.model_validate(
        {**about, "condition": "x == {y}", "reason": "{z}", "variables": {"__k__": "", "__u__": None}}
    )
    told = "\n".join(condition_in_words(condition, language).known)
    assert "x == {y}" in told and "{z}" in told and "__k__ = " in told and "__u__" in told
