"""Lists of the call centre's: numbered, with their people, and each of their calls an attempt by phone."""

from __future__ import annotations

import sqlalchemy as sa

from incident.delivery.states import PHONE, DeliveryState
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.store.tables import Attempt, CallList, CallTask, Campaign, Delivery, MessagePart

_attempt, _list, _task, _campaign, _delivery, _part = map(
    table_of, (Attempt, CallList, CallTask, Campaign, Delivery, MessagePart)
)
a, x, t, c, d, m = (table.c for table in (_attempt, _list, _task, _campaign, _delivery, _part))

CALLS = Invariant(
    "ledger.calls",
    "the call lists of an incident are numbered from 1, have their people, and each of their calls is an attempt by phone",
)


def _look_at_lists(view: View, findings: Findings) -> None:
    told_by = _delivery.alias()
    people = (
        sa.select(sa.func.count())
        .select_from(
            _task.join(told_by, sa.or_(told_by.c.id == t.delivery_id, told_by.c.leader_id == t.delivery_id))
        )
        .where(t.list_id == x.id, told_by.c.principal.is_(True))
        .correlate(_list)
        .scalar_subquery()
    )
    counted = (
        sa.select(
            x.incident_id,
            sa.func.count(x.number.distinct()).label("numbers"),
            sa.func.count().label("many"),
            sa.func.max(x.number).label("last"),
        )
        .group_by(x.incident_id)
        .subquery()
    )
    scan(
        view,
        findings,
        "call list",
        [x.id],
        _list.outerjoin(_campaign, c.id == x.campaign_id).join(
            counted, counted.c.incident_id == x.incident_id
        ),
        [
            Sign(CALLS, "its campaign does not exist", c.id.is_(None)),
            Sign(CALLS, "it and its campaign name different incidents", c.incident_id != x.incident_id),
            Sign(CALLS, "it has not as many people as it counts", x.people != people),
            Sign(
                CALLS,
                "the lists of its incident are not numbered without a gap",
                sa.or_(counted.c.last != counted.c.many, counted.c.numbers != counted.c.many, x.number < 1),
            ),
            Sign(
                CALLS,
                "its times cannot be",
                sa.or_(
                    x.due_at < x.made_at,
                    x.closed_at < x.made_at,
                    x.deleted_at.is_not(None) & x.closed_at.is_(None),
                    x.deleted_at.is_(None) != x.deleted_by.is_(None),
                ),
            ),
        ],
        view.mine(x.incident_id),
    )


def _look_at_calls(view: View, findings: Findings) -> None:
    scan(
        view,
        findings,
        "call",
        [t.delivery_id, t.n],
        _task.outerjoin(_list, x.id == t.list_id).outerjoin(
            _attempt, (a.delivery_id == t.delivery_id) & (a.n == t.n)
        ),
        [
            Sign(CALLS, "its list does not exist", x.id.is_(None)),
            Sign(CALLS, "it and its list name different incidents", x.incident_id != t.incident_id),
            Sign(CALLS, "its attempt does not exist", a.delivery_id.is_(None)),
            Sign(CALLS, "its attempt is none by phone", a.channel != PHONE),
        ],
        view.mine(t.incident_id),
    )


def _look_at_who_is_called(view: View, findings: Findings) -> None:
    on_a_list = sa.exists().where(t.delivery_id == d.id, t.n == d.attempts).correlate(_delivery)
    by_machine = sa.exists().where(m.delivery_id == d.id, m.n == d.attempts).correlate(_delivery)
    scan(
        view,
        findings,
        "delivery",
        [d.id],
        _delivery,
        [Sign(CALLS, "it is being told by phone, and nobody is to call", ~on_a_list & ~by_machine)],
        view.mine(d.incident_id),
        d.channel == PHONE,
        d.state == DeliveryState.SENDING,
        d.leader_id.is_(None),
    )


SURVEYS = (
    Survey(_look_at_lists, (CALLS,)),
    Survey(_look_at_calls, (CALLS,)),
    Survey(_look_at_who_is_called, (CALLS,)),
)
