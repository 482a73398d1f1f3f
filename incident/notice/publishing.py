"""The public notice: pages written into the workspace's public folder, with their hashes on record."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from sqlmodel import Session, col, select

from incident.notice.public_page import page_name
from incident.notice.release import Version
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Notice, PublicNotice
from incident.workspace import Workspace


def write_pages(workspace: Workspace, version: Version) -> dict[str, Path]:
    """Write the released pages, each replaced in one step; returns language -> file. Doing it again is harmless."""
    folder = workspace.public / version.row.incident_id
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, Path] = {}
    for language in version.frozen.contents:
        name = page_name(language)
        file = folder / name
        scratch = folder / f".{name}.new"
        with scratch.open("w", encoding="utf-8") as handle:
            handle.write(version.frozen.pages[name])
            handle.flush()
            os.fsync(handle.fileno())
        scratch.replace(file)
        written[language] = file
    return written


def followed_by(session: Session, notice_id: str) -> str | None:
    """The newest later version (by id) whose pages were published, which lie where this one's would; None without one."""
    this = session.get(Notice, notice_id)
    if this is None:
        return None
    later = (
        select(Notice.id)
        .join(PublicNotice, col(PublicNotice.notice_id) == col(Notice.id))
        .where(Notice.incident_id == this.incident_id, Notice.version > this.version)
        .order_by(col(Notice.version).desc())
    )
    return session.exec(later).first()


def record_pages(
    change: Change, store: Store, workspace: Workspace, version: Version, pages: dict[str, Path]
) -> None:
    """Record what was published, once a version and language."""
    # Of the words themselves: in the file a later version's may stand already.
    hashes = {
        language: hashlib.sha256(version.frozen.pages[page_name(language)].encode()).hexdigest()
        for language in pages
    }
    known = {
        row.language
        for row in change.session.exec(
            select(PublicNotice).where(PublicNotice.notice_id == version.row.id)
        ).all()
    }
    for language, file in pages.items():
        if language in known:
            continue
        change.put(
            PublicNotice(
                id=store.new_id(),
                incident_id=version.row.incident_id,
                notice_id=version.row.id,
                language=language,
                file=str(file.relative_to(workspace.public)),
                sha256=hashes[language],
                published_at=change.at,
            )
        )
