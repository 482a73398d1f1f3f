"""Statements that stand in nearly every change, made ready once.

SQLAlchemy prepares each execution anew, which takes several times as long as SQLite takes to carry it out. There the text
goes to the driver as it is; PostgreSQL, where most of the time is spent on the way, is spoken to as everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection, Executable, SelectBase, bindparam, inspect, select, update
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.orm import Mapped
from sqlalchemy.sql import ClauseElement, ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine
from sqlmodel import SQLModel

from incident.store.columns import UtcDateTime
from incident.store.database import is_postgres, often_on_sqlite, on_sqlite

R = TypeVar("R", bound=SQLModel)
_Convert = Callable[[Any], Any]
_NOTHING: Mapping[str, Any] = {}


class Rows(Protocol):
    """What a statement gave: rows as tuples, and how many it changed."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> Any: ...


@dataclass(frozen=True)
class _ForSqlite:
    """`constants`: the values that stand in the statement itself. `converted`: how those values are written that the
    driver does not take as they are."""

    text: str
    constants: Mapping[str, Any]
    converted: Mapping[str, _Convert]

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return self.rows([given], {})[0]

    def rows(self, given: Sequence[Mapping[str, Any]], same: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The values of each row, with those that are the `same` for all: these are converted once."""
        shared = self._written({**self.constants, **same}, self.converted)
        of_rows = {name: convert for name, convert in self.converted.items() if name not in shared}
        return [self._written({**shared, **row}, of_rows) for row in given]

    @staticmethod
    def _written(values: dict[str, Any], converted: Mapping[str, _Convert]) -> dict[str, Any]:
        for name, convert in converted.items():
            if name in values:
                values[name] = convert(values[name])
        return values


class Prepared:
    """A Core statement; each value that changes from one execution to the next is a `bindparam` with a name."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Rows:
        """Carry it out with a value for each name. Raises SQLAlchemy's errors, as its own way would."""
        if is_postgres(connection):
            return connection.execute(self._statement, dict(values))
        return on_sqlite(connection, self._for_sqlite.text, self._for_sqlite.values(values))

    def run_each(
        self, connection: Connection, rows: Sequence[Mapping[str, Any]], same: Mapping[str, Any] = _NOTHING
    ) -> int:
        """Carry it out once for each of at least one row of values, with those that are the `same` for all rows; how many
        rows of the table that changed."""
        if is_postgres(connection):
            return connection.execute(self._statement, [{**same, **row} for row in rows]).rowcount
        statement = self._for_sqlite
        return often_on_sqlite(connection, statement.text, statement.rows(rows, same))

    @cached_property
    def _for_sqlite(self) -> _ForSqlite:
        dialect = SQLiteDialect_pysqlite(paramstyle="named")
        assert isinstance(self._statement, ClauseElement)  # noqa: S101 - every Core statement is one
        compiled = self._statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - as above
        converted = {
            name: _remembering(bound.type, processor)
            for name, bound in compiled.binds.items()
            if (processor := bound.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        constants = {name: bound.value for name, bound in compiled.binds.items() if not bound.required}
        return _ForSqlite(str(compiled), constants, converted)


def _remembering(kind: TypeEngine[Any], convert: _Convert) -> _Convert:
    """A time is mostly the same for all rows of a change, and writing one takes as long as the rest of its row."""
    return lru_cache(maxsize=64)(convert) if isinstance(kind, UtcDateTime) else convert


class PreparedQuery:
    """A query for some columns: rows as tuples, converted as SQLAlchemy would."""

    def __init__(self, query: Executable) -> None:
        self._query = query
        self._ready = Prepared(query)

    def all(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Every row that the query finds."""
        rows = self._ready.run(connection, values).fetchall()
        if is_postgres(connection):
            return [tuple(row) for row in rows]
        return [
            tuple(
                value if convert is None else convert(value)
                for convert, value in zip(self._read_from_sqlite, row, strict=True)
            )
            for row in rows
        ]

    @cached_property
    def _read_from_sqlite(self) -> tuple[_Convert | None, ...]:
        assert isinstance(self._query, SelectBase)  # noqa: S101 - every query for columns is one
        return _readers(self._query.selected_columns)


class PreparedLookup:
    """Some columns of the rows whose key column holds one of many values."""

    def __init__(self, table: type[SQLModel], *, key: str, columns: Sequence[str]) -> None:
        found = inspect(table).local_table
        self._key = found.columns[key]
        self._query = select(*(found.columns[name] for name in columns))
        names = ", ".join(f'"{name}"' for name in columns)
        self._for_sqlite = f'SELECT {names} FROM "{found.name}" WHERE "{key}" IN '  # noqa: S608 - names of our tables

    def all(self, connection: Connection, keys: Sequence[Any]) -> Sequence[tuple[Any, ...]]:
        """The rows of these keys, at most some thousand; in SQLite keys and columns are what its driver gives and takes."""
        if is_postgres(connection):
            return [tuple(row) for row in connection.execute(self._query.where(self._key.in_(keys)))]
        marks = ", ".join("?" for _ in keys)
        return on_sqlite(connection, f"{self._for_sqlite}({marks})", keys).fetchall()


class PreparedRows(Generic[R]):
    """A query for whole rows of one table, which belong to no session: `Change.update` writes them."""

    def __init__(
        self, table: type[R], where: ColumnElement[bool], *, order_by: Mapped[Any] | None = None
    ) -> None:
        self._table = table
        self._columns = inspect(table).local_table.columns
        self._query = Prepared(select(*self._columns).where(where).order_by(order_by))

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[R]:
        """Every row that the query finds."""
        rows = self._query.run(connection, values).fetchall()
        if is_postgres(connection):
            return [self._table(**dict(zip(self._names, row, strict=True))) for row in rows]
        return [
            self._table(
                **{
                    name: convert(value) if convert is not None else value
                    for name, convert, value in zip(self._names, self._read_from_sqlite, row, strict=True)
                }
            )
            for row in rows
        ]

    def first(self, connection: Connection, values: Mapping[str, Any]) -> R | None:
        """The first row, or None."""
        return next(iter(self.all(connection, values)), None)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self._columns)

    @cached_property
    def _read_from_sqlite(self) -> tuple[_Convert | None, ...]:
        return _readers(self._columns)


def _readers(columns: Iterable[ColumnElement[Any]]) -> tuple[_Convert | None, ...]:
    """How each column's values are read that SQLite's driver does not give as they are."""
    dialect = SQLiteDialect_pysqlite()
    return tuple(column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns)


def prepared_update(table: type[SQLModel]) -> Prepared:
    """The statement that writes all columns of the row with this primary key: values go by the columns' names."""
    mapper = inspect(table)
    keys = {column.name for column in mapper.primary_key}
    columns = mapper.local_table.columns
    # A bound value may not have the name of a column that is set.
    found = [column == bindparam(f"key_{column.name}", type_=column.type) for column in mapper.primary_key]
    values = {
        column.name: bindparam(f"new_{column.name}", type_=column.type)
        for column in columns
        if column.name not in keys
    }
    return Prepared(update(mapper.local_table).where(*found).values(values))
