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


def role_of(names: Sequence[str]) -> Role:
    """The first role of an approval that is one of ours; approvers where it names none."""
    known = [Role(name) for name in names if name in set(Role)]
    return known[0] if known else Role.APPROVER


def summon_for(change: Change, store: Store, row: RunEffect, asked: Asked, state: State) -> None:
    """Ask for somebody who can answer a step that begins to wait. What is said outside is its short name."""
    playbook = state.playbook_of(state.visits[asked.visit])
    approval = isinstance(asked, e.AskApproval)
    summon(
        change,
        store,
        row.incident_id,
        reason=Reason.APPROVAL if approval else Reason.STEP,
        subject_id=row.id,
        role=role_of(asked.roles) if isinstance(asked, e.AskApproval) else Role.RESPONDER,
        text=asked.title,
        label=labels_of(playbook).get(row.step, ""),
    )
