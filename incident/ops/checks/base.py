"""What a check is made of: invariants, what breaks them, and the store at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from incident.record.incidents import IncidentState
from incident.response.housework import House
from incident.store.tables import Incident

SHOWN = 20
"""How many faults of one invariant are named; the others are counted. A million broken rows fill no memory."""

DAMAGED = (
    "keep a copy of the database; `incident verify` shows whether it was changed; then put a backup back"
)


class State(StrEnum):
    HOLDS = "holds"
    BROKEN = "broken"
    UNTOLD = "cannot be told"


@dataclass(frozen=True)
class Invariant:
    """Something that holds at any moment, also after any crash. `name` is short and stays the same."""

    name: str
    says: str
    next_step: str = DAMAGED


@dataclass(frozen=True)
class Fault:
    """One row that breaks an invariant: named by its id, never by what it holds of a person."""

    where: str
    what: str
    next_step: str


@dataclass(frozen=True)
class Verdict:
    """What was found of one invariant. `broken` counts all faults, `faults` names the first `SHOWN`."""

    invariant: Invariant
    broken: int
    faults: tuple[Fault, ...]
    untold: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def state(self) -> State:
        if self.broken:
            return State.BROKEN
        return State.UNTOLD if self.untold else State.HOLDS


@dataclass
class _Tally:
    broken: int = 0
    faults: list[Fault] = field(default_factory=list)
    untold: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)


class Findings:
    """What a check has found so far."""

    def __init__(self, invariants: Sequence[Invariant]) -> None:
        self._found = {invariant: _Tally() for invariant in invariants}

    def broken(self, invariant: Invariant, where: str, what: str, *, next_step: str = "") -> None:
        """A row breaks the invariant; `next_step` where the invariant's own does not help."""
        tally = self._found[invariant]
        tally.broken += 1
        if len(tally.faults) < SHOWN:
            tally.faults.append(Fault(where, what, next_step or invariant.next_step))

    def untold(self, invariant: Invariant, why: str) -> None:
        """Something keeps us from telling, for a part of the rows or for all."""
        self._found[invariant].untold[why] = None

    def note(self, invariant: Invariant, text: str) -> None:
        """Something a person should know though the invariant holds."""
        self._found[invariant].notes[text] = None

    def verdicts(self) -> tuple[Verdict, ...]:
        """The result, in the order in which the invariants were given."""
        return tuple(
            Verdict(invariant, tally.broken, tuple(tally.faults), tuple(tally.untold), tuple(tally.notes))
            for invariant, tally in self._found.items()
        )


@dataclass(frozen=True)
class View:
    """The store at one moment (`house.store`), and what is needed to judge it.

    `now` is the clock of this machine, by which deliveries and timers are due; `clock` the database's, in seconds,
    by which jobs are. `works`: some worker lives. `brake`: since when the emergency brake is on, "" when it is not.
    `alone`: no other machine works on this record, so its files are all here.
    """

    house: House
    session: Session
    now: datetime
    clock: float
    works: bool
    brake: str
    alone: bool
    incident_id: str | None

    def mine(self, column: Any) -> sa.ColumnElement[bool]:
        """The condition that a row belongs to what is looked at."""
        return sa.true() if self.incident_id is None else col(column) == self.incident_id

    def rows(self, statement: sa.Executable) -> Iterator[Any]:
        """The rows of a statement, fetched in pieces."""
        return iter(self.session.connection().execute(statement.execution_options(yield_per=1000)))

    def live(self) -> list[str]:
        """The incidents whose data was not destroyed."""
        statement = (
            select(Incident.id)
            .where(self.mine(Incident.id), Incident.state != IncidentState.DESTROYED)
            .order_by(col(Incident.id))
        )
        return list(self.session.exec(statement).all())

    def readable(self) -> list[str]:
        """The live incidents whose key is at hand."""
        return [each for each in self.live() if self.house.store.keyring.has(each)]


@dataclass(frozen=True)
class Survey:
    """One look at the store, and the invariants that it tells about.

    `fleeting`: what it finds may be true of a moment, while a worker begins or a clock was just set; only what is still
    so some seconds later is a fault.
    """

    look: Callable[[View, Findings], None]
    tells: tuple[Invariant, ...]
    fleeting: bool = False


@dataclass(frozen=True)
class Sign:
    """A condition that a row must not meet, and what to say of the row that does."""

    invariant: Invariant
    what: str
    broken: sa.ColumnElement[bool]


def scan(
    view: View,
    findings: Findings,
    name: str,
    key: Sequence[sa.ColumnElement[Any]],
    origin: sa.FromClause,
    signs: Sequence[Sign],
    *where: sa.ColumnElement[bool],
) -> None:
    """Name every row of `origin` that shows one of the signs; healthy rows never leave the database."""
    flags = [sa.case((sign.broken, 1), else_=0) for sign in signs]
    statement = (
        sa.select(*key, *flags).select_from(origin).where(*where, sa.or_(*(sign.broken for sign in signs)))
    )
    for row in view.rows(statement):
        place = f"{name} {'/'.join(str(part) for part in row[: len(key)])}"
        for sign, shown in zip(signs, row[len(key) :], strict=True):
            if shown:
                findings.broken(sign.invariant, place, sign.what)


def one_if(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """How many rows of a group meet a condition."""
    return sa.func.sum(sa.case((condition, 1), else_=0))


def table_of(model: Any) -> sa.Table:
    """The table of a model, whose columns are conditions' words."""
    table: sa.Table = model.__table__
    return table


def moment_of(text: str | None) -> datetime | None:
    """A stored time that was read as text, so that words in its place are a finding and no crash. Raises ValueError."""
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)
