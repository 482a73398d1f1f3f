"""Who can notice a damage: which tables each survey of a check reads, as SQLite itself tells.

A survey that reads none of the changed tables takes step by step the way it took in the whole store, where it found
nothing. So a test that damages a table asks those alone who read it, and learns what the whole check would tell.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session

from incident.ops.check import SURVEYS, check_moment
from incident.ops.checks.base import Survey
from incident.response.housework import House
from incident.store.moment import Moment

# No table of ours changes another by itself: there are neither triggers nor cascades.
_CHANGES = re.compile(r"(?:UPDATE|INSERT INTO|DELETE FROM) (\w+)")
_CHANGES_NO_ROW = "DROP INDEX "


@dataclass(frozen=True)
class Readers:
    """The tables that each survey reads in a store in which it finds nothing."""

    tables: Mapping[Survey, frozenset[str]] = field(repr=False)

    def of(self, changed: Iterable[str]) -> tuple[Survey, ...]:
        """The surveys that read any of these tables, in the order of a check."""
        wanted = frozenset(changed)
        return tuple(survey for survey in SURVEYS if self.tables[survey] & wanted)


def readers_in(house: House) -> Readers:
    """Let every survey look at this store, which lies in SQLite, and note what it reads."""
    return Readers({survey: _read_by(survey, house) for survey in SURVEYS})


def changed_by(statements: Iterable[str]) -> frozenset[str]:
    """The tables that these statements change."""
    tables = set()
    for statement in statements:
        if not statement.startswith(_CHANGES_NO_ROW):
            match = _CHANGES.match(statement)
            assert match, f"which table does this change? {statement}"
            tables.add(match[1])
    return frozenset(tables)


def _read_by(survey: Survey, house: House) -> frozenset[str]:
    read: set[str] = set()

    def note(action: int, table: str | None, *others: Any) -> int:
        if action == sqlite3.SQLITE_READ and table is not None:
            read.add(table)
        return sqlite3.SQLITE_OK

    with Session(house.store.engine) as session:
        connection: Any = session.connection().connection.dbapi_connection
        connection.set_authorizer(note)
        try:
            check_moment(house, Moment(house.store, session), surveys=[survey])
        finally:
            connection.set_authorizer(None)
    return frozenset(read)
