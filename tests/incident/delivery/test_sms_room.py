"""What holds for the room of every carrier of SMS."""

from __future__ import annotations

import threading

import pytest

from incident.delivery.sms_room import SmsRoom
from notifiers.outcome import Outcome


class Unready(SmsRoom):
    """One whose carrier cannot even be made ready."""

    def parts_of(self, message: object) -> int:
        return 1

    async def _send(self, message: object, may_go: object) -> Outcome:
        raise NotImplementedError

    def _begin(self) -> None:
        raise RuntimeError("not ready")

    def _end(self) -> None:
        raise AssertionError("nothing had begun")


def test_a_room_that_cannot_be_made_ready_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with pytest.raises(RuntimeError, match="not ready"), Unready(peer="127.0.0.1:1", window=1):
        pass
    assert set(threading.enumerate()) == before
