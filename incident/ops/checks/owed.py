"""Duties: what the law makes of the facts on record stands in the table, and what is met is journalled as met."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import rfc8785
import sqlalchemy as sa
from sqlmodel import col, select

from incident.durable import JobState
from incident.duties.evaluating import (
    MET,
    Rules,
    evaluated_facts,
    evaluated_orders,
    evaluated_times,
    findings_for,
    rules_in_use,
    stored_duties,
)
from incident.duties.reminding import DUTIES_JOB
from incident.duties.waivers import WAIVED, list_waivers
from incident.errors import TocsinError, Unreadable
from incident.law.findings import STANDING, Duty, DutyState
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.ops.checks.progress import RETRY
from incident.record.dossier import Dossier, dossier_in
from incident.record.incidents import IncidentState
from incident.store.tables import DutyReminder, DutyRow, Evaluation, Incident, Job, Waiver

_duty, _waiver, _reminder, _incident, _job = map(table_of, (DutyRow, Waiver, DutyReminder, Incident, Job))
d, w, m, i, j = _duty.c, _waiver.c, _reminder.c, _incident.c, _job.c

_EVALUATE = "state a fact again (`incident set`): that evaluates the duties"

STATES = Invariant("duties.states", "each duty's state is known, and one that is met says when")
JOURNALLED = Invariant("duties.journalled", "each duty that is met stands as met in the journal")
EVALUATED = Invariant("duties.evaluated", "the duties were evaluated over the facts as they stand", _EVALUATE)
WAIVERS = Invariant(
    "duties.waivers",
    "each waived duty has one waiver that stands, numbered and signed by who waived it, and no other duty has one",
    "`incident decisions` shows what was signed; keep a copy of the database, then put a backup back",
)
CLOCKS = Invariant("duties.clocks", "every duty that stands is in the table, with its deadline", _EVALUATE)

REMINDED = Invariant(
    "duties.reminded", "each reminder is of a duty of its incident, for a moment that is told from its end"
)
WATCHED = Invariant(
    "duties.watched",
    "an open incident in which a duty stands has an open job that reminds of it",
    "start `incident worker` again: it puts jobs that are missing",
)
_MOMENT = re.compile(r"[+-][0-9]{1,7}")


def _look_at_rows(view: View, findings: Findings) -> None:
    scan(
        view,
        findings,
        "duty",
        [d.incident_id, d.duty_id],
        _duty,
        [
            Sign(STATES, "its state is unknown", d.state.not_in(sorted({*DutyState, MET, WAIVED}))),
            Sign(
                STATES, "met without a time, or not and with one", (d.state == MET) != d.met_at.is_not(None)
            ),
        ],
        view.mine(d.incident_id),
    )


def _look_at_journal(view: View, findings: Findings) -> None:
    for incident in view.readable():
        met = {row.duty_id for row in stored_duties(view.session, incident) if row.state == MET}
        if not met:
            continue
        for recorded in view.house.store.recorded(incident, skip_unreadable=True):
            for image in (recorded.body or {}).get("rows", []):
                if image["table"] == _duty.name and image["row"]["state"] == MET:
                    met.discard(image["row"]["duty_id"])
        for duty in sorted(met):
            findings.broken(
                JOURNALLED, f"duty {incident}/{duty}", "no entry of the journal says that it was met"
            )


def _look_at_waivers(view: View, findings: Findings) -> None:
    standing = sa.exists().where(
        (w.incident_id == d.incident_id) & (w.duty_id == d.duty_id) & w.ended_at.is_(None)
    )
    key = [d.incident_id, d.duty_id]
    unwaived = Sign(WAIVERS, "it is waived, and no waiver stands", (d.state == WAIVED) & ~standing)
    scan(view, findings, "duty", key, _duty, [unwaived], view.mine(d.incident_id))
    waived = sa.exists().where(
        (d.incident_id == w.incident_id) & (d.duty_id == w.duty_id) & (d.state == WAIVED)
    )
    idle = Sign(WAIVERS, "it stands, and its duty is not waived", w.ended_at.is_(None) & ~waived)
    scan(view, findings, "waiver", [w.id], _waiver, [idle], view.mine(w.incident_id))
    gap = (sa.func.min(w.number) != 1) | (sa.func.max(w.number) != sa.func.count())
    for (incident,) in view.rows(
        sa.select(w.incident_id).where(view.mine(w.incident_id)).group_by(w.incident_id).having(gap)
    ):
        findings.broken(WAIVERS, incident, "its waivers are not numbered without a gap")
    store = view.house.store
    for incident in view.readable():
        try:
            lines = list_waivers(view.session, store, incident, drill=view.house.drill)
        except Unreadable:
            findings.untold(WAIVERS, f"what is sealed of a waiver of {incident} does not open")
            continue
        for line in lines:
            if line.by not in line.signed_by:
                findings.broken(WAIVERS, f"waiver {line.id}", "no valid signature says these words")


def _look_at_clocks(view: View, findings: Findings) -> None:
    """Evaluate the open incidents again, as of their last evaluation. Closed ones take no more facts."""
    rules: Rules | None = None
    for incident in view.readable():
        row = view.session.get(Incident, incident)
        if row is None or row.state != IncidentState.OPEN:
            continue
        rules = rules or rules_in_use(view.house.workspace)
        try:
            dossier = dossier_in(view.session, view.house.store, incident)
            last = _last_evaluation(view, dossier, rules)
        except (TocsinError, ValueError, KeyError):
            for invariant in (EVALUATED, CLOCKS):
                findings.untold(invariant, f"the facts of {incident}, or their evaluation, cannot be read")
            continue
        if last is None:
            findings.broken(
                EVALUATED, incident, "the duties were never evaluated over the facts that it holds"
            )
        elif last.scope != _scope_of(view):
            findings.untold(CLOCKS, f"the scope changed since {incident} was evaluated: {_EVALUATE}")
        elif last.rules_hash != rules.hash:
            findings.untold(CLOCKS, f"the rules changed since {incident} was evaluated: {_EVALUATE}")
        else:
            _must_be_in_the_table(view, findings, dossier, rules, last.at)


@dataclass(frozen=True)
class _Evaluated:
    at: datetime
    rules_hash: str
    scope: tuple[list[str], list[str]]


def _scope_of(view: View) -> tuple[list[str], list[str]]:
    scope = view.house.settings.scope
    return sorted(scope.countries), sorted(scope.organisation or ())


def _last_evaluation(view: View, dossier: Dossier, rules: Rules) -> _Evaluated | None:
    """The last evaluation over these facts and orders; of all of them, as a clock may have been set back in between."""
    rows = view.session.exec(
        select(Evaluation).where(Evaluation.incident_id == dossier.id).order_by(col(Evaluation.at).desc())
    ).all()
    facts = rfc8785.dumps(evaluated_facts(dossier.sheet))
    orders, met = evaluated_orders(dossier.instructions), evaluated_times(dossier.met, rules)
    for row in rows:
        inputs = view.house.store.open(row, incident_id=dossier.id)["inputs"]
        # Evaluations of earlier versions knew no orders, no duties that were met, and no kinds of organisations.
        if (
            rfc8785.dumps(inputs["facts"]) == facts
            and inputs.get("orders", []) == orders
            and inputs.get("met", met) == met
        ):
            return _Evaluated(row.at, row.rules_hash, (inputs["scope"], inputs.get("organisation", [])))
    return None


def _must_be_in_the_table(
    view: View, findings: Findings, dossier: Dossier, rules: Rules, at: datetime
) -> None:
    incident, orders = dossier.id, dossier.instructions
    found = findings_for(dossier.sheet, view.house.settings, rules, now=at, orders=orders, met=dossier.met)
    duties = {duty.id: duty for finding in found for duty in finding.duties}
    rows = {row.duty_id: row for row in stored_duties(view.session, incident)}
    for duty_id, what in _differences(duties, rows):
        if duty_id in rows and rules.may_hold(rows[duty_id].regime):
            continue
        findings.broken(CLOCKS, f"duty {incident}/{duty_id}", what)


def _settled(row: DutyRow, duty: Duty) -> bool:
    return row.state == MET or (row.state == WAIVED and duty.state is DutyState.may_be_waived)


def _differences(duties: Mapping[str, Duty], rows: Mapping[str, DutyRow]) -> list[tuple[str, str]]:
    found = []
    for duty in duties.values():
        row = rows.get(duty.id)
        if duty.is_standing and row is None:
            found.append((duty.id, "it stands, and is not in the table"))
        elif row is not None and not _settled(row, duty) and row.state != duty.state:
            found.append((duty.id, f"it is {duty.state}, and the table says {row.state}"))
        elif row is not None and row.state != MET and row.due_at != duty.due_at:
            found.append((duty.id, "its deadline is not the one in the table"))
    for row in rows.values():
        if row.duty_id not in duties and row.state in STANDING:
            found.append((row.duty_id, "the table says that it stands, and no rule does"))
    return found


def _look_at_reminders(view: View, findings: Findings) -> None:
    its_duty = sa.exists().where(d.incident_id == m.incident_id, d.duty_id == m.duty_id).correlate(_reminder)
    scan(
        view,
        findings,
        "reminder",
        [m.id],
        _reminder,
        [Sign(REMINDED, "its duty does not exist", ~its_duty)],
        view.mine(m.incident_id),
    )
    for reminder, moment in view.rows(sa.select(m.id, m.moment).where(view.mine(m.incident_id))):
        if not _MOMENT.fullmatch(moment):
            findings.broken(REMINDED, f"reminder {reminder}", "its moment is none")


def _look_at_jobs(view: View, findings: Findings) -> None:
    stands = sa.exists().where(d.incident_id == i.id, d.state.in_(sorted(STANDING))).correlate(_incident)
    statement = (
        sa.select(i.id, j.state)
        .outerjoin_from(_incident, _job, (j.kind == DUTIES_JOB) & (j.key == i.id))
        .where(view.mine(i.id), i.state == IncidentState.OPEN, stands)
    )
    for incident, state in view.rows(statement):
        if state != JobState.OPEN:
            said = f"its job is {state}" if state is not None else "it has no job"
            next_step = RETRY if state == JobState.PARKED else ""
            findings.broken(WATCHED, incident, f"a duty stands, and {said}", next_step=next_step)


SURVEYS = (
    Survey(_look_at_reminders, (REMINDED,)),
    Survey(_look_at_jobs, (WATCHED,), fleeting=True),
    Survey(_look_at_rows, (STATES,)),
    Survey(_look_at_journal, (JOURNALLED,)),
    Survey(_look_at_waivers, (WAIVERS,)),
    Survey(_look_at_clocks, (EVALUATED, CLOCKS)),
)
