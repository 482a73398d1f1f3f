"""An SMS room whose carrier is asked what became of messages, beside whatever it says by itself."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from incident.delivery.sms_asking import AskingDesk, Question
from incident.delivery.sms_room import SmsRoom
from incident.errors import TocsinError
from notifiers.errors import CarrierError
from notifiers.sms.receipt import SmsReceipt

log = logging.getLogger(__name__)

_LOOKS_EVERY = 1.0
_AFTER_TROUBLE = 15.0


class AskingRoom(SmsRoom):
    """Sends SMS over one carrier, and on a thread of its own asks it what is due to be asked."""

    def __init__(
        self, desk: AskingDesk, *, called: str, peer: str, window: int, says: Callable[[str], None]
    ) -> None:
        """`called` is the carrier in a sentence. `says` is told what keeps it from being asked, until it changes."""
        super().__init__(peer=peer, window=window)
        self._desk = desk
        self._called = called
        self._window = window
        self._says = says
        self._told = False
        self._closing = threading.Event()
        self._asker = threading.Thread(target=self._ask, name="sms questions", daemon=True)

    @property
    def asks_for_receipts(self) -> bool:
        return True

    @abstractmethod
    async def _open(self) -> None:
        """Make the client ready."""

    @abstractmethod
    async def _close(self) -> None:
        """Let go of the client."""

    @abstractmethod
    async def _receipts_of(self, question: Question) -> list[SmsReceipt]:
        """What the carrier says of one message; empty where it says nothing. Raises `CarrierError`."""

    @abstractmethod
    def _refuses(self, error: BaseException) -> bool:
        """Whether the carrier answered, and would refuse the same question again."""

    def _begin(self) -> None:
        self._on_loop(self._open()).result()
        if self.asks_for_receipts:
            self._asker.start()

    def _end(self) -> None:
        self._closing.set()
        if self.asks_for_receipts:
            self._asker.join()
        self._on_loop(self._close()).result()

    def _ask(self) -> None:
        while not self._closing.is_set():
            pause = _LOOKS_EVERY
            try:
                questions = self._desk.questions(self._window)
                if self._answers_to(questions):
                    self._told = False
                pause = 0.0 if questions else _LOOKS_EVERY
            except Exception as error:
                # Also a fault of ours: nobody would ask again until the next start.
                self._tell(error)
                if not isinstance(error, TocsinError | CarrierError):
                    log.exception("a fault while %s was asked", self._called)
                pause = _AFTER_TROUBLE
            self._closing.wait(pause)

    def _tell(self, error: BaseException) -> None:
        if self._told:
            return
        self._told = True
        try:
            self._says(f"{self._called} cannot be asked what became of messages: {error}")
        except Exception:
            # Whoever reads may be gone, and the thread that asks must not end with them.
            log.exception("nobody could be told that %s cannot be asked", self._called)

    def _answers_to(self, questions: Sequence[Question]) -> bool:
        """Ask these at the same time and write down the answers; whether there were any. Raises what the last one failed
        with, after those that did not fail were written down. A question that was refused has had its turn, and one that
        failed comes after the others: asked over and over they would keep these from theirs."""
        asked: list[tuple[Question, Future[list[SmsReceipt]]]] = [
            (each, self._on_loop(self._receipts_of(each))) for each in questions
        ]
        why: BaseException | None = None
        answered, refused, failed, receipts = [], [], [], []
        for question, future in asked:
            if (error := future.exception()) is not None:
                if self._refuses(error):
                    refused.append(question)
                    self._tell(error)
                else:
                    failed.append(question)
                    why = error
                continue
            answered.append(question)
            receipts += future.result()
        if receipts:
            self._desk.take(receipts)
        self._desk.asked([*answered, *refused])
        self._desk.failed(failed)
        if why is not None:
            raise why
        return bool(answered)
