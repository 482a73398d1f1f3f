"""Versions of the notice: assembled from the record, frozen by hash, released by several people.

A version holds everything that leaves the house: the content by language, the rendered e-mails with their slots, the
public pages, the sender. Its hash covers all of it, so a signature speaks for exactly these words; a fact that
changes afterwards makes a new version, for which nobody has signed yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from incident.errors import BadInput, NotFound, Refused
from incident.notice.audience import FURTHER, Audience
from incident.notice.audience_words import message_words
from incident.notice.draft import draft
from incident.notice.findings import Finding, refusals
from incident.notice.frozen import FrozenNotice
from incident.notice.gate import Required, check_notice
from incident.notice.gate_audiences import check_variants
from incident.notice.gate_channels import check_channels
from incident.notice.gate_edits import check_edits
from incident.notice.gate_personal import check_personal
from incident.notice.gate_record import check_record
from incident.notice.inputs import CategoryTexts, Informed, NoticeInputs
from incident.notice.languages import languages_in
from incident.notice.letter import freeze_letters
from incident.notice.public_page import render_public_pages
from incident.notice.remedies import suggested_remedies
from incident.notice.render import render_email
from incident.notice.render_small import render_small
from incident.notice.updating import update_mark
from incident.record.decisions import Signer, Subject, Verdict, Voice, approvals, decide, rejections, voices
from incident.record.dossier import Dossier
from incident.record.incidents import must_be_open
from incident.record.operators import Role
from incident.settings import Settings
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Notice
from incident.workspace import Workspace, search_path

SUBJECT_KIND = "notice"
_SHORTEST_HASH = 8


class NoticeState(StrEnum):
    DRAFT = "draft"
    RELEASED = "released"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Workbench:
    """What assembling needs besides the record: settings, templates, the law's demands and categories, and
    the authorities that were told."""

    workspace: Workspace
    settings: Settings
    required: Required
    categories: Mapping[str, CategoryTexts]
    informed: Sequence[Informed] = ()


def assemble(
    dossier: Dossier, bench: Workbench, *, written_at: datetime
) -> tuple[FrozenNotice, list[Finding]]:
    """The notice as the record has it now, and what stands against releasing it.

    A pure function of the record, the settings, the templates and `written_at`.
    """
    settings = bench.settings
    templates = search_path(bench.workspace, "templates")
    languages = languages_in(templates)
    inputs = NoticeInputs(
        reference=dossier.id,
        facts={name: stated.fact for name, stated in dossier.current.items()},
        measures=dossier.measures,
        organisation=settings.organisation,
        categories=bench.categories,
        written_at=written_at,
        zone=settings.zone,
        edits=dossier.edits,
        informed=bench.informed,
        regimes=tuple({regime: None for asked in bench.required.values() for regime, _ in asked}),
        recorded_at={name: stated.recorded_at for name, stated in dossier.current.items()},
        languages=languages,
    )
    contents = {language: draft(inputs, language) for language in settings.workspace.languages}
    frozen = FrozenNotice(
        contents=contents,
        emails={
            language: render_email(content, templates=templates) for language, content in contents.items()
        },
        pages=render_public_pages(contents, templates=templates),
        from_name=settings.mail.from_name or settings.organisation.name,
        from_address=settings.mail.from_address,
        reply_to=settings.mail.reply_to or "",
        category_titles={
            name: {
                tag: title
                for tag in contents
                if (title := languages[tag].printed("categories", name, "title", category.title))
            }
            for name, category in bench.categories.items()
        },
        variants={
            audience: {
                language: render_email(content, templates=templates, audience=audience)
                for language, content in contents.items()
            }
            for audience in FURTHER
        },
        words={language: message_words(languages[language]) for language in contents},
        channels={
            language: render_small(content, templates=templates) for language, content in contents.items()
        },
        letters=freeze_letters(contents, templates=templates, paper=settings.paper),
        updates={language: update_mark(languages[language]) for language in contents},
    )
    bodies = {
        audience: {language: (mail.text, mail.html) for language, mail in mails.items()}
        for audience, mails in ((Audience.PERSON, frozen.emails), *frozen.variants.items())
    }
    return frozen, [
        *check_notice(contents, bench.required, languages),
        *check_personal(contents, languages),
        *check_record(inputs),
        *check_edits(inputs, contents),
        *check_variants(contents, bodies, languages),
        *check_channels(
            contents,
            frozen.channels,
            bench.required,
            documents=frozen.pages,
            most_segments=settings.sms.most_segments,
            languages=languages,
        ),
        *suggested_remedies(inputs, contents),
    ]


@dataclass(frozen=True)
class Version:
    """A stored version with its content."""

    row: Notice
    frozen: FrozenNotice

    @property
    def subject(self) -> Subject:
        return Subject(SUBJECT_KIND, self.row.id, self.row.content_hash)


def latest_version(session: Session, store: Store, incident_id: str) -> Version | None:
    """The newest version of an incident's notice, drafted or released."""
    row = session.exec(
        select(Notice).where(Notice.incident_id == incident_id).order_by(col(Notice.version).desc())
    ).first()
    return None if row is None else _opened(store, row)


