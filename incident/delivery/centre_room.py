"""SMS over an operator's message centre: one bound session, and the receipts that come over it.

Receipts are taken on another thread, a few together. One is acknowledged only once what it says is written down: what a
worker that dies had not written, the centre says again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic

from incident.carrier_settings import SmppSettings
from incident.delivery.sms_room import SmsRoom, TakeReceipts
from incident.errors import BadInput, CarrierUnavailable, TocsinError
from incident.settings import resolve_secret
from notifiers.errors import BadCentre, CarrierUnreachable
from notifiers.outcome import Outcome, Result, Stage
from notifiers.smpp.centre import Alphabet, Centre, NumberFormat, Timeouts
from notifiers.smpp.message import submits_of
from notifiers.smpp.session import SmppSession
from notifiers.sms.message import SmsMessage
from notifiers.sms.receipt import SmsReceipt

log = logging.getLogger(__name__)

TAKEN_TOGETHER = 100
_LOOKS_EVERY = 0.5
_AFTER_TROUBLE = 5.0
ALREADY_BOUND = 0x05  # ESME_RALYBND (SMPP 3.4, 5.1.3)
# As many times the wait for an answer a message is offered to a centre that says "slower".
_OFFERED_TIMES = 2
# A receipt may come before what became of its own message is written down.
_OUTCOME_IS_WRITTEN = 3.0


def centre_from(sms: SmppSettings, *, root: Path) -> Centre:
    """The message centre that the settings describe. Raises `BadInput` where they contradict each other.

    The limit of messages a second is not in it: all workers share it, in the ledger.
    """
    try:
        return Centre(
            host=sms.host,
            port=sms.port,
            system_id=sms.system_id,
            password=resolve_secret(sms.password) if sms.password else "",
            sender=sms.sender,
            tls=sms.tls,
            ca_file=root / sms.ca_file if sms.ca_file else None,
            system_type=sms.system_type,
            alphabet=Alphabet(sms.alphabet),
            number_format=NumberFormat(sms.number_format),
            country_code=sms.country_code,
            window=sms.window,
            validity=timedelta(hours=sms.validity_hours),
            timeouts=Timeouts(
                response=sms.reply_wait_seconds, throttled=_OFFERED_TIMES * sms.reply_wait_seconds
            ),
            allow_unprotected=sms.private_line,
        )
    except BadCentre as error:
        raise BadInput(str(error), where="[sms.smpp] in incident.toml") from error


def must_be_usable(centre: Centre) -> None:
    """Bind and leave again. Raises `CarrierUnavailable` saying why the centre cannot be used.

    That the account is bound already, by a worker, is no reason.
    """
    try:
        asyncio.run(bind_and_leave(centre))
    except CarrierUnreachable as error:
        if error.code == ALREADY_BOUND:
            return
        raise CarrierUnavailable(
            f"the message centre cannot be used ({error.text})",
            where=f"{error.peer}, at {error.stage}",
            next_step="check [sms.smpp] in incident.toml; nothing was sent and nothing was changed",
        ) from error


async def bind_and_leave(centre: Centre) -> None:
    """Open a session and close it. Raises `CarrierUnreachable` and `BadCentre`."""

    async def not_here(_said: object) -> bool:
        # Whatever comes in these moments is a worker's to take: the centre says it again.
        return False

    session = SmppSession(centre, on_receipt=not_here, on_message=not_here)
    try:
        await session.open()
    finally:
        await session.close()


@dataclass
class _Waiting:
    """A receipt that is not taken yet, and where the answer goes."""

    receipt: SmsReceipt
    answer: Future[bool] = field(default_factory=Future)
    since: float = field(default_factory=monotonic)


class CentreRoom(SmsRoom):
    """Sends SMS over a bound session with a message centre."""

    def __init__(
        self, centre: Centre, take: TakeReceipts, *, says: Callable[[str], None], stays: bool = False
    ) -> None:
        """`take` is called on a thread of its own; `says` is told what keeps receipts from being taken, until it changes.

        Whoever `stays` at work is bound also while nothing is sent: receipts come for days.
        """
        super().__init__(peer=centre.peer, window=centre.window)
        self._centre = centre
        self._take = take
        self._says = says
        self._told_of_strays = False
        self._stays = stays
        self._receipts: SimpleQueue[_Waiting] = SimpleQueue()
        self._closing = threading.Event()
        self._taker = threading.Thread(target=self._take_receipts, name="sms receipts", daemon=True)

    def _begin(self) -> None:
        self._taker.start()
        self._session = self._on_loop(self._make()).result()
        self._listening = self._on_loop(self._stay_bound()) if self._stays else None

    def _end(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        self._on_loop(self._session.close()).result()
        self._closing.set()
        self._taker.join()

    def parts_of(self, message: SmsMessage) -> int:
        """In how many parts a message leaves: the centre's alphabet may take more than it was cut for."""
        return len(submits_of(message, self._centre))

    async def _send(self, message: SmsMessage, may_go: Callable[[], bool]) -> Outcome:
        try:
            return await self._session.send(message, may_go=may_go)
        except BadCentre as error:
            # Raised before a connection is opened: what is wrong is a setting, and nothing has left.
            return Outcome(
                Result.not_sent, Stage.connect, None, None, str(error), peer=self.peer, tls=self._centre.tls
            )

    async def _make(self) -> SmppSession:
        return SmppSession(self._centre, on_receipt=self._on_receipt)

    async def _stay_bound(self) -> None:
        told = False
        while True:
            try:
                await self._session.open()
                told = False
            except (CarrierUnreachable, BadCentre) as error:
                if not told:
                    self._says(f"receipts of SMS cannot be fetched: {error}")
                    told = True
            await asyncio.sleep(_AFTER_TROUBLE)

    # -- receipts ---------------------------------------------------------------------------------------

    async def _on_receipt(self, receipt: SmsReceipt) -> bool:
        waiting = _Waiting(receipt)
        # From here on it is answered, also where nobody waits for the answer any more.
        waiting.answer.set_running_or_notify_cancel()
        self._receipts.put(waiting)
        return await asyncio.wrap_future(waiting.answer)

    def _take_receipts(self) -> None:
        told = False
        while not self._closing.is_set():
            waiting = self._next_receipts()
            if not waiting:
                continue
            try:
                taken = self._take([each.receipt for each in waiting])
                told = False
            except Exception as error:
                # Also a fault of ours: unanswered receipts would keep the centre from saying anything more.
                if not told:
                    self._says(f"receipts of SMS cannot be taken: {error}")
                    told = True
                if not isinstance(error, TocsinError):
                    log.exception("a fault while receipts of SMS were taken")
                for each in waiting:
                    each.answer.set_result(False)
                self._closing.wait(_AFTER_TROUBLE)
                continue
            for each, is_found in zip(waiting, taken, strict=True):
                if is_found or monotonic() - each.since > _OUTCOME_IS_WRITTEN:
                    if not is_found:
                        self._tell_of_strays()
                    each.answer.set_result(True)
                else:
                    self._receipts.put(each)
            if not any(taken):
                self._closing.wait(_LOOKS_EVERY)

    def _tell_of_strays(self) -> None:
        if not self._told_of_strays:
            self._told_of_strays = True
            self._says(
                "receipts of SMS come for messages that are not on record, as where others use the account"
            )

    def _next_receipts(self) -> list[_Waiting]:
        """Some receipts that came, together with those that come at the same time."""
        found: list[_Waiting] = []
        try:
            found.append(self._receipts.get(timeout=_LOOKS_EVERY))
            while len(found) < TAKEN_TOGETHER:
                found.append(self._receipts.get(timeout=0.02))
        except Empty:
            return found
        return found
