"""Damage to what is to be done: jobs, runs, alerts, and campaigns that go on."""

from __future__ import annotations

from tests.support.damages.base import CHANGED, Damage

# The run of the lived-in workspace waits for the house, and its timers were withdrawn with their steps.
_TIMER_RUNS = (
    "UPDATE run_effect SET state = 'open', settled_at = NULL WHERE run_id = '{run}' AND kind = 'wait_until'"
)


PROGRESS = [
    Damage(
        "the job of people in progress is gone",
        ("DELETE FROM job WHERE kind = 'delivery.batch' AND state = 'open'",),
        {"progress.owned": "it has no job"},
    ),
    Damage(
        "the job of people in progress is done",
        ("UPDATE job SET state = 'done', beat_at = 0 WHERE kind = 'delivery.batch' AND state = 'open'",),
        {"progress.owned": "its job is done"},
    ),
    Damage(
        "the job of people in progress is parked",
        ("UPDATE job SET state = 'parked', beat_at = 0 WHERE kind = 'delivery.batch' AND state = 'open'",),
        {"progress.owned": "its job is parked", "jobs.parked": "job delivery.batch/"},
    ),
    Damage(
        "the job sleeps for longer than its people wait",
        (
            "UPDATE job SET beat_at = 0, next_at = asked_at + 5000 WHERE kind = 'delivery.batch' AND state = 'open'",
        ),
        {"progress.next": "seconds longer than its people wait"},
    ),
    Damage(
        "a campaign has ended with people in progress",
        ("UPDATE campaign SET state = 'ended', ended_at = opened_at WHERE incident_id = '{sending}'",),
        {"progress.ended": "people are in progress", "runs.advance": "no job does it", **CHANGED},
    ),
    Damage(
        "a campaign says that it ended and goes on",
        ("UPDATE campaign SET ended_at = opened_at WHERE incident_id = '{sending}'",),
        {"progress.ended": "says when it ended", **CHANGED},
    ),
    Damage(
        "a campaign could end and nothing ends it",
        ("UPDATE campaign SET state = 'sending', ended_at = NULL WHERE incident_id = '{told}'",),
        {"progress.ends": "no job ends it", **CHANGED},
    ),
    Damage(
        "a campaign is in a state that is none",
        ("UPDATE campaign SET state = 'lost' WHERE incident_id = '{sending}'",),
        {"progress.ended": "its state is unknown", **CHANGED},
    ),
    Damage(
        "a campaign is paused and its brake is not on",
        ("UPDATE campaign SET state = 'paused' WHERE incident_id = '{sending}'",),
        {"progress.paused": "its brake is not on", **CHANGED},
    ),
    Damage(
        "the brake of a campaign is on that nobody paused",
        (
            "INSERT INTO brake (name, set_at, set_by) SELECT 'campaign/' || id, opened_at, 'ana' FROM campaign"
            " WHERE incident_id = '{sending}'",
        ),
        {"progress.paused": "it is sending, and its brake is on"},
    ),
    Damage(
        "a brake is on that holds nothing",
        ("INSERT INTO brake (name, set_at, set_by) VALUES ('campaign/none', '2026-11-23 09:00:00', 'ana')",),
        {"progress.paused": "brake campaign/none"},
    ),
]

