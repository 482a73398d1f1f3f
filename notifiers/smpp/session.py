"""Handing short messages to a centre over one kept session, and knowing at every moment what was proved.

The parts of a message leave one after the other: the next only when the centre took the one before. So all parts but
the last are certain when the last one leaves, and only the last can leave it open whether a whole copy was taken. Speed
comes from many messages at once.

What an answer proves:
- Every part was answered with ESME_ROK: accepted, at `reply`. `references` are the centre's ids of the parts.
- No answer to the last part: ambiguous, at `submitted`.
- No answer to a part before it: not_sent, at `data`. The centre lacks the rest, and parts alone are no copy.
- A refusal: as `statuses` says of the status, which is `code`. At `reply` it may be about this message, at `account`
  it would meet everybody.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from notifiers.circuit import Circuit
from notifiers.errors import CarrierUnreachable
from notifiers.outcome import Outcome, Result, Stage
from notifiers.smpp.centre import Centre, tls_context
from notifiers.smpp.incoming import SmsFromPerson, message_of
from notifiers.smpp.link import Break, Link, LinkBroken, open_link
from notifiers.smpp.message import submits_of
from notifiers.smpp.pace import Pace
from notifiers.smpp.pdu import Command, DeliverSm, Pdu, SubmitSm, SubmitSmResp
from notifiers.smpp.receipts import is_marked_receipt, receipt_of
from notifiers.smpp.statuses import Meaning, Status, Verdict, meaning_of
from notifiers.sms.message import SmsMessage
from notifiers.sms.receipt import SmsReceipt

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between attempts to open a session that fail, at first and at most; they double."""
_LOST_IN_A_ROW = 2
"""So many sessions that end before any message was answered count as one that could not be opened."""


def _always() -> bool:
    return True


def _says_slower(outcome: Outcome) -> bool:
    """Whether a part was refused so; a bind that is refused with the same status is at another stage."""
    if outcome.stage is not Stage.account or outcome.code is None:
        return False
    return meaning_of(outcome.code).verdict is Verdict.slow_down


