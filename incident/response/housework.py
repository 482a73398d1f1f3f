"""The work of the house that a playbook may ask for: the notice and the authority's report.

It passes no gate. A draft is made; a release is waited for; sending begins only once enough people have signed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlmodel import select

from incident.delivery.campaign import open_campaign
from incident.delivery.states import CampaignState
from incident.delivery.status import campaigns_of
from incident.duties.evaluating import Rules, findings_for, rules_with_reviews, settled_duties
from incident.errors import Refused
from incident.law.categories import category_catalogue
from incident.law.evaluate import required_notice_elements
from incident.law.findings import Finding
from incident.law.regimes import DutyKind
from incident.notice.findings import refusals
from incident.notice.inputs import Informed
from incident.notice.release import Workbench, current_version, must_be_released, with_promises
from incident.record.dossier import Dossier, dossier_in, load_dossier
from incident.record.holds import Cover, HeldBack, must_not_be_held
from incident.report.versions import fill_report, keep_version, report_duties
from incident.response import events as e
from incident.response.attempt import ENGINE, HouseAnswer, HouseState
from incident.response.extensions import Extension, NoticeTask
from incident.settings import Born, Settings
from incident.store.opening import born_as
from incident.store.store import Store
from incident.store.tables import Campaign, PublicNotice
from incident.workspace import Workspace

ALL_OWED = "owed"
"""As a step's `regime`: every regime that asks for a report now."""
NEXT_PHASE = "next"
"""As a step's `phase`: of each regime the first report that stands open."""


