"""Damage to lists of the call centre's, to the calls on them, and to who is being called."""

from __future__ import annotations

from tests.support.damages.base import CHANGED, Damage

CALL_LISTS = (
    Damage(
        "a list counts more people than it has",
        ("UPDATE call_list SET people = people + 1 WHERE {call_list}",),
        {"ledger.calls": "not as many people", **CHANGED},
    ),
    Damage(
        "a list has the number of another",
        ("UPDATE call_list SET number = 2 WHERE {call_list}",),
        {"ledger.calls": "not numbered without a gap", **CHANGED},
    ),
    Damage(
        "a list is of a campaign that does not exist",
        ("UPDATE call_list SET campaign_id = 'none' WHERE {call_list}",),
        {"ledger.calls": "its campaign does not exist", **CHANGED},
    ),
    Damage(
        "a list is of a campaign of another incident",
        (
            "UPDATE call_list SET campaign_id = (SELECT min(id) FROM campaign WHERE incident_id = '{told}')"
            " WHERE {call_list}",
        ),
        {"ledger.calls": "different incidents", **CHANGED},
    ),
    Damage(
        "a list is deleted that is open",
        ("UPDATE call_list SET deleted_at = made_at, deleted_by = 'x' WHERE {call_list}",),
        {"ledger.calls": "its times cannot be", **CHANGED},
    ),
    Damage(
        "results of a list are due before it was made",
        ("UPDATE call_list SET due_at = '2020-01-01 00:00:00.000000' WHERE {call_list}",),
        {"ledger.calls": "its times cannot be", **CHANGED},
    ),
    Damage(
        "a list with calls that wait counts as closed",
        ("UPDATE call_list SET closed_at = made_at WHERE {call_list}",),
        {"progress.owned": "wait for its results", **CHANGED},
    ),
    Damage(
        "nobody closes a list",
        ("DELETE FROM job WHERE kind = 'delivery.call_list' AND incident_id = '{called}'",),
        {"progress.owned": "it is open, and it has no job"},
    ),
    Damage(
        "who closes a list gave up",
        ("UPDATE job SET state = 'parked' WHERE kind = 'delivery.call_list' AND incident_id = '{called}'",),
        {"progress.owned": "its job is parked", "jobs.parked": ""},
    ),
    Damage(
        "a call is of a list that does not exist",
        ("UPDATE call_task SET list_id = 'none' WHERE delivery_id = ({call_told})",),
        {"ledger.calls": "its list does not exist"},
    ),
    Damage(
        "a call and its list name different incidents",
        ("UPDATE call_task SET incident_id = '{told}' WHERE delivery_id = ({call_told})",),
        {"ledger.calls": "different incidents"},
    ),
    Damage(
        "a call is an attempt that never was",
        ("UPDATE call_task SET n = 7 WHERE delivery_id = ({call_told})",),
        {"ledger.calls": "its attempt does not exist"},
    ),
    Damage(
        "a call is an attempt by e-mail",
        ("UPDATE attempt SET channel = 'email' WHERE delivery_id = ({call_told})",),
        {"ledger.calls": "none by phone", "ledger.states": ""},
    ),
    Damage(
        "somebody is being called, and nobody is to call",
        ("DELETE FROM call_task WHERE delivery_id = ({call_waits})",),
        {"ledger.calls": "nobody is to call", "progress.owned": "it has no job"},
    ),
    Damage(
        "somebody was called who counts as told by e-mail",
        ("UPDATE delivery SET channel = 'email' WHERE id = ({call_told})",),
        {"ledger.states": "", "ledger.people": ""},
    ),
)
