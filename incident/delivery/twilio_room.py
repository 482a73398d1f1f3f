"""SMS over Twilio: one request a message, callbacks to whoever serves them, and questions about what became of messages."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

from incident.carrier_settings import TwilioSettings
from incident.delivery.asking_room import AskingRoom
from incident.delivery.sms_asking import AskingDesk, Question
from incident.delivery.twilio_keys import callback_tokens, context_from, keys_of
from incident.errors import BadInput
from incident.settings import resolve_secret
from notifiers.errors import BadGateway
from notifiers.outcome import Outcome
from notifiers.sms.message import SmsMessage
from notifiers.sms.receipt import SmsReceipt
from notifiers.twilio.account import Timeouts, TwilioAccount
from notifiers.twilio.callbacks import own_id_of
from notifiers.twilio.client import CallFailed, TwilioClient

WHERE = "[sms.twilio] in incident.toml"
_ABOUT_US = frozenset({401, 403, 429})  # whatever is asked


@dataclass(frozen=True)
class Twilio:
    """An account at Twilio, as the settings describe it, with what verifies its certificates."""

    account: TwilioAccount
    context: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def peer(self) -> str:
        return self.account.peer

    @property
    def _keys(self) -> tuple[bytes, ...]:
        return keys_of(self.account)

    def client(self) -> TwilioClient:
        key = self._keys[0] if self._keys else b""
        return TwilioClient(self.account, callback_key=key, context=self.context)

    def own_id_at(self, address: str) -> str | None:
        """The id of the attempt whose callbacks go to this address (without its query); None where it is none of ours."""
        base = self.account.callback_base
        found = [own_id_of(address, base=base, key=key) for key in self._keys]
        told = next((each for each in found if each is not None), None)
        return None if told is None else told.replace(".", "/")


def twilio_from(sms: TwilioSettings, *, root: Path) -> Twilio:
    """The account that the settings describe. Raises `BadInput` where they contradict each other, and where Twilio's
    library is not installed."""
    if find_spec("twilio") is None:
        raise BadInput(
            "SMS by Twilio need the extra `twilio`, which is not installed",
            where=WHERE,
            next_step="pip install 'tocsin[twilio]'",
        )
    secret = resolve_secret(sms.secret) if sms.secret else ""
    try:
        account = TwilioAccount(
            account_sid=sms.account_sid,
            messaging_service_sid=sms.messaging_service,
            key_sid=sms.key_sid,
            key_secret=secret if sms.key_sid else "",
            auth_token="" if sms.key_sid else secret,
            callback_base=sms.callback_url,
            callback_tokens=callback_tokens(sms, secret),
            region=sms.region,
            edge=sms.edge,
            base_url=sms.base_url,
            window=sms.window,
            validity=timedelta(hours=sms.validity_hours),
            timeouts=Timeouts(read=sms.reply_wait_seconds),
        )
    except BadGateway as error:
        raise BadInput(str(error), where=WHERE) from error
    return Twilio(account, context_from(root / sms.ca_file, "sms.twilio.ca_file") if sms.ca_file else None)


class TwilioRoom(AskingRoom):
    """Sends SMS over Twilio. What becomes of them it says by callbacks, which whoever serves them writes down; it is asked
    beside, as callbacks can be lost.

    Asked is by Twilio's SID alone. A message whose answer was lost has none until a callback names it: to look for it
    by its text is not possible where the text is not kept. Without callbacks such a message stays in doubt, and is sent
    once more.
    """

    def __init__(self, twilio: Twilio, desk: AskingDesk, *, says: Callable[[str], None]) -> None:
        account = twilio.account
        super().__init__(desk, called="Twilio", peer=twilio.peer, window=account.window, says=says)
        self._client = twilio.client()

    def parts_of(self, message: SmsMessage) -> int:
        """One: Twilio cuts the text itself."""
        self._client.must_take(_for_twilio(message))
        return 1

    async def _send(self, message: SmsMessage, may_go: Callable[[], bool]) -> Outcome:
        return await self._client.send(_for_twilio(message), may_go=may_go)

    async def _open(self) -> None:
        await self._client.open()

    async def _close(self) -> None:
        await self._client.close()

    async def _receipts_of(self, question: Question) -> list[SmsReceipt]:
        if not question.reference:
            return []
        told = await self._client.receipt_of(question.reference, own_id=question.own_id)
        return [told] if told is not None else []

    def _refuses(self, error: BaseException) -> bool:
        if not isinstance(error, CallFailed) or error.status is None:
            return False
        return 400 <= error.status < 500 and error.status not in _ABOUT_US


def _for_twilio(message: SmsMessage) -> SmsMessage:
    """The same with our id as an address can hold it."""
    return replace(message, own_id=message.own_id.replace("/", "."))
