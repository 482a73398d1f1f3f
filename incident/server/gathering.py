"""Writing down together what several requests bring at a time.

A change of an incident is journalled and waits for the disk. While one is written, what comes meanwhile is gathered for
the next: under load many receipts share a change, and alone one waits for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import anyio.to_thread

from incident.delivery.sms_asking import AskingDesk
from notifiers.sms.receipt import SmsReceipt

_MOST_TOGETHER = 200


class Gathering:
    """Gives receipts to a desk, one writing at a time. Of one event loop."""

    def __init__(self, desk: AskingDesk) -> None:
        self._desk = desk
        self._waiting: list[_Brought] = []
        self._writing: asyncio.Task[None] | None = None

    async def take(self, receipts: Sequence[SmsReceipt]) -> list[bool]:
        """As `AskingDesk.take`: of each whether its message was found, once what it says is written down."""
        brought = _Brought(receipts)
        self._waiting.append(brought)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await brought.found

    async def _write(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
            try:
                await self._take(together)
            except Exception as error:
                if len(together) == 1:
                    together[0].failed(error)
                    continue
                # One that cannot be written must not keep the others from it.
                for each in together:
                    try:
                        await self._take([each])
                    except Exception as alone:
                        each.failed(alone)

    async def _take(self, together: Sequence[_Brought]) -> None:
        receipts = [receipt for each in together for receipt in each.receipts]
        found = await anyio.to_thread.run_sync(self._desk.take, receipts)
        for each in together:
            each.taken(found[: len(each.receipts)])
            found = found[len(each.receipts) :]


class _Brought:
    """What one request brings, and what it waits for."""

    def __init__(self, receipts: Sequence[SmsReceipt]) -> None:
        self.receipts = receipts
        self.found: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()

    def taken(self, found: list[bool]) -> None:
        if not self.found.done():
            self.found.set_result(found)

    def failed(self, error: Exception) -> None:
        if not self.found.done():
            self.found.set_exception(error)
