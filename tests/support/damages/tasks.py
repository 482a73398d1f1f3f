"""Damage to what people have to do."""

from __future__ import annotations

from tests.support.damages.base import CHANGED, Damage

TASKS = [
    Damage(
        "a task is in a state that is none",
        ("UPDATE task SET state = 'lost' WHERE incident_id = '{told}' AND number = 2",),
        {"tasks.states": "its state is unknown", **CHANGED},
    ),
    Damage(
        "a task was done at no time",
        ("UPDATE task SET ended_at = NULL WHERE incident_id = '{told}' AND state = 'done'",),
        {"tasks.states": "ended without a time", **CHANGED},
    ),
    Damage(
        "a task that is open has ended",
        ("UPDATE task SET ended_at = opened_at WHERE incident_id = '{sending}' AND state = 'open'",),
        {"tasks.states": "open and with one", **CHANGED},
    ),
    Damage(
        "the first task is gone",
        ("DELETE FROM task WHERE incident_id = '{told}' AND number = 1",),
        {"tasks.numbered": "without a gap", "journal.chains": "row missing"},
    ),
    Damage(
        "a task is open in an incident whose data was destroyed",
        ("UPDATE task SET state = 'open', ended_at = NULL WHERE incident_id = '{destroyed}'",),
        {"tasks.closed": "its incident is not"},
    ),
]
