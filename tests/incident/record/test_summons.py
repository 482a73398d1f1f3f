"""Asking for somebody and answering, also by several at the same moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.record.operators import Role, operator_named
from incident.record.reaches import list_reaches, needs_somebody, nobody_can_be_called, put_reach
from incident.record.summons import (
    SUMMONS_JOB,
    Reason,
    all_summons,
    answer_summons,
    open_summons,
    settle_all_summons,
    settle_summons,
    summon,
)
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.store import Store
from incident.store.tables import Job
from tests.support.at_once import at_once
from tests.support.journals import sound
from tests.support.postgres import PostgresServer
from tests.support.workspaces import Made, make_signer, make_workspace, open_one, stored_bytes


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


def ask(made: Made, incident: str, subject: str = "s", *, store: Store | None = None) -> str:
    where = store or made.store
    with where.write(incident, kind="asked", actor="engine", now=made.clock()) as change:
        return summon(
            change,
            where,
            incident,
            reason=Reason.STEP,
            subject_id=subject,
            role=Role.RESPONDER,
            text={"en": "Acme's portal"},
        )


def reach(made: Made, name: str, *urls: str, deputy: str | None = None, store: Store | None = None) -> None:
    where = store or made.store
    with where.write(WORKSPACE_CHAIN, kind="operator.reach", actor="ana", now=made.clock()) as change:
        put_reach(change, where, operator_named(change.session, name), urls=list(urls), deputy=deputy)


def test_what_several_ask_at_once_about_one_subject_is_asked_once(made: Made) -> None:
    incident = open_one(made)
    asked = at_once(*(lambda: ask(made, incident, store=made.another().store) for _ in range(4)))
    with made.store.read() as session:
        [row] = open_summons(session, incident)
    assert set(asked) == {row.id}
    assert sound(made.store)


def test_of_several_who_answer_at_once_one_is_named(made: Made) -> None:
    incident = open_one(made)
    ask(made, incident)

    def answer(name: str) -> int:
        store = made.another().store
        with store.write(incident, kind="ack", actor=name, now=made.clock()) as change:
            return len(answer_summons(change, incident))

    answered = at_once(*(lambda name=name: answer(name) for name in ("ana", "bo", "cy")))
    assert sorted(answered, key=str) == [0, 0, 1]
    with made.store.read() as session:
        [row] = all_summons(session, incident)
    assert row.answered_by in ("ana", "bo", "cy")
    assert (row.answered_at, row.ended_at, row.next_at) == (made.clock(), made.clock(), None)
    assert sound(made.store)


def test_an_answer_is_for_one_incident_and_settling_for_one_subject(made: Made) -> None:
    first, second = open_one(made), open_one(made)
    ask(made, first), ask(made, first, "t"), ask(made, second)
    with made.store.write(first, kind="done", actor="ana", now=made.clock()) as change:
        settle_summons(change, first, "s")
        assert [row.subject_id for row in open_summons(change.session, first)] == ["t"]
        answer_summons(change, first)
    with made.store.read() as session:
        assert [row.incident_id for row in open_summons(session)] == [second]
        answered_by = {row.subject_id: row.answered_by for row in all_summons(session, first)}
    assert answered_by == {"s": None, "t": "ana"}
    with made.store.write(second, kind="closed", actor="ana", now=made.clock()) as change:
        settle_all_summons(change, second)
        assert open_summons(change.session) == []


def test_what_is_asked_does_not_lie_open_in_the_database(made: Made) -> None:
    incident = open_one(made)
    ask(made, incident)
    assert b"Acme's portal" not in stored_bytes(made)


def test_somebody_is_needed_while_nobody_has_an_address(made: Made) -> None:
    incident = open_one(made)
    make_signer(made, "bo")
    with made.store.read() as session:
        assert nobody_can_be_called(session, made.store)
        assert needs_somebody(session, made.store) == []
    summons = ask(made, incident)
    with made.store.read() as session:
        assert [row.id for row in needs_somebody(session, made.store)] == [summons]
    reach(made, "bo", "env:CALL_BO")
    with made.store.read() as session:
        assert needs_somebody(session, made.store) == []


def test_a_new_address_lets_what_stands_open_be_called_anew(made: Made) -> None:
    incident = open_one(made)
    make_signer(made, "bo")
    summons = ask(made, incident)
    with made.store.read() as session:
        pokes = session.get_one(Job, (SUMMONS_JOB, summons)).pokes
    reach(made, "bo", "env:CALL_BO")
    with made.store.read() as session:
        assert session.get_one(Job, (SUMMONS_JOB, summons)).pokes == pokes + 1


def test_of_two_changes_of_an_address_at_once_both_are_in_the_journal_and_one_stands(made: Made) -> None:
    make_signer(made, "bo")
    names = ("env:A", "env:B", "env:C")
    at_once(*(lambda url=url: reach(made, "bo", url, store=made.another().store) for url in names))
    with made.store.read() as session:
        [line] = list_reaches(session, made.store)
    assert line.urls in {(name,) for name in names}
    kinds = [each.entry.kind for each in made.store.recorded(WORKSPACE_CHAIN)]
    assert kinds.count("operator.reach") == 3
    assert sound(made.store)


def test_addresses_do_not_lie_open_in_the_database(made: Made) -> None:
    make_signer(made, "bo")
    reach(made, "bo", "wecombot://693a91f6-7a3c", deputy=None)
    assert b"693a91f6" not in stored_bytes(made)
