"""SMS over a provider's HTTP gateway: one request a message, and questions about what became of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from incident.carrier_settings import SmsGatewaySettings
from incident.delivery.asking_room import AskingRoom
from incident.delivery.sms_asking import AskingDesk, Question
from incident.delivery.sms_gateways import gateway_definition
from incident.errors import BadInput
from incident.settings import resolve_secret
from notifiers.errors import BadGateway, Unanswered
from notifiers.outcome import Outcome
from notifiers.sms.message import SmsMessage
from notifiers.sms.receipt import SmsReceipt
from notifiers.sms_gateway.client import GatewayClient, SentSms
from notifiers.sms_gateway.codes import class_of
from notifiers.sms_gateway.gateway import Gateway, Template, Timeouts, tls_context
from notifiers.sms_gateway.terms import CodeClass

_REFUSALS = frozenset({CodeClass.permanent, CodeClass.account})


def gateway_from(sms: SmsGatewaySettings, *, root: Path) -> Gateway:
    """The gateway that the settings describe. Raises `BadInput` where they contradict each other, or its definition,
    and for a file of authorities that cannot be used."""
    definition = gateway_definition(sms.name, root=root)
    try:
        gateway = Gateway(
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
            timeouts=_timeouts(sms.reply_wait_seconds),
        )
        if gateway.ca_file is not None:
            tls_context(gateway)
        return gateway
    except BadGateway as error:
        raise BadInput(str(error), where="[sms.gateway] in incident.toml") from error


def _timeouts(reply_wait: float) -> Timeouts:
    """An answer may take so many seconds, whatever was needed before to be connected."""
    usual = Timeouts()
    return replace(usual, read=reply_wait, whole=usual.whole - usual.read + reply_wait)


def new_client(gateway: Gateway, clock: Callable[[], datetime]) -> GatewayClient:
    """A client with random nonces."""
    return GatewayClient(gateway, now=clock, nonce=lambda: secrets.token_hex(16))


class GatewayRoom(AskingRoom):
    """Sends SMS over a gateway, and asks it what became of them."""

    def __init__(self, gateway: Gateway, desk: AskingDesk, *, says: Callable[[str], None]) -> None:
        super().__init__(desk, called="the SMS gateway", peer=gateway.peer, window=gateway.window, says=says)
        self._gateway = gateway
        self._client = new_client(gateway, desk.clock)

    @property
    def asks_for_receipts(self) -> bool:
        return self._gateway.definition.receipt is not None

    def parts_of(self, message: SmsMessage) -> int:
        """One: a gateway cuts the text itself, and bills its segments. Raises BadMessage."""
        self._gateway.number_of(message.to)
        self._gateway.chosen_for(message.text)
        return 1

    async def _send(self, message: SmsMessage, may_go: Callable[[], bool]) -> Outcome:
        return await self._client.send(message, may_go=may_go)

    async def _open(self) -> None:
        await self._client.open()

    async def _close(self) -> None:
        await self._client.close()

    async def _receipts_of(self, question: Question) -> list[SmsReceipt]:
        return await self._client.receipts_of(_sent(question))

    def _refuses(self, error: BaseException) -> bool:
        if not isinstance(error, Unanswered) or not error.code:
            return False
        return class_of(error.code, self._gateway.definition.codes) in _REFUSALS


def _sent(question: Question) -> SentSms:
    return SentSms(
        number=question.number,
        at=question.intent_at,
        reference=question.reference,
        own_id=question.own_id,
    )
