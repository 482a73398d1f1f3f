"""Writing the rows of a table by the hundred thousand: in PostgreSQL by COPY, in SQLite by `executemany`.

Values are brought into the database's form by the column types, as everywhere else; only the building of a statement
for each piece is left out, which takes most of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, ProgrammingError

from incident.errors import StoreUnavailable, TocsinError
from incident.store.database import is_postgres

Row = tuple[Any, ...]
_MostlyNothing = Callable[[Any], Any] | None


def write_rows(target: Connection, table: Table, pieces: Iterable[Sequence[Row]], *, where: str) -> None:
    """Add rows, all columns in the table's order, within the target's transaction.

    Raises `StoreUnavailable` naming the table for a value that it cannot hold.
    """
    processors = [
        column.type.dialect_impl(target.dialect).bind_processor(target.dialect) for column in table.columns
    ]
    bound = (_bound(rows, processors) for rows in pieces)
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    if is_postgres(target):
        _copy_in(target, f'COPY "{table.name}" ({names}) FROM STDIN', bound, table=table.name, where=where)
        return
    marks = ", ".join("?" for _ in processors)
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608 - names of our tables
    for rows in bound:
        try:
            target.exec_driver_sql(statement, rows)
        except (DataError, IntegrityError, InterfaceError, ProgrammingError):
            raise _does_not_fit(table.name, where) from None


def _bound(rows: Sequence[Row], processors: Sequence[_MostlyNothing]) -> list[Row]:
    used = [(place, processor) for place, processor in enumerate(processors) if processor is not None]
    if not used:
        return list(rows)
    found = []
    for row in rows:
        values = list(row)
        for place, processor in used:
            values[place] = processor(values[place])
        found.append(tuple(values))
    return found


def _copy_in(
    target: Connection, statement: str, pieces: Iterator[list[Row]], *, table: str, where: str
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
