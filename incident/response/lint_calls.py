"""Playbooks that call others: whether the other is there, and whether what goes in and comes out fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from incident.response.lint_graph import Complaint
from incident.response.model import Playbook, PlaybookActionStep, playbooks_called
from incident.response.variables import declarations

DEEPEST = 8
"""Playbooks that call one another in a row."""


def arguments(playbook: Playbook, step_id: str, step: PlaybookActionStep) -> Iterator[Complaint]:
    """What goes in and comes out must be declared on this side."""
    declared = declarations(playbook, step)
    for name in (*step.in_args, *step.out_args):
        if name not in declared:
            yield "undeclared-variable", step_id, f"{name} is passed to a playbook but not declared"
    for name in step.out_args:
        if name in declared and declared[name].constant:
            yield "constant-written", step_id, f"{name} is a constant; out_args may not name it"


class Calls:
    """The calls of one playbook. Each playbook that is called is followed once, however many steps call it."""

    def __init__(self, playbook: Playbook, children: Mapping[str, Playbook]) -> None:
        self.playbook = playbook
        self.children = children
        self._calls = {key: playbooks_called(each) for key, each in children.items()}
        self._circles: dict[str, list[str]] = {}

    def complaints(self, step_id: str, step: PlaybookActionStep) -> Iterator[Complaint]:
        """The playbook that is called must be there, of the version asked for, and take what it is given."""
        child = self.children.get(step.playbook_id)
        if child is None:
            yield "unknown-playbook", step_id, f"there is no playbook with the id “{step.playbook_id}”"
            return
        if step.playbook_version is not None and step.playbook_version != child.modified:
            yield (
                "playbook-version",
                step_id,
                f"it asks for the version of {step.playbook_version}; “{child.name}” is of {child.modified}",
            )
        if child.revoked:
            yield "revoked", step_id, f"the playbook “{child.name}” was revoked by its author"
        if step.playbook_id not in self._circles:
            self._circles[step.playbook_id] = self._circle(step.playbook_id)
        circle = self._circles[step.playbook_id]
        if circle:
            yield "playbook-cycle", step_id, "the playbooks call one another: " + " → ".join(circle)
            return
        yield from _fits(self.playbook, step_id, step, child)

    def _circle(self, first: str) -> list[str]:
        """The names of playbooks that call one another, or too many in a row; empty where there is nothing wrong."""
        ahead: list[tuple[str, tuple[str, ...]]] = [(first, (self.playbook.id,))]
        deepest: dict[str, int] = {}
        while ahead:
            reference, path = ahead.pop()
            if reference in path or len(path) > DEEPEST:
                return [self._name(each) for each in (*path, reference)]
            if reference not in self.children or deepest.get(reference, 0) >= len(path):
                continue
            deepest[reference] = len(path)
            ahead += [(each, (*path, reference)) for each in self._calls[reference]]
        return []

    def _name(self, reference: str) -> str:
        if reference == self.playbook.id:
            return self.playbook.name
        return self.children[reference].name if reference in self.children else reference


def _fits(playbook: Playbook, step_id: str, step: PlaybookActionStep, child: Playbook) -> Iterator[Complaint]:
    ours, theirs = declarations(playbook, step), child.playbook_variables
    for name in step.in_args:
        if name not in theirs or not theirs[name].external or theirs[name].constant:
            yield "argument", step_id, f"“{child.name}” takes no {name} from outside"
        elif name in ours and ours[name].type != theirs[name].type:
            yield (
                "argument",
                step_id,
                f"{name} is of type {ours[name].type} here and {theirs[name].type} in “{child.name}”",
            )
    for name in step.out_args:
        if name not in theirs:
            yield "argument", step_id, f"“{child.name}” has no variable {name} to give back"
        elif name in ours and ours[name].type != theirs[name].type:
            yield (
                "argument",
                step_id,
                f"{name} is of type {theirs[name].type} in “{child.name}” and {ours[name].type} here",
            )
    for name, variable in theirs.items():
        needed = variable.external and "value" not in variable.model_fields_set
        if needed and name not in step.in_args:
            yield "argument", step_id, f"“{child.name}” needs {name}; name it in in_args"
