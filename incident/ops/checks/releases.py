"""What leaves the house: versions frozen as they were signed, released by two people, and published."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from sqlmodel import Session, col, select

from incident.delivery.states import PUBLISH_JOB
from incident.durable import JobState
from incident.errors import Refused, Unreadable
from incident.notice.publishing import followed_by
from incident.notice.release import SUBJECT_KIND, NoticeState, version_by_id
from incident.ops.checks.base import DAMAGED, Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.record.decisions import Subject, approvals, voices
from incident.settings import Born
from incident.store.opening import born_as
from incident.store.tables import Campaign, Job, Notice, PublicNotice, Report

FOUR_EYES = 2
"""However the settings changed since: no release ever took fewer people."""

_notice, _report, _campaign = map(table_of, (Notice, Report, Campaign))
n, r, c = _notice.c, _report.c, _campaign.c

VERSIONS = Invariant(
    "released.versions", "versions of notice and report are numbered 1, 2, ... and say what became of them"
)
FROZEN = Invariant("released.frozen", "each version of a notice is the one that its hash names")
SIGNED = Invariant(
    "released.signed",
    "what was released, and what is sent, carries valid signatures of two people",
    "stop the sending (`incident verify` shows what was changed); the notice must be released again",
)
PUBLISHED = Invariant(
    "released.published",
    "a notice that is sent has its public pages, or a job that makes them, or a later one took its place before",
)
PAGES = Invariant(
    "released.pages",
    "each public page on this machine is the one that was published",
    "put the page back from the machine that published it, or from a copy",
)


def _look_at_versions(view: View, findings: Findings) -> None:
    scan(
        view,
        findings,
        "notice",
        [n.id],
        _notice,
        [
            Sign(VERSIONS, "its state is unknown", n.state.not_in(sorted(NoticeState))),
            Sign(
                VERSIONS,
                "released without a time, or not and with one",
                (n.state == NoticeState.RELEASED) != n.released_at.is_not(None),
            ),
        ],
        view.mine(n.incident_id),
    )
    scan(
        view,
        findings,
        "report",
        [r.id],
        _report,
        [
            Sign(VERSIONS, "its state is unknown", r.state.not_in(["draft", "submitted"])),
            Sign(
                VERSIONS,
                "submitted without a time, or not and with one",
                (r.state == "submitted") != r.submitted_at.is_not(None),
            ),
        ],
        view.mine(r.incident_id),
    )
    _look_at_numbers(view, findings, "notice of", _notice, [n.incident_id])
    _look_at_numbers(view, findings, "report of", _report, [r.incident_id, r.regime, r.phase])


def _look_at_numbers(
    view: View, findings: Findings, name: str, table: sa.Table, subject: list[sa.Column[str]]
) -> None:
    number = table.c.version
    gap = (sa.func.min(number) != 1) | (sa.func.max(number) != sa.func.count(sa.distinct(number)))
    statement = (
        sa.select(*subject)
        .where(view.mine(table.c.incident_id))
        .group_by(*subject)
        .having(gap | (sa.func.count() != sa.func.count(sa.distinct(number))))
    )
    for row in view.rows(statement):
        findings.broken(VERSIONS, f"{name} {'/'.join(row)}", "its versions are not numbered without a gap")


def _look_at_releases(view: View, findings: Findings) -> None:
    """Every version that can still be read. What was destroyed is the incident's matter, not the notice's."""
    store = view.house.store
    for incident in view.readable():
        rows = view.session.exec(
            select(Notice).where(Notice.incident_id == incident).order_by(col(Notice.version))
        )
        sent = set(
            view.session.exec(select(Campaign.notice_id).where(Campaign.incident_id == incident)).all()
        )
        for row in rows.all():
            try:
                languages = set(version_by_id(view.session, store, row.id).frozen.contents)
            except Refused:
                findings.broken(FROZEN, f"notice {row.id}", "its content is not the one that its hash names")
                continue
            except Unreadable:
                findings.broken(FROZEN, f"notice {row.id}", "its content does not open")
                continue
            if row.id in sent:
                _must_be_published(view, findings, row.id, languages)


def _must_be_published(view: View, findings: Findings, notice_id: str, languages: set[str]) -> None:
    pages = set(
        view.session.exec(select(PublicNotice.language).where(PublicNotice.notice_id == notice_id)).all()
    )
    if not pages and followed_by(view.session, notice_id) is not None:
        return
    job = view.session.get(Job, (PUBLISH_JOB, notice_id))
    if pages != languages and (job is None or job.state != JobState.OPEN):
        missing = ", ".join(sorted(languages - pages)) or "one too many"
        findings.broken(
            PUBLISHED, f"notice {notice_id}", f"not the pages that it has languages for ({missing})"
        )


def _look_at_signatures(view: View, findings: Findings) -> None:
    drill = born_as(view.house.store) == Born.DRILL
    statement = (
        sa.select(n.id, n.content_hash, n.state, c.id)
        .outerjoin_from(_notice, _campaign, c.notice_id == n.id)
        .where(view.mine(n.incident_id), (n.state == NoticeState.RELEASED) | c.id.is_not(None))
    )
    for notice, content, state, campaign in list(view.rows(statement)):
        if state != NoticeState.RELEASED:
            findings.broken(
                SIGNED, f"campaign {campaign}", f"the notice {notice} that it sends is not released"
            )
        signed = _signatures(view.session, Subject(SUBJECT_KIND, notice, content), drill=drill)
        if signed < FOUR_EYES:
            findings.broken(SIGNED, f"notice {notice}", f"released with {signed} valid signatures")
    orphans = sa.select(c.id).outerjoin_from(
        _campaign, _notice, (n.id == c.notice_id) & (n.incident_id == c.incident_id)
    )
    for (campaign,) in view.rows(orphans.where(view.mine(c.incident_id), n.id.is_(None))):
        findings.broken(
            SIGNED, f"campaign {campaign}", "it sends no notice of its incident", next_step=DAMAGED
        )


def _signatures(session: Session, subject: Subject, *, drill: bool) -> int:
    return len(approvals(voices(session, subject, drill=drill)))


def _look_at_pages(view: View, findings: Findings) -> None:
    """The page of the newest version in each language: an older one's lay in the same place."""
    pages, jobs = table_of(PublicNotice).c, table_of(Job).c
    publishing = sa.select(jobs.incident_id).where(jobs.kind == PUBLISH_JOB, jobs.state == JobState.OPEN)
    statement = (
        sa.select(pages.file, pages.sha256)
        .join(_notice, n.id == pages.notice_id)
        # While a version is published its file may lie there already and its row not yet.
        .where(
            view.mine(pages.incident_id),
            pages.incident_id.not_in(publishing.where(jobs.incident_id.is_not(None))),
        )
        .order_by(n.version)
    )
    for file, digest in {file: digest for file, digest in view.rows(statement)}.items():
        try:
            found = hashlib.sha256((view.house.workspace.public / file).read_bytes()).hexdigest()
        except OSError:
            # On several machines the pages lie where they were made.
            if view.alone:
                findings.broken(PAGES, f"public page {file}", "the file cannot be read")
            else:
                findings.untold(PAGES, f"{file} is not on this machine")
            continue
        if found != digest:
            findings.broken(PAGES, f"public page {file}", "the file is not what was published")


SURVEYS = (
    Survey(_look_at_versions, (VERSIONS,)),
    Survey(_look_at_releases, (FROZEN, PUBLISHED)),
    Survey(_look_at_signatures, (SIGNED,)),
    Survey(_look_at_pages, (PAGES,)),
)
