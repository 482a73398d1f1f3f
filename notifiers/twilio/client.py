"""Handing short messages to Twilio, looking for one whose answer was lost, and asking how the account stands.

What an answer proves:
- 201 with a SID: accepted, at `reply`; the SID is the one reference, and callbacks name it. It is queued, no more.
- 4xx: as `codes` says of Twilio's code. At `reply` it may be about this message, at `account` it would meet everybody.
- 429: temporary, at `account`.
- 5xx: ambiguous, at `submitted`. Sending is not idempotent there, and Twilio says itself that it may have been taken
  (error 20500). So is an answer that is none of the API's.
- No connection: not_sent, at `connect` or `tls`. No answer to a request that left: ambiguous, at `submitted`.

Nothing is ever sent a second time here. Twilio has no key by which a request could be repeated safely.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache, partial
from types import TracebackType
from typing import Any, Self

from notifiers.circuit import Circuit
from notifiers.errors import BadMessage, CarrierError, CarrierMissing
from notifiers.outcome import Outcome, Result, Stage
from notifiers.sms.message import SmsMessage
from notifiers.sms.receipt import SmsReceipt
from notifiers.twilio.account import TwilioAccount
from notifiers.twilio.callbacks import callback_url, receipt_from
from notifiers.twilio.codes import TOO_MANY_REQUESTS, meaning_of
from notifiers.twilio.standing import TRIAL, Standing
from notifiers.twilio.transport import HeldBack, Refused, Transport, Unanswered

LONGEST_TEXT = 1600
"""Characters of a body (error 21617). Twilio cuts it into segments by itself."""
MOST_LISTED = 100
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_NOT_FOR_US = frozenset({401, 403, 404})
_NOT_FOUND = 404
_CREATED = 201
_TOO_MANY = 429
_REFUSALS = frozenset(range(400, 500)) - {408}
"""Only the side that had all of a request can refuse it: a 408 may come from one between that no longer waited."""


class CallFailed(CarrierError):
    """A call that is no sending did not succeed. `outcome` says how far it came and what was answered; `status` is the
    HTTP status, None without an answer."""

    def __init__(self, outcome: Outcome, status: int | None) -> None:
        super().__init__(f"{outcome.peer}: {outcome.text} ({outcome.stage})")
        self.outcome = outcome
        self.status = status


@dataclass(frozen=True, slots=True)
class Found:
    """A message that Twilio holds. `state` is Twilio's word; `error` its code, None without one."""

    sid: str
    state: str
    error: int | None
    created_at: datetime


def _always() -> bool:
    return True


