"""Rows of a Parquet file, read a piece at a time: as text, as the other formats hold them.

Needs the extra `bigdata` (PyArrow). Parquet is read from its end, so it comes from a file and never from a pipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO

from incident.errors import BadInput

if TYPE_CHECKING:
    from pyarrow import Array, DataType
    from pyarrow.parquet import ParquetFile

NumberedRow = tuple[int, list[str]]
_ROWS_AT_A_TIME = 4096
_EXTRA = "pip install 'tocsin[bigdata]'"


def read_parquet(source: BinaryIO, *, name: str) -> tuple[tuple[str, ...], Iterator[NumberedRow]]:
    """The header and the rows of a file, numbered from 1; rows without any text are left out.

    Raises `BadInput` without the extra, and for what is no Parquet file, is broken, or has a column that holds no text,
    number, day or list of texts; what is broken may show only while the rows are read.
    """
    parquet = _opened(source, name)
    schema = parquet.schema_arrow
    if not any(each.strip() for each in schema.names):
        raise BadInput("the file has no columns", where=name, next_step="give a file with one person a row")
    twice = sorted({each for each in schema.names if schema.names.count(each) > 1})
    if twice:
        raise BadInput(
            f"several columns are called {', '.join(twice)}",
            where=name,
            next_step="write the file anew with a name of its own for each column",
        )
    ways = [_way_to_text(field.type, column=field.name, where=name) for field in schema]
    return tuple(schema.names), _rows(parquet, ways, name)


def _opened(source: BinaryIO, name: str) -> ParquetFile:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise BadInput(
            "Parquet needs the extra `bigdata`, which is not installed", where=name, next_step=_EXTRA
        ) from None
    try:
        # Read in order and without threads: what is held is one piece of each column.
        return ParquetFile(source, pre_buffer=False)
    except (ArrowException, OSError) as error:
        raise _broken(name) from error


def _rows(parquet: ParquetFile, ways: list[Callable[[Any], str]], name: str) -> Iterator[NumberedRow]:
    from pyarrow import ArrowException

    number = 0
    try:
        for batch in parquet.iter_batches(batch_size=_ROWS_AT_A_TIME, use_threads=False):
            for cells in zip(*map(_values, batch.columns), strict=True):
                number += 1
                row = ["" if cell is None else way(cell) for cell, way in zip(cells, ways, strict=True)]
                if "\0" in "".join(row):
                    raise BadInput(
                        "a text holds the character zero",
                        where=f"{name}, row {number}",
                        next_step="remove it where the file is made",
                    )
                if "".join(row).strip():
                    yield number, row
    except (ArrowException, OSError, ValueError, OverflowError) as error:
        raise _broken(name, after=number) from error


def _values(column: Array) -> list[Any]:
    import pyarrow

    if pyarrow.types.is_timestamp(column.type):
        # Nanoseconds are more than Python's own times hold.
        column = column.cast(pyarrow.timestamp("us", tz=column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _broken(name: str, *, after: int = 0) -> BadInput:
    return BadInput(
        "the file is no Parquet file, or it is damaged or cut off",
        where=f"{name}, after row {after:,}" if after else name,
        next_step="write or copy it anew",
    )


def _way_to_text(kind: DataType, *, column: str, where: str) -> Callable[[Any], str]:
    """How values of a column become text. Raises `BadInput` for a column of another kind."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return _way_to_text(kind.value_type, column=column, where=where)
    if types.is_list(kind) or types.is_large_list(kind):
        inner = _way_to_text(kind.value_type, column=column, where=where)
        return lambda cells: ";".join(inner(each) for each in cells if each is not None)
    for fits, way in (
        (_is_text, str),
        (types.is_boolean, _truth),
        (types.is_integer, str),
        (types.is_floating, _number),
        (types.is_decimal, _decimal),
        (types.is_date, date.isoformat),
        (types.is_timestamp, _moment),
        (types.is_null, str),
    ):
        if fits(kind):
            return way
    raise BadInput(
        f"the column {column!r} holds {kind}, which is no text, number or day",
        where=where,
        next_step="write it as text, or leave the column out",
    )


def _is_text(kind: DataType) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _truth(cell: bool) -> str:
    return "true" if cell else "false"


def _number(cell: float) -> str:
    """A column of whole numbers in which one was missing is often kept as one of fractions: 13800000000.0."""
    return str(int(cell)) if cell.is_integer() else "" if cell != cell else str(cell)


def _decimal(cell: Decimal) -> str:
    whole = cell.to_integral_value()
    return str(int(whole)) if cell == whole else format(cell.normalize(), "f")


def _moment(cell: datetime) -> str:
    """A day where it says no time, as a birth date kept as a moment does."""
    return cell.date().isoformat() if cell.timetz().isoformat() == "00:00:00" else cell.isoformat()
