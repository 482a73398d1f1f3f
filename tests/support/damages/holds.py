"""Damage to holds and instructions."""

from __future__ import annotations

from tests.support.damages.base import CHANGED, Damage

HOLDS = [
    Damage(
        "a hold stands, and its brakes are gone",
        ("DELETE FROM brake WHERE name LIKE 'hold:%'",),
        {"holds.braked": "is not on"},
    ),
    Damage(
        "a brake is on over something that no hold covers",
        (
            "INSERT INTO brake (name, set_at, set_by) VALUES ('hold:{told}:calendar', '2026-11-23 09:00:00', 'ana')",
        ),
        {"holds.braked": "no hold that stands covers this"},
    ),
    Damage(
        "nobody is going to ask at the end of a hold",
        ("DELETE FROM job WHERE kind = 'hold' AND state = 'open'",),
        {"holds.asks": "it has no job"},
    ),
    Damage(
        "the job that asks at the end of a hold is parked",
        ("UPDATE job SET state = 'parked', beat_at = 0 WHERE kind = 'hold' AND state = 'open'",),
        {"holds.asks": "its job is parked", "jobs.parked": "job hold/"},
    ),
    Damage(
        "a hold is lifted, and nobody signed",
        (
            "UPDATE hold SET lifted_at = placed_at WHERE lifted_at IS NULL",
            "DELETE FROM brake WHERE name LIKE 'hold:%'",
        ),
        {"holds.signed": "nobody's valid signature", **CHANGED},
    ),
    Damage(
        "a hold that was lifted was for another time",
        ("UPDATE hold SET until_at = '2030-01-01 00:00:00.000000' WHERE lifted_at IS NOT NULL",),
        {"holds.signed": "nobody's valid signature", **CHANGED},
    ),
    Damage(
        "a hold covers something unknown",
        ("UPDATE hold SET covers = 'fax' WHERE lifted_at IS NULL",),
        {"holds.rows": "not known", "holds.braked": "no hold that stands covers this", **CHANGED},
    ),
    Damage(
        "a hold ends before it began",
        ("UPDATE hold SET until_at = '2020-01-01 00:00:00.000000' WHERE lifted_at IS NULL",),
        {"holds.rows": "ends before it began", **CHANGED},
    ),
    Damage(
        "an instruction names a hold that is not there",
        ("UPDATE instruction SET hold_id = 'none' WHERE effect = 'hold'",),
        {"instructions.rows": "is not there", **CHANGED},
    ),
    Damage(
        "an instruction asks for silence and names no hold",
        ("UPDATE instruction SET hold_id = NULL WHERE effect = 'hold'",),
        {"instructions.rows": "names no hold", **CHANGED},
    ),
    Damage(
        "an instruction does something unknown",
        ("UPDATE instruction SET effect = 'fun' WHERE effect = 'require'",),
        {"instructions.rows": "its effect is unknown", **CHANGED},
    ),
    Damage(
        "a deadline has no time",
        ("UPDATE instruction SET effect = 'deadline', due_at = NULL WHERE effect = 'require'",),
        {
            "instructions.rows": "a deadline without a time",
            "duties.evaluated": "never evaluated",
            **CHANGED,
        },
    ),
    Damage(
        "an order is due at another time than the duties say",
        ("UPDATE instruction SET due_at = '2030-01-01 00:00:00.000000' WHERE effect = 'require'",),
        {"duties.evaluated": "never evaluated", **CHANGED},
    ),
]
