"""Calls by an account at Twilio: one request a call, and what is said is asked of whoever serves the callbacks."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from incident.carrier_settings import TwilioVoiceSettings
from incident.delivery.call_message import Call
from incident.delivery.sending_room import SendingRoom
from incident.delivery.twilio_keys import callback_tokens, context_from, keys_of
from incident.errors import BadInput
from incident.settings import resolve_secret
from notifiers.calls.message import CallRequest
from notifiers.errors import BadGateway, BadMessage
from notifiers.outcome import Outcome
from notifiers.twilio.account import Caller, Timeouts, TwilioAccount
from notifiers.twilio.call_callbacks import Step, step_of, step_url
from notifiers.twilio.calling import CallClient
from notifiers.twilio.twiml import ask

WHERE = "[calls.twilio] in incident.toml"
WAIT_SECONDS = 8
"""So long a key is waited for once all was said."""


@dataclass(frozen=True)
class TwilioVoice:
    """An account that calls people, as the settings describe it, with what verifies its certificates. `voices` are voices
    by language, for those who do not want the usual one."""

    account: TwilioAccount
    voices: dict[str, str] = field(default_factory=dict)
    context: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def peer(self) -> str:
        return self.account.calls_peer

    def client(self) -> CallClient:
        return CallClient(self.account, callback_key=self._keys[0], context=self.context)

    def address(self, own_id: str, step: Step, *, round: int = 0) -> str:
        """The address for one step of an attempt."""
        return step_url(
            self.account.callback_base, _in_an_address(own_id), step, key=self._keys[0], round=round
        )

    def step_at(self, address: str) -> tuple[str, Step, int] | None:
        """The attempt's own id, the step and the round of an address (without its query); None where it is none of ours."""
        base = self.account.callback_base
        found = (step_of(address, base=base, key=key) for key in self._keys)
        told = next((each for each in found if each is not None), None)
        return None if told is None else (told[0].replace(".", "/"), *told[1:])

    def must_say(self, call: Call) -> None:
        """Raises `BadMessage` for a call that asks for nobody by name, so that whoever picks up could take it for theirs, and
        for one of which a part cannot be said: no voice speaks its language, or it is too long."""
        if not call.asks_for:
            raise BadMessage("nobody is asked for", where="name")
        for part in (call.greeting, call.text, call.machine, call.thanks, call.wrong_person):
            ask(
                part,
                action=self.account.callback_base,
                language=call.language,
                wait_seconds=WAIT_SECONDS,
                otherwise=call.not_heard,
                voice=self.voices.get(call.language, ""),
            )

    @property
    def _keys(self) -> tuple[bytes, ...]:
        return keys_of(self.account)


def twilio_voice_from(calls: TwilioVoiceSettings, *, root: Path) -> TwilioVoice:
    """The account that the settings describe. Raises `BadInput` where they contradict each other, and where Twilio's
    library is not installed."""
    if find_spec("twilio") is None:
        raise BadInput(
            "calls by Twilio need the extra `twilio`, which is not installed",
            where=WHERE,
            next_step="pip install 'tocsin[twilio]'",
        )
    secret = resolve_secret(calls.secret) if calls.secret else ""
    try:
        account = TwilioAccount(
            account_sid=calls.account_sid,
            key_sid=calls.key_sid,
            key_secret=secret if calls.key_sid else "",
            auth_token="" if calls.key_sid else secret,
            callback_base=calls.callback_url,
            callback_tokens=callback_tokens(calls, secret),
            region=calls.region,
            edge=calls.edge,
            base_url=calls.base_url,
            window=calls.window,
            timeouts=Timeouts(read=calls.reply_wait_seconds),
            caller=Caller(calls.caller, calls.ring_seconds, calls.longest_seconds),
        )
    except BadGateway as error:
        raise BadInput(str(error), where=WHERE) from error
    if not account.callback_base:
        raise BadInput(
            "calls by Twilio need an address at which it asks what is said",
            where="calls.twilio.callback_url",
            next_step="name the public https address of `incident serve hooks`, with /receipts/calls at its end",
        )
    context = context_from(root / calls.ca_file, "calls.twilio.ca_file") if calls.ca_file else None
    return TwilioVoice(account, dict(calls.voices), context)


@dataclass(frozen=True)
class Placing:
    """A call to be placed, and what is said once somebody answers; the carrier is given the first alone."""

    request: CallRequest
    call: Call


class CallRoom(SendingRoom[Placing]):
    """Has calls placed over Twilio. What becomes of them is told to whoever serves its callbacks."""

    def __init__(self, voice: TwilioVoice) -> None:
        super().__init__(peer=voice.peer, window=voice.account.window, called="calls")
        self._voice = voice
        self._client = voice.client()

    def parts_of(self, message: Placing) -> int:
        """One. Raises `BadMessage` also where something cannot be said: silence is worse than another means."""
        self._client.must_take(_for_twilio(message.request))
        self._voice.must_say(message.call)
        return 1

    async def _send(self, message: Placing, may_go: Callable[[], bool]) -> Outcome:
        return await self._client.place(_for_twilio(message.request), may_go=may_go)

    def _begin(self) -> None:
        self._on_loop(self._client.open()).result()

    def _end(self) -> None:
        self._on_loop(self._client.close()).result()


def _for_twilio(request: CallRequest) -> CallRequest:
    """The same with our id as an address can hold it."""
    return replace(request, own_id=_in_an_address(request.own_id))


def _in_an_address(own_id: str) -> str:
    return own_id.replace("/", ".")
