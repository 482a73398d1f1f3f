"""Random damage to one cell of the ledger is found, or the cell stands below with the reason why it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from incident.delivery.ledger import LONGEST_PAUSE
from incident.delivery.sms_parts import FAILED
from incident.delivery.states import EMAIL, SMS, CampaignState
from incident.ops.check import check_moment
from incident.ops.checks.base import table_of
from incident.store.columns import UtcDateTime
from incident.store.moment import Moment
from incident.store.tables import Attempt, Batch, Campaign, Delivery, MessagePart, Receipt
from tests.support.lived_in import LivedIn, broken, lived_in, must_hold
from tests.support.readers import Readers, readers_in
from tests.support.workspaces import START

LEDGER = {
    table.name: table for table in map(table_of, (Campaign, Batch, Delivery, Attempt, MessagePart, Receipt))
}
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One value of one row. `goes_on`: its campaign has not ended, so no root of the ledger is journalled yet."""

    table: str
    column: str
    row: Row
    goes_on: bool

    @property
    def value(self) -> Any:
        return self.row[self.column]


@dataclass(frozen=True)
class Excuse:
    """Damage that the rows do not show: `when` says of which cells and new values that is so."""

    table: str
    column: str
    why: str
    when: Callable[[Cell, Any], bool]


def _sooner(cell: Cell, new: Any) -> bool:
    slack = LONGEST_PAUSE + timedelta(hours=2)
    return cell.row["attempts"] > 0 and (new is None or new <= START + slack)


