"""Runs of playbooks: each can go on, or says for whom it waits; and none went on past a person.

An effect in `intended` is legal while its job is open: a worker called somebody and died, and the next one says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from sqlmodel import col, select

from incident.delivery.states import CampaignState
from incident.durable import JobState
from incident.errors import Refused, TocsinError
from incident.notice.release import must_be_released
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.ops.checks.progress import TOLERANCE
from incident.record.decisions import Subject, approvals, voices
from incident.response import events as e
from incident.response.deciding import STEP_SUBJECT
from incident.response.effect_states import OUTSTANDING, EffectState
from incident.response.extensions import Extension, NoticeTask
from incident.response.runner import RUN_JOB, RUNNING, OpenEffect, open_effects, state_of
from incident.response.state import WAITING, Awaits, State
from incident.response.working import ENGINE
from incident.store.tables import Campaign, Job, PublicNotice, Run, RunEffect

_run, _effect, _job = map(table_of, (Run, RunEffect, Job))
r, x, j = _run.c, _effect.c, _job.c

_KINDS = frozenset(str(each.model_fields["kind"].default) for each in get_args(get_args(e.Effect)[0]))
_ASKING = sorted(kind for kind in _KINDS if kind.startswith("ask_"))
_AWAITED = {
    Awaits.command: "run_command",
    Awaits.outcome: "ask_outcome",
    Awaits.person: "ask_person",
    Awaits.approval: "ask_approval",
    Awaits.condition: "ask_condition",
    Awaits.case: "ask_case",
    Awaits.in_house: "do_in_house",
    Awaits.timer: "wait_until",
}

ADVANCE = Invariant(
    "runs.advance", "every running run waits for something, and what needs no person has a job"
)
ENDED = Invariant("runs.ended", "a run that is over says when, and waits for nothing")
EFFECTS = Invariant("runs.effects", "each effect's state fits its times, and it belongs to a run")
AGREE = Invariant("runs.agree", "what a run's machine waits for is what was asked for")
GATES = Invariant(
    "runs.gates",
    "no step was passed without the signatures, or the person, that it asks for",
    "see `incident runs` and `incident verify`; decide with counsel what follows",
)


def _look_at_rows(view: View, findings: Findings) -> None:
    outcomes = sorted(e.Outcome)
    scan(
        view,
        findings,
        "run",
        [r.id],
        _run,
        [
            Sign(ENDED, "its state is unknown", r.state.not_in([RUNNING, *outcomes])),
            Sign(
                ENDED,
                "over without a time, or running with one",
                (r.state == RUNNING) == r.ended_at.is_not(None),
            ),
        ],
        view.mine(r.incident_id),
    )
    settled, outstanding = x.settled_at.is_not(None), x.state.in_(sorted(OUTSTANDING))
    scan(
        view,
        findings,
        "effect",
        [x.run_id, x.id],
        _effect.outerjoin(_run, r.id == x.run_id),
        [
            Sign(ENDED, "it is outstanding, and its run is over", outstanding & (r.state != RUNNING)),
            Sign(EFFECTS, "its run does not exist", r.id.is_(None)),
            Sign(EFFECTS, "it and its run name different incidents", r.incident_id != x.incident_id),
            Sign(EFFECTS, "its state is unknown", x.state.not_in(sorted(EffectState))),
            Sign(EFFECTS, "its kind is unknown", x.kind.not_in(sorted(_KINDS))),
            Sign(EFFECTS, "settled without a time, or not and with one", outstanding == settled),
            Sign(
                EFFECTS,
                "about to be done without an intent",
                (x.state == EffectState.INTENDED) & x.intent_at.is_(None),
            ),
            Sign(
                EFFECTS,
                "an intent of something that nobody outside does",
                x.intent_at.is_not(None) & (x.kind != "run_command"),
            ),
            Sign(
                EFFECTS,
                "a timer without a time, or a time of what cannot wait for one",
                ((x.kind == "wait_until") & x.due_at.is_(None))
                | (x.kind.not_in(["wait_until", "run_command"]) & x.due_at.is_not(None)),
            ),
        ],
        view.mine(x.incident_id),
    )


def _look_at_running(view: View, findings: Findings) -> None:
    runs = view.session.exec(
        select(Run).where(view.mine(Run.incident_id), Run.state == RUNNING).order_by(col(Run.id))
    ).all()
    for run in runs:
        job = view.session.get(Job, (RUN_JOB, run.id))
        is_open = job is not None and job.state == JobState.OPEN
        kinds = view.session.exec(
            select(RunEffect.kind).where(
                RunEffect.run_id == run.id, col(RunEffect.state).in_(sorted(OUTSTANDING))
            )
        ).all()
        if not kinds and not is_open:
            findings.broken(ADVANCE, f"run {run.id}", "it waits for nothing, and no job advances it")
        if not view.house.store.keyring.has(run.incident_id):
            for invariant in (ADVANCE, AGREE):
                findings.untold(invariant, f"no key for {run.incident_id}")
            continue
        try:
            outstanding = open_effects(view.session, view.house.store, run)
            state = state_of(view.house.store, run, anew=True)
        except (TocsinError, ValueError, KeyError):
            findings.broken(AGREE, f"run {run.id}", "what it waits for cannot be read")
            continue
        _must_be_owned(view, findings, run, job, outstanding)
        _must_agree(findings, run, state, outstanding)


def _must_be_owned(
    view: View, findings: Findings, run: Run, job: Job | None, outstanding: Sequence[OpenEffect]
) -> None:
    for each in outstanding:
        if each.row.kind in _ASKING or _waits_rightly(view, run, each):
            continue
        place = f"effect {run.id}/{each.row.id}"
        if job is None or job.state != JobState.OPEN:
            findings.broken(ADVANCE, place, "it needs no person, and no job does it")
        elif not job.beat_at and not view.brake:
            due = 0.0 if each.row.due_at is None else (each.row.due_at - view.now).total_seconds()
            if job.next_at - view.clock > max(due, 0.0) + TOLERANCE:
                findings.broken(ADVANCE, place, "its job sleeps for longer than it waits")


def _waits_rightly(view: View, run: Run, each: OpenEffect) -> bool:
    """Whether work of the house waits for something that will call its run when it comes about."""
    effect, house = each.effect, view.house
    if not isinstance(effect, e.DoInHouse) or effect.extension is not Extension.notice:
        return False
    task = NoticeTask(effect.params["task"])
    if task is NoticeTask.publish:
        page = select(PublicNotice.id).where(PublicNotice.incident_id == run.incident_id)
        return view.session.exec(page).first() is None
    if task not in (NoticeTask.release, NoticeTask.send):
        return False
    try:
        version, _ = must_be_released(
            view.session, house.store, run.incident_id, settings=house.settings, drill=house.drill
        )
    except Refused:
        return True
    campaign = view.session.exec(select(Campaign).where(Campaign.notice_id == version.row.id)).first()
    return task is NoticeTask.send and campaign is not None and campaign.state != CampaignState.ENDED


def _must_agree(findings: Findings, run: Run, state: State, outstanding: Sequence[OpenEffect]) -> None:
    """The machine's open visits against the effects. A timeout may outlive its visit; it then changes nothing."""
    asked = {
        (each.effect.visit, each.row.kind, getattr(each.effect, "index", 0))
        for each in outstanding
        if not isinstance(each.effect, e.Finish) and not _is_timeout(each.effect)
    }
    awaited = {
        (visit.id, _AWAITED[visit.awaits], visit.index)
        for visit in state.visits.values()
        if visit.state in WAITING and visit.awaits is not None
    }
    for visit, kind, _ in sorted(awaited - asked):
        findings.broken(AGREE, f"run {run.id}", f"it waits in {visit} for {kind}, and nobody was asked")
    for visit, kind, _ in sorted(asked - awaited):
        findings.broken(
            AGREE, f"run {run.id}", f"{kind} was asked for {visit}, and it does not wait for that"
        )


