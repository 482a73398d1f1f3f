"""Small playbooks for tests: one agent for people, one for a machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from incident.response.extensions import measures_of
from incident.response.model import Playbook
from incident.response.state import State, Visit, VisitState

# `build(workflow, **words)`: the playbook of a workflow in the form's words; `words` go beside it.
Builder = Callable[..., Playbook]


def form_of(workflow: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A small form: one agent for people, one for a machine."""
    return {
        "id": "playbook--11036b97-0d3c-4922-9a9c-d3ae649c1d33",
        "name": "test",
        "created_by": "identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702",
        "created": "2025-11-20T00:00:00.000Z",
        "agent_definitions": {
            "people": {"type": "group", "name": "People"},
            "machine": {"type": "http-api", "name": "Machine", "address": {"dname": ["machine.example"]}},
        },
        "workflow": workflow,
        **more,
    }


def measures_taken(before: State | None, after: State) -> list[tuple[Visit, list[str]]]:
    """The visits that succeeded between two states and the measures they took, for the incident's record.

    A measure is taken when its step has succeeded, never when it was only asked for.
    """
    old = before.visits if before else {}
    taken = []
    for visit in after.visits.values():
        if visit.state is not VisitState.succeeded or (
            visit.id in old and old[visit.id].state is VisitState.succeeded
        ):
            continue
        containment = measures_of(after.step_of(visit))
        if containment:
            taken.append((visit, list(containment.action_ids)))
    return taken