class TwilioClient:
    """One account, used by many tasks at once.

        async with TwilioClient(account, callback_key=key) as client:
            outcome = await client.send(message, may_go=lambda: True)

    At most `account.window` requests are without answer. After a connection that failed none is tried for a pause that
    grows; what comes in it is not_sent. `callback_key` makes the addresses that only we can have made.
    """

    def __init__(
        self,
        account: TwilioAccount,
        *,
        callback_key: bytes,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account, self._callback_key, self._context = account, callback_key, context
        self._clock = clock
        self._window = asyncio.Semaphore(account.window)
        self._circuit = Circuit(first_pause=_FIRST_PAUSE, longest_pause=_LONGEST_PAUSE)
        self._transport: Transport | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def peer(self) -> str:
        return self._account.peer

    async def open(self) -> None:
        """Make ready to send; nothing is spoken yet. Raises CarrierMissing where `twilio` is not installed."""
        await self._ready()

    async def close(self) -> None:
        """Close the connections. Close when all sends have ended; safe to call twice."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def send(self, message: SmsMessage, *, may_go: Callable[[], bool] = _always) -> Outcome:
        """Hand over one message, once, and say what became of it.

        `may_go` is asked right before the request leaves; when it says no the outcome is not_sent and `held_back`.
        Raises BadMessage before anything is sent. A send that is cancelled may have handed the message over.
        """
        asked = self._create_form(message)
        transport = (await self._ready()).asking(may_go)
        async with self._window:
            if not self._circuit.may_try(self._clock()):
                return self._outcome(Result.not_sent, Stage.connect, "left alone after a failure")
            try:
                created = await self._answered(
                    sdk_client(self._account, transport).messages.create_async(**asked)
                )
            except HeldBack:
                return self._outcome(Result.not_sent, Stage.connect, "held back", held_back=True)
            except CallFailed as failed:
                return failed.outcome
        if not created.sid:
            return self._outcome(Result.ambiguous, Stage.submitted, "the answer names no message")
        return self._outcome(Result.accepted, Stage.reply, "queued", code=_CREATED, references=(created.sid,))

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
        account = await self._ask_if_told(
            lambda client: client.api.v2010.accounts(self._account.account_sid).fetch_async()
        )
        balance = await self._ask_if_told(lambda client: client.api.v2010.account.balance.fetch_async())
        return Standing(
            account=None if account is None else str(account.status),
            trial=None if account is None else str(account.type) == TRIAL,
            service=service is not None,
            senders=0 if service is None else await self._senders(),
            us_registered=None if service is None else service.us_app_to_person_registered,
            campaigns=() if service is None else await self._campaigns(),
            balance=None if balance is None else _decimal(balance.balance),
            currency=None if balance is None else balance.currency,
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

    async def _ask_if_told(self, call: Callable[[Any], Awaitable[Any]]) -> Any:
        """The value; None where this account or this key is not told it."""
        try:
            return await self._ask(call)
        except CallFailed as failed:
            if failed.status in _NOT_FOR_US:
                return None
            raise

    async def _ask_if_there(self, call: Callable[[Any], Awaitable[Any]]) -> Any:
        try:
            return await self._ask(call)
        except CallFailed as failed:
            if failed.status == _NOT_FOUND:
                return None
            raise

    async def _ask(self, call: Callable[[Any], Awaitable[Any]]) -> Any:
        transport = await self._ready()
        async with self._window:
            return await self._answered(call(sdk_client(self._account, transport)))

    async def _ready(self) -> Transport:
        if self._transport is None:
            await asyncio.to_thread(_sdk)
        if self._transport is None:
            self._transport = Transport(self._account, context=self._context)
        return self._transport

    async def _answered(self, answer: Awaitable[Any]) -> Any:
        """What was answered. Raises CallFailed, and HeldBack as it comes."""
        try:
            value = await answer
        except Unanswered as unanswered:
            raise self._broken(unanswered) from None
        except Refused as refused:
            self._circuit.worked()
            raise self._refused(refused) from None
        except (_twilio_exception(), ValueError, TypeError, KeyError, AttributeError):
            # What came is not what the API says: an answer that is no JSON, or has another shape.
            text = "an answer that is none of the API's"
            raise CallFailed(self._outcome(Result.ambiguous, Stage.submitted, text), None) from None
        self._circuit.worked()
        return value

    def _broken(self, unanswered: Unanswered) -> CallFailed:
        if unanswered.stage is Stage.submitted:
            return CallFailed(self._outcome(Result.ambiguous, Stage.submitted, unanswered.text), None)
        self._circuit.failed(self._clock())
        return CallFailed(self._outcome(Result.not_sent, unanswered.stage, unanswered.text), None)

    def _refused(self, refused: Refused) -> CallFailed:
        status = refused.status
        if status not in _REFUSALS:
            text = f"an answer that leaves it open (HTTP {status})"
            return CallFailed(self._outcome(Result.ambiguous, Stage.submitted, text, code=status), status)
        code = status if refused.code is None else refused.code
        meaning = meaning_of(TOO_MANY_REQUESTS if status == _TOO_MANY else code)
        outcome = self._outcome(meaning.result, meaning.stage, meaning.text, code=meaning.code)
        return CallFailed(outcome, status)

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

    def _outcome(
        self,
        result: Result,
        stage: Stage,
        text: str,
        *,
        code: int | None = None,
        held_back: bool = False,
        references: tuple[str, ...] = (),
    ) -> Outcome:
        return Outcome(
            result,
            stage,
            code,
            None,
            text,
            peer=self.peer,
            tls=self._account.tls,
            held_back=held_back,
            references=references,
        )


def sdk_client(account: TwilioAccount, transport: Transport) -> Any:
    """Twilio's own `Client` for this account, whose requests leave by this transport. Raises CarrierMissing."""
    user, password = account.credentials
    return _sdk()(
        user,
        password,
        account.account_sid,
        region=account.region or None,
        edge=account.edge or None,
        http_client=transport,
        # Else it takes region and edge from the environment; an empty one it takes for none.
        environment={"": ""},
    )


@cache
def _sdk() -> Any:
    """Twilio's `Client`, with what it would else import at the first message."""
    try:
        from twilio.rest import Client, api, messaging  # noqa: F401
    except ImportError:
        raise CarrierMissing("twilio") from None
    return Client


def _twilio_exception() -> type[Exception]:
    from twilio.base.exceptions import TwilioException

    kind: type[Exception] = TwilioException
    return kind


def _number(value: object) -> int | None:
    try:
        return int(str(value)) if value is not None else None
    except ValueError:
        return None


def _decimal(value: object) -> Decimal | None:
    try:
        return Decimal(str(value)) if value is not None else None
    except InvalidOperation:
        return None