def _is_timeout(effect: e.Effect) -> bool:
    return isinstance(effect, e.WaitUntil) and effect.purpose is e.TimerPurpose.timeout


def _look_at_gates(view: View, findings: Findings) -> None:
    """Every question that was answered: by a person, and where signatures are asked for, by these."""
    store = view.house.store
    for incident in view.readable():
        rows = view.session.exec(
            select(RunEffect).where(
                RunEffect.incident_id == incident,
                col(RunEffect.kind).in_(_ASKING),
                RunEffect.state == EffectState.SETTLED,
            )
        ).all()
        for row in rows:
            try:
                content = store.open(row, incident_id=incident)
                asked, event = (
                    e.EFFECT.validate_python(content["effect"]),
                    e.EVENT.validate_python(content["event"]),
                )
            except (TocsinError, ValueError, KeyError):
                findings.broken(GATES, f"effect {row.run_id}/{row.id}", "who answered it cannot be read")
                continue
            what = _passed_a_gate(view, OpenEffect(row, asked), event)
            if what:
                findings.broken(GATES, f"effect {row.run_id}/{row.id}", what)


def _passed_a_gate(view: View, asked: OpenEffect, event: e.Event) -> str:
    effect = asked.effect
    if isinstance(effect, e.AskApproval):
        if not isinstance(event, e.Approved):
            return (
                ""
                if isinstance(event, e.Rejected)
                else "a decision was asked for, and something else went on"
            )
        subject = Subject(STEP_SUBJECT, asked.row.id, asked.hash)
        heard = approvals(voices(view.session, subject, drill=view.house.drill))
        names = {voice.operator.name for voice in heard}
        missing = len(names) < effect.quorum or not set(event.by) <= names
        return f"passed with {len(names)} valid signatures of {effect.quorum}" if missing else ""
    by = getattr(event, "by", None)
    return "" if isinstance(by, str) and by not in ("", ENGINE) else "no person answered it"


SURVEYS = (
    Survey(_look_at_rows, (ENDED, EFFECTS)),
    Survey(_look_at_running, (ADVANCE, AGREE), fleeting=True),
    Survey(_look_at_gates, (GATES,)),
)
