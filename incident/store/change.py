"""A change under way: the rows it writes and what the journal will say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Any, Protocol

from sqlalchemy import Executable, inspect
from sqlalchemy.engine import CursorResult
from sqlmodel import Session, SQLModel, insert

from incident.errors import ConflictingWrite
from incident.store.database import allow_pauses, expect_many_rows, take_turn
from incident.store.prepared import Prepared, prepared_update
from incident.store.sealing import seal_json, unseal_json
from incident.store.writing_rows import NOTHING_ALIKE, Row, insert_rows

Content = dict[str, Any]


class SealedRow(Protocol):
    sealed: bytes


def row_name(row: SQLModel) -> str:
    """The name a row's sealed content is bound to: table and primary key."""
    keys = inspect(type(row)).primary_key
    return "/".join([str(row.__tablename__), *(str(getattr(row, column.name)) for column in keys)])


def seal_row(row: SQLModel, content: Content, *, key: bytes) -> None:
    """Seal `content` into the row's `sealed` column, bound to the row."""
    row.sealed = seal_json(key, content, bound_to=row_name(row))


def open_row(row: SQLModel, *, key: bytes) -> Content:
    """The sealed content of a row. Raises `Unreadable`."""
    content: Content = unseal_json(key, row.sealed, bound_to=row_name(row))  # type: ignore[attr-defined]
    return content


def open_sealed(table: type[SQLModel], row_id: str, sealed: bytes, *, key: bytes) -> Content:
    """As `open_row`, for a row of one key column of which only that and the sealed bytes were read."""
    content: Content = unseal_json(key, sealed, bound_to=f"{table.__tablename__}/{row_id}")
    return content


def row_image(row: SQLModel) -> dict[str, Any]:
    """The plain columns of a row as JSON values, as the journal keeps them."""
    return {name: _plain(getattr(row, name)) for name in _columns_of(type(row)) if name != "sealed"}


@cache
def _columns_of(table: type[SQLModel]) -> tuple[str, ...]:
    return tuple(sorted(inspect(table).columns.keys()))


@cache
def _insert_into(table: type[SQLModel]) -> Prepared:
    return Prepared(insert(inspect(table).local_table))


@cache
def _update_of(table: type[SQLModel]) -> Prepared:
    return prepared_update(table)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, StrEnum):
        return value.value  # a plain text, which `canonical` writes quickly
    return value


