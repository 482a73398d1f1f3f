"""SMS over a provider's HTTP gateway: one request a message, and questions about what became of them."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path

from incident.carrier_settings import SmsGatewaySettings
from incident.delivery.sms_asking import AskingDesk, Question
from incident.delivery.sms_gateways import gateway_definition
from incident.delivery.sms_room import SmsRoom
from incident.errors import BadInput, TocsinError
from incident.settings import resolve_secret
from notifiers.errors import BadGateway, CarrierError
from notifiers.outcome import Outcome
from notifiers.sms.message import SmsMessage
from notifiers.sms.receipt import SmsReceipt
from notifiers.sms_gateway.client import GatewayClient, SentSms
from notifiers.sms_gateway.gateway import Gateway, Template, Timeouts

log = logging.getLogger(__name__)

_LOOKS_EVERY = 1.0
_AFTER_TROUBLE = 15.0


def gateway_from(sms: SmsGatewaySettings, *, root: Path) -> Gateway:
    """The gateway that the settings describe. Raises `BadInput` where they contradict each other, or its definition."""
    definition = gateway_definition(sms.name, root=root)
    try:
        return Gateway(
            definition=definition,
            key_id=sms.key_id,
            secret=resolve_secret(sms.secret) if sms.secret else "",
            signature=sms.signature,
            templates=tuple(Template(each.id, each.text) for each in sms.templates),
            values=sms.values,
            host=sms.host,
            port=sms.port or 0,
            tls=sms.tls,
            ca_file=root / sms.ca_file if sms.ca_file else None,
            allow_unprotected=sms.private_line,
            longest_variable=sms.longest_variable or 0,
            window=sms.window,
            timeouts=Timeouts(read=sms.reply_wait_seconds),
        )
    except BadGateway as error:
        raise BadInput(str(error), where="[sms.gateway] in incident.toml") from error


def new_client(gateway: Gateway, clock: Callable[[], datetime]) -> GatewayClient:
    """A client with random nonces."""
    return GatewayClient(gateway, now=clock, nonce=lambda: secrets.token_hex(16))


class GatewayRoom(SmsRoom):
    """Sends SMS over a gateway, and asks it what became of them."""

    def __init__(self, gateway: Gateway, desk: AskingDesk, *, says: Callable[[str], None]) -> None:
        """`says` is told what keeps the gateway from being asked, until it changes."""
        super().__init__(peer=gateway.peer, window=gateway.window)
        self._gateway = gateway
        self._desk = desk
        self._says = says
        self._client = new_client(gateway, desk.clock)
        self._closing = threading.Event()
        self._asker = threading.Thread(target=self._ask, name="sms questions", daemon=True)

    @property
    def asks_for_receipts(self) -> bool:
        return self._gateway.definition.receipt is not None

    def parts_of(self, message: SmsMessage) -> int:
        """One: a gateway cuts the text itself."""
        self._gateway.number_of(message.to)
        self._gateway.chosen_for(message.text)
        return 1

    async def _send(self, message: SmsMessage, may_go: Callable[[], bool]) -> Outcome:
        return await self._client.send(message, may_go=may_go)

    def _begin(self) -> None:
        self._on_loop(self._client.open()).result()
        if self.asks_for_receipts:
            self._asker.start()

    def _end(self) -> None:
        self._closing.set()
        if self.asks_for_receipts:
            self._asker.join()
        self._on_loop(self._client.close()).result()

    # -- questions --------------------------------------------------------------------------------------

    def _ask(self) -> None:
        told = False
        while not self._closing.is_set():
            pause = _LOOKS_EVERY
            try:
                questions = self._desk.questions(self._gateway.window)
                answered = self._answers_to(questions)
                pause = 0.0 if questions else _LOOKS_EVERY
                told = told and not answered
            except Exception as error:
                # Also a fault of ours: nobody would ask again until the next start.
                if not told:
                    self._says(f"the SMS gateway cannot be asked what became of messages: {error}")
                    told = True
                if not isinstance(error, TocsinError | CarrierError):
                    log.exception("a fault while the SMS gateway was asked")
                pause = _AFTER_TROUBLE
            self._closing.wait(pause)

    def _answers_to(self, questions: Sequence[Question]) -> bool:
        """Ask these at the same time and write down the answers; whether there were any. Raises what the last one failed
        with, after those that did not fail were written down."""
        asked: list[tuple[Question, Future[list[SmsReceipt]]]] = [
            (each, self._on_loop(self._client.receipts_of(_sent(each)))) for each in questions
        ]
        failed: BaseException | None = None
        answered, receipts = [], []
        for question, future in asked:
            if (error := future.exception()) is not None:
                failed = error
                continue
            answered.append(question)
            receipts += future.result()
        if receipts:
            self._desk.take(receipts)
        self._desk.asked(answered)
        if failed is not None:
            raise failed
        return bool(answered)


def _sent(question: Question) -> SentSms:
    return SentSms(
        number=question.number,
        at=question.intent_at,
        reference=question.reference,
        own_id=question.own_id,
    )
