"""Questions that were decided and signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlmodel import select

from incident.errors import BadInput, NotFound, Refused
from incident.record.decisions import Signer, signing_ahead
from incident.record.incidents import close_incident
from incident.record.operators import Role
from incident.record.resolutions import (
    LONGEST_TEXT,
    MOST_OPTIONS,
    ResolutionLine,
    list_resolutions,
    resolve,
)
from incident.store.tables import Decision, Resolution
from tests.support.at_once import at_once
from tests.support.postgres import PostgresServer
from tests.support.workspaces import (
    Made,
    all_rows,
    make_signer,
    make_workspace,
    open_one,
    stored_bytes,
)

QUESTION = "Do we take the customer portal off the net?"


@dataclass(frozen=True)
class Desk:
    """A workspace with an open incident, where questions are decided."""

    made: Made
    incident: str

    def another(self) -> Desk:
        return replace(self, made=self.made.another())

    def resolve(
        self,
        signer: Signer,
        question: str = QUESTION,
        *,
        options: Sequence[str] = ("yes", "no"),
        choice: str = "yes",
        reasons: str = "the leak goes on",
        replaces: str | None = None,
    ) -> Resolution:
        self.made.clock.move(minutes=1)
        store, resolution_id = self.made.store, self.made.store.new_id()

        def act(signer: Signer) -> Resolution:
            now = self.made.clock()
            with store.write(self.incident, kind="resolved", actor=signer.name, now=now) as change:
                return resolve(
                    change,
                    store,
                    self.incident,
                    question=question,
                    options=options,
                    choice=choice,
                    reasons=reasons,
                    replaces=replaces,
                    signer=signer,
                    resolution_id=resolution_id,
                )

        return signing_ahead(signer, act)

    def lines(self) -> list[ResolutionLine]:
        with self.made.store.read() as session:
            return list_resolutions(session, self.made.store, self.incident)


def make_desk(tmp_path: Path, *, born: str = "live", on: PostgresServer | None = None) -> Desk:
    made = make_workspace(tmp_path, born=born, on=on)
    return Desk(made, open_one(made))


@pytest.fixture
def desk(tmp_path: Path, store_on: PostgresServer | None) -> Desk:
    return make_desk(tmp_path, on=store_on)


def test_what_was_decided_is_read_back_with_who_signed_it(desk: Desk) -> None:
    row = desk.resolve(make_signer(desk.made, "ana"))
    assert desk.lines() == [
        ResolutionLine(
            id=row.id,
            label="D1",
            decided_at=desk.made.clock(),
            recorded_by="ana",
            question=QUESTION,
            options=("yes", "no"),
            decision="yes",
            reasons="the leak goes on",
            replaces=None,
            replaced_by=None,
            signed_by=("ana",),
        )
    ]


def test_a_later_decision_replaces_an_earlier_one_and_both_stay(desk: Desk) -> None:
    ana, bo = make_signer(desk.made, "ana"), make_signer(desk.made, "bo")
    desk.resolve(ana)
    desk.resolve(bo, choice="no", reasons="the leak is closed", replaces="d1")
    first, second = desk.lines()
    assert (first.stands, first.replaced_by, first.signed_by) == (False, "D2", ("ana",))
    assert (second.stands, second.replaces, second.decision) == (True, "D1", "no")
    before = all_rows(desk.made.store)
    with pytest.raises(Refused, match="D1 was replaced by D2 already"):
        desk.resolve(ana, replaces="D1")
    assert all_rows(desk.made.store) == before


@pytest.mark.parametrize(
    "role", [Role.RESPONDER, Role.APPROVER, Role.COMMUNICATOR, Role.COUNSEL], ids=lambda role: str(role)
)
def test_who_acts_may_decide(desk: Desk, role: Role) -> None:
    desk.resolve(make_signer(desk.made, "ana", roles=[role]))
    assert [line.signed_by for line in desk.lines()] == [("ana",)]


def test_an_auditor_decides_nothing(desk: Desk) -> None:
    ana = make_signer(desk.made, "ana", roles=[Role.AUDITOR])
    before = all_rows(desk.made.store)
    with pytest.raises(Refused, match="ana is no responder or approver or communicator or counsel"):
        desk.resolve(ana)
    assert all_rows(desk.made.store) == before


def test_a_question_may_have_no_options_named(desk: Desk) -> None:
    desk.resolve(make_signer(desk.made, "ana"), options=(), choice="we wait until eight")
    assert [line.decision for line in desk.lines()] == ["we wait until eight"]


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"question": " "}, "--question"),
        ({"choice": ""}, "--decision"),
        ({"choice": "perhaps"}, "--decision"),
        ({"reasons": "\n"}, "--reasons"),
        ({"reasons": "x" * (LONGEST_TEXT + 1)}, "--reasons"),
        ({"options": ("yes", "")}, "--option"),
        ({"options": ("yes", " yes")}, "--option"),
        ({"options": tuple(str(number) for number in range(MOST_OPTIONS + 1)), "choice": "1"}, "--option"),
    ],
)
def test_words_that_decide_nothing_are_refused(desk: Desk, given: dict[str, str], where: str) -> None:
    ana = make_signer(desk.made, "ana")
    before = all_rows(desk.made.store)
    with pytest.raises(BadInput) as refused:
        desk.resolve(ana, **given)
    assert refused.value.where == where
    assert refused.value.next_step
    assert all_rows(desk.made.store) == before


def test_only_what_there_is_can_be_replaced(desk: Desk) -> None:
    ana = make_signer(desk.made, "ana")
    with pytest.raises(NotFound, match="no resolution D7"):
        desk.resolve(ana, replaces="D7")
    with pytest.raises(BadInput, match="'H1' names nothing here"):
        desk.resolve(ana, replaces="H1")


def test_in_a_closed_incident_nothing_is_decided_any_more(desk: Desk) -> None:
    ana = make_signer(desk.made, "ana")
    store, now = desk.made.store, desk.made.clock()
    with store.write(desk.incident, kind="closed", actor="ana", now=now) as change:
        close_incident(change, desk.incident, reason="done")
    with pytest.raises(Refused, match="is closed"):
        desk.resolve(ana)


def test_a_changed_word_leaves_nobody_who_signed_it(desk: Desk) -> None:
    ana = make_signer(desk.made, "ana")
    desk.resolve(ana)
    desk.resolve(ana, choice="no")
    with desk.made.store.write(desk.incident, kind="x", actor="x", now=desk.made.clock()) as change:
        row = change.session.get(Resolution, desk.lines()[1].id)
        assert row is not None
        row.replaces = desk.lines()[0].id
        change.put(row)
    assert [line.signed_by for line in desk.lines()] == [("ana",), ()]


def test_the_simulated_sign_for_nothing_outside_a_drill(tmp_path: Path, desk: Desk) -> None:
    desk.resolve(make_signer(desk.made, "robot", simulated=True))
    assert [line.signed_by for line in desk.lines()] == [()]
    drill = make_desk(tmp_path / "drill", born="drill")
    drill.resolve(make_signer(drill.made, "robot", simulated=True))
    assert [line.signed_by for line in drill.lines()] == [("robot",)]


def test_nothing_of_it_lies_open_in_the_database(desk: Desk) -> None:
    desk.resolve(make_signer(desk.made, "ana"), options=(), choice="Zhang San calls the police")
    stored = stored_bytes(desk.made)
    assert b"Zhang San" not in stored
    assert b"portal" not in stored


def test_two_who_decide_at_once_get_numbers_of_their_own(desk: Desk) -> None:
    signers = [make_signer(desk.made, name) for name in ("ana", "bo", "cy")]
    desks = [desk.another() for _ in signers]
    rows = at_once(
        *(lambda one=one, who=who: one.resolve(who) for one, who in zip(desks, signers, strict=True))
    )
    assert sorted(row.number for row in rows if isinstance(row, Resolution)) == [1, 2, 3]
    assert sorted(line.signed_by for line in desk.lines()) == [("ana",), ("bo",), ("cy",)]


def test_of_two_who_replace_the_same_decision_at_once_one_does(desk: Desk) -> None:
    ana, bo = make_signer(desk.made, "ana"), make_signer(desk.made, "bo")
    desk.resolve(ana)
    desks = [desk.another() for _ in range(2)]
    outcomes = at_once(
        lambda: desks[0].resolve(ana, choice="no", replaces="D1"),
        lambda: desks[1].resolve(bo, choice="no", replaces="D1"),
    )
    assert sorted(type(each).__name__ for each in outcomes) == ["Refused", "Resolution"]
    assert [line.replaced_by for line in desk.lines()] == ["D2", None]


def test_the_row_and_its_signature_tell_one_time(desk: Desk) -> None:
    row = desk.resolve(make_signer(desk.made, "ana"))
    with desk.made.store.read() as session:
        [decision] = session.exec(select(Decision)).all()
    assert (decision.subject_id, decision.decided_at) == (row.id, row.decided_at)
