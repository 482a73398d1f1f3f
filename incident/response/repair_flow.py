"""Repairs of the flow: a start, ends of their own, branches that lead back to where they meet.

Other tools write a flow chart: the branches of a decision run on into one step. CACAO 2.0 lets each branch end in an
end step of its own, and the step that opened them lead on. Where the chart has one reading in CACAO it is rewritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.response.repair import Work
from incident.response.repair_words import ONE_ID

_BRANCHING = frozenset(["if-condition", "while-condition", "switch-condition", "parallel"])
MOST_STEPS = 2000
"""Of a larger flow the branches are left as they are: looking for where they meet takes its size squared."""
DEEPEST = 200
_ONWARD = ("on_completion", "on_success", "on_failure")


def flow(work: Work) -> None:
    _missing_ends(work)
    _start(work)
    if work.data.get("workflow_start") not in work.data["workflow"]:
        return  # refused by the linter
    if len(work.data["workflow"]) > MOST_STEPS:
        return
    for key in _inside_out(work):
        _meet(work, key)
    _own_ends(work)
    _lead_on(work)


# -- start and missing ends -------------------------------------------------------------------------------


def _missing_ends(work: Work) -> None:
    """What leads to an end step that is not there: its id says what it is."""
    steps = work.data["workflow"]
    for path, found in _references(work):
        if found not in steps and found.startswith("end--"):
            steps[found] = {"type": "end"}
            work.note(
                "missing-end",
                path,
                found,
                "an end step of that id",
                "what it leads to is an end, and was missing",
            )


def _references(work: Work) -> Iterator[tuple[str, str]]:
    exception = work.data.get("workflow_exception")
    if isinstance(exception, str):
        yield "workflow_exception", exception
    for key, step in work.steps():
        for word, found in _leads(step):
            yield f"workflow/{key}/{word}", found


def _leads(step: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for word in ONE_ID:
        if isinstance(step.get(word), str):
            yield word, step[word]
    several = step.get("next_steps")
    yield from (
        (f"next_steps/{n}", e)
        for n, e in enumerate(several if isinstance(several, list) else [])
        if isinstance(e, str)
    )
    cases = step.get("cases")
    yield from (
        (f"cases/{c}", e) for c, e in (cases.items() if isinstance(cases, dict) else ()) if isinstance(e, str)
    )


def _start(work: Work) -> None:
    data = work.data
    steps = data["workflow"]
    starts = [key for key, step in steps.items() if step.get("type") == "start"]
    named = data.get("workflow_start")
    if named in starts:
        return
    if starts and (named is None or named not in steps):
        if len(starts) == 1:
            data["workflow_start"] = starts[0]
            work.note("workflow-start", "workflow_start", named, starts[0], "it names the start step")
        return
    entered = {found for _, found in _references(work)}
    roots = [key for key in steps if key not in entered]
    first = named if named in steps else roots[0] if named is None and len(roots) == 1 else None
    if first is None or starts:
        return
    start = work.minted("workflow", "start", "start")
    data["workflow"] = {start: {"type": "start", "on_completion": first}, **steps}
    data["workflow_start"] = start
    work.note(
        "no-start",
        "workflow_start",
        named,
        f"a start step that leads to {first}",
        "a workflow begins with a start step",
    )


# -- branches -----------------------------------------------------------------------------------------------


def _heads(step: dict[str, Any]) -> list[tuple[str, str]]:
    return [(word, found) for word, found in _leads(step) if word not in _ONWARD]


def _onward(step: dict[str, Any]) -> list[str]:
    return [step[word] for word in _ONWARD if isinstance(step.get(word), str)]


def _inside_out(work: Work) -> list[str]:
    """The branching steps, those that lie deeper in branches first."""
    steps = work.data["workflow"]
    depth: dict[str, int] = {}
    ahead = [(work.data["workflow_start"], 0)]
    while ahead:
        key, level = ahead.pop()
        if key not in steps or level > DEEPEST or depth.get(key, -1) >= level:
            continue
        depth[key] = level
        ahead += [(each, level) for each in _onward(steps[key])]
        ahead += [(each, level + 1) for _, each in _heads(steps[key])]
    found = [key for key in depth if steps[key].get("type") in _BRANCHING and _heads(steps[key])]
    return sorted(found, key=lambda key: -depth[key])


def _level(work: Work, first: str, barred: str) -> list[str]:
    """The steps of a branch in the order they are met: along what follows each, not into branches of theirs."""
    steps = work.data["workflow"]
    found: dict[str, None] = {}
    ahead = [first]
    while ahead:
        key = ahead.pop(0)
        if key in found or key not in steps or key == barred:
            continue
        found[key] = None
        ahead += _onward(steps[key])
    return list(found)


def _meet(work: Work, key: str) -> None:
    """Lets the branches of a step end where they meet, and the step itself lead there."""
    steps = work.data["workflow"]
    step = steps[key]
    heads = _heads(step)
    levels = {word: _level(work, first, key) for word, first in heads}
    onward = _onward(step)
    goes_back = [word for word, first in heads if any(key in _onward(steps[each]) for each in levels[word])]
    if goes_back and step.get("type") == "while-condition":
        _cut(work, key, levels, {key})
    if onward:
        _cut(work, key, levels, set(onward))
        return
    shared = _meeting(levels)
    if step.get("type") == "if-condition" and len(heads) == 1:
        return
    if shared is None:
        return
    step["on_completion"] = shared
    why = "its branches meet there; in CACAO each branch ends, and the step that opened them leads on"
    work.note("branches-meet", f"workflow/{key}/on_completion", None, shared, why)
    _cut(work, key, levels, {shared})


def _meeting(levels: dict[str, list[str]]) -> str | None:
    """The first step that all branches reach."""
    several = list(levels.values())
    if len(several) < 2:
        return None
    common = set(several[0]).intersection(*several[1:])
    return next((each for each in several[0] if each in common), None)


def _cut(work: Work, key: str, levels: dict[str, list[str]], joins: set[str]) -> None:
    """What leads out of a branch to a step behind it leads to an end of the branch's own instead."""
    steps = work.data["workflow"]
    for word, members in levels.items():
        first = next(found for each, found in _heads(steps[key]) if each == word)
        behind = {each for join in joins for each in _level(work, join, key)} | joins
        if first in joins:
            _empty_branch(work, key, word, first)
            continue
        for each in members:
            if each in behind:
                continue
            for onward in _ONWARD:
                target = steps[each].get(onward)
                if isinstance(target, str) and target in joins:
                    _own_end(work, each, onward, target)


