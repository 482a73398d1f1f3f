"""Attempts: numbered, with an outcome each, and a delivery in the state that they prove.

Whatever a killed worker leaves is whole: a delivery in `sending` with one attempt that has no outcome yet.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from incident.delivery.call_rules import CALL_SETTLES, MAY_HAVE_RUNG
from incident.delivery.codes import code_mac, code_of
from incident.delivery.ledger import LONGEST_PAUSE
from incident.delivery.states import (
    IN_PROGRESS,
    NEVER_MOVED,
    NEVER_TRIED,
    OF_A_RETURN,
    PHONE,
    SETTLED,
    CampaignState,
    DeliveryState,
    Rank,
    Why,
)
from incident.ops.checks.base import (
    Findings,
    Invariant,
    Sign,
    Survey,
    View,
    moment_of,
    one_if,
    scan,
    table_of,
)
from incident.store.tables import Attempt, Batch, Campaign, Delivery, MessagePart
from notifiers.outcome import BEFORE_THE_RECIPIENT, SERVICE_CLOSING, Result, Stage

_attempt, _batch, _campaign, _delivery, _part = map(
    table_of, (Attempt, Batch, Campaign, Delivery, MessagePart)
)
a, b, c, d, m = (table.c for table in (_attempt, _batch, _campaign, _delivery, _part))

STATES = Invariant("ledger.states", "each delivery's state, reason and times fit what its attempts proved")
ATTEMPTS = Invariant("ledger.attempts", "attempts are numbered 1, 2, ... and each has a delivery")
OPEN = Invariant(
    "ledger.open", "who is being sent to has one attempt without an outcome, the last; nobody else has"
)
SHARED = Invariant(
    "ledger.shared",
    "who shares a message stands where the delivery stands whose message it is, in the same batch",
)
CODES = Invariant("ledger.codes", "each delivery is found by the verification code of its message")

# A clock that was set back between a try and its outcome makes a pause look longer.
_CLOCKS_JUMP = timedelta(hours=2)

# Who shares a message has its attempts.
_LEADING = sa.func.coalesce(d.leader_id, d.id)
_SETTLED_STATES, _OPEN_STATES = sorted(SETTLED), sorted(IN_PROGRESS)
_REASONS = sorted(set(Why) - {Why.NONE})
# What a worker that died leaves, and what ends a try that the other side took part in, count as a strike.
_TAKEN_PART = a.stage.is_not(None) & a.stage.not_in(sorted(BEFORE_THE_RECIPIENT))
_BROKEN_OFF = sa.or_(a.result == Result.not_sent, a.code == SERVICE_CLOSING)
_STRIKES = sa.or_(
    (a.result == Result.ambiguous) & a.stage.is_(None),
    (a.result != Result.accepted) & _TAKEN_PART & ~sa.func.coalesce(_BROKEN_OFF, sa.false()),
)
# Earlier releases counted a session that broke off too.
_MAYBE_STRIKES = _TAKEN_PART & _BROKEN_OFF


_RANG = (
    (a.channel == PHONE)
    & (a.outcome_at.is_(None) | a.result.in_(sorted(MAY_HAVE_RUNG)))
    & sa.exists().where(m.delivery_id == a.delivery_id, m.n == a.n)
)


def _called_by_machine(last: sa.FromClause) -> sa.ColumnElement[bool]:
    """The condition that a delivery's last attempt is a call by machine, and not by the call centre's agents."""
    has_part = sa.exists().where(m.delivery_id == d.id, m.n == d.attempts)
    return (d.channel == PHONE) & (last.c.channel == PHONE) & has_part


def _look_at_attempts(view: View, findings: Findings) -> None:
    of = _delivery.alias()
    # What was tried over a means before says nothing of how the present one stands.
    now_over = a.channel == of.c.channel
    tried = (
        sa.select(
            a.delivery_id,
            sa.func.count().label("many"),
            one_if(now_over).label("over_this"),
            sa.func.min(a.n).label("first"),
            sa.func.max(a.n).label("last"),
            one_if(a.outcome_at.is_(None)).label("open"),
            sa.func.max(sa.case((a.outcome_at.is_(None), a.n))).label("open_one"),
            # That a call by machine was taken tells nobody.
            one_if((a.result == Result.accepted) & now_over & ~_RANG).label("accepted"),
            one_if(_STRIKES & now_over).label("strikes"),
            one_if(_RANG).label("rang"),
            one_if(_MAYBE_STRIKES & now_over).label("maybe"),
            sa.func.min(a.job_attempt).label("earliest"),
        )
        .outerjoin_from(_attempt, of, of.c.id == a.delivery_id)
        .group_by(a.delivery_id)
        .subquery()
    )
    t = tried.c
    last = _attempt.alias()
    strikes = sa.func.coalesce(t.strikes, 0)
    many, open_ones = sa.func.coalesce(t.many, 0), sa.func.coalesce(t.open, 0)
    accepted, settled = d.state == DeliveryState.ACCEPTED, d.state.in_(_SETTLED_STATES)
    by_machine = _called_by_machine(last)
    # A call is waited for: nobody is told by it before they say so.
    rang = by_machine & last.c.result.in_(sorted(MAY_HAVE_RUNG))
    given_up = rang & (d.state == DeliveryState.UNREACHABLE)
    settled_when = sa.case((many == 0, c.opened_at), else_=last.c.outcome_at)
    scan(
        view,
        findings,
        "delivery",
        [d.id],
        _delivery.join(_batch, b.id == d.batch_id)
        .join(_campaign, c.id == b.campaign_id)
        .outerjoin(tried, t.delivery_id == _LEADING)
        .outerjoin(last, (last.c.delivery_id == _LEADING) & (last.c.n == d.attempts)),
        [
            Sign(ATTEMPTS, "it has not as many attempts as it counts", d.attempts.is_distinct_from(many)),
            Sign(
                ATTEMPTS,
                "its attempts are not numbered without a gap",
                (many > 0) & ((t.first != 1) | (t.last != many)),
            ),
            Sign(
                ATTEMPTS,
                "an attempt by an attempt of its job that never was",
                t.earliest < 1,
            ),
            Sign(
                ATTEMPTS,
                "its strikes are not those of its attempts",
                sa.or_(
                    d.strikes.is_(None),
                    d.strikes < strikes,
                    d.strikes > strikes + sa.func.coalesce(t.maybe, 0),
                ),
            ),
            Sign(
                OPEN,
                "it is being sent without one open attempt, the last",
                (d.state == DeliveryState.SENDING)
                & ((open_ones != 1) | t.open_one.is_distinct_from(d.attempts)),
            ),
            Sign(
                OPEN,
                "it is not being sent, and an attempt has no outcome",
                (d.state != DeliveryState.SENDING) & (open_ones != 0),
            ),
            Sign(STATES, "its state is unknown", d.state.not_in(sorted(DeliveryState))),
            Sign(
                STATES,
                "it is settled, but not when its last attempt ended",
                settled
                & (d.reason != Why.REPLACED)
                & (d.rank == Rank.NOTHING)
                & ~given_up
                & d.settled_at.is_distinct_from(settled_when),
            ),
            Sign(
                STATES,
                # Not when that was: who waited for it may have another clock than who called.
                "it is given up, and nobody knows when",
                given_up & d.settled_at.is_(None),
            ),
            Sign(
                STATES,
                "it counts as told by a call that nobody confirmed",
                by_machine & accepted & (d.rank < Rank.DELIVERED),
            ),
            Sign(
                STATES,
                "it is settled by what came back, and nobody knows when",
                settled & (d.rank != Rank.NOTHING) & d.settled_at.is_(None),
            ),
            Sign(
                STATES,
                "it is replaced, and nobody knows when",
                (d.reason == Why.REPLACED) & d.settled_at.is_(None),
            ),
            Sign(
                STATES,
                "it waits for an earlier version and was tried, or is settled",
                d.waits & ((many != 0) | settled),
            ),
            Sign(
                STATES,
                "it is left to a later version, or waits for an earlier one, and there is none",
                (d.waits | (d.reason == Why.REPLACED)) & ~_another_campaign(),
            ),
            Sign(
                STATES,
                "an update of a notice that no other campaign sent",
                d.update_of.is_not(None) & ~_another_campaign(notice_id=d.update_of),
            ),
            Sign(
                STATES,
                "it is replaced, and its campaign is not",
                (d.reason == Why.REPLACED) & c.state.not_in([CampaignState.REPLACED, CampaignState.ENDED]),
            ),
            Sign(
                STATES,
                "it is in progress and has a time at which it was settled",
                d.state.in_(_OPEN_STATES) & d.settled_at.is_not(None),
            ),
            Sign(
                STATES,
                "somebody was called by machine after a telephone may have rung",
                sa.func.coalesce(t.rang, 0) > 1,
            ),
            Sign(
                STATES,
                "a telephone may have rung, and nothing is waited for",
                rang & (d.state == DeliveryState.PENDING) & d.next_at.is_(None),
            ),
            Sign(
                STATES,
                "it is unreachable without a known reason",
                (d.state == DeliveryState.UNREACHABLE) & d.reason.not_in(_REASONS),
            ),
            Sign(
                STATES,
                "it has a reason and is not unreachable",
                (d.state != DeliveryState.UNREACHABLE) & (d.reason != Why.NONE),
            ),
            Sign(STATES, "it is settled and waits for a time", settled & d.next_at.is_not(None)),
            Sign(
                STATES,
                "it was never tried and waits for a time",
                (d.state == DeliveryState.PENDING) & (many == 0) & d.next_at.is_not(None),
            ),
            Sign(
                STATES,
                "accepted, and its attempts do not show it as often",
                sa.case(
                    ((d.rank != Rank.NOTHING) | rang, sa.func.coalesce(t.accepted, 0) > 1),
                    else_=sa.func.coalesce(t.accepted, 0) != sa.case((accepted, 1), else_=0),
                ),
            ),
            Sign(
                STATES,
                "accepted, but not by its last attempt",
                accepted & (d.rank == Rank.NOTHING) & last.c.result.is_distinct_from(Result.accepted),
            ),
            Sign(
                STATES,
                "it went on from a means by which nothing was tried",
                d.tried_before.not_in(NEVER_MOVED) & (many == sa.func.coalesce(t.over_this, 0)),
            ),
            Sign(
                STATES,
                "unreachable for a reason that its last attempt does not give",
                (d.state == DeliveryState.UNREACHABLE)
                & ~((d.rank == Rank.RETURNED) & d.reason.in_(OF_A_RETURN))
                & _other_reason(many, last),
            ),
            Sign(
                STATES,
                "it was tried before it was due",
                (d.state == DeliveryState.SENDING) & (d.next_at > last.c.intent_at),
            ),
        ],
        view.mine(d.incident_id),
    )


def _another_campaign(notice_id: sa.ColumnElement[str] | None = None) -> sa.ColumnElement[bool]:
    other = _campaign.alias()
    found = sa.exists().where(other.c.incident_id == c.incident_id, other.c.id != c.id)
    if notice_id is not None:
        found = found.where(other.c.notice_id == notice_id)
    return found.correlate(_campaign, _delivery)


def _other_reason(many: sa.ColumnElement[int], last: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether the reason is another than the one that follows (see `delivery.ledger.judge`)."""
    blocked = sa.func.coalesce(last.c.enhanced, "").like("5.7.%")
    return sa.case(
        (many == 0, d.reason.not_in(sorted({*NEVER_TRIED, Why.REPLACED}))),
        # What a later version tells is told by that one, whatever came of the tries so far.
        # Of a call that was taken it may not be known yet.
        (d.reason == Why.REPLACED, (last.c.result == Result.accepted) & ~_called_by_machine(last)),
        # A relay that says no to us says nothing of anybody.
        (last.c.stage.in_(sorted(BEFORE_THE_RECIPIENT)), d.reason != Why.NO_ANSWER),
        (
            (d.channel == PHONE) & (last.c.stage == Stage.reply),
            d.reason.not_in([Why.NO_ANSWER, Why.REFUSED, Why.BAD_ADDRESS, Why.BLOCKED, Why.PASSED_ON]),
        ),
        (last.c.result == Result.permanent, d.reason != sa.case((blocked, Why.BLOCKED), else_=Why.REFUSED)),
        (
            last.c.stage.is_(None) & (last.c.result == Result.not_sent),
            d.reason.not_in([Why.BAD_ADDRESS, Why.UNFIT, Why.DAMAGED]),
        ),
        else_=d.reason != Why.NO_ANSWER,
    )


