"""Having a machine call the people of a batch, one by one (`delivery.one_by_one`), by the rules of calls
(`delivery.call_rules`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from incident.delivery.call_message import call_paper, compose_call
from incident.delivery.call_room import CallRoom, Placing
from incident.delivery.call_rules import (
    Calls,
    calls_before,
    due_calls,
    give_up_calls,
    judge_call,
    take_over_calls,
)
from incident.delivery.ledger import Due, Settled
from incident.delivery.message import CannotBeAddressed
from incident.delivery.next_means import NextMeans
from incident.delivery.one_by_one import Compose, Judge, OneByOnePost, never_rests, send_one_by_one
from incident.delivery.sms_parts import begin_parts, own_id
from incident.delivery.states import PHONE
from incident.durable import Lease
from incident.notice.frozen import FrozenNotice
from incident.record.person import PersonRow
from incident.store.store import Store
from notifiers.calls.message import CallRequest
from notifiers.errors import BadAddress
from notifiers.outcome import Outcome


@dataclass(frozen=True)
class CallPost:
    """What calling needs from outside. `rests_until` says of an incident until when nobody is called."""

    room: CallRoom
    clock: Callable[[], datetime]
    next_means: NextMeans
    rests_until: Callable[[Session, str, datetime], datetime | None] = never_rests


def call_batch(lease: Lease, store: Store, batch_id: str, post: CallPost) -> None:
    """Have those called who are due of one batch; the job ends when all of it is settled, and waits when some must wait.

    Raises `Fenced` when another worker took the batch over: then nobody more is called.
    """
    one_by_one = OneByOnePost(_ByPhone(post.room), post.clock, post.next_means, post.rests_until)
    send_one_by_one(lease, store, batch_id, one_by_one)


@dataclass(frozen=True)
class _ByPhone:
    """Calls as one of the means by which people are told one by one."""

    room: CallRoom
    channel: str = PHONE

    def take_over(self, session: Session, batch_id: str, *, now: datetime) -> list[str]:
        return take_over_calls(session, batch_id, now=now)

    def give_up(self, session: Session, batch_id: str, *, now: datetime) -> list[str]:
        return give_up_calls(session, batch_id, now=now)

    def due(self, session: Session, batch_id: str, *, now: datetime) -> list[Due]:
        return due_calls(session, batch_id, now=now)

    def composer(
        self, frozen: FrozenNotice, *, key: bytes, earlier: Mapping[str, FrozenNotice]
    ) -> Compose[Placing]:
        """Who is called, and what will be said once they answer: a call for which there is nothing to say is not placed."""
        paper = call_paper(frozen, key=key, earlier=earlier)

        def compose(person: PersonRow, due: Due) -> Placing:
            call = compose_call(paper, person, delivery_id=due.id, update_of=due.update_of)
            try:
                request = CallRequest(call.number, own_id(due.id, due.attempts + 1))
            except BadAddress as error:
                raise CannotBeAddressed(error.where) from error
            return Placing(request, call)

        return compose

    def begin(self, session: Session, due: Due, *, parts: int, incident_id: str, now: datetime) -> None:
        begin_parts(session, due, parts=parts, centre=self.room.peer, incident_id=incident_id)

    def judging(self, session: Session, due: Due) -> Judge:
        calls = calls_before(session, [due.id]).get(due.id, Calls()) if due.attempts else Calls()

        def judge(outcome: Outcome, now: datetime) -> Settled:
            return judge_call(due, outcome, calls, now=now)

        return judge
