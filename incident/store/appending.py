"""The statements that append to a chain: made ready once, as they stand in every change."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from incident.store.columns import UtcDateTime
from incident.store.journal import Entry, Head
from incident.store.prepared import Prepared

_head = sa.table("journal_head", sa.column("chain"), sa.column("seq"), sa.column("hash"))
_entry = sa.table(
    "journal_entry",
    *(
        sa.column(name)
        for name in ("chain", "seq", "kind", "actor", "suite", "body_hash", "previous", "hash")
    ),
    sa.column("at", UtcDateTime),
)
_body = sa.table("journal_body", sa.column("chain"), sa.column("seq"), sa.column("sealed", sa.LargeBinary))

_READ = Prepared(
    sa.select(_head.c.seq, _head.c.hash).where(_head.c.chain == sa.bindparam("of")).with_for_update()
)
_BEGIN, _APPEND, _SEAL = Prepared(sa.insert(_head)), Prepared(sa.insert(_entry)), Prepared(sa.insert(_body))
_MOVE = Prepared(
    sa.update(_head)
    .where(_head.c.chain == sa.bindparam("of"))
    .values(seq=sa.bindparam("now_seq"), hash=sa.bindparam("now_hash"))
)


def read_head(connection: Connection, chain: str) -> Head | None:
    """A chain's head as it is now, held until this transaction ends; None for a chain without an entry."""
    row = _READ.run(connection, {"of": chain}).fetchone()
    return Head(chain, *row) if row is not None else None


def append(connection: Connection, entry: Entry, sealed: bytes) -> None:
    """Add an entry with its sealed body, and move the head to it. A taken number is an `IntegrityError`."""
    _APPEND.run(connection, vars(entry))
    _SEAL.run(connection, {"chain": entry.chain, "seq": entry.seq, "sealed": sealed})
    if entry.seq == 1:
        _BEGIN.run(connection, {"chain": entry.chain, "seq": entry.seq, "hash": entry.hash})
    else:
        _MOVE.run(connection, {"of": entry.chain, "now_seq": entry.seq, "now_hash": entry.hash})
