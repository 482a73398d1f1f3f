"""People who sign at the same moment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from incident.errors import Refused
from incident.notice.release import NoticeState, ReleaseResult, must_be_released
from incident.response.housework import House
from incident.store.tables import Decision, Notice
from tests.support.at_once import at_once
from tests.support.breaches import Breach, make_breach
from tests.support.journals import sound
from tests.support.postgres import PostgresServer


@pytest.fixture
def breach(tmp_path: Path, store_on: PostgresServer | None) -> Breach:
    return make_breach(tmp_path, on=store_on)


def at_another_desk(breach: Breach) -> Breach:
    """The same breach, by a process of its own."""
    made = breach.made.another()
    return replace(breach, made=made, house=House(made.workspace, made.settings, made.store, made.clock))


def sign_at_once(breach: Breach, *names: str) -> list[ReleaseResult | Exception]:
    desks = [(at_another_desk(breach), name) for name in names]
    return list(at_once(*(lambda desk=desk, name=name: desk.sign(name) for desk, name in desks)))


def test_two_who_sign_at_once_release_the_notice_exactly_once(breach: Breach) -> None:
    results = sign_at_once(breach, "bo", "cy")
    assert all(isinstance(each, ReleaseResult) for each in results), results
    done = [each for each in results if isinstance(each, ReleaseResult)]
    assert sorted(each.released for each in done) == [False, True]
    assert {each.version.row.id for each in done} == {done[0].version.row.id}
    with breach.made.store.read() as session:
        [notice] = session.exec(select(Notice)).all()
        assert notice.state == NoticeState.RELEASED
        _, signed = must_be_released(
            session, breach.made.store, breach.id, settings=breach.made.settings, drill=False
        )
    assert {voice.operator.name for voice in signed} == {"bo", "cy"}
    assert sound(breach.made.store, *breach.made.store.heads())


def test_one_person_who_signs_twice_at_once_counts_once(breach: Breach) -> None:
    results = sign_at_once(breach, "bo", "bo")
    assert [type(each) for each in results if isinstance(each, Exception)] == [Refused]
    with breach.made.store.read() as session:
        assert len(session.exec(select(Decision)).all()) == 1
        [notice] = session.exec(select(Notice)).all()
    assert notice.state == NoticeState.DRAFT