def _look_at_pauses(view: View, findings: Findings) -> None:
    """Nobody waits longer after a try than the longest pause there is. Times are read as text: they may be none."""
    last = _attempt.alias()
    statement = (
        sa.select(d.id, d.channel, sa.cast(d.next_at, sa.String), sa.cast(last.c.outcome_at, sa.String))
        .outerjoin_from(_delivery, last, (last.c.delivery_id == _LEADING) & (last.c.n == d.attempts))
        .where(view.mine(d.incident_id), d.state == DeliveryState.PENDING, d.next_at.is_not(None))
    )
    for delivery, channel, next_at, ended_at in view.rows(statement):
        try:
            due, ended = moment_of(next_at), moment_of(ended_at)
        except ValueError:
            findings.broken(STATES, f"delivery {delivery}", "the time of its next try is none")
            continue
        longest = CALL_SETTLES if channel == PHONE else LONGEST_PAUSE
        if due is not None and ended is not None and due - ended > longest + _CLOCKS_JUMP:
            findings.broken(
                STATES, f"delivery {delivery}", "it waits longer after its last try than any rule lets it"
            )


# -- messages of several ------------------------------------------------------------------------------

_MIRRORED = (
    "batch_id",
    "addressee",
    "channel",
    "state",
    "reason",
    "attempts",
    "strikes",
    "next_at",
    "settled_at",
    "waits",
    "update_of",
    "rank",
)


