"""The public notice: the released pages, as files and on record."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from sqlmodel import select

from incident.notice.public_page import page_name
from incident.notice.publishing import record_pages, write_pages
from incident.store.tables import PublicNotice
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.relays import recording_relay


def published(breach: Breach) -> list[PublicNotice]:
    with breach.made.store.read() as session:
        return list(session.exec(select(PublicNotice).order_by("language")).all())


def test_every_language_is_written_as_it_was_released(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    version = breach.release().version
    pages = write_pages(breach.made.workspace, version)
    assert set(pages) == {"zh-Hans", "en"}
    for language, file in pages.items():
        assert file.read_text(encoding="utf-8") == version.frozen.pages[page_name(language)]
        assert file.parent == breach.made.workspace.public / breach.id


def test_writing_again_replaces_what_somebody_changed_and_leaves_no_scratch_file(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    version = breach.release().version
    pages = write_pages(breach.made.workspace, version)
    pages["en"].write_text("defaced", encoding="utf-8")
    (pages["en"].parent / f".{pages['en'].name}.new").write_text("half", encoding="utf-8")
    assert write_pages(breach.made.workspace, version) == pages
    assert pages["en"].read_text(encoding="utf-8") == version.frozen.pages[page_name("en")]
    assert sorted(file.name for file in pages["en"].parent.iterdir()) == sorted(
        file.name for file in pages.values()
    )


def test_it_is_recorded_once_a_language_with_the_file_s_hash(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    version = breach.release().version
    workspace, store = breach.made.workspace, breach.made.store
    pages = write_pages(workspace, version)
    for _ in range(2):
        with store.write(breach.id, kind="notice.published", actor="ana", now=breach.made.clock()) as change:
            record_pages(change, store, workspace, version, pages)
    rows = published(breach)
    assert [(row.language, row.notice_id) for row in rows] == [
        ("en", version.row.id),
        ("zh-Hans", version.row.id),
    ]
    for row in rows:
        assert sha256((workspace.public / row.file).read_bytes()).hexdigest() == row.sha256


def test_opening_a_campaign_publishes_by_itself(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(1), relay_port=relay.port)
        breach.release()
        assert published(breach) == []
        breach.open_sending()
        breach.work()
    assert len(published(breach)) == 2
    assert {page.language for page in breach.account().public_pages} == {"zh-Hans", "en"}


def test_a_public_page_names_no_person(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=some_people(3))
    pages = write_pages(breach.made.workspace, breach.release().version)
    for file in pages.values():
        text = file.read_text(encoding="utf-8")
        assert "Person 1" not in text and "example.org" not in text
