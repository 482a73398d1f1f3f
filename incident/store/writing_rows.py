"""Writing the rows of a table by the hundred thousand: in PostgreSQL by COPY, in SQLite by `executemany`.

`write_rows` fills whole tables, `insert_rows` adds rows of some columns. Values are brought into the database's form by
the column types, as everywhere else; only the building of a statement for each piece is left out, which takes most of
the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import Boolean, Connection, LargeBinary, Table, insert
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, ProgrammingError

from incident.errors import StoreUnavailable, TocsinError
from incident.store.database import is_postgres, often_on_sqlite

Row = tuple[Any, ...]
NOTHING_ALIKE: Mapping[str, int] = MappingProxyType({})
_MostlyNothing = Callable[[Any], Any] | None
# SQLite's driver takes these as they are; SQLAlchemy would pass each value through a function.
_NEED_NOTHING = (Boolean, LargeBinary)


def write_rows(target: Connection, table: Table, pieces: Iterable[Sequence[Row]], *, where: str) -> None:
    """Add rows, all columns in the table's order, within the target's transaction.

    Raises `StoreUnavailable` naming the table for a value that it cannot hold.
    """
    processors = [
        column.type.dialect_impl(target.dialect).bind_processor(target.dialect) for column in table.columns
    ]
    bound = (_bound(rows, processors) for rows in pieces)
    names = tuple(column.name for column in table.columns)
    if is_postgres(target):
        columns = ", ".join(f'"{name}"' for name in names)
        _copy_in(target, f'COPY "{table.name}" ({columns}) FROM STDIN', bound, table=table.name, where=where)
        return
    statement = _insertion(table, names)
    for rows in bound:
        try:
            target.exec_driver_sql(statement, rows)
        except (DataError, IntegrityError, InterfaceError, ProgrammingError):
            raise _does_not_fit(table.name, where) from None


def insert_rows(
    target: Connection,
    table: Table,
    names: tuple[str, ...],
    rows: Sequence[Row],
    *,
    alike: Mapping[str, int] = NOTHING_ALIKE,
) -> None:
    """Add at least one row of the columns `names`. A broken constraint is an `IntegrityError`.

    `alike` are further columns with the number, or the truth, that all of the rows have there: giving each value to
    SQLite takes a tenth of the time of a row, so these stand in the statement.
    """
    if is_postgres(target) or _has_other_defaults(table, (*names, *alike)):
        target.execute(insert(table), [{**dict(zip(names, row, strict=True)), **alike} for row in rows])
        return
    processors = [
        None
        if isinstance(table.columns[name].type, _NEED_NOTHING)
        else table.columns[name].type.dialect_impl(target.dialect).bind_processor(target.dialect)
        for name in names
    ]
    often_on_sqlite(target, _insertion(table, names, tuple(alike.items())), _bound(rows, processors))


@cache
def _has_other_defaults(table: Table, names: tuple[str, ...]) -> bool:
    return any(column.default is not None and column.name not in names for column in table.columns)


@lru_cache(maxsize=256)
def _insertion(table: Table, names: tuple[str, ...], alike: tuple[tuple[str, int], ...] = ()) -> str:
    columns = ", ".join(f'"{name}"' for name in (*names, *(name for name, _ in alike)))
    values = ", ".join((*("?" for _ in names), *(str(int(value)) for _, value in alike)))
    return f'INSERT INTO "{table.name}" ({columns}) VALUES ({values})'  # noqa: S608 - names of our tables, numbers


def _bound(rows: Sequence[Row], processors: Sequence[_MostlyNothing]) -> Sequence[Row]:
    used = [(place, processor) for place, processor in enumerate(processors) if processor is not None]
    if not used:
        return rows
    found = []
    for row in rows:
        values = list(row)
        for place, processor in used:
            values[place] = processor(values[place])
        found.append(tuple(values))
    return found


def _copy_in(
    target: Connection, statement: str, pieces: Iterator[Sequence[Row]], *, table: str, where: str
) -> None:
    import psycopg

    from incident.store.postgres import our_error

    driver: Any = target.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for rows in pieces:
                for row in rows:
                    copy.write_row(row)
    except psycopg.Error as error:
        ours: TocsinError | None = our_error(error, where)
        raise (ours or _does_not_fit(table, where)) from None


def _does_not_fit(table: str, where: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"a row of the table {table} holds a value that cannot be kept there",
        where=where,
        next_step="nothing was changed; please report this",
    )