def _empty_branch(work: Work, key: str, word: str, join: str) -> None:
    step = work.data["workflow"][key]
    if word == "on_false":
        del step["on_false"]
        work.note(
            "empty-branch",
            f"workflow/{key}/on_false",
            join,
            None,
            "this branch does nothing before they meet",
        )
        return
    _own_end(work, key, word, join)


def _own_end(work: Work, key: str, word: str, target: str) -> None:
    """A new end step for what leads from this step by that word."""
    steps = work.data["workflow"]
    end = work.minted("workflow", f"end of {key} {word}", "end")
    steps[end] = {"type": "end"}
    head, _, rest = word.partition("/")
    if not rest:
        steps[key][head] = end
    elif head == "next_steps":
        steps[key][head][int(rest)] = end
    else:
        steps[key][head][rest] = end
    work.note(
        "own-end",
        f"workflow/{key}/{word}",
        target,
        f"an end step of its own ({end})",
        "each branch ends in an end of its own",
    )


def _own_ends(work: Work) -> None:
    """An end step that several branches share: the first level that reaches it keeps it."""
    steps = work.data["workflow"]
    owner: dict[str, int] = {}
    levels = [work.data["workflow_start"]]
    levels += [first for _, step in work.steps() for _, first in _heads(step)]
    for number, first in enumerate(levels):
        members = _level(work, first, "")
        for each in members:
            if each not in steps or owner.get(each, number) != number:
                continue
            owner[each] = number
            for word in _ONWARD:
                target = steps[each].get(word)
                if not isinstance(target, str) or steps.get(target, {}).get("type") != "end":
                    continue
                if owner.setdefault(target, number) != number:
                    _own_end(work, each, word, target)
    _own_heads(work)


def _own_heads(work: Work) -> None:
    """Branches that are an end step only, of which several name one end."""
    steps = work.data["workflow"]
    taken: set[str] = {found for _, step in work.steps() for found in _onward(step)}
    for key, step in work.steps():
        for word, first in _heads(step):
            if steps.get(first, {}).get("type") != "end":
                continue
            if first in taken:
                _own_end(work, key, word, first)
            taken.add(first)


def _lead_on(work: Work) -> None:
    """A step that names nothing after it ends its level."""
    for key, step in work.steps():
        if step.get("type") in (None, "end") or isinstance(step.get("on_completion"), str | list):
            continue
        if isinstance(step.get("on_success"), str | list):
            continue
        word = "on_success" if "on_failure" in step else "on_completion"
        end = work.minted("workflow", f"end after {key}", "end")
        work.data["workflow"][end] = {"type": "end"}
        step[word] = end
        work.note(
            "leads-nowhere",
            f"workflow/{key}/{word}",
            None,
            f"a new end step ({end})",
            "it named no next step, so its branch ends there",
        )