@dataclass(frozen=True)
class House:
    """A workspace with its store: what the notice and the report are made from."""

    workspace: Workspace
    settings: Settings
    store: Store
    clock: Callable[[], datetime]

    @cached_property
    def drill(self) -> bool:
        """Whether this is a rehearsal, by the record and not by settings that somebody could edit."""
        return born_as(self.store) == Born.DRILL

    @cached_property
    def rules(self) -> Rules:
        """The regimes in use, read once: for what looks at many incidents, and writes nothing."""
        with self.store.read() as session:
            return rules_with_reviews(session, self.workspace)

    def findings(self, dossier: Dossier) -> tuple[Finding, ...]:
        """What the law says of the record now."""
        with self.store.read() as session:
            rules = rules_with_reviews(session, self.workspace)
        return findings_for(
            dossier.sheet,
            self.settings,
            rules,
            now=self.clock(),
            orders=dossier.instructions,
            met=dossier.met,
        )

    def bench(self, dossier: Dossier) -> Workbench:
        """What the notice must hold by law and by promise, and what it is made with."""
        findings = self.findings(dossier)
        required = required_notice_elements(findings)
        return Workbench(
            workspace=self.workspace,
            settings=self.settings,
            required=with_promises(required, self.settings.promises.notice_contains),
            categories=category_catalogue(),
            informed=[
                Informed(duty.id, recipient.key, recipient.name, dossier.met[duty.id])
                for finding in findings
                for duty in finding.duties
                if duty.kind is DutyKind.report_authority and duty.id in dossier.met
                # Which of two authorities was told is nothing to guess: a notice would claim it.
                for recipient in duty.certain_recipients
            ],
        )

    def __call__(self, effect: e.DoInHouse, *, incident_id: str) -> HouseAnswer:
        """Do one piece of housework, as a playbook's step asks for it."""
        if effect.extension is Extension.regulator_report:
            return self._prepare_reports(
                incident_id, str(effect.params["regime"]), str(effect.params["phase"])
            )
        work = {
            NoticeTask.draft: self._draft,
            NoticeTask.release: self._await_release,
            NoticeTask.send: self._send,
            NoticeTask.publish: self._await_publication,
        }
        return work[NoticeTask(effect.params["task"])](incident_id)

    def _draft(self, incident_id: str) -> HouseAnswer:
        with self.store.write(incident_id, kind="notice.drafted", actor=ENGINE, now=self.clock()) as change:
            dossier = dossier_in(change.session, self.store, incident_id)
            version, findings = current_version(change, self.store, dossier, self.bench(dossier))
        missing = len(refusals(findings))
        text = f"notice version {version.row.version} drafted"
        return HouseAnswer(HouseState.DONE, f"{text}, {missing} things missing" if missing else text)

    def _await_release(self, incident_id: str) -> HouseAnswer:
        try:
            with self.store.read() as session:
                version, signed = must_be_released(
                    session, self.store, incident_id, settings=self.settings, drill=self.drill
                )
        except Refused:
            return HouseAnswer(HouseState.WAITING, "waits for the release of the notice")
        names = ", ".join(sorted(voice.operator.name for voice in signed))
        return HouseAnswer(HouseState.DONE, f"notice version {version.row.version} released by {names}")

    def _send(self, incident_id: str) -> HouseAnswer:
        released = self._await_release(incident_id)
        if released.state is not HouseState.DONE:
            return released
        campaign = self._campaign_of_released(incident_id)
        if campaign is not None and campaign.state == CampaignState.ENDED:
            return HouseAnswer(HouseState.DONE, f"the notice went out to {campaign.expected} people")
        if campaign is not None:
            return HouseAnswer(HouseState.WAITING, "the notice is being sent")
        if waits := self._held_back(incident_id, Cover.PEOPLE):
            return waits
        try:
            with self.store.write(
                incident_id, kind="campaign.opened", actor=ENGINE, now=self.clock()
            ) as change:
                version, _ = must_be_released(
                    change.session, self.store, incident_id, settings=self.settings, drill=self.drill
                )
                open_campaign(change, self.store, version, self.settings)
        except HeldBack as error:
            # One that came in between.
            return HouseAnswer(HouseState.WAITING, error.what)
        except Refused as error:
            return HouseAnswer(HouseState.FAILED, error.what)
        return HouseAnswer(HouseState.WAITING, "the notice is being sent")

    def _held_back(self, incident_id: str, cover: Cover) -> HouseAnswer | None:
        """That a hold is waited for, by its name; None where nothing holds this back."""
        try:
            with self.store.read() as session:
                must_not_be_held(session, self.store, incident_id, cover)
        except HeldBack as error:
            return HouseAnswer(HouseState.WAITING, error.what)
        return None

    def _campaign_of_released(self, incident_id: str) -> Campaign | None:
        with self.store.read() as session:
            version, _ = must_be_released(
                session, self.store, incident_id, settings=self.settings, drill=self.drill
            )
            return next(
                (one for one in campaigns_of(session, incident_id) if one.notice_id == version.row.id), None
            )

    def _await_publication(self, incident_id: str) -> HouseAnswer:
        with self.store.read() as session:
            page = session.exec(select(PublicNotice).where(PublicNotice.incident_id == incident_id)).first()
        if page is None:
            held_back = self._held_back(incident_id, Cover.PUBLIC)
            return held_back or HouseAnswer(HouseState.WAITING, "waits for the public notice")
        return HouseAnswer(HouseState.DONE, "the public notice is published")

    def _prepare_reports(self, incident_id: str, regime: str, phase: str) -> HouseAnswer:
        dossier = load_dossier(self.store, incident_id)
        with self.store.read() as session:
            met = settled_duties(session, incident_id)
        owed = report_duties(self.findings(dossier), standing_only=True)
        standing = [each for each in owed if each.duty.id not in met]
        first_of_regime = {each.duty.regime: each for each in reversed(standing)}
        wanted = [
            each
            for each in standing
            if regime in (ALL_OWED, each.duty.regime)
            and (
                each.duty.phase == phase
                or (phase == NEXT_PHASE and first_of_regime[each.duty.regime] is each)
            )
        ]
        if not wanted:
            return HouseAnswer(HouseState.DONE, "no report of this phase is owed")
        with self.store.write(incident_id, kind="report.prepared", actor=ENGINE, now=self.clock()) as change:
            for each in wanted:
                filled = fill_report(each, dossier, self.workspace, self.settings, now=change.at)
                keep_version(change, self.store, incident_id, filled)
        names = ", ".join(f"{each.duty.regime} ({each.duty.phase})" for each in wanted)
        return HouseAnswer(HouseState.DONE, f"report prepared: {names}")
