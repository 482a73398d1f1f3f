"""Handing short messages to Twilio, looking for one whose answer was lost, and asking how the account stands. What an
answer proves is said in `api`."""

from __future__ import annotations

import ssl
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from notifiers.errors import BadGateway, BadMessage
from notifiers.outcome import Outcome
from notifiers.sms.message import SmsMessage
from notifiers.sms.receipt import SmsReceipt
from notifiers.twilio.account import TwilioAccount
from notifiers.twilio.api import ApiClient, CallFailed, always
from notifiers.twilio.callbacks import callback_url, receipt_from
from notifiers.twilio.standing import Standing

__all__ = ["LONGEST_TEXT", "MOST_LISTED", "CallFailed", "Found", "TwilioClient"]

LONGEST_TEXT = 1600
"""Characters of a body (error 21617). Twilio cuts it into segments by itself."""
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A message that Twilio holds. `state` is Twilio's word; `error` its code, None without one."""

    sid: str
    state: str
    error: int | None
    created_at: datetime


class TwilioClient(ApiClient):
    """One account that sends short messages, used by many tasks at once.

        async with TwilioClient(account, callback_key=key) as client:
            outcome = await client.send(message, may_go=lambda: True)

    `callback_key` makes the addresses that only we can have made. Raises BadGateway for an account without a Messaging
    Service.
    """

    def __init__(
        self,
        account: TwilioAccount,
        *,
        callback_key: bytes,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not account.messaging_service_sid:
            raise BadGateway("SMS by Twilio need a Messaging Service")
        super().__init__(account, peer=account.peer, context=context, clock=clock)
        self._callback_key = callback_key

    async def send(self, message: SmsMessage, *, may_go: Callable[[], bool] = always) -> Outcome:
        """Hand over one message, once, and say what became of it.

        `may_go` is asked right before the request leaves; when it says no the outcome is not_sent and `held_back`.
        Raises BadMessage before anything is sent. A send that is cancelled may have handed the message over.
        """
        asked = self._create_form(message)
        return await self._hand_over(
            lambda client: client.messages.create_async(**asked), may_go=may_go, text="queued"
        )

    def must_take(self, message: SmsMessage) -> None:
        """Raises BadMessage for a message that cannot be sent as it is."""
        self._create_form(message)

    async def receipt_of(self, sid: str, *, own_id: str = "") -> SmsReceipt | None:
        """What Twilio says now of a message that it took; None where it holds none of this SID any more, or says no state.
        Raises CallFailed."""
        message = await self._ask_if_there(lambda client: client.messages(sid).fetch_async())
        if message is None:
            return None
        code = _number(message.error_code)
        return receipt_from(
            sid, str(message.status or ""), code=code, number=str(message.to or ""), own_id=own_id
        )

    async def message_of(
        self, message: SmsMessage, *, since: datetime, until: datetime, known: Collection[str] = ()
    ) -> Found | None:
        """The message of an attempt in doubt: the first with its number, service and text that Twilio made in this time
        and that is none of `known`, the SIDs of other attempts.

        Times are aware; give some minutes on both sides, as clocks differ. The API does not give back the address for
        callbacks, so that two attempts with one text to one number are told apart by time and `known` alone. It lists by
        the day of sending, and whether one that still waits in the queue is listed was not seen: None proves nothing,
        and neither does it after `redact`. Raises CallFailed.
        """
        day = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        listed = await self._ask(
            lambda client: client.messages.list_async(
                to=message.to, date_sent_after=day, limit=MOST_LISTED, page_size=MOST_LISTED
            )
        )
        fitting = [
            Found(each.sid, str(each.status), _number(each.error_code), each.date_created)
            for each in listed
            if each.body == message.text
            and each.messaging_service_sid == self._account.messaging_service_sid
            and each.sid not in known
            and each.date_created is not None
            and since <= each.date_created <= until
        ]
        return min(fitting, key=lambda each: each.created_at, default=None)

    async def redact(self, sid: str) -> None:
        """Have Twilio forget the text of a message that came to its end; the number stays. Raises CallFailed."""
        await self._ask(lambda client: client.messages(sid).update_async(body=""))

    async def standing(self) -> Standing:
        """How the account and its Messaging Service stand. Raises CallFailed where nothing can be learned."""
        service = await self._ask_if_there(lambda client: self._service(client).fetch_async())
        funds = await self._funds()
        return Standing(
            account=funds.account,
            trial=funds.trial,
            service=service is not None,
            senders=0 if service is None else await self._senders(),
            us_registered=None if service is None else service.us_app_to_person_registered,
            campaigns=() if service is None else await self._campaigns(),
            balance=funds.balance,
            currency=funds.currency,
        )

    async def _senders(self) -> int | None:
        pools = [
            await self._ask_if_told(partial(self._pool, name))
            for name in ("phone_numbers", "short_codes", "alpha_senders")
        ]
        told = [len(pool) for pool in pools if pool is not None]
        return sum(told) if told else None

    def _pool(self, name: str, client: Any) -> Awaitable[Any]:
        listing: Awaitable[Any] = getattr(self._service(client), name).list_async(limit=MOST_LISTED)
        return listing

    async def _campaigns(self) -> tuple[str, ...]:
        found = await self._ask_if_told(
            lambda client: self._service(client).us_app_to_person.list_async(limit=MOST_LISTED)
        )
        return tuple(str(each.campaign_status) for each in found or ())

    def _service(self, client: Any) -> Any:
        return client.messaging.v1.services(self._account.messaging_service_sid)

    def _create_form(self, message: SmsMessage) -> dict[str, Any]:
        if len(message.text) > LONGEST_TEXT:
            raise BadMessage(
                f"at most {LONGEST_TEXT} characters for Twilio; shorten the text", where="segments"
            )
        asked = {
            "to": message.to,
            "body": message.text,
            "messaging_service_sid": self._account.messaging_service_sid,
            "validity_period": self._account.validity_seconds,
            # What was released is sent, and no other characters in its place.
            "smart_encoded": False,
        }
        if self._account.callback_base and message.own_id:
            address = callback_url(self._account.callback_base, message.own_id, key=self._callback_key)
            asked["status_callback"] = address
        return asked


def _number(value: object) -> int | None:
    try:
        return int(str(value)) if value is not None else None
    except ValueError:
        return None
