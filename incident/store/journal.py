"""The journal's arithmetic: chains of entries whose bodies can be destroyed without breaking the chain.

One chain an incident and one for the workspace, which anchors their heads. An entry chains the SHA-256 of its
*salted* body; body and salt lie beside it, sealed, and may be destroyed: without the salt the hash says nothing
of the body. Pure: no database, no clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from incident.store.canonical import canonical
from incident.store.sealing import SUITE

WORKSPACE_CHAIN = "workspace"
NO_ENTRY = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One entry of a chain, as stored. `at` is the time of recording, in UTC."""

    chain: str
    seq: int
    at: datetime
    kind: str
    actor: str
    suite: str
    body_hash: str
    previous: str
    hash: str


@dataclass(frozen=True)
class Head:
    """The last entry of a chain: what is held outside (or signed) to find any change at or below it."""

    chain: str
    seq: int
    hash: str


class Fault(StrEnum):
    """What `check_chain` can find."""

    CHANGED = "changed"
    MISSING = "missing"
    OUT_OF_ORDER = "out of order"
    BODY_CHANGED = "body changed"
    HEAD_DIFFERS = "head differs"
    TRUNCATED = "truncated"


@dataclass(frozen=True)
class Finding:
    """One fault, with the place in its chain."""

    chain: str
    seq: int
    fault: Fault
    detail: str


def body_hash(salt: bytes, body: Mapping[str, Any]) -> str:
    """The hash that an entry chains: SHA-256 over the salt and the canonical JSON (RFC 8785) of the body."""
    return hashlib.sha256(salt + canonical(dict(body))).hexdigest()


def entry_hash(
    *, chain: str, seq: int, at: datetime, kind: str, actor: str, suite: str, body_hash: str, previous: str
) -> str:
    """The hash of an entry, over all of its fields and the previous entry's hash."""
    fields: dict[str, str | int] = {
        "actor": actor,
        "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "body_hash": body_hash,
        "chain": chain,
        "kind": kind,
        "previous": previous,
        "seq": seq,
        "suite": suite,
    }
    return hashlib.sha256(canonical(fields)).hexdigest()


def next_entry(
    head: Head | None, *, chain: str, at: datetime, kind: str, actor: str, body_hash: str
) -> Entry:
    """The entry that follows a head (or begins a chain, with number 1)."""
    seq = head.seq + 1 if head else 1
    previous = head.hash if head else NO_ENTRY
    digest = entry_hash(
        chain=chain,
        seq=seq,
        at=at,
        kind=kind,
        actor=actor,
        suite=SUITE,
        body_hash=body_hash,
        previous=previous,
    )
    return Entry(
        chain=chain,
        seq=seq,
        at=at.astimezone(UTC),
        kind=kind,
        actor=actor,
        suite=SUITE,
        body_hash=body_hash,
        previous=previous,
        hash=digest,
    )


def check_chain(entries: Iterable[Entry], *, chain: str, outside: Sequence[Head] = ()) -> list[Finding]:
    """Every fault of one chain, its entries given in order of their number.

    `outside` are heads held elsewhere: each must still be found as it was, with nothing missing at or below it.
    """
    findings: list[Finding] = []
    hashes: dict[int, str] = {}
    previous, expected = NO_ENTRY, 1
    for entry in entries:
        if entry.chain != chain:
            findings.append(Finding(chain, entry.seq, Fault.CHANGED, f"belongs to the chain {entry.chain}"))
        if entry.seq != expected:
            findings.append(Finding(chain, expected, Fault.MISSING, f"entry {expected} is not there"))
        if entry.previous != previous:
            findings.append(
                Finding(chain, entry.seq, Fault.OUT_OF_ORDER, "does not follow the entry before it")
            )
        if entry.hash != _hash_again(entry):
            findings.append(Finding(chain, entry.seq, Fault.CHANGED, "its fields do not give its hash"))
        hashes[entry.seq] = entry.hash
        previous, expected = entry.hash, entry.seq + 1
    findings += [fault for head in outside if head.chain == chain for fault in _against(head, hashes)]
    return findings


def _hash_again(entry: Entry) -> str:
    return entry_hash(
        chain=entry.chain,
        seq=entry.seq,
        at=entry.at,
        kind=entry.kind,
        actor=entry.actor,
        suite=entry.suite,
        body_hash=entry.body_hash,
        previous=entry.previous,
    )


def _against(head: Head, hashes: Mapping[int, str]) -> list[Finding]:
    found = hashes.get(head.seq)
    if found is None:
        detail = f"entry {head.seq}, which the head held outside names, is not there"
        return [Finding(head.chain, head.seq, Fault.TRUNCATED, detail)]
    if found != head.hash:
        return [
            Finding(
                head.chain, head.seq, Fault.HEAD_DIFFERS, "not the entry that the head held outside names"
            )
        ]
    return []
