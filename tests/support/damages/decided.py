"""Damage to what people decided, and to notes for counsel."""

from __future__ import annotations

from tests.support.damages.base import CHANGED, Damage

_MISSING = {"journal.chains": "row missing"}

DECIDED = [
    Damage(
        "decisions have a gap",
        ("UPDATE resolution SET number = 9 WHERE incident_id = '{told}' AND number = 2",),
        {"decided.numbered": "its decisions are not numbered without a gap", **CHANGED},
    ),
    Damage(
        "notes for counsel have a gap",
        ("UPDATE privileged_note SET number = 9 WHERE incident_id = '{told}' AND number = 1",),
        {"decided.numbered": "its notes for counsel are not numbered without a gap", **CHANGED},
    ),
    Damage(
        "a decision replaces itself",
        ("UPDATE resolution SET replaces = id WHERE incident_id = '{told}' AND number = 2",),
        {"decided.numbered": "no earlier decision", "decided.signed": "no valid signature", **CHANGED},
    ),
    Damage(
        "two replace the same decision",
        (
            "UPDATE resolution SET replaces = (SELECT o.replaces FROM resolution o WHERE o.incident_id = '{told}'"
            " AND o.number = 2) WHERE incident_id = '{told}' AND number = 3",
        ),
        {
            "decided.numbered": "another one replaces the same",
            "decided.signed": "no valid signature",
            **CHANGED,
        },
    ),
    Damage(
        "a decision is by somebody else",
        ("UPDATE resolution SET recorded_by = 'di' WHERE incident_id = '{told}' AND number = 1",),
        {"decided.signed": "no valid signature says these words", **CHANGED},
    ),
    Damage(
        "a decision was made at another time",
        (
            "UPDATE resolution SET decided_at = '2026-01-01 00:00:00' WHERE incident_id = '{told}' AND number = 1",
        ),
        {"decided.signed": "no valid signature says these words", **CHANGED},
    ),
    Damage(
        "the signature under a decision is gone",
        ("DELETE FROM decision WHERE subject_kind = 'resolution' AND incident_id = '{told}'",),
        {"decided.signed": "no valid signature says these words", **_MISSING},
    ),
    Damage(
        "a note for counsel is another",
        ("UPDATE privileged_note SET sealed = :noise WHERE incident_id = '{told}' AND number = 1",),
        {
            "decided.notes": "not the one that was written",
            "sealed.opens": "what is sealed in it does not open",
            **CHANGED,
        },
    ),
    Damage(
        "a note for counsel is in the place of another",
        (
            "UPDATE privileged_note SET sealed = (SELECT o.sealed FROM privileged_note o"
            " WHERE o.incident_id = '{told}' AND o.number = 2) WHERE incident_id = '{told}' AND number = 1",
        ),
        {
            "decided.notes": "not the one that was written",
            "sealed.opens": "what is sealed in it does not open",
            **CHANGED,
        },
    ),
    Damage(
        "the digest of a note for counsel is another",
        ("UPDATE privileged_note SET digest = 'f00' WHERE incident_id = '{told}' AND number = 1",),
        {"decided.notes": "no valid signature of who wrote it", **CHANGED},
    ),
    Damage(
        "the digest of a note that was destroyed is another",
        ("UPDATE privileged_note SET digest = 'f00' WHERE incident_id = '{destroyed}' AND number = 1",),
        {"decided.notes": "no valid signature of who wrote it"},
    ),
    Damage(
        "a note for counsel is by somebody else",
        ("UPDATE privileged_note SET written_by = 'bo' WHERE incident_id = '{told}' AND number = 1",),
        {"decided.notes": "no valid signature of who wrote it", **CHANGED},
    ),
    Damage(
        "the signature under a note for counsel is gone",
        ("DELETE FROM decision WHERE subject_kind = 'counsel-note' AND incident_id = '{told}'",),
        {"decided.notes": "no valid signature of who wrote it", **_MISSING},
    ),
    Damage(
        "a note for counsel is gone",
        ("DELETE FROM privileged_note WHERE incident_id = '{told}' AND number = 2",),
        _MISSING,
    ),
    Damage(
        "a regime is approved until another day than was signed",
        ("UPDATE regime_review SET until_day = '2099-01-01' WHERE withdrawn_at IS NULL",),
        {
            "law.reviews": "nobody's valid signature",
            "decisions.signatures": "approval of eu-gdpr",
            **CHANGED,
        },
    ),
    Damage(
        "an approval that was replaced stands again",
        ("UPDATE regime_review SET withdrawn_at = NULL WHERE withdrawn_at IS NOT NULL",),
        {"law.reviews": "another approval of it stands", **CHANGED},
    ),
]