def version_by_id(session: Session, store: Store, notice_id: str) -> Version:
    """A version by its id. Raises `NotFound`, and `Refused` if its content is not what its hash says."""
    row = session.get(Notice, notice_id)
    if row is None:
        raise NotFound("there is no such version of a notice", where=notice_id)
    return _opened(store, row)


def _opened(store: Store, row: Notice) -> Version:
    frozen = FrozenNotice.from_document(store.open(row, incident_id=row.incident_id))
    if frozen.hash != row.content_hash:
        raise Refused(
            f"version {row.version} of the notice is not the one that was signed",
            where=row.incident_id,
            next_step="run `incident verify`, and draft the notice again",
        )
    return Version(row, frozen)


def current_version(
    change: Change, store: Store, dossier: Dossier, bench: Workbench
) -> tuple[Version, list[Finding]]:
    """The version that says what the record says now: the newest one, or a new one if the record moved on.

    A released version stays as it is. When the record moved on after it, the new draft must be released anew.
    """
    latest = latest_version(change.session, store, dossier.id)
    if latest is not None:
        frozen, findings = assemble(dossier, bench, written_at=latest.row.created_at)
        if frozen.hash == latest.row.content_hash:
            return latest, findings
        if latest.row.state == NoticeState.DRAFT:
            latest.row.state = NoticeState.SUPERSEDED
            change.put(latest.row)
    frozen, findings = assemble(dossier, bench, written_at=change.at)
    number = latest.row.version + 1 if latest else 1
    row = Notice(
        id=_id_of(dossier.id, number, frozen.hash),
        incident_id=dossier.id,
        version=number,
        state=NoticeState.DRAFT,
        content_hash=frozen.hash,
        created_at=change.at,
        created_by=change.actor,
    )
    change.put(row, frozen.as_document())
    return Version(row, frozen), findings


