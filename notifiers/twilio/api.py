"""What sending and calling by Twilio's API share: a client's connections, what an answer proves, and questions.

What an answer proves:
- 201 with a SID: accepted, at `reply`; the SID is the one reference, and callbacks name it. It is queued, no more.
- 4xx: as `codes` says of Twilio's code. At `reply` it may be about this person, at `account` it would meet everybody.
- 429: temporary, at `account`.
- 5xx: ambiguous, at `submitted`. Neither sending nor calling is idempotent there, and Twilio says itself that it may
  have been taken (error 20500). So is an answer that is none of the API's.
- No connection: not_sent, at `connect` or `tls`. No answer to a request that left: ambiguous, at `submitted`.

Nothing is ever asked for a second time here. Twilio has no key by which a request could be repeated safely.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from functools import cache
from types import TracebackType
from typing import Any, NamedTuple, Self

from notifiers.circuit import Circuit
from notifiers.errors import CarrierError, CarrierMissing
from notifiers.outcome import Outcome, Result, Stage
from notifiers.twilio.account import TwilioAccount
from notifiers.twilio.codes import TOO_MANY_REQUESTS, meaning_of
from notifiers.twilio.standing import TRIAL
from notifiers.twilio.transport import HeldBack, Refused, Transport, Unanswered

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_NOT_FOR_US = frozenset({401, 403, 404})
_NOT_FOUND = 404
_CREATED = 201
_TOO_MANY = 429
_REFUSALS = frozenset(range(400, 500)) - {408}
"""Only the side that had all of a request can refuse it: a 408 may come from one between that no longer waited."""


class CallFailed(CarrierError):
    """A call of the API that is no sending did not succeed. `outcome` says how far it came and what was answered;
    `status` is the HTTP status, None without an answer."""

    def __init__(self, outcome: Outcome, status: int | None) -> None:
        super().__init__(f"{outcome.peer}: {outcome.text} ({outcome.stage})")
        self.outcome = outcome
        self.status = status


class Funds(NamedTuple):
    """How an account itself stands. None is "not told"."""

    account: str | None
    trial: bool | None
    balance: Decimal | None
    currency: str | None


def always() -> bool:
    return True


class ApiClient:
    """One account's connections, used by many tasks at once.

    At most `account.window` requests are without answer. After a connection that failed none is tried for a pause that
    grows; what comes in it is not_sent. `peer` is what outcomes name.
    """

    def __init__(
        self,
        account: TwilioAccount,
        *,
        peer: str,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account, self._peer, self._context = account, peer, context
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
        return self._peer

    async def open(self) -> None:
        """Make ready; nothing is spoken yet. Raises CarrierMissing where `twilio` is not installed."""
        await self._ready()

    async def close(self) -> None:
        """Close the connections. Close when all requests have ended; safe to call twice."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def _hand_over(
        self, create: Callable[[Any], Awaitable[Any]], *, may_go: Callable[[], bool], text: str
    ) -> Outcome:
        """Have something made there, once, and say what became of it; `text` is said when it was taken."""
        transport = (await self._ready()).asking(may_go)
        async with self._window:
            if not self._circuit.may_try(self._clock()):
                return self._outcome(Result.not_sent, Stage.connect, "left alone after a failure")
            try:
                created = await self._answered(create(sdk_client(self._account, transport)))
            except HeldBack:
                return self._outcome(Result.not_sent, Stage.connect, "held back", held_back=True)
            except CallFailed as failed:
                return failed.outcome
        if not created.sid:
            return self._outcome(Result.ambiguous, Stage.submitted, "the answer gives no SID")
        return self._outcome(Result.accepted, Stage.reply, text, code=_CREATED, references=(created.sid,))

    async def _funds(self) -> Funds:
        """Raises CallFailed where nothing can be learned."""
        account = await self._ask_if_told(
            lambda client: client.api.v2010.accounts(self._account.account_sid).fetch_async()
        )
        balance = await self._ask_if_told(lambda client: client.api.v2010.account.balance.fetch_async())
        return Funds(
            account=None if account is None else str(account.status),
            trial=None if account is None else str(account.type) == TRIAL,
            balance=None if balance is None else _decimal(balance.balance),
            currency=None if balance is None else balance.currency,
        )

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


def _decimal(value: object) -> Decimal | None:
    try:
        return Decimal(str(value)) if value is not None else None
    except InvalidOperation:
        return None
