"""What tests of sending short messages share: a centre's settings, messages, and a clock that nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from incident.notice.sms_text import SmsEncoding, sms_text
from notifiers.smpp.centre import Centre, Timeouts
from notifiers.sms.message import SmsMessage
from notifiers.sms.receipt import SmsReceipt

NUMBER = "+8613912345678"
LONG = "【示例公司】您好：我们发生了一起信息安全事件。您的以下信息可能已经泄露：姓名、手机号码。" * 4
"""Three parts."""
PATIENT = Timeouts(connect=60, bind=60, response=60, enquire_every=60, throttled=60)
IMPATIENT = Timeouts(connect=60, bind=0.2, response=0.2, enquire_every=60, throttled=3)


def a_centre(port: int, **changes: Any) -> Centre:
    """A centre on loopback; a test whose centre answers must not meet a timeout, so they are long."""
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "system_id": "tocsin",
        "password": "s3cret",
        "sender": "106912345",
        "timeouts": PATIENT,
    }
    return Centre(**(settings | changes))


def a_message(text: str = "Hello", number: str = NUMBER, reference: int = 7) -> SmsMessage:
    cut = sms_text(text)
    return SmsMessage(number, cut.segments, cut.encoding is SmsEncoding.UCS_2, reference)


async def any_receipt(receipt: SmsReceipt) -> bool:
    return True


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds; after a minute the test has failed."""
    for _ in range(6000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come to it")


class QuickClock:
    """Time passes when somebody sleeps, and only then. `slept` is how long each time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)
