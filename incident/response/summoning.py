"""Whom a step that waits for a person calls: the role it needs, and what may be said of it outside."""

from __future__ import annotations

from collections.abc import Sequence

from incident.record.operators import Role
from incident.record.summons import Reason, summon
from incident.response import events as e
from incident.response.lint import labels_of
from incident.response.state import State
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import RunEffect

Asked = e.AskPerson | e.AskApproval | e.AskOutcome | e.AskCondition | e.AskCase


def roles_of_approval(names: Sequence[str]) -> tuple[Role, ...]:
    """Whose approval counts, in the order they are named; any of them may give it. A role that is none of ours, and no
    name at all, mean approvers."""
    known = [Role(name) if name in set(Role) else Role.APPROVER for name in names]
    return tuple(dict.fromkeys(known)) or (Role.APPROVER,)


def summon_for(change: Change, store: Store, row: RunEffect, asked: Asked, state: State) -> None:
    """Ask for somebody who can answer a step that begins to wait. What is said outside is its short name."""
    playbook = state.playbook_of(state.visits[asked.visit])
    approval = isinstance(asked, e.AskApproval)
    roles = roles_of_approval(asked.roles) if isinstance(asked, e.AskApproval) else (Role.RESPONDER,)
    summon(
        change,
        store,
        row.incident_id,
        reason=Reason.APPROVAL if approval else Reason.STEP,
        subject_id=row.id,
        role=roles[0],
        or_roles=roles[1:],
        text=asked.title,
        label=labels_of(playbook).get(row.step, ""),
    )
