"""What the stand-in for Twilio's API keeps of messages, and how it tells of them. Calls are in `calls`."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from tests.support.twilio.calls import Switchboard
from tests.support.twilio.posting import PATIENCE_SECONDS, posted
from tests.support.twilio.script import (
    ACCOUNT,
    Fault,
    Options,
    Progress,
    Taken,
    Told,
)

FINAL = frozenset({"delivered", "undelivered", "failed", "canceled", "read"})


class TwilioApi:
    """What the server keeps. All of it may be read while it runs."""

    def __init__(self, options: Options, record: Path | None = None) -> None:
        self.options = options
        self.port = 0
        self.taken: list[Taken] = []
        self.refused: list[tuple[str, int]] = []
        """Number and code of each message and call that was not taken."""
        self.told: list[Told] = []
        self.requests: list[tuple[str, str]] = []
        self.complaints: list[str] = []
        """What no client should have sent, beside the answer that it got, and what Twilio would not understand."""
        self.ended = threading.Event()
        self._released = threading.Event()
        self.calls = Switchboard(
            options,
            note=self.note,
            told=self.told,
            complaints=self.complaints,
            ended=self.ended,
            released=self._released,
        )
        self._faulted: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._record = record

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def of(self, number: str) -> list[Taken]:
        """The messages to one number: each is a copy that a person gets."""
        return [each for each in self.taken if each.to == number]

    def release(self) -> None:
        """Let the callbacks and the calls go that were held."""
        self._released.set()

    def await_told(self, number: int) -> list[Told]:
        """Wait until so many callbacks were delivered."""
        until = time.monotonic() + PATIENCE_SECONDS
        while len(self.told) < number:
            assert time.monotonic() < until, f"{len(self.told)} of {number} callbacks"
            time.sleep(0.01)
        return list(self.told)

    def fault_for(self, number: str) -> Fault | None:
        ending = next((each for each in self.options.faults if number.endswith(each)), None)
        if ending is None:
            return None
        fault = self.options.faults[ending]
        with self._lock:
            self._faulted[number] += 1
            return fault if fault.times is None or self._faulted[number] <= fault.times else None

    def take(self, form: dict[str, str]) -> Taken:
        with self._lock:
            message = Taken(
                sid=f"SM{len(self.taken) + 0x5EED0000:032x}",
                to=form["To"],
                body=form["Body"],
                service=form["MessagingServiceSid"],
                callback=form.get("StatusCallback", ""),
                validity=form.get("ValidityPeriod", ""),
                smart_encoded=form.get("SmartEncoded", ""),
                created_at=format_datetime(datetime.now(UTC)),
            )
            self.taken.append(message)
            self.note("taken", asdict(message))
        threading.Thread(target=self._tell_of, args=(message,), daemon=True).start()
        return message

    def refuse(self, number: str, code: int) -> None:
        with self._lock:
            self.refused.append((number, code))
            self.note("refused", {"to": number, "code": code})

    def note(self, event: str, values: dict[str, Any]) -> None:
        """Written out before anybody else can know of it, so that a killed process has said all."""
        if self._record is None:
            return
        with self._record.open("ab") as file:
            file.write(json.dumps({"event": event, **values}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _progress_of(self, number: str) -> Progress:
        by_ending = self.options.by_ending
        ending = next((each for each in by_ending if number.endswith(each)), None)
        return self.options.progress if ending is None else by_ending[ending]

    def _tell_of(self, message: Taken) -> None:
        progress = self._progress_of(message.to)
        if progress.held:
            while not self._released.wait(0.05):
                if self.ended.is_set():
                    return
        states = progress.states[::-1] if progress.backwards else progress.states
        for state in states:
            if self.ended.wait(progress.delay):
                return
            last = state == progress.states[-1]
            code = progress.code if last else None
            if not progress.backwards or last:
                message.status, message.error_code = state, code
            for _ in range(2 if progress.doubled else 1):
                self._tell(message, state, code)

    def _tell(self, message: Taken, state: str, code: int | None) -> None:
        if not message.callback:
            return
        form = self.callback_form(message, state, code)
        answer = posted(self.options, message.callback, form).status
        with self._lock:
            self.told.append(Told(message.sid, state, message.callback, answer))
            self.note("told", {"sid": message.sid, "state": state, "answer": answer})

    @staticmethod
    def callback_form(message: Taken, state: str, code: int | None) -> dict[str, str]:
        form = {
            "AccountSid": ACCOUNT,
            "ApiVersion": "2010-04-01",
            "From": "+15005550006",
            "To": message.to,
            "MessageSid": message.sid,
            "MessageStatus": state,
            "MessagingServiceSid": message.service,
            "SmsSid": message.sid,
            "SmsStatus": state,
            # Fields may be added without notice, and none may be trimmed.
            "SomethingNew": " 新 ",
            "SomethingEmpty": "",
        }
        if code is not None:
            form["ErrorCode"] = str(code)
        if state in FINAL:
            form["RawDlrDoneDate"] = "2612011245"
        return form
