"""The store at one moment: every read sees the same rows, whatever others write meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlmodel import Session

from incident.errors import Refused
from incident.store.store import Store

# PostgreSQL holds back its cleaning for as long as a moment is looked at; one that hangs must not do so for ever.
_LONGEST = "10min"


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
    def transaction(self) -> Iterator[Session]:
        raise Refused("a moment of the store can be looked at, not changed", where=self.where)
        yield self._session


@contextmanager
def one_moment(store: Store) -> Iterator[Moment]:
    """The store as it stands now, for as long as the caller looks at it. Raises `StoreUnavailable`."""
    with store.read() as session:
        if session.get_bind().dialect.name == "postgresql":
            # Else each statement sees a moment of its own (READ COMMITTED).
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
                session.connection().execute(text(f"SET LOCAL {setting} = '{_LONGEST}'"))
        yield Moment(store, session)
