"""Verifying the record: the chains against heads held outside, bodies against the chain, rows against the journal.

`verify` needs keys only to look into bodies and rows. After an incident's data was destroyed its chain still
verifies; what was in it can no longer be read by anybody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlmodel import Session, SQLModel, col, select

from incident.delivery.ledger_root import ledger_root, people_root
from incident.duties.reviews import review_signature_holds
from incident.errors import BadInput, Unreadable
from incident.record.decisions import signature_holds
from incident.record.privileged import digest_of
from incident.store.change import open_row, row_image
from incident.store.journal import WORKSPACE_CHAIN, Entry, Fault, Finding, Head, check_chain
from incident.store.moment import one_moment
from incident.store.store import Recorded, Store
from incident.store.tables import (
    ROW_TABLES,
    WORKSPACE_TABLES,
    Decision,
    Incident,
    JournalEntry,
    Operator,
    PrivilegedNote,
    RegimeReview,
)

HEADS_FORMAT = "tocsin-heads/1"


class Doubt(StrEnum):
    """What can be wrong beside the chain itself."""

    ROW_CHANGED = "row changed"
    ROW_MISSING = "row missing"
    ROW_UNKNOWN = "row not in the journal"
    SIGNATURE = "signature does not hold"
    LEDGER = "ledger changed"
    PEOPLE = "the list of people changed after sending began"


@dataclass(frozen=True)
class ChainResult:
    """One chain after checking. `readable` says whether its bodies could be looked into."""

    chain: str
    entries: int
    head: str
    readable: bool
    destroyed_at: str | None


@dataclass(frozen=True)
class Verification:
    """The whole result; sound only without findings."""

    chains: tuple[ChainResult, ...]
    findings: tuple[Finding, ...]
    heads_compared: int

    @property
    def sound(self) -> bool:
        return not self.findings

    @property
    def closed(self) -> tuple[str, ...]:
        """The chains whose contents could not be looked into because a key is missing that nobody destroyed."""
        return tuple(each.chain for each in self.chains if not each.readable and each.destroyed_at is None)


def verify(
    store: Store, *, chains: Sequence[str] | None = None, outside: Sequence[Head] = ()
) -> Verification:
    """Check chains (all of them without a choice) and everything that hangs on them, as they stand at one moment."""
    with one_moment(store) as moment:
        return _verify(moment, chains=chains, outside=outside)


def _verify(store: Store, *, chains: Sequence[str] | None, outside: Sequence[Head]) -> Verification:
    anchors = anchors_of(store)
    results: list[ChainResult] = []
    findings: list[Finding] = []
    wanted = list(chains) if chains is not None else _all_chains(store, [*outside, *anchors])
    for chain in wanted:
        heads = [head for head in (*outside, *anchors) if head.chain == chain]
        try:
            result, found = _check(store, chain, heads)
        except (ValueError, TypeError) as error:
            # A value that no version of ours wrote, such as words where a time belongs.
            detail = f"a value in it cannot be read ({type(error).__name__})"
            result, found = _unread(store, chain), [Finding(chain, 0, Fault.CHANGED, detail)]
        results.append(result)
        findings += found
    findings += forged_signatures(store, wanted)
    unique = tuple(dict.fromkeys(findings))
    return Verification(tuple(results), unique, heads_compared=len(outside))


def _check(store: Store, chain: str, heads: Sequence[Head]) -> tuple[ChainResult, list[Finding]]:
    entries = store.entries(chain)
    findings = [
        *check_chain(entries, chain=chain, outside=heads),
        *_stored_head(store, chain, entries),
        *_bodies_and_rows(store, chain),
    ]
    head = entries[-1].hash if entries else "-"
    return ChainResult(
        chain, len(entries), head, _has_key(store, chain), _destroyed_at(store, chain)
    ), findings


def _unread(store: Store, chain: str) -> ChainResult:
    return ChainResult(chain, 0, "-", _has_key(store, chain), _destroyed_at(store, chain))


def _destroyed_at(store: Store, chain: str) -> str | None:
    return store.keyring.destroyed_at(chain) if chain != WORKSPACE_CHAIN else None


def heads_document(store: Store, *, at: str) -> dict[str, Any]:
    """Every chain's head as a document to be kept outside: whoever holds it finds any later change below."""
    heads = [{"chain": head.chain, "seq": head.seq, "hash": head.hash} for head in store.heads()]
    return {"format": HEADS_FORMAT, "taken_at": at, "heads": heads}