class SmppSession:
    """A transceiver session with one centre, used by many tasks at once.

        async with SmppSession(centre, on_receipt=record) as session:
            outcome = await session.send(message)

    At most `centre.window` messages are without answer, and no more than `centre.per_second` leave. A centre that says
    "slower" slows all of them down (see Pace). A session that was lost is opened again by the next `open` or `send`;
    receipts come only while one is open, so that whoever waits for some calls `open` now and then.

    `on_receipt` and `on_message` return True once what came is safe; before that, and when they fail, the centre is
    asked to send it again, so that both meet things twice. A receipt may come before `send` returned the id that it
    names; False brings it again. Without `on_message` what people write is dropped. A receipt
    that does not say of which message it is, is refused for good.
    """

    def __init__(
        self,
        centre: Centre,
        *,
        on_receipt: Callable[[SmsReceipt], Awaitable[bool]],
        on_message: Callable[[SmsFromPerson], Awaitable[bool]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._centre = centre
        self._on_receipt, self._on_message = on_receipt, on_message
        self._clock, self._sleep = clock, sleep
        self._pace = Pace(centre.per_second)
        self._circuit = Circuit(first_pause=FIRST_PAUSE, longest_pause=LONGEST_PAUSE)
        self._window = asyncio.Semaphore(centre.window)
        self._opening = asyncio.Lock()
        self._context: ssl.SSLContext | None = None
        self._link: Link | None = None
        self._lost_in_a_row = 0
        self._last_failure: CarrierUnreachable | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def peer(self) -> str:
        """The centre as "host:port"."""
        return self._centre.peer

    @property
    def is_open(self) -> bool:
        return self._link is not None and self._link.usable

    async def open(self) -> None:
        """Bind unless it is bound. Raises CarrierUnreachable with its stage (connect, tls, or auth for the bind),
        also while a centre that failed is left alone for a pause; and BadCentre for `ca_file`."""
        await self._ready()

    async def close(self) -> None:
        """Unbind and close, in bounded time. Messages without answer are settled; safe to call twice.

        A send that comes after it, or waits for its turn, opens a new session: close when they have ended.
        """
        async with self._opening:
            link, self._link = self._link, None
            if link is not None:
                await link.leave(self._centre.timeouts.unbind)

    async def send(self, message: SmsMessage, *, may_go: Callable[[], bool] = _always) -> Outcome:
        """Hand over one message and say what became of it; opens the session when it is closed.

        `may_go` is asked right before the first part leaves, each time that it is offered; when it says no the outcome
        is not_sent and `held_back`. Raises BadMessage and BadAddress before anything is sent, and BadCentre as `open`.
        A send that is cancelled may have handed the message over.
        """
        parts = submits_of(message, self._centre)
        references: list[str] = []
        for number, part in enumerate(parts, start=1):
            first, last = number == 1, number == len(parts)
            outcome = await self._hand_over(part, may_go if first else _always, completes=last)
            references.extend(outcome.references)
            if last or outcome.result is not Result.accepted:
                return replace(outcome, references=tuple(references))
        raise AssertionError("a message has at least one part")

    async def _hand_over(self, part: SubmitSm, may_go: Callable[[], bool], *, completes: bool) -> Outcome:
        """Offer a part until the centre says something else than "slower", or for `timeouts.throttled` seconds."""
        give_up: float | None = None
        while True:
            outcome = await self._offer(part, may_go, completes=completes)
            if not _says_slower(outcome):
                return outcome
            now = self._clock()
            if give_up is None:
                give_up = now + self._centre.timeouts.throttled
            if now >= give_up:
                return outcome

    async def _offer(self, part: SubmitSm, may_go: Callable[[], bool], *, completes: bool) -> Outcome:
        async with self._window:
            while wait := self._pace.wait(self._clock()):
                await self._sleep(wait)
            try:
                link = await self._ready()
            except CarrierUnreachable as unreachable:
                return unreachable.outcome
            # From here to the request nothing is awaited.
            if not may_go():
                return replace(self._not_sent(Stage.connect, "held back"), held_back=True)
            try:
                answering = link.request(Command.submit_sm, part)
            except LinkBroken as broken:
                return self._not_sent(Stage.connect, broken.why.value)
            try:
                answer = await asyncio.wait_for(answering, self._centre.timeouts.response)
            except TimeoutError:
                return self._unanswered("the centre did not answer in time", completes=completes)
            except LinkBroken as broken:
                return self._unanswered(broken.why.value, completes=completes)
        return self._answered(link, answer, completes=completes)

    def _answered(self, link: Link, answer: Pdu, *, completes: bool) -> Outcome:
        self._lost_in_a_row = 0
        self._circuit.worked()
        meaning = meaning_of(answer.status)
        if answer.command == Command.generic_nack and meaning.verdict is Verdict.taken:
            return self._unanswered("the centre answered neither yes nor no", completes=completes)
        if meaning.verdict is Verdict.taken:
            self._pace.taken()
        if meaning.verdict is Verdict.slow_down:
            self._pace.slower(self._clock())
        if meaning.verdict is Verdict.unbound:
            link.break_off(Break.unbound)
        return self._said(meaning, answer)

    def _said(self, meaning: Meaning, answer: Pdu) -> Outcome:
        taken = meaning.verdict is Verdict.taken and isinstance(answer.body, SubmitSmResp)
        message_id = answer.body.message_id if taken and isinstance(answer.body, SubmitSmResp) else ""
        return Outcome(
            meaning.result,
            meaning.stage,
            answer.status,
            None,
            meaning.text,
            peer=self.peer,
            tls=self._centre.tls,
            references=(message_id,) if message_id else (),
        )

    def _unanswered(self, text: str, *, completes: bool) -> Outcome:
        if not completes:
            return self._not_sent(Stage.data, text)
        return replace(self._not_sent(Stage.submitted, text), result=Result.ambiguous)

    def _not_sent(self, stage: Stage, text: str) -> Outcome:
        return Outcome(Result.not_sent, stage, None, None, text, peer=self.peer, tls=self._centre.tls)

    async def _ready(self) -> Link:
        async with self._opening:
            link = self._link
            if link is not None and link.usable:
                return link
            if link is not None:
                self._lost()
            if not self._circuit.may_try(self._clock()):
                raise self._left_alone()
            if self._centre.tls and self._context is None:
                self._context = await asyncio.to_thread(tls_context, self._centre)
            try:
                link = await open_link(self._centre, self._context, self._take_delivered)
            except CarrierUnreachable as failure:
                self._last_failure = failure
                self._circuit.failed(self._clock())
                raise
            self._link = link
            return link

    def _lost(self) -> None:
        self._link = None
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= _LOST_IN_A_ROW:
            self._last_failure = None
            self._circuit.failed(self._clock())

    def _left_alone(self) -> CarrierUnreachable:
        """While the centre is left alone everybody hears why: the failure before the pause."""
        last = self._last_failure
        if last is None:
            return CarrierUnreachable(Stage.auth, "it ends each session at once", peer=self.peer)
        return CarrierUnreachable(last.stage, last.text, peer=self.peer, code=last.code)

    async def _take_delivered(self, deliver: DeliverSm) -> Status:
        receipt = receipt_of(deliver)
        if receipt is not None:
            taken = await self._on_receipt(receipt)
        elif is_marked_receipt(deliver):
            return Status.receiver_permanent
        elif self._on_message is None:
            return Status.ok
        else:
            taken = await self._on_message(message_of(deliver, self._centre.alphabet))
        return Status.ok if taken else Status.receiver_temporary
