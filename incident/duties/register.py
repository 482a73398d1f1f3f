"""The register of breaches: every incident, also closed ones and those of which nobody was told, with the reasons.

GDPR Art. 33(5), PIPEDA's regulations s. 6, Brazil's Resolution 15/2024 Art. 10, Switzerland's ordinance Art. 15(4) and
GB/T 35273 10.1 c) 1) ask for it. It says what the record holds: duties as they were stored, no new evaluation. Of an
incident whose data was destroyed, what lies open stays: its number, its times, which duties were met and when.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from sqlmodel import Session, col, select

from incident.duties.evaluating import MET, Rules, stored_duties
from incident.duties.meeting import MetLine, met_line
from incident.duties.view import DutyStatus
from incident.duties.waivers import WAIVED, WaiverLine, list_waivers
from incident.errors import KeyMissing, Unreadable
from incident.law.categories import category_catalogue
from incident.law.findings import STANDING, DutyState, Outcome
from incident.law.reasons import ANSWER_TITLES, Answer
from incident.law.record_keeping import KeptFrom, RecordKeeping, kept_for
from incident.law.regimes import DutyKind
from incident.record.dossier import Dossier, dossier_in
from incident.record.facts import field_named, show_value
from incident.record.incidents import IncidentState
from incident.record.measures import summarise_measures
from incident.record.resolutions import ResolutionLine, list_resolutions
from incident.settings import Settings
from incident.store.store import Store
from incident.store.tables import DutyRow, Evaluation, Incident

_REPORTS = frozenset({DutyKind.report_authority, DutyKind.report_police})
_MAY_APPLY = frozenset({str(Outcome.met), str(Outcome.cannot_tell)})


@dataclass(frozen=True)
class RegisteredDuty:
    """One duty as the record has it. `why`: why it is not owed, was waived, or was late; empty elsewhere."""

    id: str
    title: str
    kind: str
    status: DutyStatus
    due_at: datetime | None
    met_at: datetime | None
    how: str
    why: str


@dataclass(frozen=True)
class Kept:
    """Until when a law wants the record kept. `until` None: it names no period, or its start has not come."""

    rule: RecordKeeping
    until: date | None


@dataclass(frozen=True)
class RegisterEntry:
    """One incident. Texts are in the language asked for; "" where the record does not say.

    `note` says that the data was destroyed, or cannot be read; then the texts are empty.
    """

    incident_id: str
    title: str
    state: str
    opened_at: datetime
    closed_at: datetime | None
    destroyed_at: datetime | None
    readable: bool
    occurred_at: datetime | None = None
    found_at: datetime | None = None
    aware_at: datetime | None = None
    found_by: str = ""
    systems: str = ""
    data_kinds: str = ""
    persons: str = ""
    records: str = ""
    effects: str = ""
    cause: str = ""
    measures: tuple[str, ...] = ()
    police: str = ""
    duties: tuple[RegisteredDuty, ...] = ()
    decisions: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()

    @property
    def authorities_told(self) -> tuple[RegisteredDuty, ...]:
        return tuple(each for each in self.duties if each.kind in _REPORTS and each.met_at is not None)

    @property
    def people_told(self) -> tuple[RegisteredDuty, ...]:
        told = (each for each in self.duties if each.kind == DutyKind.notify_people)
        return tuple(each for each in told if each.met_at is not None)

    @property
    def not_told(self) -> tuple[RegisteredDuty, ...]:
        """The duties that were not carried out for a reason: no law asked for it, or it was waived."""
        reasons = (DutyStatus.WAIVED, DutyStatus.NOT_APPLICABLE)
        return tuple(each for each in self.duties if each.status in reasons and each.why)


@dataclass(frozen=True)
class Selection:
    """Which incidents: opened in this time (both ends included), and under a law of this country (in capitals)."""

    since: datetime | None = None
    until: datetime | None = None
    country: str | None = None


def register_entries(
    session: Session,
    store: Store,
    settings: Settings,
    rules: Rules,
    *,
    selection: Selection,
    language: str,
    drill: bool,
) -> Iterator[RegisterEntry]:
    """The incidents in the order in which they were opened."""
    asked = select(Incident).order_by(col(Incident.opened_at), col(Incident.id))
    if selection.since is not None:
        asked = asked.where(Incident.opened_at >= selection.since)
    if selection.until is not None:
        asked = asked.where(Incident.opened_at <= selection.until)
    writer = _Writer(session, store, settings, rules, selection.country, language, drill)
    for incident in session.exec(asked).all():
        entry = writer.entry(incident)
        if entry is not None:
            yield entry


@dataclass(frozen=True)
class _Writer:
    session: Session
    store: Store
    settings: Settings
    rules: Rules
    country: str | None
    language: str
    drill: bool

    @property
    def zone(self) -> tzinfo:
        return self.settings.zone

    def entry(self, incident: Incident) -> RegisterEntry | None:
        try:
            dossier = dossier_in(self.session, self.store, incident.id)
        except (KeyMissing, Unreadable):
            return self._closed_book(incident)
        outcomes = self._outcomes(incident.id)
        regimes = self._regimes()
        if regimes is not None and not any(outcomes.get(each) in _MAY_APPLY for each in regimes):
            return None
        waivers = list_waivers(self.session, self.store, incident.id, drill=self.drill)
        duties = tuple(self._duties(incident.id, outcomes, waivers, regimes))
        decided = list_resolutions(self.session, self.store, incident.id)
        said = _Said(dossier, self.language, self.zone)
        return RegisterEntry(
            incident_id=incident.id,
            title=dossier.title,
            state=incident.state,
            opened_at=incident.opened_at,
            closed_at=incident.closed_at,
            destroyed_at=None,
            readable=True,
            occurred_at=said.time("occurred_at"),
            found_at=said.time("discovered_at") or said.time("informed_at"),
            aware_at=said.time("aware_at"),
            found_by=said.text("found_by") or dossier.told_by,
            systems=said.text("systems"),
            data_kinds=said.kinds(),
            persons=said.text("persons"),
            records=said.text("records"),
            effects=said.texts("breach_effects", "impact_so_far", "possible_harm"),
            cause=said.texts("cause_kind", "cause"),
            measures=tuple(
                each.measure.title[self.language] for each in summarise_measures(dossier.measures)
            ),
            police=said.text("law_enforcement_contacted"),
            duties=duties,
            decisions=tuple(_decision(each) for each in decided if each.stands),
            kept=tuple(self._kept(incident, said, duties)),
        )

    def _closed_book(self, incident: Incident) -> RegisterEntry | None:
        """What lies open of an incident whose data was destroyed or whose key is not at hand."""
        regimes = self._regimes()
        rows = [
            row
            for row in stored_duties(self.session, incident.id)
            if regimes is None or row.regime in regimes
        ]
        if regimes is not None and not rows:
            return None
        duties = tuple(
            RegisteredDuty(
                row.duty_id, row.duty_id, row.kind, _status(row, ""), row.due_at, row.met_at, "", ""
            )
            for row in rows
            if row.state != DutyState.not_owed
        )
        return RegisterEntry(
            incident_id=incident.id,
            title="",
            state=incident.state,
            opened_at=incident.opened_at,
            closed_at=incident.closed_at,
            destroyed_at=incident.destroyed_at if incident.state == IncidentState.DESTROYED else None,
            readable=False,
            duties=duties,
        )

    def _regimes(self) -> frozenset[str] | None:
        if self.country is None:
            return None
        return frozenset(each.id for each in self.rules.regimes if self.country in each.countries())

    def _outcomes(self, incident_id: str) -> Mapping[str, str]:
        latest = self.session.exec(
            select(Evaluation)
            .where(Evaluation.incident_id == incident_id)
            .order_by(col(Evaluation.at).desc())
        ).first()
        if latest is None:
            return {}
        found: Mapping[str, str] = self.store.open(latest, incident_id=incident_id)["outcomes"]
        return found

    def _duties(
        self,
        incident_id: str,
        outcomes: Mapping[str, str],
        waivers: Sequence[WaiverLine],
        regimes: frozenset[str] | None,
    ) -> Iterator[RegisteredDuty]:
        standing = {each.duty_id: each for each in waivers if each.stands}
        for row in stored_duties(self.session, incident_id):
            if regimes is not None and row.regime not in regimes:
                continue
            not_owed = row.state == DutyState.not_owed
            if not_owed and outcomes.get(row.regime) not in _MAY_APPLY:
                continue
            content = self.store.open(row, incident_id=incident_id)
            met = met_line(row.met_at, content) if row.met_at is not None else None
            yield RegisteredDuty(
                id=row.duty_id,
                title=content["title"][self.language],
                kind=row.kind,
                status=_status(row, met.late_reason if met is not None else ""),
                due_at=row.due_at,
                met_at=row.met_at,
                how=met.how if met is not None else "",
                why=_why(
                    met,
                    standing.get(row.duty_id),
                    content["why"][self.language] if not_owed else [],
                    self.language,
                ),
            )

    def _kept(self, incident: Incident, said: _Said, duties: Sequence[RegisteredDuty]) -> Iterator[Kept]:
        countries = (
            {self.country} if self.country else {each.upper() for each in self.settings.scope.countries}
        )
        for rule in kept_for(frozenset(countries)):
            starts = {
                KeptFrom.recorded: incident.opened_at,
                KeptFrom.determined: said.time("aware_at") or said.time("discovered_at"),
                KeptFrom.reported: self._last_report(rule.country, duties),
            }
            begun = starts[rule.start] if rule.start is not None else None
            yield Kept(rule, rule.until(begun.astimezone(self.zone).date()) if begun is not None else None)

    def _last_report(self, country: str, duties: Sequence[RegisteredDuty]) -> datetime | None:
        regimes = {each.id for each in self.rules.regimes if country in each.countries()}
        told = (
            each.met_at
            for each in duties
            if each.met_at is not None and each.kind in _REPORTS and each.id.partition("/")[0] in regimes
        )
        return max(told, default=None)


@dataclass(frozen=True)
class _Said:
    """What the facts of one incident say, as text."""

    dossier: Dossier
    language: str
    zone: tzinfo

    def time(self, name: str) -> datetime | None:
        value = self.dossier.sheet.get(name)
        return value if isinstance(value, datetime) else None

    def text(self, name: str) -> str:
        value = self.dossier.sheet.get(name)
        if value is None:
            return ""
        return show_value(field_named(name), value, language=self.language, zone=self.zone)

    def texts(self, *names: str) -> str:
        stop = "；" if self.language == "zh-Hans" else "; "
        return stop.join(filter(None, map(self.text, names)))

    def kinds(self) -> str:
        """The kinds of data by their titles."""
        value, known = self.dossier.sheet.get("data_categories"), category_catalogue()
        if not isinstance(value, tuple):
            return ""
        comma = "、" if self.language == "zh-Hans" else ", "
        return comma.join(known[key].title[self.language] if key in known else key for key in value)


def _status(row: DutyRow, late_reason: str) -> DutyStatus:
    if row.state == MET:
        late = row.met_at is not None and row.due_at is not None and row.met_at > row.due_at
        return DutyStatus.LATE if late or late_reason else DutyStatus.MET
    if row.state == WAIVED:
        return DutyStatus.WAIVED
    if row.state not in STANDING:
        return DutyStatus.NOT_APPLICABLE
    return DutyStatus.ASSUMED if row.assumed else DutyStatus.RUNNING


def _why(met: MetLine | None, waiver: WaiverLine | None, why: Sequence[str], language: str) -> str:
    if met is not None:
        return met.late_reason
    if waiver is not None:
        chinese = language == "zh-Hans"
        by = f"（{waiver.article}，{waiver.by}）" if chinese else f" ({waiver.article}, {waiver.by})"
        return f"{waiver.label} {waiver.reason}{by}"
    return _grounds(why, language)


def _grounds(why: Sequence[str], language: str) -> str:
    """Of the reasons, line by line as they were stored, what is not met; of an exemption, its own line."""
    if not why:
        return ""
    no = ANSWER_TITLES[Answer.not_met][language]
    if not why[0].endswith(no):
        return why[0].strip()
    depths = [len(line) - len(line.lstrip()) for line in why]
    leaves = [
        line.strip()
        for line, depth, below in zip(why, depths, [*depths[1:], -1], strict=True)
        if below <= depth and line.endswith(no)
    ]
    return ("；" if language == "zh-Hans" else "; ").join(leaves or [why[0].strip()])


def _decision(line: ResolutionLine) -> str:
    return f"{line.label} {line.question} → {line.decision} ({line.reasons})"