def read_heads(text: str, *, where: str) -> list[Head]:
    """Heads from a document that was kept outside. Raises `BadInput`."""
    try:
        document = json.loads(text)
        if document["format"] != HEADS_FORMAT:
            raise ValueError(document["format"])
        return [Head(str(each["chain"]), int(each["seq"]), str(each["hash"])) for each in document["heads"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            "this is no file of heads",
            where=where,
            next_step="make one with `incident verify --save-head FILE`",
        ) from error


def _all_chains(store: Store, named: Iterable[Head]) -> list[str]:
    """Every chain that a head, an entry, a row or the workspace's own anchors name: none is lost by taking it out."""
    found = {WORKSPACE_CHAIN, *store.chains(), *(head.chain for head in named)}
    with store.read() as session:
        found |= set(session.exec(select(JournalEntry.chain).distinct()).all())
        for table in ROW_TABLES:
            if table in WORKSPACE_TABLES:
                continue
            column = Incident.id if table is Incident else table.incident_id  # type: ignore[attr-defined]
            found |= set(session.exec(select(column).distinct()).all())
    return sorted(found)


def anchors_of(store: Store) -> list[Head]:
    """The heads of other chains that the workspace's chain names, in the order of recording."""
    return [
        Head(anchor["chain"], anchor["seq"], anchor["hash"])
        for recorded in store.recorded(WORKSPACE_CHAIN, skip_unreadable=True)
        if (anchor := (recorded.body or {}).get("anchor"))
    ]


def _stored_head(store: Store, chain: str, entries: Sequence[Entry]) -> list[Finding]:
    stored = next((head for head in store.heads() if head.chain == chain), None)
    last = Head(chain, entries[-1].seq, entries[-1].hash) if entries else None
    found = [head for head in (stored, last) if head is not None]
    if not found:
        return [Finding(chain, 0, Fault.HEAD_DIFFERS, "the chain has neither entries nor a head")]
    if stored == last:
        return []
    return [Finding(chain, found[0].seq, Fault.HEAD_DIFFERS, "the stored head is not the last entry")]


@dataclass
class _Journalled:
    """What the readable bodies of a chain say of the rows: the last image of each, and the last roots."""

    images: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    people_root: str | None = None

    def take(self, body: dict[str, Any]) -> None:
        self.roots.update(body.get("ledger_roots", {}))
        if (campaign := body.get("goes_on")) is not None:
            # Its ledger changes until it ends again, as it did before it had ended.
            self.roots = {batch: root for batch, root in self.roots.items() if not _is_of(batch, campaign)}
        self.people_root = body.get("people_root", self.people_root)
        for image in body.get("rows", []):
            name = _image_name(image)
            content = image.get("content", self.images.get(name, {}).get("content"))
            self.images[name] = {"row": image["row"], "content": content}


def _is_of(batch_id: str, campaign_id: str) -> bool:
    return batch_id.startswith(f"{campaign_id}-")


def _bodies_and_rows(store: Store, chain: str) -> list[Finding]:
    """Look into every body once: opening them is what a verification takes its time for."""
    if not _has_key(store, chain):
        return []
    findings: list[Finding] = []
    journalled = _Journalled()
    for recorded in store.recorded(chain, skip_unreadable=True):
        if recorded.body is None:
            findings.append(_without_body(store, chain, recorded))
        else:
            journalled.take(recorded.body)
    return [*findings, *_rows(store, chain, journalled)]


def _without_body(store: Store, chain: str, recorded: Recorded) -> Finding:
    # The key is here, so this body was not destroyed the way we destroy; a note of it in the row is no excuse.
    detail = (
        "its body is not there" if recorded.destroyed_at is None else "its body was taken out, not destroyed"
    )
    try:
        store.body_of(chain, recorded.entry.seq)
    except Unreadable as error:
        detail = error.what
    return Finding(chain, recorded.entry.seq, Fault.BODY_CHANGED, detail)


def _rows(store: Store, chain: str, journalled: _Journalled) -> list[Finding]:
    """Compare today's rows with their last image in the journal."""
    key = store.keyring.get(chain)
    findings: list[Finding] = []
    with store.read() as session:
        seen: set[tuple[str, str]] = set()
        for table in ROW_TABLES:
            for row in session.exec(_rows_of(table, chain)).all():
                name = (str(table.__tablename__), _row_key(row))
                seen.add(name)
                findings += _compare(chain, name, row, journalled.images.get(name), key=key)
        for name in journalled.images.keys() - seen:
            findings.append(Finding(chain, 0, Fault.MISSING, f"{Doubt.ROW_MISSING}: {name[0]} {name[1]}"))
        listed = journalled.people_root
        if listed is not None and people_root(session, chain) != listed:
            findings.append(Finding(chain, 0, Fault.CHANGED, f"{Doubt.PEOPLE}"))
        for batch_id, root in journalled.roots.items():
            if ledger_root(session, batch_id) != root:
                findings.append(Finding(chain, 0, Fault.CHANGED, f"{Doubt.LEDGER}: batch {batch_id}"))
    return findings


def _with_later_columns(journalled: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """A row as it was journalled; columns that its table got since then held nothing at that time."""
    return {**dict.fromkeys(now.keys() - journalled.keys()), **journalled}


def _compare(
    chain: str, name: tuple[str, str], row: SQLModel, image: dict[str, Any] | None, *, key: bytes
) -> list[Finding]:
    place = f"{name[0]} {name[1]}"
    if image is None:
        return [Finding(chain, 0, Fault.CHANGED, f"{Doubt.ROW_UNKNOWN}: {place}")]
    if row_image(row) != _with_later_columns(image["row"], row_image(row)):
        return [Finding(chain, 0, Fault.CHANGED, f"{Doubt.ROW_CHANGED}: {place}")]
    if image["content"] is None:
        # Of a note for counsel the journal knows only the digest.
        if isinstance(row, PrivilegedNote) and digest_of(row.sealed) != row.digest:
            return [Finding(chain, 0, Fault.CHANGED, f"{Doubt.ROW_CHANGED}: {place}")]
        return []
    try:
        content = open_row(row, key=key)
    except Unreadable:
        return [
            Finding(chain, 0, Fault.CHANGED, f"{Doubt.ROW_CHANGED}: {place} (its sealed part does not open)")
        ]
    if content != image["content"]:
        return [Finding(chain, 0, Fault.CHANGED, f"{Doubt.ROW_CHANGED}: {place}")]
    return []


def _rows_of(table: type[SQLModel], chain: str) -> Any:
    if table in WORKSPACE_TABLES:
        return select(table).where(chain == WORKSPACE_CHAIN)
    if table is Incident:
        return select(Incident).where(Incident.id == chain)
    return select(table).where(table.incident_id == chain)  # type: ignore[attr-defined]


def _image_name(image: dict[str, Any]) -> tuple[str, str]:
    row = image["row"]
    key = f"{row['incident_id']}/{row['duty_id']}" if image["table"] == "duty" else str(row["id"])
    return image["table"], key


def _row_key(row: SQLModel) -> str:
    if str(row.__tablename__) == "duty":
        return f"{row.incident_id}/{row.duty_id}"  # type: ignore[attr-defined]
    return str(row.id)  # type: ignore[attr-defined]


def forged_signatures(store: Store, chains: Sequence[str]) -> list[Finding]:
    """A finding for each decision of these chains, and each approval of a regime, that is not what its operator signed."""
    findings: list[Finding] = []
    wanted = select(Decision).order_by(col(Decision.decided_at), col(Decision.id))
    if len(chains) == 1:
        wanted = wanted.where(Decision.incident_id == chains[0])
    asked_for = frozenset(chains)
    with store.read() as session:
        for decision in session.exec(wanted):
            # Not by a list in the statement: there may be more chains than a database takes parameters.
            if decision.incident_id not in asked_for:
                continue
            operator = session.get(Operator, decision.operator_id)
            if operator is None or not signature_holds(decision, operator):
                detail = f"{Doubt.SIGNATURE}: decision {decision.id}"
                findings.append(Finding(decision.incident_id, 0, Fault.CHANGED, detail))
        if WORKSPACE_CHAIN in asked_for:
            findings += _forged_reviews(session)
    return findings


def _forged_reviews(session: Session) -> Iterator[Finding]:
    """Approvals of regimes, also withdrawn ones, that are not what counsel signed."""
    for review in session.exec(select(RegimeReview).order_by(col(RegimeReview.id))):
        operator = session.get(Operator, review.operator_id)
        if operator is None or not review_signature_holds(review, operator):
            detail = f"{Doubt.SIGNATURE}: approval of {review.regime} {review.id}"
            yield Finding(WORKSPACE_CHAIN, 0, Fault.CHANGED, detail)


def _has_key(store: Store, chain: str) -> bool:
    name = "workspace" if chain == WORKSPACE_CHAIN else chain
    return store.keyring.has(name)
