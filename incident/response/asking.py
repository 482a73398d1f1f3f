"""What a person is asked when nobody knows whether a call was carried out, in words.

The question is “was it done?”, and no answer can be read as “do it” by mistake: each says what it brings about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from incident.record.facts import in_language
from incident.response.events import AskOutcome, CallOutcome, Uncertain

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
