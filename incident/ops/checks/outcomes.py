"""What came of each attempt by itself: its result, stage and code go together, and it belongs to a delivery."""

from __future__ import annotations

import sqlalchemy as sa

from incident.delivery.states import CHANNELS, PHONE, SMS
from incident.ops.checks.attempts import ATTEMPTS, STATES
from incident.ops.checks.base import Findings, Sign, Survey, View, scan, table_of
from incident.store.tables import Attempt, Delivery
from notifiers.outcome import Result, Stage

_attempt, _delivery = map(table_of, (Attempt, Delivery))
a, d = _attempt.c, _delivery.c


def _look_at_outcomes(view: View, findings: Findings) -> None:
    """Each attempt by itself, and those that belong to no delivery."""
    has_outcome, answered = a.outcome_at.is_not(None), a.stage.is_not(None)
    told = [a.stage, a.code, a.enhanced, a.peer, a.tls]
    scan(
        view,
        findings,
        "attempt",
        [a.delivery_id, a.n],
        _attempt.outerjoin(_delivery, d.id == a.delivery_id),
        [
            Sign(ATTEMPTS, "its delivery does not exist", d.id.is_(None)),
            Sign(ATTEMPTS, "it names no channel that is known", a.channel.not_in(CHANNELS)),
            Sign(ATTEMPTS, "its delivery has its message from another", d.leader_id.is_not(None)),
            Sign(
                STATES,
                "its delivery does not know that it was tried by this means",
                (a.channel != d.channel)
                & (sa.literal(",") + d.tried_before).not_like(sa.literal("%,") + a.channel + ":%"),
            ),
            Sign(ATTEMPTS, "it and its delivery name different incidents", a.incident_id != d.incident_id),
            Sign(
                STATES,
                "it has an outcome without a known result",
                has_outcome & sa.func.coalesce(a.result, "").not_in(sorted(Result)),
            ),
            Sign(
                STATES,
                "it has no outcome, and says what came of it",
                ~has_outcome & sa.or_(*(each.is_not(None) for each in [a.result, *told])),
            ),
            Sign(STATES, "it ended at a stage that is unknown", a.stage.not_in(sorted(Stage))),
            Sign(
                STATES,
                "it reached nobody, and has an answer",
                ~answered & sa.or_(*(each.is_not(None) for each in told[1:])),
            ),
            Sign(
                STATES,
                "it reached somebody, and nobody knows whom",
                answered & (a.peer.is_(None) | a.tls.is_(None)),
            ),
            Sign(STATES, "its result, stage and code do not go together", has_outcome & ~_goes_together()),
        ],
        view.mine(a.incident_id),
    )


def _goes_together() -> sa.ColumnElement[bool]:
    """What an attempt can end as.

    By e-mail: RFC 5321 sections 4.2.1 and 6.1, as `notifiers.email` reads them. By SMS: SMPP 3.4, 5.1.3, as
    `notifiers.smpp` does, and the status of HTTP (RFC 9110, 15) where a gateway answers.
    """
    code, stage = sa.func.coalesce(a.code, 0), sa.func.coalesce(a.stage, "")
    before = ["", Stage.connect, Stage.tls, Stage.auth]
    return sa.case(
        (
            a.channel == SMS,
            sa.case(
                (
                    a.result == Result.accepted,
                    (stage == Stage.reply) & ((sa.func.coalesce(a.code, -1) == 0) | code.between(200, 299)),
                ),
                (
                    a.result.in_([Result.temporary, Result.permanent]),
                    stage.in_([Stage.account, Stage.reply]) & (code != 0),
                ),
                # Nobody answered, or a gateway with a status of HTTP that says nothing of the message.
                (
                    a.result == Result.ambiguous,
                    (stage == "") & a.code.is_(None)
                    | (stage == Stage.submitted) & (a.code.is_(None) | (code >= 200)),
                ),
                (
                    a.result == Result.not_sent,
                    stage.in_([*before, Stage.account]) | (stage == Stage.data) & a.code.is_(None),
                ),
                else_=sa.false(),
            ),
        ),
        (
            a.channel == PHONE,
            sa.case(
                # Of the call centre's agents there is no code; a machine's call has the status of HTTP.
                (
                    a.result == Result.accepted,
                    (stage == Stage.reply) & (a.code.is_(None) | code.between(200, 299)),
                ),
                (a.result.in_([Result.temporary, Result.permanent]), stage.in_([Stage.account, Stage.reply])),
                (a.result == Result.ambiguous, stage.in_(["", Stage.submitted])),
                (a.result == Result.not_sent, stage.in_([*before, Stage.account])),
                else_=sa.false(),
            ),
        ),
        (a.result == Result.accepted, (stage == Stage.reply) & code.between(200, 299)),
        (a.result == Result.temporary, stage.not_in(["", Stage.after_dot]) & code.between(400, 499)),
        (a.result == Result.permanent, stage.not_in(["", Stage.after_dot]) & code.between(500, 599)),
        (a.result == Result.ambiguous, stage.in_(["", Stage.after_dot])),
        (
            a.result == Result.not_sent,
            # Of a session that did not come about the relay may say anything.
            stage.in_(before) | stage.in_([Stage.mail, Stage.rcpt, Stage.data]) & ~code.between(400, 599),
        ),
        else_=sa.false(),
    )


SURVEYS = (Survey(_look_at_outcomes, (ATTEMPTS, STATES)),)