class _BulkTally:
    """What one change did in one bulk table."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.root = sha256()

    def add(self, counted: str, number: int) -> None:
        self.counts[counted] = self.counts.get(counted, 0) + number


class Change:
    """One unit of work inside `Store.write`: everything in it is committed together, or nothing is."""

    def __init__(self, session: Session, *, key: bytes, at: datetime, actor: str) -> None:
        self.session = session
        self.key = key
        self.at = at
        self.actor = actor
        self.anchored = False
        self._images: list[dict[str, Any]] = []
        self._bulk: dict[str, _BulkTally] = {}
        self._note: Content = {}

    def put(self, row: SQLModel, content: Content | None = None) -> None:
        """Insert or update a row of a journalled table; `content` goes sealed into it and into the journal."""
        self._seal(row, content)
        if row not in self.session:
            row = self.session.merge(row)
            self.session.flush()
        # One that was read in this change is written with the others, before anything looks at its table.
        self._journal(row, content)

    def add(self, row: SQLModel, content: Content) -> None:
        """As `put`, for a row with a new id, which is inserted without being looked for.

        The session does not know the object afterwards: who reads the row in the same change gets another one.
        """
        self._seal(row, content)
        values = {name: getattr(row, name) for name in _columns_of(type(row))}
        _insert_into(type(row)).run(self.session.connection(), values)
        self._journal(row, content)

    def update(self, row: SQLModel, content: Content | None = None) -> None:
        """As `put`, for a row that was read by `PreparedRows` in this change: no session knows it.

        Raises `ConflictingWrite` where it is not there any more.
        """
        self._seal(row, content)
        values = {}
        for name in _columns_of(type(row)):
            values[f"new_{name}"] = values[f"key_{name}"] = getattr(row, name)
        changed = _update_of(type(row)).run(self.session.connection(), values)
        if changed.rowcount != 1:
            raise ConflictingWrite("a row that was read is not there any more", where=row_name(row))
        self._journal(row, content)

    def _seal(self, row: SQLModel, content: Content | None) -> None:
        from incident.store.tables import ROW_TABLES  # all of them are built for it: only who writes waits

        if not isinstance(row, ROW_TABLES):
            raise TypeError(f"{row.__tablename__} is not journalled by row")
        if content is not None:
            seal_row(row, content, key=self.key)

    def _journal(self, row: SQLModel, content: Content | None) -> None:
        """Keep what the row is after it was written; a later change of the object is not in it."""
        image: dict[str, Any] = {"table": row.__tablename__, "row": row_image(row)}
        if content is not None:
            image["content"] = content
        self._images.append(image)

    def put_bulk(self, table: type[SQLModel], rows: Iterable[Mapping[str, Any]]) -> int:
        """Insert many rows of a bulk table; the journal gets their number and a root over their sealed bytes.

        The first row's columns are those of all.
        """
        listed = list(rows)
        if not listed:
            return 0
        names = tuple(listed[0])
        return self.put_bulk_rows(table, names, [tuple(map(row.__getitem__, names)) for row in listed])

    def put_bulk_rows(
        self,
        table: type[SQLModel],
        names: tuple[str, ...],
        rows: Sequence[Row],
        *,
        alike: Mapping[str, int] = NOTHING_ALIKE,
    ) -> int:
        """As `put_bulk`, for rows of the columns `names` and `alike` as `insert_rows` takes them: for millions of them."""
        from incident.store.tables import BULK_TABLES

        if table not in BULK_TABLES:
            raise TypeError(f"{table.__tablename__} is not a bulk table")
        if not rows:
            return 0
        insert_rows(self.session.connection(), inspect(table).local_table, names, rows, alike=alike)
        tally = self._tally(table)
        tally.add("inserted", len(rows))
        sealed_at = names.index("sealed") if "sealed" in names else None
        for row in rows:
            sealed = b"" if sealed_at is None else row[sealed_at]
            content = sealed or repr(sorted((*zip(names, row, strict=True), *alike.items()))).encode()
            tally.root.update(sha256(content).digest())
        return len(rows)

    def count_bulk(self, table: type[SQLModel], counted: str, number: int, *, sealed: bytes = b"") -> None:
        """Journal what else happened in a bulk table: a count under a word, and the sealed bytes it was about."""
        tally = self._tally(table)
        tally.add(counted, number)
        tally.root.update(sealed)

    def _tally(self, table: type[SQLModel]) -> _BulkTally:
        return self._bulk.setdefault(str(table.__tablename__), _BulkTally())

    def note(self, **content: Any) -> None:
        """Add to the journal entry's body (JSON values)."""
        self._note.update(content)

    def anchor(self) -> None:
        """Let the workspace's chain name this chain's new head in the same transaction."""
        self.anchored = True

    def take_turn(self, name: str) -> None:
        """Hold `name` too until this change ends, after whoever holds it: for what concerns more than one chain.

        What was read before may be out of date by now.
        """
        take_turn(self.session.connection(), name)

    def allow_pauses(self, *, seconds: float) -> None:
        """Say that this change may have to wait so long for something else, such as a slow file."""
        allow_pauses(self.session.connection(), seconds=seconds)

    def expect_many_rows(self) -> None:
        """Say that this change writes very many rows: the database then takes more memory, up to a fixed bound."""
        expect_many_rows(self.session.connection())

    def execute(self, statement: Executable, values: Any = None) -> CursorResult[Any]:
        """A Core statement inside this change: for bulk tables and jobs."""
        return self.session.connection().execute(statement, values)

    def body(self) -> Content:
        """What the journal keeps, sealed, of this change."""
        body: Content = dict(self._note)
        if self._images:
            body["rows"] = self._images
        if self._bulk:
            body["bulk"] = {
                table: {"counts": tally.counts, "root": tally.root.hexdigest()}
                for table, tally in self._bulk.items()
            }
        return body