RUNS = [
    Damage(
        "a run says that it is over and does not say when",
        ("UPDATE run SET state = 'succeeded' WHERE id = '{run}'",),
        {"runs.ended": "over without a time", **CHANGED},
    ),
    Damage(
        "a run is over and waits for something",
        ("UPDATE run SET state = 'succeeded', ended_at = started_at WHERE id = '{run}'",),
        {"runs.ended": "it is outstanding, and its run is over", **CHANGED},
    ),
    Damage(
        "a run waits for nothing, and nothing advances it",
        (
            "UPDATE run_effect SET state = 'settled', settled_at = asked_at WHERE run_id = '{run}'",
            "UPDATE job SET state = 'done', next_at = 0 WHERE key = '{run}'",
        ),
        {
            "runs.advance": "it waits for nothing",
            "runs.agree": "nobody was asked",
            **CHANGED,
        },
    ),
    Damage(
        "what a run waits for has come about, and nothing tells it",
        (
            "UPDATE campaign SET state = 'ended', ended_at = opened_at WHERE incident_id = '{sending}'",
            "UPDATE run_effect SET state = 'settled', settled_at = asked_at WHERE run_id = '{run}'"
            " AND kind = 'wait_until'",
            "UPDATE job SET state = 'done' WHERE key = '{run}'",
        ),
        {"progress.ended": "people are in progress", "runs.advance": "no job does it", **CHANGED},
    ),
    Damage(
        "a timer runs and no job looks at it",
        (_TIMER_RUNS, "UPDATE job SET state = 'done' WHERE key = '{run}'"),
        {"runs.advance": "no job does it", **CHANGED},
    ),
    Damage(
        "a timer runs and its job sleeps for longer",
        (_TIMER_RUNS, "UPDATE job SET state = 'open', next_at = asked_at + 5000 WHERE key = '{run}'"),
        {"runs.advance": "longer than it waits", **CHANGED},
    ),
    Damage(
        "an effect is of no run",
        ("UPDATE run_effect SET run_id = 'none' WHERE run_id = '{run}' AND kind = 'run_command'",),
        {"runs.effects": "its run does not exist", **CHANGED},
    ),
    Damage(
        "an effect is about to be done without an intent",
        (
            "UPDATE run_effect SET state = 'intended' WHERE run_id = '{run}' AND kind = 'do_in_house' AND state = 'open'",
        ),
        {"runs.effects": "without an intent", **CHANGED},
    ),
    Damage(
        "a settled effect says no time",
        ("UPDATE run_effect SET settled_at = NULL WHERE run_id = '{run}' AND kind = 'run_command'",),
        {"runs.effects": "settled without a time", **CHANGED},
    ),
    Damage(
        "a timer says no time",
        ("UPDATE run_effect SET due_at = NULL WHERE run_id = '{run}' AND kind = 'wait_until'",),
        {"runs.effects": "a timer without a time", **CHANGED},
    ),
    Damage(
        "the machine waits for a person whom nobody asked",
        ("DELETE FROM run_effect WHERE kind = 'ask_person' AND state = 'open'",),
        {
            "runs.agree": "nobody was asked",
            "runs.advance": "it waits for nothing",
            "summons.rows": "a step that waits for nobody",
            "journal.chains": "row missing",
        },
    ),
    Damage(
        "a question is open that the machine does not wait for",
        (
            "UPDATE run_effect SET state = 'open', settled_at = NULL WHERE run_id = '{run}' AND kind = 'ask_approval'",
        ),
        {"runs.agree": "it does not wait for that", **CHANGED},
    ),
    Damage(
        "a step was approved by one of two",
        ("DELETE FROM decision WHERE id = (SELECT min(id) FROM decision WHERE subject_kind = 'run-step')",),
        {"runs.gates": "1 valid signatures of 2", "journal.chains": "row missing"},
    ),
    Damage(
        "who answered cannot be read",
        ("UPDATE run_effect SET sealed = :noise WHERE run_id = '{run}' AND kind = 'ask_person'",),
        {"runs.gates": "cannot be read", "sealed.opens": "run_effect", **CHANGED},
    ),
    Damage(
        "the playbook of a run cannot be read",
        ("UPDATE run_playbook SET sealed = :noise WHERE id = '{run}'",),
        {"runs.agree": "cannot be read", "sealed.opens": "run_playbook", **CHANGED},
    ),
    Damage(
        "the state of a run cannot be read",
        ("UPDATE run SET sealed = :noise WHERE id = '{run}'",),
        {"runs.agree": "cannot be read", "sealed.opens": "run {run}".replace("{run}", "RUN"), **CHANGED},
    ),
]

ALERTS = [
    Damage(
        "an alert came in and no job maps it",
        ("DELETE FROM job WHERE kind = 'alert.map' AND state = 'open'",),
        {"alerts.owned": "no job maps it"},
    ),
    Damage(
        "an alert is in a state that is none",
        ("UPDATE alert SET state = 'lost' WHERE state = 'received'",),
        {"alerts.mapped": "its state is unknown"},
    ),
    Damage(
        "an alert was mapped to nothing",
        ("DELETE FROM alert_item WHERE alert_id = (SELECT min(id) FROM alert WHERE state = 'mapped')",),
        {"alerts.mapped": "mapped to nothing"},
    ),
    Damage(
        "an item has another place",
        (
            "UPDATE alert_item SET position = 4 WHERE alert_id = (SELECT min(id) FROM alert WHERE state = 'mapped')",
        ),
        {"alerts.mapped": "numbered without a gap"},
    ),
    Damage(
        "an item is of no alert",
        (
            "UPDATE alert_item SET alert_id = 'none' WHERE alert_id = (SELECT min(id) FROM alert WHERE state = 'mapped')",
        ),
        {"alerts.mapped": "its alert does not exist"},
    ),
    Damage(
        "a mapped alert does not say when",
        ("UPDATE alert SET mapped_at = NULL WHERE id = (SELECT min(id) FROM alert WHERE state = 'mapped')",),
        {"alerts.mapped": "mapped without a time", "sealed.opens": "alert"},
    ),
    Damage(
        "an alert stated how many people are affected",
        ("UPDATE fact SET field = 'persons' WHERE recorded_by = 'hooks'",),
        {"alerts.facts": "no person did", **CHANGED},
    ),
]

