"""Why an answer is as it is: a tree that prints line by line, in each language. Pure values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from incident.record.facts import FrozenText, LocalText, in_language

NOTHING: frozenset[str] = frozenset()


class Answer(StrEnum):
    """Kleene's three values, said of a condition."""

    met = "met"
    not_met = "not_met"
    cannot_tell = "cannot_tell"


ANSWER_TITLES = {
    Answer.met: FrozenText({"zh-Hans": "符合", "en": "met"}),
    Answer.not_met: FrozenText({"zh-Hans": "不符合", "en": "not met"}),
    Answer.cannot_tell: FrozenText({"zh-Hans": "尚不能判断", "en": "cannot tell yet"}),
}


@dataclass(frozen=True)
class Reason:
    """One line of why, with what stands under it.

    `decides`: the facts, unknown or straddling, that leave the answer open (empty unless it cannot be told);
    once each of them is known exactly, the answer is told. `rests_on`: the known facts that hold a told answer
    up; only a change of one of these can change it.
    """

    answer: Answer
    text: FrozenText
    decides: frozenset[str] = NOTHING
    rests_on: frozenset[str] = NOTHING
    parts: tuple[Reason, ...] = ()

    def lines(self, language: str, *, indent: int = 0) -> list[str]:
        """This line and those under it, each level indented by two blanks."""
        own = "  " * indent + in_language(self.text, language)
        return [own, *(line for part in self.parts for line in part.lines(language, indent=indent + 1))]


def with_answer(text: LocalText, answer: Answer) -> FrozenText:
    """The text followed by the answer in words."""
    title = ANSWER_TITLES[answer]
    return FrozenText(
        {
            "zh-Hans": f"{in_language(text, 'zh-Hans')}：{title['zh-Hans']}",
            "en": f"{in_language(text, 'en')}: {title['en']}",
        }
    )


def all_of(parts: Iterable[Reason], text: LocalText) -> Reason:
    """Met where each part is; not met as soon as one is not."""
    return _joined(tuple(parts), text, stops=Answer.not_met, otherwise=Answer.met)


def any_of(parts: Iterable[Reason], text: LocalText) -> Reason:
    """Met as soon as one part is; not met where none is."""
    return _joined(tuple(parts), text, stops=Answer.met, otherwise=Answer.not_met)


def at_least_of(count: int, parts: Iterable[Reason], text: LocalText) -> Reason:
    """Met where `count` parts are; not met as soon as so many can no longer be."""
    given = tuple(parts)
    met = sum(part.answer is Answer.met for part in given)
    possible = met + sum(part.answer is Answer.cannot_tell for part in given)
    answer = Answer.met if met >= count else Answer.not_met if possible < count else Answer.cannot_tell
    bearing = [part for part in given if part.answer is answer]
    return Reason(
        answer=answer,
        text=with_answer(text, answer),
        decides=union(part.decides for part in bearing),
        rests_on=union(part.rests_on for part in bearing),
        parts=given,
    )


def negated(part: Reason, text: LocalText) -> Reason:
    opposite = {
        Answer.met: Answer.not_met,
        Answer.not_met: Answer.met,
        Answer.cannot_tell: Answer.cannot_tell,
    }
    answer = opposite[part.answer]
    return Reason(answer, with_answer(text, answer), part.decides, part.rests_on, (part,))


def _joined(parts: tuple[Reason, ...], text: LocalText, *, stops: Answer, otherwise: Answer) -> Reason:
    answer = otherwise
    if any(part.answer is stops for part in parts):
        answer = stops
    elif any(part.answer is Answer.cannot_tell for part in parts):
        answer = Answer.cannot_tell
    bearing = [part for part in parts if part.answer is answer]
    return Reason(
        answer=answer,
        text=with_answer(text, answer),
        decides=union(part.decides for part in bearing),
        rests_on=union(part.rests_on for part in bearing),
        parts=parts,
    )


def union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return NOTHING.union(*sets)
