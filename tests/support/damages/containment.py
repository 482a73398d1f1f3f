"""Damage to what is kept of containment."""

from __future__ import annotations

from tests.support.damages.base import CHANGED, Damage

CONTAINED = [
    Damage(
        "containment is in a state that is none",
        ("UPDATE containment SET state = 'lost' WHERE incident_id = '{sending}' AND number = 1",),
        {"containment.rows": "its state is unknown", **CHANGED},
    ),
    Damage(
        "containment in force has ended",
        ("UPDATE containment SET ended_at = done_at WHERE incident_id = '{sending}' AND number = 1",),
        {"containment.rows": "in force with one", **CHANGED},
    ),
    Damage(
        "containment was verified at no time",
        ("UPDATE containment SET state = 'verified' WHERE incident_id = '{sending}' AND number = 1",),
        {"containment.rows": "verified without a time", **CHANGED},
    ),
    Damage(
        "containment belongs to a run that is not there",
        (
            "UPDATE containment SET run_id = 'RUN-2026-0001-99' WHERE incident_id = '{sending}' AND number = 1",
        ),
        {"containment.rows": "its run does not exist", **CHANGED},
    ),
    Damage(
        "containment is being taken back by nobody",
        ("UPDATE containment SET state = 'undoing' WHERE incident_id = '{sending}' AND number = 1",),
        {
            "containment.rows": "taken back by no run",
            "containment.undoing": "no run does it",
            **CHANGED,
        },
    ),
    Damage(
        "the first containment is called the second",
        ("UPDATE containment SET number = 2 WHERE incident_id = '{sending}' AND number = 1",),
        {"containment.numbered": "without a gap", **CHANGED},
    ),
    Damage(
        "containment is meant to end and nobody will ask",
        (
            "UPDATE containment SET expires_at = done_at, asked_at = NULL"
            " WHERE incident_id = '{sending}' AND number = 1",
        ),
        {"containment.asks": "it has no job", **CHANGED},
    ),
]
