"""Handing short messages to a gateway, and asking what became of them.

One request a message, and no retry of its own. What an outcome proves:
- Success with a reference: accepted, at `reply`. `references` is the provider's reference.
- No connection or no TLS: not_sent, at `connect` or `tls`. Held back by `may_go`: not_sent.
- No whole answer after the request may have left, a status of 500 and above, a redirect, an answer that is not what the
  definition wants: ambiguous, at `submitted`.
- 429: temporary, at `account`.
- A refusal with a code: as `codes` says. `enhanced` is the provider's code and `code` the HTTP status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from notifiers.errors import Unanswered
from notifiers.outcome import Outcome, Result, Stage
from notifiers.sms.message import SmsMessage
from notifiers.sms.receipt import SmsReceipt
from notifiers.sms_gateway.codes import verdict_of
from notifiers.sms_gateway.definition import Operation
from notifiers.sms_gateway.gateway import Chosen, Gateway
from notifiers.sms_gateway.inquiry import Asked, receipts_of, standing_of
from notifiers.sms_gateway.link import Answer, Break, Broken, HttpLink
from notifiers.sms_gateway.replies import document_of, reference_in, said_in, shown
from notifiers.sms_gateway.requests import SlotValue, parameters_as_json, parameters_as_list, request_of
from notifiers.sms_gateway.standing import Standing
from notifiers.sms_gateway.terms import Slot

_TOO_MANY = 429
_NOT_BROKEN_STAGE = {Break.no_tls: Stage.tls}


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class SentSms:
    """A message that was handed over, or may have been: the number (E.164), when that was meant to happen (with a time
    zone), the provider's reference where one is known, and `SmsMessage.own_id`."""

    number: str
    at: datetime
    reference: str = ""
    own_id: str = ""