def _id_of(incident_id: str, number: int, content_hash: str) -> str:
    # Not by chance: who sign one version at the same moment sign it before it is stored, and must name the same one.
    return hashlib.sha256(f"notice\0{incident_id}\0{number}\0{content_hash}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class ReleaseResult:
    """What a signature brought about."""

    version: Version
    signed_by: tuple[str, ...]
    needed: int
    released: bool


def release(
    change: Change,
    store: Store,
    dossier: Dossier,
    bench: Workbench,
    *,
    expected_hash: str | None,
    signer: Signer,
    reason: str,
    drill: bool,
) -> ReleaseResult:
    """Sign the release of the notice as the record has it now; the last signature needed releases it.

    `expected_hash` is the version that the signer was shown, if they name one. Raises `Refused` when an element is
    missing (with the article that asks for it), when the record moved on, when this person signed already or
    somebody rejected it, and as `decide` does.
    """
    must_be_open(change.session, dossier.id)
    version, findings = current_version(change, store, dossier, bench)
    stops = refusals(findings)
    if stops:
        raise Refused(
            "the notice may not be released:\n"
            + "\n".join(f"  {finding.language or '-'}: {finding.text('en')}" for finding in stops),
            where=dossier.id,
            next_step="`incident notice check` shows what to add; `incident set` and `incident log` add it",
        )
    if expected_hash is not None and len(expected_hash) < _SHORTEST_HASH:
        raise BadInput(
            f"{expected_hash!r} is too short to name a version",
            next_step=f"give at least the first {_SHORTEST_HASH} characters of the content's hash",
        )
    if expected_hash is not None and not version.row.content_hash.startswith(expected_hash):
        raise Refused(
            "the record changed since that version of the notice",
            where=f"version {version.row.version}",
            next_step="read it again with `incident notice preview`, then release",
        )
    if version.row.state == NoticeState.RELEASED:
        raise Refused(
            f"version {version.row.version} is released already", next_step="send it: `incident notice send`"
        )
    before = voices(change.session, version.subject, drill=drill)
    if any(voice.operator.name == signer.name for voice in approvals(before)):
        raise Refused(
            f"{signer.name} signed this version already",
            next_step=f"it takes {bench.settings.approvals.notice_release} different people",
        )
    if rejected := rejections(before):
        names = ", ".join(voice.operator.name for voice in rejected)
        raise Refused(
            f"{names} rejected this version", next_step="change what is wrong; that makes a new version"
        )
    decide(
        change,
        dossier.id,
        version.subject,
        Verdict.APPROVED,
        signer=signer,
        needs=Role.APPROVER,
        reason=reason,
        decision_id=store.new_id(),
    )
    signed = approvals(voices(change.session, version.subject, drill=drill))
    needed = bench.settings.approvals.notice_release
    if len(signed) >= needed:
        version.row.state = NoticeState.RELEASED
        version.row.released_at = change.at
        change.put(version.row)
    signers = tuple(sorted(voice.operator.name for voice in signed))
    return ReleaseResult(version, signers, needed, released=len(signed) >= needed)


def must_be_released(
    session: Session, store: Store, incident_id: str, *, settings: Settings, drill: bool
) -> tuple[Version, list[Voice]]:
    """The released version with its signatures, verified again now. Raises `Refused`."""
    row = session.exec(
        select(Notice)
        .where(Notice.incident_id == incident_id, Notice.state == NoticeState.RELEASED)
        .order_by(col(Notice.version).desc())
    ).first()
    if row is None:
        raise Refused(
            "the notice is not released",
            where=incident_id,
            next_step=f"it takes {settings.approvals.notice_release} people: `incident --as NAME notice release {incident_id}`",
        )
    version = _opened(store, row)
    heard = voices(session, version.subject, drill=drill)
    if rejected := rejections(heard):
        names = ", ".join(voice.operator.name for voice in rejected)
        raise Refused(
            f"{names} rejected version {row.version}",
            where=incident_id,
            next_step="change what is wrong; that makes a new version, which must be released",
        )
    signed = approvals(heard)
    if len(signed) < settings.approvals.notice_release:
        raise Refused(
            f"the release of version {row.version} carries {len(signed)} valid signatures of "
            f"{settings.approvals.notice_release}",
            where=incident_id,
            next_step="run `incident verify`; the notice must be released again",
        )
    return version, signed


def with_promises(required: Required, promised: list[str]) -> Required:
    """The law's demands together with the organisation's own (settings, promises.notice_contains).

    Raises `BadInput` for a name that is no element of a notice.
    """
    from incident.law.elements import element_catalogue

    unknown = [name for name in promised if name not in element_catalogue()]
    if unknown:
        raise BadInput(
            f"{', '.join(unknown)} is no element of a notice",
            where="promises.notice_contains in incident.toml",
            next_step=f"elements are {', '.join(element_catalogue())}",
        )
    joined = {element: list(articles) for element, articles in required.items()}
    for element in promised:
        joined.setdefault(element, []).append(("promise", "promises.notice_contains"))
    return joined
