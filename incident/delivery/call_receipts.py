"""What is told of a call by machine while it lasts and at its end, and what that proves of the person.

Only the key by which a person confirms that they heard the notice tells them; that a call was answered and came to its end
tells nobody. What is told may come doubled, late, and in any order: a confirmation outranks whatever the end says.

A call is found by our own id, which the address bears that it is told at, and by its carrier.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlmodel import Session

from incident.delivery.receipts import GoOn, NewReceipt, VerifiedBy, put_receipts, wake_those_who_wait
from incident.delivery.states import PHONE, Rank, Why
from incident.durable import insist
from incident.errors import KeyDestroyed
from incident.store.store import Store
from incident.store.tables import MessagePart, Receipt
from notifiers.outcome import Stage
from notifiers.twilio.call_callbacks import AnsweredBy, CallEvent, CallStatus, Step
from notifiers.twilio.codes import COUNTRY_NOT_ENABLED, MEANINGS, Verdict

ENGINE = "engine"
TAKEN = "receipts.calls"
HEAR_KEY, WRONG_PERSON_KEY = "1", "2"
CONFIRM_KEY, AGAIN_KEY = "1", "2"
"""The keys after the greeting and after the notice, as `incident.notice.channels.CALL_KEYS` has them."""

# What the network says of a number that is none, by SIP (RFC 3261, 21.4.5, 21.4.11, 21.4.22 and 21.6.3).
_SIP_NO_SUCH_NUMBER = frozenset({404, 410, 484, 604})
_PATIENCE = 5.0  # seconds; Twilio waits 15 for an answer
_LONGEST_NUMBER = 9  # digits of an attempt's number


@dataclass(frozen=True)
class Proof:
    """What something that was told proves: its kind, the rank of its receipt, and the reason that a return gives."""

    kind: str
    rank: Rank
    why: Why = Why.NONE


CONFIRMED = Proof("confirmed", Rank.ACKNOWLEDGED)
WRONG_PERSON = Proof("wrong_person", Rank.RETURNED, Why.BAD_ADDRESS)
_NOT_TOLD = {
    CallStatus.busy: Proof("busy", Rank.RETURNED, Why.NO_ANSWER),
    CallStatus.no_answer: Proof("no_answer", Rank.RETURNED, Why.NO_ANSWER),
    CallStatus.canceled: Proof("canceled", Rank.RETURNED, Why.NO_ANSWER),
}
_NOT_CONFIRMED = {
    AnsweredBy.machine: Proof("machine", Rank.RETURNED, Why.NO_ANSWER),
    AnsweredBy.fax: Proof("fax", Rank.RETURNED, Why.NO_ANSWER),
}


def proof_of(step: Step, event: CallEvent) -> Proof | None:
    """What is told at a step proves; None where that is nothing. Pure.

    The end of a call proves that it told nobody: where somebody confirmed, that outranks it.
    """
    if step is Step.confirm:
        return CONFIRMED if event.digit == CONFIRM_KEY else None
    if step is Step.hear:
        return WRONG_PERSON if event.digit == WRONG_PERSON_KEY else None
    if step is not Step.status:
        return None
    if event.status is CallStatus.completed:
        return _NOT_CONFIRMED.get(event.answered_by, Proof("not_confirmed", Rank.RETURNED, Why.NO_ANSWER))
    if event.status is CallStatus.failed:
        return Proof("failed", Rank.RETURNED, _why_failed(event.code))
    return _NOT_TOLD.get(event.status)


def _why_failed(code: int | None) -> Why:
    if code in COUNTRY_NOT_ENABLED:
        return Why.BLOCKED
    return Why.BAD_ADDRESS if _is_about_the_number(code) else Why.NO_ANSWER


def _is_about_the_number(code: int | None) -> bool:
    if code in _SIP_NO_SUCH_NUMBER:
        return True
    meaning = MEANINGS.get(code) if code is not None else None
    return meaning is not None and meaning.verdict is Verdict.permanent and meaning.stage is Stage.reply


@dataclass(frozen=True)
class CallDesk:
    """Where what is told of the calls over one carrier (`peer`) is written down."""

    store: Store
    peer: str
    clock: Callable[[], datetime]
    go_on: GoOn

    def take(self, own_id: str, event: CallEvent, proof: Proof) -> bool:
        """Write down what proves something; whether its call was found. The same again changes nothing.

        What is destroyed counts as found: nothing is kept of it any more.
        """
        with self.store.read() as session:
            part = call_part(session, own_id, peer=self.peer)
            if part is None:
                return False
            receipt = _receipt(part, event, proof)
            if part.ref and session.get(Receipt, receipt.id) is not None:
                return True
            delivery_id, incident_id, n = part.delivery_id, part.incident_id, part.n
        try:
            self.store.key(incident_id)
        except KeyDestroyed:
            return True
        # Who sends to the same batch by another means may stand in the way; nobody tells it a second time.
        insist(partial(self._write, incident_id, (delivery_id, n), event, receipt), patience=_PATIENCE)
        return True

    def _write(
        self, incident_id: str, attempt: tuple[str, int], event: CallEvent, receipt: NewReceipt
    ) -> None:
        with self.store.write(incident_id, kind=TAKEN, actor=ENGINE, now=self.clock()) as change:
            # Before a row of the part is held: who calls holds a batch's job first.
            wake_those_who_wait(change.session, incident_id, [attempt[0]])
            part = change.session.get_one(MessagePart, (*attempt, 1), populate_existing=True)
            # Of a call whose answer was lost, its id is told here for the first time.
            part.ref = part.ref or event.call_sid
            change.session.add(part)
            change.session.flush()
            put_receipts(change, incident_id, [receipt], go_on=self.go_on)


def call_part(session: Session, own_id: str, *, peer: str) -> MessagePart | None:
    """What stands on record beside the intent of the attempt of this id; None where it is none of this carrier's calls."""
    delivery_id, _, n = own_id.partition("/")
    if not delivery_id or not n.isdecimal() or len(n) > _LONGEST_NUMBER:
        return None
    found = session.get(MessagePart, (delivery_id, int(n), 1))
    return found if found is not None and found.centre == peer else None


def _receipt(part: MessagePart, event: CallEvent, proof: Proof) -> NewReceipt:
    told = f"{part.centre} {part.delivery_id}/{part.n} {proof.kind}"
    return NewReceipt(
        delivery_id=part.delivery_id,
        channel=PHONE,
        event=told,
        kind=proof.kind,
        rank=proof.rank,
        why=proof.why,
        status=None if event.code is None else str(event.code),
        verified_by=VerifiedBy.OWN_ID,
        raw_sha256=hashlib.sha256(f"{told} {event.call_sid} {event.status}".encode()).hexdigest(),
        words={"text": f"{event.status} {event.answered_by}, {event.seconds or 0} s"},
    )
