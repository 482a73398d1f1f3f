"""Placing calls by Twilio, asking what became of one, and how the account stands. What an answer proves is said in
`api`.

Twilio is told where to ask what is said once somebody answers, and where to tell how the call ended. It finds out first
whether a machine answers and waits until its greeting ends, so that a message can be left. Nothing is recorded.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any

from notifiers.calls.message import CallRequest
from notifiers.errors import BadGateway
from notifiers.outcome import Outcome
from notifiers.twilio.account import TwilioAccount
from notifiers.twilio.api import ApiClient, always
from notifiers.twilio.call_callbacks import CallEvent, Step, event_from, step_url
from notifiers.twilio.standing import CallStanding

_MOST_LISTED = 20


class CallClient(ApiClient):
    """One account that places calls, used by many tasks at once.

        async with CallClient(account, callback_key=key) as client:
            outcome = await client.place(call, may_go=lambda: True)

    `callback_key` makes the addresses that only we can have made. `peer` is the account's `calls_peer`. Raises
    BadGateway for an account without a caller, or without an address for callbacks: a call whose text nobody can ask
    for says nothing.
    """

    def __init__(
        self,
        account: TwilioAccount,
        *,
        callback_key: bytes,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if account.caller is None:
            raise BadGateway("calls by Twilio need a number to call from")
        if not account.callback_base:
            raise BadGateway("calls by Twilio need an address at which it asks what is said")
        super().__init__(account, peer=account.calls_peer, context=context, clock=clock)
        self._caller, self._callback_key = account.caller, callback_key

    async def place(self, call: CallRequest, *, may_go: Callable[[], bool] = always) -> Outcome:
        """Have one call placed, once, and say what became of that. Accepted is queued: no telephone rings yet.

        `may_go` is asked right before the request leaves; when it says no the outcome is not_sent and `held_back`.
        Raises BadMessage before anything is sent. What is cancelled may have placed the call.
        """
        asked = self._create_form(call)
        return await self._hand_over(
            lambda client: client.calls.create_async(**asked), may_go=may_go, text="queued"
        )

    def must_take(self, call: CallRequest) -> None:
        """Raises BadMessage for a call that cannot be placed as it is."""
        self._create_form(call)

    async def event_of(self, sid: str) -> CallEvent | None:
        """What Twilio says now of a call that it took, without a key and a code; None where it holds none of this SID
        any more, or says no status. What was asked and told while it lasted is not said again. Raises CallFailed."""
        call = await self._ask_if_there(lambda client: client.calls(sid).fetch_async())
        if call is None:
            return None
        told = (call.status, call.answered_by, call.duration, call.to)
        status, answered_by, seconds, number = (str(each or "") for each in told)
        return event_from(sid, status, answered_by=answered_by, seconds=seconds, number=number)

    async def standing(self) -> CallStanding:
        """How the account and the number to call from stand. Raises CallFailed where nothing can be learned."""
        funds = await self._funds()
        return CallStanding(
            account=funds.account,
            trial=funds.trial,
            caller_ours=await self._caller_ours(),
            balance=funds.balance,
            currency=funds.currency,
        )

    async def _caller_ours(self) -> bool | None:
        number = self._caller.number
        ours = await self._ask_if_told(
            lambda client: client.incoming_phone_numbers.list_async(phone_number=number, limit=_MOST_LISTED)
        )
        if any(each.phone_number == number and _speaks(each.capabilities) for each in ours or ()):
            return True
        verified = await self._ask_if_told(
            lambda client: client.outgoing_caller_ids.list_async(phone_number=number, limit=_MOST_LISTED)
        )
        if any(each.phone_number == number for each in verified or ()):
            return True
        return None if ours is None or verified is None else False

    def _create_form(self, call: CallRequest) -> dict[str, Any]:
        return {
            "to": call.to,
            "from_": self._caller.number,
            "url": self._address(call, Step.answer),
            "method": "POST",
            "status_callback": self._address(call, Step.status),
            "status_callback_event": ["completed"],
            "status_callback_method": "POST",
            "timeout": self._caller.ring_seconds,
            "time_limit": self._caller.longest_seconds,
            "machine_detection": "DetectMessageEnd",
        }

    def _address(self, call: CallRequest, step: Step) -> str:
        return step_url(self._account.callback_base, call.own_id, step, key=self._callback_key)


def _speaks(capabilities: object) -> bool:
    """Whether a number may be called from; one whose capabilities are not told may."""
    return not isinstance(capabilities, dict) or capabilities.get("voice") is not False
