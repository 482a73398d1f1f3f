"""Sending the SMS of a batch, one by one (`delivery.one_by_one`), by the rules of SMS (`delivery.sms_rules`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from incident.delivery.ledger import Due, Settled, due_deliveries
from incident.delivery.next_means import NextMeans
from incident.delivery.one_by_one import Compose, Judge, OneByOnePost, never_rests, send_one_by_one
from incident.delivery.sms_asking import first_question
from incident.delivery.sms_message import compose_sms, sms_paper
from incident.delivery.sms_parts import begin_parts, own_id
from incident.delivery.sms_room import SmsRoom
from incident.delivery.sms_rules import Tries, judge_sms, take_over_sms, tries_by_sms
from incident.delivery.states import SMS
from incident.durable import Lease
from incident.notice.frozen import FrozenNotice
from incident.record.person import PersonRow
from incident.store.store import Store
from notifiers.outcome import Outcome
from notifiers.sms.message import SmsMessage


@dataclass(frozen=True)
class SmsPost:
    """What sending SMS needs from outside. `rests_until` says of an incident until when nothing leaves."""

    room: SmsRoom
    clock: Callable[[], datetime]
    next_means: NextMeans
    rests_until: Callable[[Session, str, datetime], datetime | None] = never_rests


def send_sms_batch(lease: Lease, store: Store, batch_id: str, post: SmsPost) -> None:
    """Send what is due of one batch by SMS; the job ends when all of it is settled, and waits when some must wait.

    Raises `Fenced` when another worker took the batch over: then nothing more is sent.
    """
    one_by_one = OneByOnePost(_BySms(post.room), post.clock, post.next_means, post.rests_until)
    send_one_by_one(lease, store, batch_id, one_by_one)


@dataclass(frozen=True)
class _BySms:
    """SMS as one of the means by which people are told one by one."""

    room: SmsRoom
    channel: str = SMS

    def take_over(self, session: Session, batch_id: str, *, now: datetime) -> list[str]:
        return take_over_sms(session, batch_id, now=now)

    def give_up(self, session: Session, batch_id: str, *, now: datetime) -> list[str]:
        return []  # who is due is tried

    def due(self, session: Session, batch_id: str, *, now: datetime) -> list[Due]:
        return due_deliveries(session, batch_id, now=now, limit=1, channel=SMS)

    def composer(
        self, frozen: FrozenNotice, *, key: bytes, earlier: Mapping[str, FrozenNotice]
    ) -> Compose[SmsMessage]:
        paper = sms_paper(frozen, key=key, earlier=earlier)

        def compose(person: PersonRow, due: Due) -> SmsMessage:
            composed = compose_sms(paper, person, delivery_id=due.id, update_of=due.update_of)
            return replace(composed, own_id=own_id(due.id, due.attempts + 1))

        return compose

    def begin(self, session: Session, due: Due, *, parts: int, incident_id: str, now: datetime) -> None:
        begin_parts(
            session,
            due,
            parts=parts,
            centre=self.room.peer,
            incident_id=incident_id,
            ask_at=first_question(now) if self.room.asks_for_receipts else None,
        )

    def judging(self, session: Session, due: Due) -> Judge:
        tries = tries_by_sms(session, [due.id]).get(due.id, Tries()) if due.attempts else Tries()

        def judge(outcome: Outcome, now: datetime) -> Settled:
            return judge_sms(due, outcome, tries, now=now)

        return judge
