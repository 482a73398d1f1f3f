"""What Twilio asks and tells while a call lasts: at which address, about which attempt, and what it says. Pure.

All of it comes as a POST of form fields to an address that only we can have made, and is signed as the callbacks of
messages are: `callbacks` reads a body and checks it. It can come doubled, late and out of order, and the end of a call
before the key that was pressed in it.

An address below the base is "BASE/ID.STEP.ROUND.MAC": ID is `CallRequest.own_id`, STEP says what for, ROUND counts how
often the text was said by then, and MAC covers all three. Its key is another than that of messages' addresses, so that
an address of a message is never one of a call.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum

from notifiers.errors import BadMessage
from notifiers.twilio.callbacks import Form, callback_url, own_id_of

ROUNDS = range(10)
LONGEST_OWN_ID = 110
"""Characters, so that every step's address of one id can be made."""

_PURPOSE = b"twilio steps of a call\0"
_CALL_SID = re.compile(r"CA[0-9a-fA-F]{32}")
_CODE = re.compile(r"[0-9]{1,6}")
_SECONDS = re.compile(r"[0-9]{1,9}")
_DIGIT = re.compile(r"[0-9*#]")
_SIP_SUCCESS = range(200, 300)


class Step(StrEnum):
    """What an address is for."""

    answer = "answer"
    """The call was answered: what is said first?"""
    hear = "hear"
    """A key was pressed where the person was asked whether to hear the notice."""
    confirm = "confirm"
    """A key was pressed where the person was asked to confirm the notice, or to hear it again."""
    status = "status"
    """The call came to its end."""


class CallStatus(StrEnum):
    """Twilio's words (twilio.com/docs/voice/api/call-resource, "Call Status Values")."""

    queued = "queued"
    initiated = "initiated"
    ringing = "ringing"
    in_progress = "in-progress"
    completed = "completed"
    """It was answered, by whomever, and is over."""
    busy = "busy"
    no_answer = "no-answer"
    failed = "failed"
    canceled = "canceled"
    unknown = "unknown"


ENDED = frozenset(
    {CallStatus.completed, CallStatus.busy, CallStatus.no_answer, CallStatus.failed, CallStatus.canceled}
)
"""Nothing follows."""


class AnsweredBy(StrEnum):
    """Who answered, as Twilio guesses from what it hears (twilio.com/docs/voice/answering-machine-detection)."""

    human = "human"
    machine = "machine"
    fax = "fax"
    unknown = "unknown"
    """It could not tell, or did not say."""


@dataclass(frozen=True, slots=True)
class CallEvent:
    """What one request of Twilio's says of a call.

    `digit` is the key that was pressed, one of 0-9*#, or "" for none. `code` is Twilio's own error code, or else the
    SIP response of 300 or more by which the call ended (three digits, RFC 3261 section 21), None without one; that
    Twilio tells either of a call stands in other projects that read them, and on no page of its own that was seen.
    `seconds` is how long it lasted, None before its end. `number` is the person's, digits alone.
    """

    call_sid: str
    status: CallStatus
    answered_by: AnsweredBy
    digit: str
    code: int | None
    seconds: int | None
    number: str


def step_url(base: str, own_id: str, step: Step, *, key: bytes, round: int = 0) -> str:
    """The address for one step of one attempt. Raises BadMessage for an id that an address cannot hold as it is, and
    for a round that is none of ROUNDS."""
    if round not in ROUNDS:
        raise BadMessage(f"a number from {ROUNDS.start} to {ROUNDS.stop - 1}", where="round")
    if len(own_id) > LONGEST_OWN_ID:
        raise BadMessage(f"at most {LONGEST_OWN_ID} characters", where="own_id")
    return callback_url(base, f"{own_id}.{step}.{round}", key=_key(key))


def step_of(url: str, *, base: str, key: bytes) -> tuple[str, Step, int] | None:
    """The attempt's own id, the step and the round of an address; None for one that we did not make with this key."""
    told = own_id_of(url, base=base, key=_key(key))
    if told is None:
        return None
    # What bears our MAC was put together by `step_url`.
    own_id, step, round = told.rsplit(".", 2)
    return own_id, Step(step), int(round)


def _key(key: bytes) -> bytes:
    return hmac.new(key, _PURPOSE, hashlib.sha256).digest()


def event_of(form: Form) -> CallEvent | None:
    """What a form says of a call; None where it does not say of which call, or no status. Check it first.

    A status or an answerer that is not known reads as unknown, and a field that has not the shape it should have as
    one that is not there.
    """
    fields = dict(form)
    digit = fields.get("Digits", "")
    return event_from(
        fields.get("CallSid", ""),
        fields.get("CallStatus", ""),
        answered_by=fields.get("AnsweredBy", ""),
        digit=digit if _DIGIT.fullmatch(digit) else "",
        code=_code(fields.get("ErrorCode", ""), fields.get("SipResponseCode", "")),
        seconds=fields.get("CallDuration", ""),
        number=fields.get("To", ""),
    )


def event_from(
    call_sid: str,
    status: str,
    *,
    answered_by: str,
    seconds: str,
    number: str,
    digit: str = "",
    code: int | None = None,
) -> CallEvent | None:
    """What a call's status says, as Twilio tells it by callback or when it is asked; None as for `event_of`."""
    word = status.strip().lower()
    if not _CALL_SID.fullmatch(call_sid) or not word:
        return None
    return CallEvent(
        call_sid=call_sid,
        status=CallStatus(word) if word in set(CallStatus) else CallStatus.unknown,
        answered_by=_answerer(answered_by),
        digit=digit,
        code=code,
        seconds=_number(_SECONDS, seconds),
        number=re.sub("[^0-9]", "", number),
    )


def _answerer(word: str) -> AnsweredBy:
    """Twilio tells machines apart by what it heard of their greeting: machine_start, machine_end_beep and others."""
    word = word.strip().lower()
    if word == "machine" or word.startswith("machine_"):
        return AnsweredBy.machine
    return AnsweredBy(word) if word in set(AnsweredBy) else AnsweredBy.unknown


def _code(error: str, sip: str) -> int | None:
    code = _number(_CODE, error)
    if code:
        return code
    answer = _number(_CODE, sip)
    return answer if answer and answer >= _SIP_SUCCESS.stop else None


def _number(shape: re.Pattern[str], value: str) -> int | None:
    return int(value) if shape.fullmatch(value) else None
