"""Calls as the stand-in for Twilio makes them: somebody answers, hears and presses keys, or nobody does."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from tests.support.twilio.posting import PATIENCE_SECONDS, Reply, posted
from tests.support.twilio.reading import Gather, Hangup, Verb, verbs_of
from tests.support.twilio.script import (
    ACCOUNT,
    Answer,
    Called,
    Callee,
    Heard,
    Options,
    Told,
)

FIELDS = {
    "To",
    "From",
    "Url",
    "Method",
    "StatusCallback",
    "StatusCallbackEvent",
    "StatusCallbackMethod",
    "Timeout",
    "TimeLimit",
    "MachineDetection",
}
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_NOT_ANSWERED = frozenset({Answer.BUSY, Answer.NO_ANSWER, Answer.FAILED, Answer.CANCELED})
_SIP = {Answer.BUSY: 486, Answer.NO_ANSWER: 487}
_MOST_DOCUMENTS = 50

Note = Callable[[str, dict[str, Any]], None]


class Switchboard:
    """All calls of one API. `note` writes out what happens, `told` takes what was delivered of it."""

    def __init__(
        self,
        options: Options,
        *,
        note: Note,
        told: list[Told],
        complaints: list[str],
        ended: threading.Event,
        released: threading.Event,
    ) -> None:
        self.called: list[Called] = []
        self.complaints, self.ended = complaints, ended
        self._options, self._note, self._told, self._released = options, note, told, released
        self._lock = threading.Lock()

    def of(self, number: str) -> list[Called]:
        """The calls to one number: so often it rang."""
        return [each for each in self.called if each.to == number]

    def await_over(self, number: int) -> list[Called]:
        """Wait until so many calls are over, with all that is told of them."""
        until = time.monotonic() + PATIENCE_SECONDS
        while sum(each.over for each in self.called) < number:
            assert time.monotonic() < until, f"{sum(each.over for each in self.called)} of {number} calls"
            time.sleep(0.01)
        return list(self.called)

    def code_for(self, form: Mapping[str, str]) -> int | None:
        """The error of a request that is not taken."""
        incoming, verified = self._options.incoming, self._options.verified
        if not _E164.fullmatch(form.get("To", "")):
            return 21211
        if not incoming.get(form.get("From", "")) and form.get("From") not in verified:
            return 21210
        if not _is_address(form.get("Url", "")):
            return 21205
        if not form.get("Timeout", "60").isdecimal() or not 1 <= int(form.get("Timeout", "60")) <= 600:
            return 21208
        return None

    def take(self, form: Mapping[str, str]) -> Called:
        self._check(form)
        with self._lock:
            call = Called(
                sid=f"CA{len(self.called) + 0x5EED0000:032x}",
                to=form["To"],
                caller=form["From"],
                url=form["Url"],
                status_callback=form.get("StatusCallback", ""),
                ring_seconds=form.get("Timeout", ""),
                time_limit=form.get("TimeLimit", ""),
                machine_detection=form.get("MachineDetection", ""),
                created_at=format_datetime(datetime.now(UTC)),
            )
            self.called.append(call)
            self._note("called", asdict(call))
        threading.Thread(target=self._live, args=(call,), daemon=True).start()
        return call

    def _check(self, form: Mapping[str, str]) -> None:
        wanted = {
            "Method": "POST",
            "StatusCallbackMethod": "POST",
            "StatusCallbackEvent": "completed",
            "MachineDetection": "DetectMessageEnd",
        }
        self.complaints.extend(name for name, value in wanted.items() if form.get(name) != value)
        if not _is_address(form.get("StatusCallback", "")):
            self.complaints.append("StatusCallback")

    def _callee_of(self, number: str) -> Callee:
        callees = self._options.callees
        ending = next((each for each in callees if number.endswith(each)), None)
        return self._options.callee if ending is None else callees[ending]

    def _live(self, call: Called) -> None:
        callee = self._callee_of(call.to)
        if callee.held and not self._is_released():
            return
        if self.ended.wait(callee.rings):
            return
        if callee.answer in _NOT_ANSWERED:
            call.status = str(callee.answer)
        else:
            call.status, call.answered_by = "in-progress", str(callee.answer)
            _Conversation(call, callee, self).run()
            call.status = "completed"
        if callee.status_held and not self._is_released():
            return
        if not callee.backwards or callee.answer in _NOT_ANSWERED:
            self.tell_end(call, callee)
        with self._lock:
            call.over = True
            self._note("over", {"sid": call.sid, "to": call.to, "texts": call.texts, "pressed": call.pressed})

    def _is_released(self) -> bool:
        while not self._released.wait(0.02):
            if self.ended.is_set():
                return False
        return True

    def tell_end(self, call: Called, callee: Callee) -> None:
        """The status callback."""
        form = _fields_of(call) | {
            "CallbackSource": "call-progress-events",
            "SequenceNumber": "0",
            "Timestamp": format_datetime(datetime.now(UTC)),
        }
        if callee.answer not in _NOT_ANSWERED:
            form |= {
                "CallStatus": "completed",
                "CallDuration": "7",
                "Duration": "1",
                "SipResponseCode": "200",
            }
        code = _SIP.get(callee.answer) if callee.code is None else callee.code
        if code is not None:
            form["SipResponseCode" if code < 1000 else "ErrorCode"] = str(code)
        self.ask(call, callee, call.status_callback, form, doubled=callee.doubled)

    def ask(
        self, call: Called, callee: Callee, url: str, form: Mapping[str, str], *, doubled: bool = False
    ) -> Reply:
        """One request of a call; of a doubled one the first answer counts."""
        reply = posted(self._options, url, form, signed=not callee.unsigned)
        self._keep(call, url, form, reply)
        if doubled:
            self._keep(call, url, form, posted(self._options, url, form, signed=not callee.unsigned))
        return reply

    def _keep(self, call: Called, url: str, form: Mapping[str, str], reply: Reply) -> None:
        with self._lock:
            self._told.append(Told(call.sid, form["CallStatus"], url, reply.status))
            self._note("told", {"sid": call.sid, "state": form["CallStatus"], "answer": reply.status})


class _Conversation:
    """One call while it lasts."""

    def __init__(self, call: Called, callee: Callee, board: Switchboard) -> None:
        self._call, self._callee, self._board = call, callee, board
        self._keys = list(callee.keys) if callee.answer in (Answer.HUMAN, Answer.UNKNOWN) else []
        self._documents = 0
        self._end_told = False

    def run(self) -> None:
        reply = self._board.ask(self._call, self._callee, self._call.url, _fields_of(self._call))
        while True:
            self._documents += 1
            verbs = verbs_of(reply, self._board.complaints.append)
            if self._callee.hangs_up_after == self._documents:
                break
            question = self._listen(verbs)
            if question is None:
                break
            if self._documents >= _MOST_DOCUMENTS:
                self._board.complaints.append("a call without end")
                break
            reply = question
        if self._callee.backwards and not self._end_told:
            self._board.tell_end(self._call, self._callee)

    def _listen(self, verbs: list[Verb]) -> Reply | None:
        """What came back for the key that was pressed; None where the call is over without one."""
        for verb in verbs:
            if isinstance(verb, Hangup):
                return None
            if isinstance(verb, Heard):
                self._call.heard.append(verb)
                continue
            self._call.heard.extend(verb.says)
            key = self._keys.pop(0) if self._keys else "-"
            if key not in ("-", verb.finish):
                return self._press(verb, key)
        return None

    def _press(self, gather: Gather, key: str) -> Reply | None:
        if self._board.ended.wait(self._callee.thinks):
            return None
        if not _is_address(gather.action):
            self._board.complaints.append(f"no address to tell a key to: {gather.action}")
            return None
        if self._callee.backwards and not self._end_told:
            self._end_told = True
            self._board.tell_end(self._call, self._callee)
        self._call.pressed += key
        form = _fields_of(self._call) | {"Digits": key, "FinishedOnKey": "", "msg": "Gather End"}
        return self._board.ask(self._call, self._callee, gather.action, form, doubled=self._callee.doubled)


def _fields_of(call: Called) -> dict[str, str]:
    fields = {
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "CallSid": call.sid,
        "CallStatus": call.status,
        "Called": call.to,
        "Caller": call.caller,
        "Direction": "outbound-api",
        "From": call.caller,
        "To": call.to,
        # Fields may be added without notice, and none may be trimmed.
        "SomethingNew": " 新 ",
        "SomethingEmpty": "",
    }
    if call.answered_by is not None and call.machine_detection:
        fields["AnsweredBy"] = call.answered_by
    return fields


def shown(call: Called) -> dict[str, Any]:
    """A call as the API shows it."""
    return {
        "account_sid": ACCOUNT,
        "answered_by": call.answered_by,
        "api_version": "2010-04-01",
        "date_created": call.created_at,
        "date_updated": call.created_at,
        "direction": "outbound-api",
        "duration": "7" if call.status == "completed" else None,
        "from": call.caller,
        "queue_time": "0",
        "sid": call.sid,
        "status": call.status,
        "to": call.to,
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{call.sid}.json",
    }


def _is_address(url: str) -> bool:
    split = urlsplit(url)
    return split.scheme in ("http", "https") and bool(split.hostname) and "_" not in split.netloc
