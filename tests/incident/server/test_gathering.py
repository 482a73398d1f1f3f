"""Receipts that come at a time are written down together, and none is lost by another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from incident.server.gathering import Gathering
from notifiers.sms.receipt import MessageState, SmsReceipt


def receipt(number: int) -> SmsReceipt:
    return SmsReceipt(str(number), MessageState.delivered, None, None, "8613800000020", "delivered", "")


@dataclass
class Desk:
    """Writes slowly, and refuses whatever has a message of these ids."""

    bad: frozenset[str] = frozenset()
    writings: list[int] = field(default_factory=list)
    may_write: threading.Event = field(default_factory=threading.Event)

    def take(self, receipts: Sequence[SmsReceipt]) -> list[bool]:
        assert self.may_write.wait(20)
        self.writings.append(len(receipts))
        if any(each.message_id in self.bad for each in receipts):
            raise ValueError("cannot be written")
        return [int(each.message_id) % 2 == 0 for each in receipts]


def taken(desk: Any, many: int) -> list[list[bool] | BaseException]:
    async def go() -> list[list[bool] | BaseException]:
        gathering = Gathering(desk)
        waiting = [
            asyncio.create_task(gathering.take([receipt(2 * at), receipt(2 * at + 1)])) for at in range(many)
        ]
        first = asyncio.create_task(asyncio.sleep(0.05))
        await first
        desk.may_write.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(go())


@pytest.mark.parametrize("many", [1, 30, 500])
def test_each_gets_the_answer_to_its_own(many: int) -> None:
    desk = Desk()
    assert taken(desk, many) == [[True, False]] * many
    assert sum(desk.writings) == 2 * many
    assert len(desk.writings) <= 1 + many // 100


def test_one_that_cannot_be_written_fails_alone() -> None:
    desk = Desk(bad=frozenset({"6"}))
    answers = taken(desk, 10)
    assert [isinstance(each, ValueError) for each in answers] == [at == 3 for at in range(10)]
    assert [each for each in answers if not isinstance(each, ValueError)] == [[True, False]] * 9


def test_after_a_failure_the_next_one_is_taken() -> None:
    desk = Desk(bad=frozenset({"0"}))
    [failed] = taken(desk, 1)
    assert isinstance(failed, ValueError)
    desk.bad = frozenset()
    assert taken(desk, 1) == [[True, False]]
