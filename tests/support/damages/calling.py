"""Damage to summons, calls, contacts and addresses."""

from __future__ import annotations

from tests.support.damages.base import CHANGED, Damage

SUMMONS = [
    Damage(
        "the job of a summons is gone",
        ("DELETE FROM job WHERE kind = 'summons'",),
        {"summons.owned": "no job does it"},
    ),
    Damage(
        "the job of a summons is done",
        ("UPDATE job SET state = 'done', next_at = 0 WHERE kind = 'summons'",),
        {"summons.owned": "no job does it"},
    ),
    Damage(
        "a call is in doubt, and nobody settles it",
        (
            "UPDATE summons_call SET outcome = '', settled_at = NULL",
            "DELETE FROM job WHERE kind = 'summons'",
        ),
        {"summons.owned": "in doubt, and no job settles it", **CHANGED},
    ),
    Damage(
        "a summons asks for something unknown",
        ("UPDATE summons SET reason = 'fun' WHERE next_at IS NOT NULL",),
        {"summons.rows": "its reason is unknown", **CHANGED},
    ),
    Damage(
        "a summons asks for a role that is none",
        ("UPDATE summons SET role = 'king' WHERE next_at IS NOT NULL",),
        {"summons.rows": "its role is unknown", **CHANGED},
    ),
    Damage(
        "a summons was settled and goes on",
        ("UPDATE summons SET ended_at = asked_at WHERE next_at IS NOT NULL",),
        {"summons.rows": "it is over and still calls people", **CHANGED},
    ),
    Damage(
        "a summons was answered and goes on",
        ("UPDATE summons SET answered_at = asked_at, answered_by = 'bo' WHERE next_at IS NOT NULL",),
        {"summons.rows": "answered and is not over", **CHANGED},
    ),
    Damage(
        "a summons was answered by nobody",
        ("UPDATE summons SET answered_at = asked_at WHERE ended_at IS NOT NULL",),
        {"summons.rows": "answered by nobody", **CHANGED},
    ),
    Damage(
        "a step that was answered still calls people",
        (
            "UPDATE summons SET ended_at = NULL WHERE subject_id IN"
            " (SELECT id FROM run_effect WHERE state = 'settled') AND incident_id = '{sending}'",
        ),
        {"summons.rows": "a step that waits for nobody", **CHANGED},
    ),
    Damage(
        "a call is of no summons",
        ("UPDATE summons_call SET summons_id = 'none'",),
        {"summons.calls": "its summons does not exist", **CHANGED},
    ),
    Damage(
        "a call is of nobody",
        ("UPDATE summons_call SET operator_id = 'none'",),
        {"summons.calls": "its operator does not exist", **CHANGED},
    ),
    Damage(
        "a call has an outcome that is none",
        ("UPDATE summons_call SET outcome = 'perhaps'",),
        {"summons.calls": "its outcome is unknown", **CHANGED},
    ),
    Damage(
        "a call has an outcome and no time",
        ("UPDATE summons_call SET settled_at = NULL",),
        {"summons.calls": "settled without an outcome", **CHANGED},
    ),
    Damage(
        "the rounds of a summons went back",
        ("UPDATE summons SET level = 0 WHERE next_at IS NOT NULL",),
        {"summons.calls": "in a round that never was", **CHANGED},
    ),
    Damage(
        "a call was made in a round before that of an earlier one",
        (
            "UPDATE summons SET level = 3 WHERE next_at IS NOT NULL",
            "UPDATE summons_call SET level = 3, called_at = '2020-01-01 00:00:00.000000' WHERE id IN"
            " (SELECT min(id) FROM summons_call GROUP BY summons_id HAVING count(*) > 1)",
        ),
        {"summons.calls": "in a later round", **CHANGED},
    ),
]

ADDRESSES = [
    Damage(
        "a contact is of a kind that is none",
        ("UPDATE contact SET kind = 'friend'",),
        {"contacts.kept": "its kind is unknown", **CHANGED},
    ),
    Damage(
        "two contacts have one key",
        ("UPDATE contact SET key = 'same', removed_at = NULL",),
        {"contacts.kept": "has its key", **CHANGED},
    ),
    Damage(
        "a contact was checked before it was added",
        ("UPDATE contact SET checked_at = '2020-01-01 00:00:00.000000'",),
        {"contacts.kept": "before it was added", **CHANGED},
    ),
    Damage(
        "a deputy is nobody",
        ("UPDATE reach SET deputy_id = 'none' WHERE deputy_id IS NOT NULL",),
        {"operators.reached": "the deputy does not exist", **CHANGED},
    ),
    Damage(
        "somebody stands in for themselves",
        ("UPDATE reach SET deputy_id = id WHERE deputy_id IS NOT NULL",),
        {"operators.reached": "stand in for themselves", **CHANGED},
    ),
]
