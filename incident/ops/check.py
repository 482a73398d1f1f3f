"""The check: every invariant that rows can prove, proven on the live store at one moment.

It changes nothing and may run while workers work: it sees one moment, and whatever a killed worker can leave is a
legal state. What it cannot prove, because no row shows it:

- that a message arrived, and that nobody outside was told twice: only the other side knows (the ledger bounds it);
- that facts are true, that law is applied rightly and texts are good: people read, the gate and counsel decide;
- that a carrier keeps to what it was declared for: `incident doctor` checks the settings, not what a relay does;
- that nothing left while a hold stood: times of several clocks are not compared, and what people say is on no row;
- that a time is the right one: clocks that were set wrong leave times that look like any others;
- that words and evidence beside the database are undamaged: `incident evidence verify` reads them;
- anything at or above the last head that somebody holds outside, if rows and journal were forged together:
  `incident verify --head` tells that.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from incident.durable import EVERYTHING, brakes_on, somebody_works
from incident.durable.jobs import database_clock, on_one_machine
from incident.errors import TocsinError
from incident.ops.checks import (
    attempts,
    call_lists,
    calling,
    containment,
    decided,
    holds,
    intake,
    jobs,
    ledger,
    message_parts,
    outcomes,
    owed,
    people,
    progress,
    proofs,
    receipts,
    releases,
    runs,
    sealed,
    tasks,
    updates,
    waves,
)
from incident.ops.checks.base import Findings, Invariant, State, Survey, Verdict, View
from incident.record.incidents import must_exist
from incident.response.housework import House
from incident.store.moment import Moment, one_moment

SURVEYS: tuple[Survey, ...] = tuple(
    survey
    for module in (
        ledger,
        attempts,
        outcomes,
        receipts,
        message_parts,
        call_lists,
        updates,
        progress,
        waves,
        people,
        releases,
        runs,
        containment,
        holds,
        tasks,
        intake,
        calling,
        owed,
        decided,
        jobs,
        proofs,
        sealed,
    )
    for survey in module.SURVEYS
)
INVARIANTS: tuple[Invariant, ...] = tuple(dict.fromkeys(each for survey in SURVEYS for each in survey.tells))
"""Every invariant once, in the order in which it is shown."""

SECOND_LOOK = 5.0
"""Seconds within which a worker that lives has taken up whatever is due."""


@dataclass(frozen=True)
class Checked:
    """What a check found. `works` says whether anybody works, `brake` since when nothing leaves the house."""

    at: datetime
    incident_id: str | None
    works: bool
    brake: str
    verdicts: tuple[Verdict, ...]

    @property
    def broken(self) -> tuple[Verdict, ...]:
        return tuple(each for each in self.verdicts if each.state is State.BROKEN)

    @property
    def untold(self) -> tuple[Verdict, ...]:
        return tuple(each for each in self.verdicts if each.state is State.UNTOLD)

    @property
    def holds(self) -> bool:
        """Whether nothing is broken. What could not be told is in `untold`."""
        return not self.broken


def check(house: House, *, incident_id: str | None = None, pause: float = SECOND_LOOK) -> Checked:
    """Prove every invariant, of one incident or of all. Raises `NotFound` for an unknown incident.

    Where something looks left undone, it is looked at again after `pause` seconds.
    """
    with one_moment(house.store) as moment:
        if incident_id is not None:
            with moment.read() as session:
                must_exist(session, incident_id)
        first = check_moment(house, moment, incident_id=incident_id)
    broken = {each.invariant for each in first.broken}
    doubtful = [survey for survey in SURVEYS if survey.fleeting and broken & set(survey.tells)]
    if not doubtful:
        return first
    time.sleep(pause)
    with one_moment(house.store) as moment:
        second = check_moment(house, moment, incident_id=incident_id, surveys=doubtful)
    told = {each.invariant: each for each in second.verdicts}
    return replace(first, verdicts=tuple(told.get(each.invariant, each) for each in first.verdicts))


def check_moment(
    house: House, moment: Moment, *, incident_id: str | None = None, surveys: Sequence[Survey] = SURVEYS
) -> Checked:
    """As `check`, for a moment that somebody holds already."""
    findings = Findings(tuple(dict.fromkeys(each for survey in surveys for each in survey.tells)))
    with moment.read() as session:
        view = _view(replace(house, store=moment), session, incident_id)
        for survey in surveys:
            _look(survey, view, findings)
    return Checked(view.now, incident_id, view.works, view.brake, findings.verdicts())


def _look(survey: Survey, view: View, findings: Findings) -> None:
    try:
        survey.look(view, findings)
    except (TocsinError, ValueError, TypeError, LookupError) as error:
        # A value that no version of ours wrote, or a key that is away. What else is told stays told.
        for invariant in survey.tells:
            findings.untold(invariant, f"a value in it cannot be read ({type(error).__name__})")


def _view(house: House, session: Session, incident_id: str | None) -> View:
    stale = house.settings.engine.stale_seconds
    brake = next((each for each in brakes_on(session) if each.name == EVERYTHING), None)
    return View(
        house=house,
        session=session,
        now=house.clock(),
        clock=database_clock(session),
        works=somebody_works(house.store, house.workspace, stale=stale),
        brake="" if brake is None else f"{brake.set_at:%Y-%m-%d %H:%M} UTC",
        alone=on_one_machine(session),
        incident_id=incident_id,
    )
