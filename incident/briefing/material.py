"""What briefs and handovers are made from: the record in one view, with the head of its journal as it stood then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from incident.briefing.sheet import Head
from incident.briefing.words import Words
from incident.delivery.status import Account, account, campaigns_of
from incident.duties.asking import questions_of
from incident.duties.evaluating import MET, rules_in_use, stored_duties
from incident.duties.view import DutyView, view_duties
from incident.duties.waivers import WAIVED
from incident.errors import Refused
from incident.law.grading import GradeResult, grade, scales_in_scope
from incident.notice.content import NoticeContent
from incident.notice.release import NoticeState, must_be_released
from incident.record.contacts import ContactLine, list_contacts
from incident.record.dossier import Dossier, dossier_in
from incident.record.facts import LocalText
from incident.record.holds import Cover, HoldLine, held, list_holds
from incident.record.instructions import InstructionLine, list_instructions
from incident.record.resolutions import ResolutionLine, list_resolutions
from incident.record.summons import open_summons
from incident.record.tasks import TaskLine, list_tasks
from incident.response import events as e
from incident.response.housework import House
from incident.response.runner import RUNNING, questions, runs_of, short_name
from incident.settings import Organisation
from incident.store.store import Store
from incident.store.tables import Evidence, JournalHead, Notice, Report, Summons

OUTSIDE_COVERS = (Cover.PEOPLE, Cover.PUBLIC, Cover.SELFCHECK)
"""A hold on any of these keeps every fact from the press and from the call centre."""


@dataclass(frozen=True)
class EvidenceFile:
    """A file in custody, as the police are told of it."""

    name: str
    sha256: str
    size: int
    taken_at: datetime


@dataclass(frozen=True)
class WaitingStep:
    """A step of a run that waits for people. `signatures` is how many must approve, 0 where it is no approval."""

    run: str
    step: str
    title: LocalText
    how: str
    who: LocalText | None
    since: datetime
    until: datetime | None
    signatures: int


@dataclass(frozen=True)
class OpenQuestion:
    """A fact that would settle duties or a grade, and whether somebody answered that they do not know."""

    field: str
    question: Mapping[str, str]
    who: str
    said_unknown: bool


@dataclass(frozen=True)
class Published:
    """What a released notice says in one language."""

    content: NoticeContent
    version: int
    released_at: datetime


@dataclass(frozen=True)
class Released:
    """The released notice for those outside, or why there is none for them. Never both.

    `withheld_by` names the hold that covers it; `why_not` says what stands against a notice that was released.
    """

    languages: Mapping[str, Published]
    withheld_by: str = ""
    why_not: str = ""


@dataclass(frozen=True)
class Material:
    """All that is known of one incident to those inside. Nothing of any person concerned, and no privileged note."""

    dossier: Dossier
    duties: tuple[DutyView, ...]
    grades: tuple[GradeResult, ...]
    holds: tuple[HoldLine, ...]
    instructions: tuple[InstructionLine, ...]
    resolutions: tuple[ResolutionLine, ...]
    tasks: tuple[TaskLine, ...]
    contacts: tuple[ContactLine, ...]
    evidence: tuple[EvidenceFile, ...]
    questions: tuple[OpenQuestion, ...]
    waiting: tuple[WaitingStep, ...]
    summons: tuple[Summons, ...]
    notices: tuple[Notice, ...]
    campaigns: tuple[Account, ...]
    reports: tuple[Report, ...]
    organisation: Organisation
    now: datetime
    head: Head
    drill: bool


def gather(session: Session, house: House, incident_id: str, *, now: datetime) -> Material:
    """Read it all as the session sees it. Raises `NotFound`, `KeyDestroyed` or `KeyMissing`."""
    store = house.store
    dossier = dossier_in(session, store, incident_id)
    findings = house.findings(dossier)
    stored = {row.duty_id: row for row in stored_duties(session, incident_id)}
    views = view_duties(findings, stored, house.settings, now=now)
    scope = house.settings.scope
    scales = scales_in_scope(scope.countries, scope.organisation or ())
    return Material(
        dossier=dossier,
        duties=tuple(views),
        grades=tuple(grade(scale, dossier.sheet) for scale in scales),
        holds=tuple(list_holds(session, store, incident_id)),
        instructions=tuple(list_instructions(session, store, incident_id)),
        resolutions=tuple(list_resolutions(session, store, incident_id)),
        tasks=tuple(list_tasks(session, store, incident_id)),
        contacts=tuple(list_contacts(session, store)),
        evidence=_evidence(session, store, incident_id),
        questions=_questions(house, dossier, views, now=now),
        waiting=_waiting(session, store, incident_id),
        summons=tuple(open_summons(session, incident_id)),
        notices=_notices(session, incident_id),
        campaigns=tuple(account(session, each) for each in campaigns_of(session, incident_id)),
        reports=_reports(session, incident_id),
        organisation=house.settings.organisation,
        now=now,
        head=head_of(session, incident_id),
        drill=house.drill,
    )


def gather_released(session: Session, house: House, incident_id: str) -> Released:
    """What those outside may know: the released notice, with its signatures verified again now."""
    covering = next(filter(None, (held(session, incident_id, cover) for cover in OUTSIDE_COVERS)), None)
    if covering is not None:
        return Released({}, withheld_by=f"H{covering.number}")
    released = select(Notice.id).where(
        Notice.incident_id == incident_id, Notice.state == NoticeState.RELEASED
    )
    if session.exec(released).first() is None:
        return Released({})
    try:
        version, _ = must_be_released(
            session, house.store, incident_id, settings=house.settings, drill=house.drill
        )
    except Refused as error:
        return Released({}, why_not=error.what)
    return Released(
        {
            language: Published(
                content, version.row.version, version.row.released_at or version.row.created_at
            )
            for language, content in version.frozen.contents.items()
        }
    )


def head_of(session: Session, incident_id: str) -> Head:
    """The end of the incident's journal."""
    row = session.get(JournalHead, incident_id)
    assert row is not None  # noqa: S101 - an incident is opened by an entry
    return Head(row.seq, row.hash)


