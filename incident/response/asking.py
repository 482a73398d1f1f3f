"""What a person is asked when the machine cannot decide, in words: whether a call was carried out, whether a condition
holds, which case of a switch does.

Of a call the question is “was it done?”, and no answer can be read as “do it” by mistake: each says what it brings about.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from incident.record.facts import in_language
from incident.response.events import AskCase, AskCondition, AskOutcome, CallOutcome, Uncertain
from incident.response.model import DEFAULT_CASE
from incident.response.variables import variable_in, visible

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "question": "Was this carried out? {title}",
        "call": "Call to “{who}”, begun {when}: {request}",
        Uncertain.worker_stopped: "The worker stopped during the call. It may have been carried out, or may never have left.",
        Uncertain.no_answer: "No answer came ({detail}). It may have been carried out, or may be under way there still.",
        "look": "Look at “{who}” first. Then say what you found:",
        CallOutcome.done: "it was carried out",
        CallOutcome.not_done: "it was not carried out: send it now",
        "late": "it was not carried out (its time is over: it is not sent any more)",
        CallOutcome.failed: "neither: do not send it, go on as after a failure",
    },
    "zh-Hans": {
        "question": "这项操作执行了吗？{title}",
        "call": "向“{who}”发出的调用，始于 {when}：{request}",
        Uncertain.worker_stopped: "调用期间工作进程中断。操作可能已经执行，也可能根本没有发出。",
        Uncertain.no_answer: "没有收到答复（{detail}）。操作可能已经执行，也可能仍在对方处理之中。",
        "look": "请先到“{who}”核实，再据实回答：",
        CallOutcome.done: "已经执行",
        CallOutcome.not_done: "没有执行：现在发出",
        "late": "没有执行（时限已过：不再发出）",
        CallOutcome.failed: "都不是：不发出，按失败继续处理",
    },
}


@dataclass(frozen=True)
class OutcomeWords:
    """The question, what is known, and what each answer says and brings about."""

    question: str
    known: tuple[str, ...]
    answers: Mapping[CallOutcome, str]


def outcome_in_words(asked: AskOutcome, language: str, *, when: str, late: bool) -> OutcomeWords:
    """The question in `language`; `when` is the time of the call as people read it.

    `late`: the time of a step around it is over, see `State.out_of_time`.
    """
    words = _WORDS["zh-Hans" if language.startswith("zh") else "en"]
    values = {
        "title": in_language(asked.title, language),
        "who": in_language(asked.who, language),
        "when": when,
        "request": asked.request,
        "detail": asked.detail,
    }
    known = [words["call"].format_map(values)]
    known += [f"  {line}" for line in asked.content.splitlines()]
    known += [words[asked.why].format_map(values), words["look"].format_map(values)]
    answers = {outcome: words[outcome] for outcome in CallOutcome}
    if late:
        answers[CallOutcome.not_done] = words["late"]
    return OutcomeWords(words["question"].format_map(values), tuple(known), answers)


_BRANCHING: Mapping[str, Mapping[str, str]] = {
    "en": {
        "condition": "Does this hold? {title}",
        "source": "Condition: {source}",
        "case": "Which case holds? {title}",
        "value": "{name} = {value}",
        "unknown": "{name} is not known",
        "why": "It cannot be decided by itself: {reason}",
        "holds": "it holds",
        "fails": "it does not hold",
        "is": "it is “{case}”",
        "default": "it is another value (“default”)",
        "none": "none of them: go on as after a failure",
    },
    "zh-Hans": {
        "condition": "该条件成立吗？{title}",
        "source": "条件：{source}",
        "case": "属于哪一种情形？{title}",
        "value": "{name} = {value}",
        "unknown": "{name} 未知",
        "why": "无法自动判断：{reason}",
        "holds": "成立",
        "fails": "不成立",
        "is": "属于“{case}”",
        "default": "属于其他情形（“default”）",
        "none": "均不属于：按失败继续处理",
    },
}
VALUE_SHOWN = 200  # characters of a variable's value in a question


@dataclass(frozen=True)
class BranchingWords:
    """The question, what is known, and what each answer means; an answer is the end of `incident done RUN STEP`."""

    question: str
    known: tuple[str, ...]
    answers: Mapping[str, str]


def condition_in_words(asked: AskCondition, language: str) -> BranchingWords:
    """The question whether a condition holds, with the values it speaks of and why it could not be decided."""
    words = _BRANCHING["zh-Hans" if language.startswith("zh") else "en"]
    known = [words["source"].format(source=visible(asked.condition))]
    known += [_value(words, name, value) for name, value in asked.variables.items()]
    known.append(words["why"].format(reason=visible(asked.reason)))
    question = words["condition"].format(title=in_language(asked.title, language))
    return BranchingWords(question, tuple(known), {"": words["holds"], "--failed": words["fails"]})


def case_in_words(asked: AskCase, language: str) -> BranchingWords:
    """The question which case of a switch holds, with its variable's value, and every case."""
    words = _BRANCHING["zh-Hans" if language.startswith("zh") else "en"]
    known = [_value(words, variable_in(asked.switch) or asked.switch, asked.value)]
    known.append(words["why"].format(reason=visible(asked.reason)))
    answers = {
        f"--case {shlex.quote(case)}": words["default" if case == DEFAULT_CASE else "is"].format(
            case=visible(case)
        )
        for case in asked.cases
    }
    question = words["case"].format(title=in_language(asked.title, language))
    return BranchingWords(question, tuple(known), {**answers, "--failed": words["none"]})


def _value(words: Mapping[str, str], name: str, value: str | None) -> str:
    if value is None:
        return words["unknown"].format(name=name)
    shown = visible(value)
    return words["value"].format(
        name=name, value=shown if len(shown) <= VALUE_SHOWN else shown[:VALUE_SHOWN] + "…"
    )
