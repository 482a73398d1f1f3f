"""Statements are compiled once a run of the tests, not once a store.

SQLAlchemy keeps what it compiled with the engine, and every test has a store with an engine of its own: the first
check of one compiles hundreds of statements, which takes as long as the check itself. In these tests all engines are
made alike, so what one compiled serves the next of its kind, as it does in a process that lives for long.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

# The suite has fewer; an engine by itself keeps 500.
_STATEMENTS = 4000


def compile_statements_once() -> None:
    """From now on, in this process."""
    from incident.store import database, postgres

    # A statement is found by its dialect too, of which every engine has its own.
    for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        _make_equal(dialect)
    compiled: LRUCache[Any, Any] = LRUCache(_STATEMENTS)
    for module in (database, postgres):
        _share(module, compiled)


def _make_equal(dialect: Any) -> None:
    dialect.__eq__ = lambda one, other: type(one) is type(other)
    dialect.__hash__ = lambda one: hash(type(one))


def _share(module: Any, compiled: LRUCache[Any, Any]) -> None:
    create = module.create_engine

    def create_engine(*given: Any, **named: Any) -> Engine:
        engine: Any = create(*given, **named)
        engine._compiled_cache = compiled
        made: Engine = engine
        return made

    module.create_engine = create_engine
