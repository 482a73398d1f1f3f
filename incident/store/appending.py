"""The statements that append to a chain: built once, and not by the mapped classes, as they stand in every change."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from incident.store.columns import UtcDateTime
from incident.store.journal import Entry, Head

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

_READ = sa.select(_head.c.seq, _head.c.hash).where(_head.c.chain == sa.bindparam("of")).with_for_update()
_BEGIN, _APPEND, _SEAL = sa.insert(_head), sa.insert(_entry), sa.insert(_body)
_MOVE = (
    sa.update(_head)
    .where(_head.c.chain == sa.bindparam("of"))
    .values(seq=sa.bindparam("now_seq"), hash=sa.bindparam("now_hash"))
)


def read_head(connection: Connection, chain: str) -> Head | None:
    """A chain's head as it is now, held until this transaction ends; None for a chain without an entry."""
    row = connection.execute(_READ, {"of": chain}).first()
    return Head(chain, row.seq, row.hash) if row is not None else None


def append(connection: Connection, entry: Entry, sealed: bytes) -> None:
    """Add an entry with its sealed body, and move the head to it. A taken number is an `IntegrityError`."""
    connection.execute(_APPEND, vars(entry))
    connection.execute(_SEAL, {"chain": entry.chain, "seq": entry.seq, "sealed": sealed})
    if entry.seq == 1:
        connection.execute(_BEGIN, {"chain": entry.chain, "seq": entry.seq, "hash": entry.hash})
    else:
        connection.execute(_MOVE, {"of": entry.chain, "now_seq": entry.seq, "now_hash": entry.hash})
