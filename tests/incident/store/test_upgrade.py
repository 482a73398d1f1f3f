"""A workspace that the first version made, in the middle of a sending, goes on under this one."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel, select

from incident.delivery.states import CampaignState
from incident.delivery.status import Account, account, campaigns_of
from incident.durable import open_jobs
from incident.notice.editing import edit_notice
from incident.notice.release import must_be_released
from incident.ops.check import check
from incident.ops.worker import Worker
from incident.proof.verify import verify
from incident.record.dossier import dossier_in, load_dossier
from incident.record.edits import EditKind
from incident.response.housework import House
from incident.store.migrations import HEAD_REVISION, current_revision
from incident.store.opening import open_store
from incident.store.tables import Attempt, load_all
from incident.workspace import Workspace
from tests.support.jobs import QUICK
from tests.support.relays import StallingRelay
from tests.support.workspaces import FixedClock, Made

STORED = Path(__file__).parent / "data/workspace-0001.tar.xz"
INCIDENT = "INC-2026-0001"
# Of 60 people 20 had been told, 20 were under way when their worker was killed, and 20 were still to come.
TOLD, UNDER_WAY, TO_COME = 20, 20, 20


@pytest.fixture
def old(tmp_path: Path) -> Workspace:
    with tarfile.open(STORED) as stored:
        stored.extractall(tmp_path, filter="data")
    return Workspace(tmp_path)


def opened(old: Workspace, *, relay_port: int = 9) -> Made:
    settings = old.settings()
    mail = settings.mail.model_copy(update={"port": relay_port})
    settings = settings.model_copy(update={"mail": mail})
    return Made(old, settings, open_store(old, settings), FixedClock())


def account_of(made: Made) -> Account:
    with made.store.read() as session:
        [campaign] = campaigns_of(session, INCIDENT)
        return account(session, campaign)


def test_opening_it_upgrades_it_and_its_journal_still_verifies(old: Workspace) -> None:
    made = opened(old)
    load_all()
    with made.store.engine.connect() as connection:
        assert current_revision(connection) == HEAD_REVISION
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
        attempts = connection.execute(text("SELECT count(*) FROM attempt")).scalar_one()
    assert attempts == TOLD + UNDER_WAY
    assert verify(made.store).sound
    now = account_of(made)
    assert (now.expected, now.accepted, now.in_progress) == (60, TOLD, UNDER_WAY + TO_COME)


def test_opening_it_again_changes_nothing_more(old: Workspace) -> None:
    first = opened(old)
    heads = first.store.heads()
    first.store.close()
    assert opened(old).store.heads() == heads


def test_its_released_notice_keeps_its_hash_and_can_be_written_anew(old: Workspace) -> None:
    made = opened(old)
    with made.store.read() as session:
        released, signed = must_be_released(session, made.store, INCIDENT, settings=made.settings, drill=True)
    assert len(signed) == made.settings.approvals.notice_release
    assert all(content.sources == {} for content in released.frozen.contents.values())
    assert load_dossier(made.store, INCIDENT).edits == ()
    with made.store.write(INCIDENT, kind="notice.edited", actor="ana", now=made.clock()) as change:
        dossier = dossier_in(change.session, made.store, INCIDENT)
        edit_notice(
            change, made.store, dossier,
            place="cause", language="en", languages=["en"], kind=EditKind.WORDS, text="A gateway was open.",
        )  # fmt: skip
    assert [edit.text for edit in load_dossier(made.store, INCIDENT).edits] == ["A gateway was open."]
    assert verify(made.store).sound


def test_everyone_who_is_left_is_told_and_nobody_is_told_twice_by_this_version(old: Workspace) -> None:
    with StallingRelay() as relay:
        made = opened(old, relay_port=relay.port)

        def idle() -> bool:
            with made.store.read() as session:
                return open_jobs(session) == 0

        house = House(made.workspace, made.settings, made.store, made.clock)
        Worker(house, patience=QUICK).work_until(idle)
        assert (len(relay.copies), relay.doubles) == (UNDER_WAY + TO_COME, 0)
    after = account_of(made)
    assert (after.expected, after.accepted, after.in_progress, after.unreachable_total) == (60, 60, 0, 0)
    assert after.adds_up
    assert after.state == CampaignState.ENDED
    assert after.doubled_at_most == UNDER_WAY, (
        "what was on its way when its worker died may have arrived then"
    )
    with made.store.read() as session:
        ends = [each.outcome_at for each in session.exec(select(Attempt)).all()]
    assert len(ends) == TOLD + 2 * UNDER_WAY + TO_COME
    assert None not in ends
    assert verify(made.store).sound
    # The archive holds the record and its keys, not the folder of the public pages.
    assert [each.invariant.name for each in check(house, pause=0.0).broken] == ["released.pages"]
