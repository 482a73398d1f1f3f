"""Statements for SQLite are compiled once a run of the tests, not once a store.

SQLAlchemy keeps what it compiled with the engine, and every test has a store with an engine of its own: the first
check of one compiles hundreds of statements, which takes as long as the check itself. In these tests all engines are
made alike, so what one compiled serves the next, as it does in a process that lives for long.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

# The suite has fewer; an engine by itself keeps 500.
_STATEMENTS = 4000


def compile_statements_once() -> None:
    """From now on, in this process."""
    from incident.store import database as real

    database: Any = real
    compiled: LRUCache[Any, Any] = LRUCache(_STATEMENTS)
    create = database.create_engine

    def create_engine(*given: Any, **named: Any) -> Engine:
        engine: Engine = create(*given, **named)
        engine._compiled_cache = compiled
        return engine

    database.create_engine = create_engine
    # A statement is found by its dialect too, of which every engine has its own.
    dialect: Any = SQLiteDialect_pysqlite
    dialect.__eq__ = lambda one, other: type(one) is type(other)
    dialect.__hash__ = lambda one: hash(type(one))
