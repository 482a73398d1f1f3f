"""Holds and instructions: silence that stands has its brakes and somebody to ask, and is lifted only by a signature."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import col, select

from incident.durable import JobState
from incident.errors import Unreadable
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.ops.checks.progress import RETRY
from incident.record.decisions import Subject, approvals, voices
from incident.record.holds import BRAKES, HOLD_JOB, LIFTING, Cover, hold_brake, hold_subject
from incident.record.instructions import OrderEffect
from incident.settings import Born
from incident.store.opening import born_as
from incident.store.tables import Brake, Hold, Instruction, Job

_hold, _order, _job, _brake = map(table_of, (Hold, Instruction, Job, Brake))
h, o, j = _hold.c, _order.c, _job.c

BRAKED = Invariant(
    "holds.braked",
    "a hold that stands has a brake for each thing it covers, and no other hold has one",
    "stop the workers; `incident verify` shows what was changed; then put a backup back",
)
ASKS = Invariant(
    "holds.asks",
    "a hold that stands and has not asked yet has an open job that asks at its end",
    "start `incident worker` again: it puts jobs that are missing",
)
ROWS = Invariant("holds.rows", "a hold covers things that are known, and ends after it began")
SIGNED = Invariant("holds.signed", "a hold that was lifted was lifted by somebody's valid signature")
ORDERS = Invariant(
    "instructions.rows", "an instruction has an effect that is known, and one that asks for silence its hold"
)

_KNOWN = sorted(Cover)


def _look_at_brakes(view: View, findings: Findings) -> None:
    on = {name for (name,) in view.rows(sa.select(_brake.c.name)) if name.startswith(BRAKES)}
    wanted: dict[str, str] = {}
    standing = sa.select(h.id, h.incident_id, h.covers).where(view.mine(h.incident_id), h.lifted_at.is_(None))
    for hold, incident, covers in view.rows(standing):
        for cover in covers.split(","):
            if cover in _KNOWN:
                wanted.setdefault(hold_brake(incident, Cover(cover)), hold)
    for brake, hold in sorted(wanted.items()):
        if brake not in on:
            findings.broken(BRAKED, f"hold {hold}", f"it stands, and the brake {brake} is not on")
    mine = BRAKES if view.incident_id is None else f"{BRAKES}{view.incident_id}:"
    for brake in sorted(on - set(wanted)):
        if brake.startswith(mine):
            findings.broken(BRAKED, f"brake {brake}", "it is on, and no hold that stands covers this")


def _look_at_rows(view: View, findings: Findings) -> None:
    scan(
        view,
        findings,
        "hold",
        [h.id],
        _hold,
        [
            Sign(ROWS, "it ends before it began", h.until_at <= h.placed_at),
        ],
        view.mine(h.incident_id),
    )
    for hold, covers in view.rows(sa.select(h.id, h.covers).where(view.mine(h.incident_id))):
        if not set(covers.split(",")) <= set(_KNOWN):
            findings.broken(ROWS, f"hold {hold}", "it covers something that is not known")
    its_hold = sa.exists().where(h.id == o.hold_id, h.incident_id == o.incident_id).correlate(_order)
    scan(
        view,
        findings,
        "instruction",
        [o.id],
        _order,
        [
            Sign(ORDERS, "its effect is unknown", o.effect.not_in(sorted(OrderEffect))),
            Sign(
                ORDERS,
                "it asks for silence and names no hold, or does not and names one",
                (o.effect == OrderEffect.HOLD) != o.hold_id.is_not(None),
            ),
            Sign(ORDERS, "the hold that it names is not there", o.hold_id.is_not(None) & ~its_hold),
            Sign(
                ORDERS,
                "a deadline without a time",
                (o.effect == OrderEffect.DEADLINE) & o.due_at.is_(None),
            ),
        ],
        view.mine(o.incident_id),
    )


def _look_at_jobs(view: View, findings: Findings) -> None:
    statement = (
        sa.select(h.id, j.state)
        .outerjoin_from(_hold, _job, (j.kind == HOLD_JOB) & (j.key == h.id))
        .where(view.mine(h.incident_id), h.lifted_at.is_(None), h.asked_at.is_(None))
    )
    for hold, state in view.rows(statement):
        if state != JobState.OPEN:
            said = f"its job is {state}" if state is not None else "it has no job"
            next_step = RETRY if state == JobState.PARKED else ""
            findings.broken(ASKS, f"hold {hold}", f"it stands, and {said}", next_step=next_step)


def _look_at_signatures(view: View, findings: Findings) -> None:
    """Of the incidents that can still be read: what was signed is bound to the sealed words too."""
    for incident in view.readable():
        rows = view.session.exec(
            select(Hold).where(Hold.incident_id == incident, col(Hold.lifted_at).is_not(None))
        ).all()
        drill = bool(rows) and born_as(view.house.store) == Born.DRILL
        for row in rows:
            try:
                content = view.house.store.open(row, incident_id=incident)
            except Unreadable:
                findings.untold(SIGNED, f"what is sealed of the hold {row.id} does not open")
                continue
            subject = Subject(LIFTING, row.id, hold_subject(row, content).hash)
            if not approvals(voices(view.session, subject, drill=drill)):
                findings.broken(
                    SIGNED, f"hold {row.id}", "it was lifted, and nobody's valid signature says so"
                )


SURVEYS = (
    Survey(_look_at_brakes, (BRAKED,)),
    Survey(_look_at_rows, (ROWS, ORDERS)),
    Survey(_look_at_jobs, (ASKS,), fleeting=True),
    Survey(_look_at_signatures, (SIGNED,)),
)
