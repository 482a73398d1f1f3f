"""Asking a carrier what became of SMS, where it does not say so by itself, or might say it to nobody.

When a message is asked about stands with it since its intent: what a worker that dies had not asked, the next one asks.
The answer is the same however often it is asked. Twice it is asked before a message in doubt is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlmodel import col, select

from incident.delivery.receipts import GoOn
from incident.delivery.sms_parts import DELIVERED, FAILED, number_of, own_id, take_sms_receipts
from incident.durable import braked
from incident.errors import KeyDestroyed, KeyMissing
from incident.store.columns import UtcDateTime
from incident.store.store import Store
from incident.store.tables import Attempt, MessagePart
from incident.store.tables.delivering import IN_DOUBT
from notifiers.outcome import Result
from notifiers.sms.receipt import SmsReceipt

AFTER = (
    timedelta(minutes=1),
    timedelta(minutes=4),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=3),
)
"""So long after its intent a message is asked about, as long as nobody said that it came or failed. Operators try for two
days as a rule."""
_IN_VAIN_UNTIL = AFTER[-1] + timedelta(days=1)
"""So long after its intent a question that failed is asked again."""
_REMEMBERED = timedelta(days=30)
"""So long carriers can say what became of a message."""


def first_question(intent_at: datetime) -> datetime:
    """When a message is asked about for the first time."""
    return intent_at + AFTER[0]


def next_question(intent_at: datetime, *, now: datetime) -> datetime | None:
    """When it is asked about again; None where that was the last time."""
    return next((intent_at + each for each in AFTER if intent_at + each > now), None)


@dataclass(frozen=True)
class Question:
    """A message that its carrier is to be asked about. `reference` is the carrier's id, empty where it is not known."""

    delivery_id: str
    n: int
    number: str
    intent_at: datetime
    reference: str

    @property
    def own_id(self) -> str:
        return own_id(self.delivery_id, self.n)


@dataclass(frozen=True)
class AskingDesk:
    """What is to be asked of one carrier (`peer`), and where the answers go."""

    store: Store
    peer: str
    clock: Callable[[], datetime]
    go_on: GoOn

    def questions(self, most: int) -> list[Question]:
        """The messages to ask about now: those in doubt, which are soon sent again, then those that wait longest.

        None while the general brake is on: a question hands a number out.

        One whose number cannot be read any more, as after its incident's key was destroyed, is not asked about again;
        one whose key is missing comes after the others.
        """
        now = self.clock()
        with self.store.read() as session:
            if braked(session):
                return []
            # Two questions, so that of many that wait each reads few: no index has the order of both together.
            rows = list(session.exec(self._in_doubt(now).limit(most)).all())
            rows += session.exec(self._others(now).limit(most - len(rows))).all()
            found: list[Question] = []
            unreadable: dict[tuple[str, int], datetime | None] = {}
            for part, intent_at in rows:
                number, later = "", None
                try:
                    number = number_of(session, self.store, part.delivery_id, part.incident_id)
                except KeyDestroyed:
                    pass
                except KeyMissing:
                    # The keyring may be put back, and another worker may have it.
                    later = self._soon(intent_at, now)
                if number:
                    found.append(Question(part.delivery_id, part.n, number, intent_at, part.ref))
                else:
                    unreadable[part.delivery_id, part.n] = later
        self._write(unreadable)
        return found

    def _in_doubt(self, now: datetime) -> Any:
        # By the index of attempts in doubt; hidden from it, SQLite would take that of parts, and read all that wait.
        is_due = sa.func.coalesce(col(MessagePart.ask_at) <= now, sa.false())
        lately = col(Attempt.intent_at) > now - _REMEMBERED
        return self._settled_parts(is_due, IN_DOUBT, lately).order_by(col(Attempt.intent_at))

    def _others(self, now: datetime) -> Any:
        is_due = col(MessagePart.ask_at) <= now
        other = col(Attempt.result).is_distinct_from(Result.ambiguous)
        return self._settled_parts(is_due, other).order_by(col(MessagePart.ask_at))

    def _settled_parts(self, *where: Any) -> Any:
        """While a message is being sent its outcome says more."""
        return (
            select(MessagePart, Attempt.intent_at)
            .join(
                Attempt,
                (col(Attempt.delivery_id) == col(MessagePart.delivery_id))
                & (col(Attempt.n) == col(MessagePart.n)),
            )
            .where(MessagePart.centre == self.peer, col(Attempt.outcome_at).is_not(None), *where)
        )

    def take(self, receipts: Sequence[SmsReceipt]) -> list[bool]:
        """Write down what the carrier said; of each, whether its message was found."""
        return take_sms_receipts(self.store, receipts, centre=self.peer, now=self.clock(), go_on=self.go_on)

    def asked(self, questions: Sequence[Question]) -> None:
        """Write down when these are asked about again: not, once it is known what became of them."""
        now = self.clock()
        self._write(
            {(each.delivery_id, each.n): next_question(each.intent_at, now=now) for each in questions}
        )

    def failed(self, questions: Sequence[Question]) -> None:
        """Write down that these failed: each is asked again soon, as if it had not been asked."""
        now = self.clock()
        self._write({(each.delivery_id, each.n): self._soon(each.intent_at, now) for each in questions})

    def _soon(self, intent_at: datetime, now: datetime) -> datetime | None:
        return now + AFTER[0] if now < intent_at + _IN_VAIN_UNTIL else None

    def _write(self, times: dict[tuple[str, int], datetime | None]) -> None:
        rows = [
            {"which": delivery_id, "number": n, "again_at": at}
            for (delivery_id, n), at in sorted(times.items())
        ]
        if not rows:
            return
        with self.store.transaction() as session:
            session.connection().execute(_ASK_AGAIN, rows)


# Written out: a list of values cannot be given for many rows at once.
_IS_KNOWN = sa.or_(*(col(MessagePart.state) == sa.literal(each.value) for each in sorted(DELIVERED | FAILED)))
_ASK_AGAIN = (
    sa.update(MessagePart)
    .where(col(MessagePart.delivery_id) == bindparam("which"), col(MessagePart.n) == bindparam("number"))
    .values(ask_at=sa.case((_IS_KNOWN, sa.null()), else_=bindparam("again_at", type_=UtcDateTime)))
)