def zone_words(house: House, language: str) -> Words:
    """The words in a language, with the workspace's zone."""
    return Words(language, house.settings.zone)


def _evidence(session: Session, store: Store, incident_id: str) -> tuple[EvidenceFile, ...]:
    rows = session.exec(
        select(Evidence)
        .where(Evidence.incident_id == incident_id)
        .order_by(col(Evidence.recorded_at), col(Evidence.id))
    ).all()
    return tuple(
        EvidenceFile(store.open(row, incident_id=incident_id)["name"], row.sha256, row.size, row.recorded_at)
        for row in rows
    )


def _notices(session: Session, incident_id: str) -> tuple[Notice, ...]:
    mine = select(Notice).where(Notice.incident_id == incident_id)
    return tuple(session.exec(mine.order_by(col(Notice.version))).all())


def _reports(session: Session, incident_id: str) -> tuple[Report, ...]:
    mine = select(Report).where(Report.incident_id == incident_id)
    return tuple(session.exec(mine.order_by(col(Report.created_at), col(Report.id))).all())


def _questions(
    house: House, dossier: Dossier, views: Sequence[DutyView], *, now: datetime
) -> tuple[OpenQuestion, ...]:
    """The open questions in the order of what they decide and how soon; those nobody can answer at the end."""
    met = frozenset(view.duty.id for view in views if view.state in (MET, WAIVED))
    asked = questions_of(dossier, house.settings, rules_in_use(house.workspace), met=met, now=now)
    return tuple(
        OpenQuestion(each.name, each.question.field.question, each.question.field.who, each.nobody_knows)
        for each in asked
    )


def _waiting(session: Session, store: Store, incident_id: str) -> tuple[WaitingStep, ...]:
    found = []
    for run in runs_of(session, incident_id):
        if run.state != RUNNING:
            continue
        for asked in questions(session, store, run):
            effect = asked.effect
            assert isinstance(effect, e.AskPerson | e.AskApproval | e.AskOutcome | e.AskCondition)  # noqa: S101
            approval = effect if isinstance(effect, e.AskApproval) else None
            found.append(
                WaitingStep(
                    run=run.id,
                    step=short_name(store, run, asked.row.step),
                    title=effect.title,
                    how=_HOW[type(effect)],
                    who=effect.who if isinstance(effect, e.AskPerson | e.AskOutcome) else None,
                    since=asked.row.asked_at,
                    until=asked.row.due_at,
                    signatures=approval.quorum if approval else 0,
                )
            )
    return tuple(found)


_HOW: Mapping[type, str] = {
    e.AskPerson: "step_done",
    e.AskApproval: "step_approve",
    e.AskOutcome: "step_outcome",
    e.AskCondition: "step_condition",
}
