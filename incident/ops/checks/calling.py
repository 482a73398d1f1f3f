"""Who is called: summons with their calls and jobs, contacts outside, and how operators are reached."""

from __future__ import annotations

import sqlalchemy as sa

from incident.durable import JobState
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.ops.checks.progress import RETRY
from incident.record.contacts import ContactKind
from incident.record.incidents import IncidentState
from incident.record.operators import Role
from incident.record.summons import SUMMONS_JOB, CallState, Reason
from incident.response.effect_states import OUTSTANDING
from incident.store.tables import Contact, Incident, Job, Operator, Reach, RunEffect, Summons, SummonsCall

_summons, _call, _contact, _reach = map(table_of, (Summons, SummonsCall, Contact, Reach))
_incident, _job, _operator, _effect = map(table_of, (Incident, Job, Operator, RunEffect))
s, c, k, r = _summons.c, _call.c, _contact.c, _reach.c
_earlier = _call.alias("earlier")
_other = _contact.alias("other")

OWNED = Invariant(
    "summons.owned", "each summons that still calls people, and each call in doubt, has a job", RETRY
)
ROWS = Invariant(
    "summons.rows", "a summons that was answered or settled is over, and one that is open asks for something"
)
CALLS = Invariant("summons.calls", "each call belongs to a summons and an operator, and rounds never go back")
CONTACTS = Invariant("contacts.kept", "each contact is of a known kind, and no two that stand have one key")
REACHES = Invariant(
    "operators.reached", "each address is an operator's, and whoever stands in for one is another operator"
)

_open = s.ended_at.is_(None)


def _look_at_summons(view: View, findings: Findings) -> None:
    alive = (JobState.OPEN, JobState.PARKED)
    has_job = sa.exists().where(_job.c.kind == SUMMONS_JOB, _job.c.key == s.id, _job.c.state.in_(alive))
    doubtful = sa.exists().where(c.summons_id == s.id, c.outcome == CallState.INTENDED)
    its_incident = sa.exists().where(_incident.c.id == s.incident_id, _incident.c.state == IncidentState.OPEN)
    is_step = s.reason.in_([Reason.APPROVAL, Reason.STEP])
    waits = sa.exists().where(_effect.c.id == s.subject_id, _effect.c.state.in_(sorted(OUTSTANDING)))
    scan(
        view,
        findings,
        "summons",
        [s.id],
        _summons,
        [
            Sign(OWNED, "it still calls people, and no job does it", s.next_at.is_not(None) & ~has_job),
            Sign(OWNED, "a call of it is in doubt, and no job settles it", doubtful & ~has_job),
            Sign(ROWS, "its reason is unknown", s.reason.not_in(sorted(Reason))),
            Sign(ROWS, "its role is unknown", s.role.not_in(sorted(Role))),
            Sign(ROWS, "a number of its rounds cannot be", s.level < 0),
            Sign(ROWS, "it is over and still calls people", ~_open & s.next_at.is_not(None)),
            Sign(ROWS, "it was answered and is not over", _open & s.answered_at.is_not(None)),
            Sign(
                ROWS,
                "answered by nobody, or by somebody at no time",
                s.answered_at.is_(None) != s.answered_by.is_(None),
            ),
            Sign(ROWS, "it asks for somebody in an incident that is not open", _open & ~its_incident),
            Sign(ROWS, "it asks about a step that waits for nobody", _open & is_step & ~waits),
        ],
        view.mine(s.incident_id),
    )


def _look_at_calls(view: View, findings: Findings) -> None:
    operator = sa.exists().where(_operator.c.id == c.operator_id)
    went_back = sa.exists().where(
        _earlier.c.summons_id == c.summons_id,
        _earlier.c.level > c.level,
        _earlier.c.called_at < c.called_at,
    )
    scan(
        view,
        findings,
        "call",
        [c.id],
        _call.outerjoin(_summons, s.id == c.summons_id),
        [
            Sign(CALLS, "its summons does not exist", s.id.is_(None)),
            Sign(CALLS, "it and its summons name different incidents", s.incident_id != c.incident_id),
            Sign(CALLS, "its operator does not exist", ~operator),
            Sign(CALLS, "its outcome is unknown", c.outcome.not_in(sorted(CallState))),
            Sign(
                CALLS,
                "settled without an outcome, or not and with one",
                (c.outcome == CallState.INTENDED) != c.settled_at.is_(None),
            ),
            Sign(CALLS, "it was made in a round that never was", (c.level < 1) | (c.level > s.level)),
            Sign(CALLS, "an earlier call was made in a later round", went_back),
        ],
        view.mine(c.incident_id),
    )


def _look_at_addresses(view: View, findings: Findings) -> None:
    if view.incident_id is not None:
        return
    stands = k.removed_at.is_(None)
    twice = sa.exists().where(_other.c.key == k.key, _other.c.id != k.id, _other.c.removed_at.is_(None))
    scan(
        view,
        findings,
        "contact",
        [k.id],
        _contact,
        [
            Sign(CONTACTS, "its kind is unknown", k.kind.not_in(sorted(ContactKind))),
            Sign(CONTACTS, "another that stands has its key", stands & twice),
            Sign(CONTACTS, "it was checked before it was added", k.checked_at < k.added_at),
        ],
    )
    whose = sa.exists().where(_operator.c.id == r.id)
    deputy = sa.exists().where(_operator.c.id == r.deputy_id)
    scan(
        view,
        findings,
        "reach",
        [r.id],
        _reach,
        [
            Sign(REACHES, "its operator does not exist", ~whose),
            Sign(REACHES, "the deputy does not exist", r.deputy_id.is_not(None) & ~deputy),
            Sign(REACHES, "they stand in for themselves", r.deputy_id == r.id),
        ],
    )


SURVEYS = (
    Survey(_look_at_summons, (OWNED, ROWS)),
    Survey(_look_at_calls, (CALLS,)),
    Survey(_look_at_addresses, (CONTACTS, REACHES)),
)
