"""Summons: somebody is needed. Rows and jobs only; `incident.ops.escalation` makes the calls.

A summons never decides anything. It ends when somebody answers it, or when what it was about is settled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlmodel import Session, col, select

from incident.durable import braked, put_job
from incident.store.tables import Summons, SummonsCall

if TYPE_CHECKING:
    from incident.record.operators import Role
    from incident.store.change import Change
    from incident.store.store import Store

SUMMONS_JOB = "summons"


class Reason(StrEnum):
    """What somebody is needed for."""

    APPROVAL = "approval"
    STEP = "step"
    HOLD_ENDS = "hold-ends"
    HOLD_ENDED = "hold-ended"
    INSTRUCTION = "instruction"
    DUTY_DUE = "duty-due"
    DUTY_PASSED = "duty-passed"
    ALERT = "alert"
    PERSON = "person"
    CONTAINMENT_ENDED = "containment-ended"
    SENDING_STOPPED = "sending-stopped"
    MUCH_RETURNED = "much-returned"


class CallState(StrEnum):
    """What came of one message. `INTENDED` is kept before it leaves; a worker that dies then leaves it in doubt.

    `ACCEPTED` means that a service took it, not that anybody read it. `UNKNOWN`: it may have been taken.
    """

    INTENDED = ""
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNUSABLE = "unusable"
    UNKNOWN = "unknown"


REASON_TITLES: Mapping[Reason, Mapping[str, str]] = {
    Reason.APPROVAL: {"zh-Hans": "有一项审批等待决定", "en": "an approval is waiting"},
    Reason.STEP: {"zh-Hans": "有一个步骤等待处理", "en": "a step is waiting"},
    Reason.HOLD_ENDS: {"zh-Hans": "有一项保密要求即将到期", "en": "a hold is about to end"},
    Reason.HOLD_ENDED: {"zh-Hans": "有一项保密要求已经到期", "en": "the time of a hold is over"},
    Reason.INSTRUCTION: {"zh-Hans": "有一项指令等待处理", "en": "an instruction is waiting"},
    Reason.DUTY_DUE: {"zh-Hans": "有一项期限即将届满", "en": "a deadline is near"},
    Reason.DUTY_PASSED: {"zh-Hans": "有一项期限已经届满", "en": "a deadline has run out"},
    Reason.ALERT: {"zh-Hans": "一条告警触发了新的事件", "en": "an alert opened it"},
    Reason.CONTAINMENT_ENDED: {
        "zh-Hans": "有一项遏制措施已经到期",
        "en": "the time of a containment measure is over",
    },
    Reason.SENDING_STOPPED: {
        "zh-Hans": "通知的发送已自动暂停",
        "en": "the sending of a notice stopped by itself",
    },
    Reason.MUCH_RETURNED: {
        "zh-Hans": "通知发送结束后有较多退回或投诉",
        "en": "much of a notice came back after its sending",
    },
    Reason.PERSON: {"zh-Hans": "有人请您处理", "en": "somebody asks for you"},
}
"""What a summons is about, in words that hold nothing of the incident."""


def summon(
    change: Change,
    store: Store,
    incident_id: str,
    *,
    reason: Reason,
    subject_id: str,
    role: Role,
    text: Mapping[str, str],
    label: str = "",
    operator: str = "",
    about: Mapping[str, str] | None = None,
    or_roles: Sequence[Role] = (),
) -> str:
    """Ask for somebody with a role, once for each reason and subject while it stands open; returns the summons' id.

    Whoever has one of `or_roles` instead is called as well.

    `text` says in each language what is asked, for the record; what is sent to people is made elsewhere and holds less:
    the reason and `label`, a short name that tells nothing of the incident. `operator` is the one who is called first
    instead of everybody with the role. `about`: what it is about where that is more than its subject, for who settles it.
    """
    for standing in open_summons(change.session, incident_id):
        if (standing.reason, standing.subject_id) == (reason, subject_id):
            return standing.id
    row = Summons(
        id=store.new_id(),
        incident_id=incident_id,
        reason=reason,
        subject_id=subject_id,
        role=role,
        asked_at=change.at,
        level=0,
        next_at=change.at,
    )
    content = {"text": dict(text), "label": label, "operator": operator}
    if or_roles:
        content["or_roles"] = [str(each) for each in or_roles]
    change.put(row, content if about is None else {**content, "about": dict(about)})
    put_job(change.session, SUMMONS_JOB, row.id, incident_id=incident_id)
    return row.id


def open_summons(session: Session, incident_id: str | None = None) -> list[Summons]:
    """Those, of an incident or of all, that nobody has answered and that are not settled, the oldest first."""
    found = (
        select(Summons)
        .where(col(Summons.ended_at).is_(None))
        .order_by(col(Summons.asked_at), col(Summons.id))
    )
    if incident_id is not None:
        found = found.where(Summons.incident_id == incident_id)
    return list(session.exec(found).all())


def all_summons(session: Session, incident_id: str) -> list[Summons]:
    """Everything that was asked in an incident, the oldest first."""
    found = select(Summons).where(Summons.incident_id == incident_id)
    return list(session.exec(found.order_by(col(Summons.asked_at), col(Summons.id))).all())


def is_unanswered(row: Summons) -> bool:
    """Whether everybody was called in vain: it stands, and no more calls are made."""
    return row.ended_at is None and row.next_at is None


def waits_for_its_first_call(session: Session, summons_id: str) -> bool:
    """Whether nobody was called yet though somebody is to be called now: while the brake is on, nobody is."""
    row = session.get(Summons, summons_id)
    return row is not None and row.level == 0 and row.next_at is not None and not braked(session)


def call_anew(session: Session) -> None:
    """Let every open summons look at once whom it may call: somebody became reachable."""
    for row in open_summons(session):
        put_job(session, SUMMONS_JOB, row.id, incident_id=row.incident_id)


def calls_of(session: Session, summons_id: str) -> list[SummonsCall]:
    """The calls of a summons, in the order in which they were made."""
    found = select(SummonsCall).where(SummonsCall.summons_id == summons_id)
    return list(session.exec(found.order_by(col(SummonsCall.called_at), col(SummonsCall.id))).all())


def settle_summons(change: Change, incident_id: str, subject_id: str) -> None:
    """End what was asked about a subject: it needs nobody any more."""
    found = select(Summons).where(
        Summons.incident_id == incident_id,
        Summons.subject_id == subject_id,
        col(Summons.ended_at).is_(None),
    )
    for row in change.session.exec(found).all():
        end_summons(change, row)


def settle_all_summons(change: Change, incident_id: str) -> None:
    """End everything that was asked of an incident: it is over."""
    for row in open_summons(change.session, incident_id):
        end_summons(change, row)


def answer_summons(change: Change, incident_id: str) -> list[Summons]:
    """Keep that whoever acts is on it: the calls end, and nothing is decided. Returns what was asked."""
    answered = open_summons(change.session, incident_id)
    for row in answered:
        row.answered_at, row.answered_by = change.at, change.actor
        end_summons(change, row)
    return answered


def end_summons(change: Change, row: Summons) -> None:
    """End one that nobody is needed for any more."""
    row.ended_at, row.next_at = change.at, None
    change.put(row)
