"""The shape of a workflow: references, cycles, branches with ends of their own, what is never reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from incident.response.model import EndStep, ParallelStep, Playbook, StartStep, Step, branches, continuations

Complaint = tuple[str, str | None, str]
"""(code, step id or None for the playbook, message)"""
MOST_STEPS = 5_000
MOST_LINKS = 20_000
"""References from step to step: a switch may name many cases."""
DEEPEST = 50
"""Branches within one another."""


def too_large(playbook: Playbook) -> Iterator[Complaint]:
    """What is larger than anybody could read is refused before it is looked at more closely."""
    steps = len(playbook.workflow)
    if steps > MOST_STEPS:
        yield (
            "too-many-steps",
            None,
            f"it has {steps} steps, {MOST_STEPS} at most; move parts of it into playbooks that it calls",
        )
        return
    links = sum(len(continuations(step)) + len(branches(step)) for step in playbook.workflow.values())
    if links > MOST_LINKS:
        yield (
            "too-many-links",
            None,
            f"its steps lead to {links} others, {MOST_LINKS} at most; move parts of it into playbooks that it calls",
        )


def too_deep(playbook: Playbook) -> Iterator[Complaint]:
    """Branches within branches, without a bound, would make every look at the run as deep. Needs a graph without
    cycles."""
    depths: dict[str, int] = {}
    ahead = [(each, 0) for each in (playbook.workflow_start, playbook.workflow_exception) if each]
    while ahead:
        step_id, depth = ahead.pop()
        if step_id not in playbook.workflow or depths.get(step_id, -1) >= depth:
            continue
        if depth > DEEPEST:
            yield (
                "too-deep",
                step_id,
                f"more than {DEEPEST} branches lie within one another; move the inner ones into a playbook that it calls",
            )
            return
        depths[step_id] = depth
        step = playbook.workflow[step_id]
        ahead += [(each, depth) for each in continuations(step)]
        ahead += [(each, depth + 1) for each in branches(step)]


def dangling(playbook: Playbook) -> Iterator[Complaint]:
    """References to steps that do not exist."""
    for step_id, step in playbook.workflow.items():
        for reference in [*continuations(step), *branches(step)]:
            if reference not in playbook.workflow:
                yield "dangling-reference", step_id, f"it leads to “{reference}”, which is not a step"
    exception = playbook.workflow_exception
    if exception is not None and exception not in playbook.workflow:
        yield "dangling-reference", None, f"workflow_exception names “{exception}”, which is not a step"


def successors(playbook: Playbook, step: Step) -> list[str]:
    return [each for each in [*branches(step), *continuations(step)] if each in playbook.workflow]


def cycle(playbook: Playbook) -> list[str]:
    """The steps of one cycle, the first repeated at the end; empty where there is none. Iterative, so that
    depth is no limit."""
    done: set[str] = set()
    for root in playbook.workflow:
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, Iterator[str]]] = []

        def open_(step_id: str) -> None:
            path.append(step_id)  # noqa: B023 - called within the same turn of the loop
            on_path.add(step_id)  # noqa: B023
            stack.append((step_id, iter(successors(playbook, playbook.workflow[step_id]))))  # noqa: B023

        if root in done:
            continue
        open_(root)
        while stack:
            step_id, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                path.pop()
                on_path.discard(step_id)
                done.add(step_id)
            elif following in on_path:
                return [*path[path.index(following) :], following]
            elif following not in done:
                open_(following)
    return []


def level(playbook: Playbook, first: str) -> list[str]:
    """The steps on one level: from `first` along continuations, not into branches."""
    found: dict[str, None] = {}
    ahead = [first]
    while ahead:
        step_id = ahead.pop()
        if step_id in found or step_id not in playbook.workflow:
            continue
        found[step_id] = None
        ahead += continuations(playbook.workflow[step_id])
    return list(found)


def branch_rule(playbook: Playbook, labels: Mapping[str, str]) -> Iterator[Complaint]:
    """Every branch ends in an end step of its own (sections 4.6 to 4.9): no two levels share a step.

    The exception route alone may share steps with the main level, as published playbooks do.
    """
    owner: dict[str, tuple[str, str]] = {}
    levels = [("the main level", playbook.workflow_start, "main")]
    for step_id, step in playbook.workflow.items():
        for first in branches(step):
            levels.append(
                (f"the branch “{labels.get(first, first)}” of “{labels[step_id]}”", first, "branch")
            )
    if playbook.workflow_exception:
        levels.append(("the exception route", playbook.workflow_exception, "exception"))
    looked_at: set[tuple[str, str]] = set()
    for name, first, kind in levels:
        if (name, first) in looked_at and kind == "branch" and first in owner:
            yield "shared-step", first, f"{name} is named twice; each branch needs its own"
            continue
        looked_at.add((name, first))
        members = level(playbook, first)
        if not any(isinstance(playbook.workflow[each], EndStep) for each in members):
            yield (
                "no-end",
                first if first in playbook.workflow else None,
                f"{name} reaches no end step of its own",
            )
        for each in members:
            if each not in owner:
                owner[each] = (name, kind)
            elif {kind, owner[each][1]} != {"main", "exception"}:
                yield (
                    "shared-step",
                    each,
                    f"{name} and {owner[each][0]} share this step; each branch needs its own",
                )
                break  # what follows is shared, too


def starts(playbook: Playbook) -> Iterator[Complaint]:
    """One start step, named by workflow_start and entered by nobody."""
    found = [step_id for step_id, step in playbook.workflow.items() if isinstance(step, StartStep)]
    entered = set(found)
    if not found:
        yield "no-start", None, "there is no start step"
    for extra in found[1:]:
        yield "several-starts", extra, "there is more than one start step"
    if playbook.workflow_start not in playbook.workflow:
        yield "no-start", None, f"workflow_start names “{playbook.workflow_start}”, which is not a step"
    elif found and playbook.workflow_start not in found:
        yield "no-start", playbook.workflow_start, "workflow_start names this step, which is not a start step"
    for step_id, step in playbook.workflow.items():
        if not entered.isdisjoint([*continuations(step), *branches(step)]):
            yield "start-entered", step_id, "it leads back to the start step"


def ends(playbook: Playbook) -> Iterator[Complaint]:
    """An end exists, and every other step leads on."""
    if not any(isinstance(step, EndStep) for step in playbook.workflow.values()):
        yield "no-end", None, "there is no end step"
    for step_id, step in playbook.workflow.items():
        follows = step.on_completion or step.on_success
        if isinstance(step, EndStep):
            if continuations(step):
                yield "end-goes-on", step_id, "an end step has nothing after it"
        elif not follows:
            yield "leads-nowhere", step_id, "it names no next step (on_completion, or on_success)"
        if step.on_completion and (step.on_success or step.on_failure):
            yield (
                "completion-and-success",
                step_id,
                "on_completion stands alone, or on_success and on_failure do",
            )
        if isinstance(step, StartStep) and (step.on_success or step.on_failure):
            yield "start-with-outcome", step_id, "a start step has on_completion only"
        if isinstance(step, ParallelStep) and len(set(step.next_steps)) < max(2, len(step.next_steps)):
            yield "too-few-branches", step_id, "a parallel step names at least two different steps"


def unreached(playbook: Playbook) -> list[str]:
    """Steps that no way leads to."""
    ahead = [playbook.workflow_start, *([playbook.workflow_exception] if playbook.workflow_exception else [])]
    seen: set[str] = set()
    while ahead:
        step_id = ahead.pop()
        if step_id in seen or step_id not in playbook.workflow:
            continue
        seen.add(step_id)
        ahead += successors(playbook, playbook.workflow[step_id])
    return [step_id for step_id in playbook.workflow if step_id not in seen]
