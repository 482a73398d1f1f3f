"""A campaign that several open at the same moment, or while the list of people still changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import func, select

from incident.errors import Refused
from incident.response.housework import House
from incident.store.tables import Batch, Campaign, Person
from tests.support.at_once import at_once
from tests.support.breaches import Affected, Breach, make_breach, some_people
from tests.support.journals import sound
from tests.support.postgres import PostgresServer


@pytest.fixture
def breach(tmp_path: Path, store_on: PostgresServer | None) -> Breach:
    found = make_breach(tmp_path, people=some_people(1200), on=store_on)
    found.release()
    return found


def at_another_desk(breach: Breach) -> Breach:
    made = breach.made.another()
    return replace(breach, made=made, house=House(made.workspace, made.settings, made.store, made.clock))


def test_two_who_send_at_once_open_one_campaign(breach: Breach) -> None:
    opened = at_once(*(at_another_desk(breach).open_sending for _ in range(3)))
    [campaign] = set(opened)
    with breach.made.store.read() as session:
        assert [each.id for each in session.exec(select(Campaign)).all()] == [campaign]
        assert len(session.exec(select(Batch)).all()) == 3
    account = breach.account()
    assert (account.expected, account.in_progress) == (1200, 1200)
    assert len(breach.deliveries()) == 1200
    assert sound(breach.made.store, *breach.made.store.heads())


def test_a_list_that_comes_while_sending_begins_is_told_whole_or_refused_whole(breach: Breach) -> None:
    late = [Affected(f"L{number}", email=f"late{number}@example.org") for number in range(600)]

    def more_people() -> str:
        at_another_desk(breach).people(late)
        return ""

    came, opened = at_once(more_people, at_another_desk(breach).open_sending)
    assert isinstance(opened, str)
    assert came == "" or isinstance(came, Refused), came
    with breach.made.store.read() as session:
        people = session.exec(select(func.count()).select_from(Person)).one()
    assert people == breach.account().expected == (1800 if came == "" else 1200)