class GatewayClient:
    """An account at a gateway, used by many tasks at once.

        async with GatewayClient(gateway, now=now, nonce=nonce) as client:
            outcome = await client.send(message)

    `now` tells the time with a time zone: providers refuse requests whose time is some minutes off. `nonce` gives a
    value that was never given before. At most `gateway.window` requests are without answer.
    """

    def __init__(self, gateway: Gateway, *, now: Callable[[], datetime], nonce: Callable[[], str]) -> None:
        self._gateway = gateway
        self._now, self._nonce = now, nonce
        self._window = asyncio.Semaphore(gateway.window)
        self._link = HttpLink(gateway)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def peer(self) -> str:
        """The gateway as "host:port"."""
        return self._gateway.peer

    async def open(self) -> None:
        """Make ready. HTTP has no session: no connection is made yet. Raises BadGateway for `ca_file`."""
        await self._link.open()

    async def close(self) -> None:
        """Close all connections; safe to call twice. Close when all sends have ended."""
        await self._link.close()

    async def send(self, message: SmsMessage, *, may_go: Callable[[], bool] = _always) -> Outcome:
        """Hand over one message and say what became of it.

        `may_go` is asked before a connection is sought and again right before the first octet of the request is written;
        when it says no the outcome is not_sent and `held_back`. Raises BadMessage and BadAddress before anything is
        sent, and BadGateway as `open`. A send that is cancelled may have handed the message over.
        """
        gateway = self._gateway
        number, chosen = gateway.number_of(message.to), gateway.chosen_for(message.text)
        async with self._window:
            if not may_go():
                return self._broken(Broken(Break.held_back, may_have_left=False))
            came = await self._exchange(gateway.definition.send, self._slots(message, number, chosen), may_go)
        if isinstance(came, Broken):
            return self._broken(came)
        hidden = {
            message.to,
            message.to[1:],
            number,
            gateway.secret,
            chosen.text,
            *chosen.parameters.values(),
        }
        return self._answered(came, hidden)

    async def receipts_of(self, sent: SentSms) -> list[SmsReceipt]:
        """What the gateway knows of one message. Asking changes nothing there: it is safe after a crash.

        Those that are certainly of another message are left out. A receipt that gives back neither our id nor a
        reference that we know may be of another message to the same number. Empty where the definition knows no way to
        ask, and for what is older than the provider remembers. Raises Unanswered.
        """
        return await receipts_of(
            self._gateway,
            self._ask,
            number=sent.number,
            at=sent.at,
            reference=sent.reference,
            own_id=sent.own_id,
            now=self._now(),
        )

    async def standing(self) -> Standing:
        """How the account stands at the provider. What the provider does not tell is among `problems`."""
        return await standing_of(self._gateway, self._ask, now=self._now())

    async def _ask(self, asked: Asked) -> object:
        """The document that answers a question. Raises Unanswered."""
        async with self._window:
            came = await self._exchange(asked.operation, asked.slots, _always)
        if isinstance(came, Broken):
            raise Unanswered(came.why, peer=self.peer)
        document = document_of(came.body)
        if document is None:
            raise Unanswered(f"status {came.status}, and the answer is no JSON", peer=self.peer)
        said = said_in(document, asked.reply)
        if not said.success or not 200 <= came.status < 300:
            number = str(asked.slots.get(Slot.number, ""))
            hidden = {number, number.removeprefix("+"), self._gateway.secret}
            text = shown(said.text, hidden) or f"status {came.status}"
            raise Unanswered(text, peer=self.peer, code=shown(said.code, hidden))
        return document

    async def _exchange(
        self, operation: Operation, slots: dict[Slot, SlotValue], may_go: Callable[[], bool]
    ) -> Answer | Broken:
        request = request_of(self._gateway, operation, slots, now=self._now(), nonce=self._nonce())
        return await self._link.exchange(request, may_go)

    def _slots(self, message: SmsMessage, number: str, chosen: Chosen) -> dict[Slot, SlotValue]:
        slots: dict[Slot, SlotValue] = {
            Slot.number: number,
            Slot.signature: self._gateway.signature,
            Slot.template: chosen.template,
            Slot.parameters_json: parameters_as_json(chosen.parameters),
            Slot.parameters_list: parameters_as_list(chosen.parameters),
            Slot.text: chosen.text,
            Slot.own_id: message.own_id,
        }
        if Slot.template_integer in self._gateway.definition.send.slots:
            slots[Slot.template_integer] = int(chosen.template)
        return slots

    def _answered(self, came: Answer, hidden: set[str]) -> Outcome:
        status = came.status
        document = document_of(came.body)
        reply = self._gateway.definition.send.reply
        said = said_in(document, reply)
        told = shown(said.code, hidden), shown(said.text, hidden)
        text = ": ".join(part for part in told if part) or f"status {status}"
        code = told[0] or None
        if status == _TOO_MANY:
            return self._outcome(Result.temporary, Stage.account, text, status, code)
        if status >= 500 or 300 <= status < 400 or document is None:
            return self._outcome(Result.ambiguous, Stage.submitted, text, status, code)
        reference = reference_in(document, reply.reference)
        if said.success and reference and status < 300:
            return self._outcome(Result.accepted, Stage.reply, text, status, reference=reference)
        # A reference beside a refusal is a contradiction as well: there is a copy that it names.
        if said.success or reference or not said.code:
            return self._outcome(Result.ambiguous, Stage.submitted, text, status, code)
        verdict = verdict_of(said.code, self._gateway.definition.codes)
        return self._outcome(verdict.result, verdict.stage, text, status, code)

    def _broken(self, broken: Broken) -> Outcome:
        if broken.may_have_left:
            return self._outcome(Result.ambiguous, Stage.submitted, broken.why)
        stage = _NOT_BROKEN_STAGE.get(broken.why, Stage.connect)
        held_back = broken.why is Break.held_back
        return self._outcome(Result.not_sent, stage, broken.why, held_back=held_back)

    def _outcome(
        self,
        result: Result,
        stage: Stage,
        text: str,
        status: int | None = None,
        code: str | None = None,
        reference: str = "",
        *,
        held_back: bool = False,
    ) -> Outcome:
        return Outcome(
            result,
            stage,
            status,
            code,
            text[:500],
            peer=self.peer,
            tls=self._gateway.tls,
            held_back=held_back,
            references=(reference,) if reference else (),
        )