def _of_one_kind(cell: Cell, new: int | None) -> bool:
    """By e-mail the first digit tells what kind of answer it is, by SMS only that it is no yes."""
    if new is None or cell.value is None:
        return False
    return bool(new // 100 == cell.value // 100 or (cell.row["channel"] == SMS and cell.value != 0 != new))


def _of_the_centre(cell: Cell, new: str | None) -> bool:
    """Whether the centre gave the part an id, of which only the receipts know which it is."""
    return cell.value != "" or new == ""


EXCUSES = [
    Excuse(
        "attempt",
        "job_attempt",
        "which attempt of its job made a try is only shown",
        lambda cell, new: new > 0,
    ),
    Excuse(
        "attempt",
        "intent_at",
        "clocks are set back and forth, so no time is compared with another clock's; it gives a message its Date",
        lambda cell, new: new is not None,
    ),
    Excuse(
        "attempt",
        "outcome_at",
        "when a try ended that did not settle it is compared with nothing until the campaign ends; that it ended is",
        lambda cell, new: cell.goes_on and new is not None,
    ),
    Excuse(
        "attempt",
        "stage",
        "until the campaign ends a try may have ended at another stage that leads to the same",
        lambda cell, new: (
            cell.goes_on and cell.row["result"] in ("temporary", "permanent", "not_sent") and new is not None
        ),
    ),
    Excuse(
        "attempt",
        "code",
        "until the campaign ends the code may be another of the same kind",
        lambda cell, new: cell.goes_on and _of_one_kind(cell, new),
    ),
    Excuse(
        "attempt",
        "enhanced",
        "what the relay added is shown to people; only whether a refusal was a policy's follows from it",
        lambda cell, new: not str(new).startswith("5.7.") or cell.row["result"] != "permanent",
    ),
    Excuse("attempt", "peer", "which relay it was is only shown", lambda cell, new: new is not None),
    Excuse("attempt", "tls", "how the relay was spoken to is only shown", lambda cell, new: new is not None),
    Excuse(
        "batch",
        "never_tried",
        "sendings from before there were waves did not count it; only what stops a wave looks at it",
        lambda cell, new: new == 0,
    ),
    Excuse(
        "delivery",
        "channel",
        "over which means of ours somebody is tried first is the plan's of that moment; the other one comes after it",
        lambda cell, new: cell.goes_on and cell.row["attempts"] == 0 and new in (EMAIL, SMS),
    ),
    Excuse(
        "delivery",
        "settled_at",
        "when something came back about it is compared with nothing until the campaign ends",
        lambda cell, new: cell.goes_on and cell.row["rank"] != 0 and new is not None,
    ),
    *(
        Excuse(
            "receipt",
            column,
            "until the campaign ends what came back is only shown; what it proves is compared",
            lambda cell, new: cell.goes_on,
        )
        for column in ("kind", "status", "raw_sha256", "taken_at", "verified_by")
    ),
    Excuse(
        "message_part",
        "state",
        "of a part alone nothing follows; that it failed is found, but where another part of its message had failed",
        lambda cell, new: cell.value not in FAILED,
    ),
    Excuse(
        "message_part",
        "ask_at",
        "asking sooner or not at all harms nobody: whoever is in doubt goes on by the rule",
        lambda cell, new: True,
    ),
    Excuse(
        "message_part",
        "ref",
        "which id the centre gave is only asked by receipts, and some centres give none",
        _of_the_centre,
    ),
    Excuse(
        "delivery",
        "next_at",
        "a try that comes sooner, or within the longest pause there is, harms nobody",
        _sooner,
    ),
]


def excused(cell: Cell, new: Any) -> bool:
    return any(
        (each.table, each.column) == (cell.table, cell.column) and each.when(cell, new) for each in EXCUSES
    )


# -- damaging ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> LivedIn:
    return lived_in(tmp_path_factory.mktemp("lived-in"))


@pytest.fixture(scope="module")
def readers(lived: LivedIn) -> Readers:
    must_hold(lived.house)
    return readers_in(lived.house)


@pytest.fixture(scope="module")
def cells(lived: LivedIn) -> list[Cell]:
    """Every cell of the ledger, those of one column after the other."""
    found = []
    with lived.house.store.read() as session:
        going_on = set(
            session.exec(select(Campaign.incident_id).where(Campaign.state != CampaignState.ENDED)).all()
        )
        assert lived.sending.id in going_on
        for name, table in LEDGER.items():
            rows = (
                session.connection().execute(sa.select(table).order_by(*table.primary_key.columns)).mappings()
            )
            for row in rows.all():
                goes_on = row["incident_id"] in going_on
                found += [Cell(name, column.name, dict(row), goes_on) for column in table.columns]
    return sorted(found, key=lambda cell: (cell.table, cell.column))


def other_values(cell: Cell, cells: list[Cell]) -> list[Any]:
    """Values that could stand there instead: of other rows, near ones, none, and nonsense."""
    column = LEDGER[cell.table].c[cell.column]
    same = [each.value for each in cells if (each.table, each.column) == (cell.table, cell.column)]
    wanted: list[Any] = [*same, None] if column.nullable else same
    kind: Any = datetime if isinstance(column.type, UtcDateTime) else column.type.python_type
    if kind is datetime:
        base = cell.value or START
        wanted += [base + timedelta(**by) for by in ({"microseconds": 1}, {"hours": -1}, {"days": 365})]
    elif kind is bool:
        wanted += [not cell.value]
    elif kind is int:
        wanted += [(cell.value or 0) + by for by in (-1, 1, 50)]
    elif kind is bytes:
        wanted += [b"", b"\0" * 16, cell.value[:-1] + bytes([cell.value[-1] ^ 1]) if cell.value else b"T1"]
    else:
        wanted += ["nonsense", ""]
    return [new for new in dict.fromkeys(wanted) if new != cell.value]


def found_after(lived: LivedIn, readers: Readers, cell: Cell, new: Any) -> dict[str, list[str]] | None:
    """What the check finds when this value stands in that cell; None when the database itself refuses it."""
    table = LEDGER[cell.table]
    mine = [column == cell.row[column.name] for column in table.primary_key.columns]
    with Session(lived.house.store.engine) as session:
        try:
            changed = session.connection().execute(table.update().where(*mine).values({cell.column: new}))
        except IntegrityError:
            return None
        assert changed.rowcount == 1
        moment = Moment(lived.house.store, session)
        found = broken(check_moment(lived.house, moment, surveys=readers.of([cell.table])))
        session.rollback()
    return found


@settings(max_examples=60)
@given(data=st.data())
def test_random_damage_to_one_cell_is_found(
    lived: LivedIn, readers: Readers, cells: list[Cell], data: st.DataObject
) -> None:
    column = data.draw(st.sampled_from(sorted({(cell.table, cell.column) for cell in cells})))
    cell = data.draw(st.sampled_from([each for each in cells if (each.table, each.column) == column]))
    new = data.draw(st.sampled_from(other_values(cell, cells)))
    found = found_after(lived, readers, cell, new)
    assume(found is not None)
    assert found or excused(cell, new)


@pytest.mark.parametrize("excuse", EXCUSES, ids=lambda excuse: f"{excuse.table}.{excuse.column}")
def test_what_is_excused_is_really_not_found(
    lived: LivedIn, readers: Readers, cells: list[Cell], excuse: Excuse
) -> None:
    """An excuse that is needed no more is taken out here."""
    mine = [cell for cell in cells if (cell.table, cell.column) == (excuse.table, excuse.column)]
    assert any(
        excuse.when(cell, new) and found_after(lived, readers, cell, new) == {}
        for cell in mine
        for new in other_values(cell, cells)
    )


def test_every_cell_of_the_ledger_can_be_damaged(cells: list[Cell]) -> None:
    columns = {(name, column.name) for name, table in LEDGER.items() for column in table.columns}
    assert {(cell.table, cell.column) for cell in cells if other_values(cell, cells)} == columns
    assert {cell.goes_on for cell in cells} == {True, False}
