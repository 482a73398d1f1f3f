"""What the ledger holds of SMS, for tests of sendings over any carrier."""

from __future__ import annotations

from sqlmodel import col, select

from incident.ops.check import check
from incident.store.tables import Attempt, MessagePart
from tests.support.breaches import Breach
from tests.support.lived_in import broken


def results(breach: Breach) -> list[tuple[str | None, str | None]]:
    """Result and stage of each attempt, those of one delivery together."""
    with breach.made.store.read() as session:
        rows = session.exec(select(Attempt).order_by(col(Attempt.delivery_id), col(Attempt.n))).all()
    return [(row.result, row.stage) for row in rows]


def parts(breach: Breach) -> list[MessagePart]:
    with breach.made.store.read() as session:
        return list(session.exec(select(MessagePart)).all())


def nothing_to_ask(breach: Breach) -> bool:
    """Whether the carrier is to be asked about nothing at this moment."""
    now = breach.made.clock()
    return all(each.ask_at is None or each.ask_at > now for each in parts(breach))


def assert_sound(breach: Breach) -> None:
    assert breach.account().adds_up
    found = broken(check(breach.house, pause=0.0))
    assert found == {}, found
