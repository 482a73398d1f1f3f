"""The store at one moment: every read sees the same rows, whatever others write meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlmodel import Session

from incident.errors import Refused
from incident.store.store import Store


class Moment(Store):
    """A store of which only one moment can be seen, and nothing written. It lives as long as its session."""

    def __init__(self, store: Store, session: Session) -> None:
        super().__init__(store.engine, store.keyring, where=store.where)
        self._session = session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """The one moment, whoever asks."""
        yield self._session

    @contextmanager
    def transaction(self, *, in_turn: str | None = None) -> Iterator[Session]:
        """Nothing can be written into a moment. Raises `Refused`."""
        raise Refused("a moment of the store can be looked at, not changed", where=self.where)
        yield self._session


@contextmanager
def one_moment(store: Store) -> Iterator[Moment]:
    """The store as it stands now, for as long as the caller looks at it. Raises `StoreUnavailable`.

    SQLite cannot shorten its log meanwhile, and PostgreSQL not clean up; so look, and leave.
    """
    with store.read() as session:
        yield Moment(store, session)
