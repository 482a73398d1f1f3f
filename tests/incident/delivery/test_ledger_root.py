"""Roots of the ledger stand in journals for ever: what made one years ago must make it again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from incident.delivery.ledger_root import ledger_root
from incident.store.tables import Attempt, Delivery, Receipt
from tests.support.postgres import PostgresServer
from tests.support.workspaces import make_workspace

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ON_THE_SECOND = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
# As the version made it that first kept receipts.
ROOT = "b07fa529844e3bf59bb3bfae9a7f4256160153e62710c3d5fed438ea6fdec0c5"


def delivery(number: int, **more: Any) -> Delivery:
    usual: dict[str, Any] = {
        "person_version": 1,
        "addressee": "person",
        "principal": True,
        "channel": "email",
        "state": "accepted",
        "reason": "",
        "attempts": 1,
        "strikes": 0,
        "code_mac": b"",
        "settled_at": NOON,
    }
    return Delivery(
        id=f"d{number}", batch_id="b", incident_id="INC-1", person_id=f"p{number}", **{**usual, **more}
    )


def attempt(number: int, n: int = 1, **more: Any) -> Attempt:
    usual: dict[str, Any] = {"outcome_at": NOON, "stage": "reply", "result": "accepted", "code": 250}
    return Attempt(
        delivery_id=f"d{number}",
        n=n,
        incident_id="INC-1",
        job_attempt=1,
        intent_at=NOON,
        sealed=b"",
        **{**usual, **more},
    )


EVERY_KIND = (
    delivery(0),
    delivery(1, state="unreachable", reason="bad_address", rank=2, principal=False),
    delivery(2, state="unreachable", reason="replaced", settled_at=ON_THE_SECOND, attempts=0),
    delivery(
        3, state="pending", waits=True, update_of="n0", settled_at=None, attempts=2, addressee="guardian"
    ),
    delivery(4, shared=2, person_version=3),
    delivery(5, leader_id="d4"),
    attempt(0),
    attempt(1, outcome_at=ON_THE_SECOND),
    attempt(3, outcome_at=NOON, result="temporary", stage="rcpt", code=451),
    attempt(3, n=2, outcome_at=None, result=None, stage=None, code=None),
    attempt(4, result="ambiguous", stage="after_dot", code=None),
    Receipt(
        id="r1",
        delivery_id="d1",
        incident_id="INC-1",
        channel="email",
        kind="bounce",
        rank=2,
        why="bad_address",
        counts=True,
        status="5.1.1",
        verified_by="mark",
        raw_sha256="ab",
        taken_at=NOON,
        sealed=b"",
    ),
)


def test_a_root_is_what_it_always_was_on_both_databases(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    store = make_workspace(tmp_path, on=store_on).store
    with store.transaction() as session:
        session.add_all(type(row)(**row.model_dump()) for row in EVERY_KIND)
        session.flush()
        assert ledger_root(session, "b") == ROOT
        assert ledger_root(session, "another") != ROOT