def _look_at_shared(view: View, findings: Findings) -> None:
    lead, member = _delivery.alias(), _delivery.alias()
    taken_along = (
        sa.select(member.c.leader_id, sa.func.count().label("many")).group_by(member.c.leader_id).subquery()
    )
    scan(
        view,
        findings,
        "delivery",
        [d.id],
        _delivery.outerjoin(lead, lead.c.id == d.leader_id).outerjoin(
            taken_along, taken_along.c.leader_id == d.id
        ),
        [
            Sign(
                SHARED,
                "the delivery whose message it shares does not exist",
                d.leader_id.is_not(None) & lead.c.id.is_(None),
            ),
            Sign(
                SHARED,
                "the delivery whose message it shares has none of its own",
                lead.c.leader_id.is_not(None),
            ),
            Sign(
                SHARED,
                "it takes along others than it says",
                d.shared != sa.func.coalesce(taken_along.c.many, 0),
            ),
            *(
                Sign(
                    SHARED,
                    f"its {name} is not that of the delivery whose message it shares",
                    _differs(lead, name),
                )
                for name in _MIRRORED
            ),
        ],
        view.mine(d.incident_id),
    )


def _differs(lead: sa.FromClause, name: str) -> sa.ColumnElement[bool]:
    return lead.c.id.is_not(None) & d[name].is_distinct_from(lead.c[name])


# -- codes -------------------------------------------------------------------------------------------


def _look_at_codes(view: View, findings: Findings) -> None:
    for incident in view.readable():
        key = view.house.store.key(incident)
        statement = sa.select(d.id, d.code_mac).where(d.incident_id == incident)
        for delivery, mac in view.rows(statement):
            if mac != code_mac(key, code_of(key, delivery)):
                findings.broken(CODES, f"delivery {delivery}", "the code of its message does not lead to it")


SURVEYS = (
    Survey(_look_at_attempts, (ATTEMPTS, OPEN, STATES)),
    Survey(_look_at_pauses, (STATES,)),
    Survey(_look_at_shared, (SHARED,)),
    Survey(_look_at_codes, (CODES,)),
)