JOBS = [
    Damage(
        "a job is of a kind that nobody knows",
        ("UPDATE job SET kind = 'dance' WHERE kind = 'alert.map' AND state = 'done'",),
        {"jobs.known": "how to do a job of this kind"},
    ),
    Damage(
        "a job works on a row that does not exist",
        (
            "INSERT INTO job (kind, key, state, attempt, starts, pokes, beats, beat_at, asked_at, next_at)"
            " VALUES ('run.advance', 'none', 'open', 0, 0, 1, 0, 0, 0, 0)",
        ),
        {"jobs.known": "does not exist"},
    ),
    Damage(
        "a job is never due",
        ("UPDATE job SET next_at = asked_at + 100000 WHERE kind = 'alert.map' AND state = 'open'",),
        {"jobs.known": "sleeps for longer"},
    ),
    Damage(
        "a job's state is none",
        ("UPDATE job SET state = 'lost' WHERE kind = 'alert.map' AND state = 'done'",),
        {"jobs.known": "its state is unknown"},
    ),
    Damage(
        "a job's number cannot be",
        ("UPDATE job SET attempt = -1 WHERE kind = 'alert.map' AND state = 'done'",),
        {"jobs.known": "a number of it cannot be"},
    ),
    Damage(
        "a job that nobody began is held",
        ("UPDATE job SET beat_at = asked_at WHERE kind = 'alert.map' AND state = 'open'",),
        {"jobs.known": "nobody ever began it"},
    ),
    Damage(
        "a job that is over is held",
        ("UPDATE job SET beat_at = asked_at WHERE kind = 'alert.map' AND state = 'done'",),
        {"jobs.known": "nobody may work on it"},
    ),
    Damage(
        "a job is parked",
        ("UPDATE job SET state = 'parked' WHERE kind = 'notice.publish' AND incident_id = '{told}'",),
        {"jobs.parked": "job notice.publish/"},
    ),
    Damage(
        "a bucket holds more than it can",
        (
            "INSERT INTO token_bucket (name, per_second, burst, tokens, refilled_at) VALUES ('mail', 5, 5, 6, 0)",
        ),
        {"jobs.limits": "token bucket mail"},
    ),
    Damage(
        "a bucket owes tokens",
        (
            "INSERT INTO token_bucket (name, per_second, burst, tokens, refilled_at) VALUES ('mail', 5, 5, -1, 0)",
        ),
        {"jobs.limits": "token bucket mail"},
    ),
    Damage(
        "a bucket never fills",
        (
            "INSERT INTO token_bucket (name, per_second, burst, tokens, refilled_at) VALUES ('mail', 0, 5, 1, 0)",
        ),
        {"jobs.limits": "no message could ever leave"},
    ),
    Damage(
        "no job of a kind may begin",
        ("INSERT INTO kind_limit (kind, at_once) VALUES ('delivery.batch', 0)",),
        {"jobs.limits": "could ever begin"},
    ),
    Damage(
        "a limit is on a kind that nobody knows",
        ("INSERT INTO kind_limit (kind, at_once) VALUES ('dance', 1)",),
        {"jobs.limits": "nobody knows"},
    ),
    Damage(
        "two rows say which copy this is",
        (
            "INSERT INTO instance (id, epoch, standing, changed_at) VALUES ('that', 1, 'active', '2026-11-23 09:00:00')",
        ),
        {"instance.one": "2 rows"},
    ),
    Damage(
        "nobody says which copy this is",
        ("DELETE FROM instance",),
        {"instance.one": "0 rows"},
    ),
    Damage(
        "the copy's standing is none",
        ("UPDATE instance SET standing = 'lying'",),
        {"instance.one": "standing is unknown"},
    ),
    Damage(
        "the copy's epoch is none",
        ("UPDATE instance SET epoch = 0",),
        {"instance.one": "epoch"},
    ),
]
