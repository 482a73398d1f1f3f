"""Reading the mailbox for bounces beside the work: a thread that looks every few seconds.

The Maildir is the queue, so nothing waits anywhere else, and several workers may look into the same one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from incident.delivery.bounces import ENGINE, ROUND, BounceDesk, Round, take_from, take_what_became_clear
from incident.delivery.maildir import Maildir
from incident.delivery.next_means import NextMeans
from incident.delivery.return_path import bounce_mailbox_from
from incident.errors import BadInput, TocsinError
from incident.response.housework import House

LOOKS_EVERY = 2.0
_AFTER_TROUBLE = 30.0


def bounces_of(house: House) -> Maildir:
    """The Maildir of the settings. Raises `BadInput` where there is none."""
    if not house.settings.mail.bounces:
        raise BadInput(
            "no mailbox for bounces is set",
            where="mail.bounces in incident.toml",
            next_step="let your mail server deliver mail.return_path into a Maildir and name its folder there",
        )
    return Maildir(house.workspace.under(house.settings.mail.bounces))


def bounce_desk(house: House, *, actor: str = ENGINE) -> BounceDesk:
    """What taking bounces needs, by the settings. Raises `BadInput` for a return path that cannot be one."""
    settings = house.settings
    go_on = NextMeans(house.store, settings).go_on_after
    return BounceDesk(house.store, bounce_mailbox_from(settings.mail), settings.waves, actor, go_on)


def take_bounces(house: House, *, actor: str) -> Round:
    """Take all that lies in the mailbox, also what was put aside and is clear by now.

    Raises `WorkspaceError` where it cannot be read.
    """
    maildir, desk = bounces_of(house), bounce_desk(house, actor=actor)
    maildir.must_be_there()
    done = take_what_became_clear(maildir, desk, now=house.clock())
    while (taken := take_from(maildir, desk, now=house.clock())).messages:
        done += taken
    return done


class BounceReading:
    """Takes bounces until it is left. A context manager; does nothing where the settings name no Maildir.

    `says` is told what keeps it from reading, once until it changes; it goes on trying.
    """

    def __init__(self, house: House, *, says: Callable[[str], None]) -> None:
        """Raises `BadInput` for a return path that cannot be one."""
        self._house = house
        self._says = says
        self._desk = bounce_desk(house)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="bounces", daemon=True)

    def __enter__(self) -> Self:
        if self._house.settings.mail.bounces:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _read(self) -> None:
        maildir, told = bounces_of(self._house), ""
        while not self._stop.is_set():
            try:
                done = take_from(maildir, self._desk, now=self._house.clock())
                told = ""
            except (TocsinError, OSError) as error:
                if str(error) != told:
                    told = str(error)
                    self._says(f"warning: bounces are not read: {told}")
                self._stop.wait(_AFTER_TROUBLE)
                continue
            if done.messages < ROUND:
                self._stop.wait(LOOKS_EVERY)
