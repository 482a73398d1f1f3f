"""Damage to what stands on record of calls by machine is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.ops.check import check
from tests.support.breaches import Breach
from tests.support.call_sendings import call_breach, hooks_at_hand
from tests.support.lived_in import broken
from tests.support.sms_sendings import by_sms_only
from tests.support.twilio.script import Answer, Callee
from tests.support.twilio.server import twilio_api
from tests.support.workspaces import run_sql

_FIRST = "SELECT id FROM delivery WHERE state = '%s' ORDER BY id LIMIT 1"
_WHOSE = {"told": _FIRST % "accepted", "waits": _FIRST % "pending", "not_told": _FIRST % "unreachable"}


@pytest.fixture
def called(tmp_path: Path) -> Iterator[Breach]:
    """Two were told, one was not, and of one nothing is known yet."""
    callees = {"21": Callee(Answer.BUSY), "22": Callee(held=True)}
    with hooks_at_hand() as hooks, twilio_api(callees=callees) as api:
        breach = call_breach(tmp_path, by_sms_only(4), api_port=api.port, callbacks=hooks.calls)
        with hooks.served(breach.house):
            breach.work()
            api.calls.await_over(3)
        yield breach


@pytest.mark.parametrize(
    ("sql", "where", "what"),
    [
        (
            "UPDATE delivery SET addressee = 'guardian' WHERE id = ({told})",
            "ledger.people",
            "a call by machine",
        ),
        ("UPDATE delivery SET shared = 1 WHERE id = ({waits})", "ledger.people", "a call by machine"),
        (
            "UPDATE person SET minor = true WHERE id = (SELECT person_id FROM delivery WHERE id = ({waits}))",
            "ledger.people",
            "a call by machine",
        ),
        ("DELETE FROM message_part WHERE delivery_id = ({waits})", "ledger.parts", "nobody knows whether"),
        (
            "UPDATE message_part SET state = 'delivered' WHERE delivery_id = ({told})",
            "ledger.parts",
            "only part",
        ),
        ("UPDATE message_part SET part = 2 WHERE delivery_id = ({told})", "ledger.parts", "only part"),
        (
            "UPDATE message_part SET centre = 'another:443' WHERE delivery_id = ({told})",
            "ledger.parts",
            "centre",
        ),
        ("UPDATE attempt SET channel = 'email' WHERE delivery_id = ({told})", "ledger.parts", "no call"),
        ("UPDATE attempt SET code = 400 WHERE delivery_id = ({told})", "ledger.states", "go together"),
        ("UPDATE delivery SET next_at = NULL WHERE id = ({waits})", "ledger.states", "nothing is waited for"),
        (
            "UPDATE delivery SET state = 'accepted', next_at = NULL WHERE id = ({waits})",
            "ledger.states",
            "that nobody confirmed",
        ),
        ("DELETE FROM receipt WHERE delivery_id = ({told})", "ledger.receipts", "not the highest"),
        ("UPDATE delivery SET reason = 'unfit' WHERE id = ({not_told})", "ledger.states", "does not give"),
        ("DELETE FROM job WHERE kind = 'delivery.call'", "progress.owned", "no job"),
    ],
)
def test_damage_to_calls_is_found(called: Breach, sql: str, where: str, what: str) -> None:
    assert broken(check(called.house, pause=0.0)) == {}
    run_sql(called.made.store, sql.format(**_WHOSE))
    found = broken(check(called.house, pause=0.0))
    assert any(what in each for each in found.get(where, [])), found
