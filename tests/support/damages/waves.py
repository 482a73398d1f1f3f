"""Damage to the waves of a campaign."""

from __future__ import annotations

from tests.support.damages.base import CHANGED, Damage

WAVES = [
    Damage(
        "a wave counts as begun that was not",
        ("UPDATE waves SET to_seq = to_seq + 1 WHERE incident_id = '{waved}'",),
        {"progress.owned": "it has no job", **CHANGED},
    ),
    Damage(
        "somebody was written to before their wave",
        (
            "UPDATE delivery SET state = 'sending' WHERE batch_id ="
            " (SELECT max(id) FROM batch WHERE incident_id = '{waved}')",
        ),
        {"waves.untried": "in it were tried", "ledger.open": "without one open attempt"},
    ),
    Damage(
        "the job of the waves is gone",
        ("DELETE FROM job WHERE kind = 'delivery.wave' AND state = 'open'",),
        {"waves.owned": "it has no job"},
    ),
    Damage(
        "the job of the waves is parked",
        ("UPDATE job SET state = 'parked', beat_at = 0 WHERE kind = 'delivery.wave' AND state = 'open'",),
        {"waves.owned": "its job is parked", "jobs.parked": "job delivery.wave/"},
    ),
    Damage(
        "the job of the waves sleeps for too long",
        (
            "UPDATE job SET beat_at = 0, next_at = asked_at + 5000 WHERE kind = 'delivery.wave' AND state = 'open'",
        ),
        {"waves.next": "seconds too long"},
    ),
    Damage(
        "a wave is of batches that there are not",
        ("UPDATE waves SET to_seq = 99 WHERE incident_id = '{waved}'",),
        {"waves.rows": "do not exist", "progress.owned": "it has no job", **CHANGED},
    ),
    Damage(
        "a sending stopped by itself and goes on",
        ("UPDATE waves SET stopped_by = 'failed', stopped_at = next_at WHERE incident_id = '{waved}'",),
        {"waves.rows": "is being sent", **CHANGED},
    ),
    Damage(
        "waves are of no campaign",
        ("UPDATE waves SET id = 'none' WHERE incident_id = '{waved}'",),
        {
            "waves.rows": "its campaign does not exist",
            "progress.owned": "it has no job",
            "jobs.known": "does not exist",
            "journal.chains": "row",
        },
    ),
]
