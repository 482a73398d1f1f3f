"""Signed decisions: which of them speak for a subject, and which do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from incident.errors import NotFound, Refused
from incident.record.decisions import (
    Signer,
    Subject,
    Verdict,
    Voice,
    approvals,
    decide,
    rejections,
    signature_holds,
    voices,
)
from incident.record.operators import Role, operator_named, retire_operator
from incident.record.signing import OpenKey
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.tables import Decision, Operator
from tests.support.postgres import PostgresServer
from tests.support.workspaces import (
    Made,
    all_rows,
    make_signer,
    make_workspace,
    open_one,
    private_key_of,
    run_sql,
)

SUBJECT = Subject("notice", "n1", "a" * 64)


class Desk:
    """A workspace with an open incident, where people decide."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.incident = open_one(made)

    def decide(
        self,
        signer: Signer,
        verdict: Verdict = Verdict.APPROVED,
        *,
        subject: Subject = SUBJECT,
        needs: Role = Role.APPROVER,
        reason: str = "",
    ) -> Decision:
        self.made.clock.move(minutes=1)
        store = self.made.store
        with store.write(self.incident, kind="decided", actor=signer.name, now=self.made.clock()) as change:
            return decide(
                change,
                self.incident,
                subject,
                verdict,
                signer=signer,
                needs=needs,
                reason=reason,
                decision_id=store.new_id(),
            )

    def voices(self, subject: Subject = SUBJECT, *, drill: bool = False) -> list[Voice]:
        with self.made.store.read() as session:
            return voices(session, subject, drill=drill)

    def names(self, subject: Subject = SUBJECT, *, drill: bool = False) -> set[str]:
        return {voice.operator.name for voice in approvals(self.voices(subject, drill=drill))}


@pytest.fixture
def desk(tmp_path: Path, store_on: PostgresServer | None) -> Desk:
    return Desk(make_workspace(tmp_path, on=store_on))


def test_two_keys_of_two_people_are_two_voices_and_one_person_twice_is_one(desk: Desk) -> None:
    ana, bo = make_signer(desk.made, "ana"), make_signer(desk.made, "bo")
    desk.decide(ana)
    desk.decide(ana)
    assert desk.names() == {"ana"}
    desk.decide(bo)
    assert desk.names() == {"ana", "bo"}


def test_one_key_cannot_become_two_people(desk: Desk) -> None:
    ana = make_signer(desk.made, "ana")
    with pytest.raises(Refused, match="belongs to the operator ana already"):
        make_signer(desk.made, "ana2", key=private_key_of(ana))


def test_any_edit_of_the_subject_voids_what_was_decided(desk: Desk) -> None:
    desk.decide(make_signer(desk.made, "ana"))
    assert desk.names(SUBJECT) == {"ana"}
    for other in (
        Subject("notice", "n1", "b" * 64),
        Subject("notice", "n2", SUBJECT.hash),
        Subject("report", "n1", SUBJECT.hash),
    ):
        assert desk.voices(other) == []


def test_the_latest_word_of_a_person_counts(desk: Desk) -> None:
    ana = make_signer(desk.made, "ana")
    desk.decide(ana)
    desk.decide(ana, Verdict.REJECTED)
    assert approvals(desk.voices()) == []
    assert [voice.operator.name for voice in rejections(desk.voices())] == ["ana"]
    desk.decide(ana)
    assert desk.names() == {"ana"}
    assert rejections(desk.voices()) == []


def test_a_later_decision_on_another_content_does_not_hide_the_one_on_this(desk: Desk) -> None:
    ana = make_signer(desk.made, "ana")
    desk.decide(ana)
    desk.decide(ana, Verdict.REJECTED, subject=Subject("notice", "n1", "b" * 64))
    assert desk.names() == {"ana"}


def test_the_simulated_speak_only_in_a_drill(desk: Desk) -> None:
    desk.decide(make_signer(desk.made, "robot", simulated=True))
    assert desk.names(drill=True) == {"robot"}
    assert desk.names(drill=False) == set()


def test_a_retired_operator_decides_no_more_but_what_they_decided_stays(desk: Desk) -> None:
    ana = make_signer(desk.made, "ana")
    desk.decide(ana)
    retire_operator(desk.made.store, "ana", actor="system", now=desk.made.clock.move(minutes=1))
    before = all_rows(desk.made.store)
    with pytest.raises(Refused, match="retired"):
        desk.decide(ana, Verdict.REJECTED)
    assert all_rows(desk.made.store) == before
    assert desk.names() == {"ana"}


def test_without_the_role_or_with_another_key_nothing_is_decided(desk: Desk) -> None:
    ana = make_signer(desk.made, "ana", roles=[Role.RESPONDER])
    before = all_rows(desk.made.store)
    with pytest.raises(Refused, match="ana is no approver"):
        desk.decide(ana)
    with pytest.raises(Refused, match="not the one that belongs to ana"):
        desk.decide(Signer("ana", OpenKey(Ed25519PrivateKey.generate())), needs=Role.RESPONDER)
    with pytest.raises(NotFound):
        desk.decide(Signer("nobody", ana.key))
    assert all_rows(desk.made.store) == before


def test_a_decision_is_anchored_and_its_reason_sealed(desk: Desk) -> None:
    decision = desk.decide(make_signer(desk.made, "ana"), reason="the customer Zhang San asked")
    store = desk.made.store
    *_, last = store.recorded(WORKSPACE_CHAIN)
    assert last.body is not None and last.body["anchor"]["chain"] == desk.incident
    assert "Zhang" not in decision.statement
    assert store.open(decision, incident_id=desk.incident)["reason"] == "the customer Zhang San asked"


def test_equal_reasons_leave_different_hashes_in_what_is_signed(desk: Desk) -> None:
    ana = make_signer(desk.made, "ana")
    hashes = {json.loads(desk.decide(ana, reason="yes").statement)["reason_sha256"] for _ in range(3)}
    assert len(hashes) == 3


FORGERIES = {
    "verdict": "UPDATE decision SET verdict = 'approved'",
    "subject's content": "UPDATE decision SET subject_hash = :other",
    "subject": "UPDATE decision SET subject_id = 'n2'",
    "kind of subject": "UPDATE decision SET subject_kind = 'report'",
    "operator": "UPDATE decision SET operator_id = (SELECT id FROM operator WHERE name = 'bo')",
    "incident": "UPDATE decision SET incident_id = 'INC-2026-0009'",
    "time": "UPDATE decision SET decided_at = '2026-01-01 00:00:00.000000'",
    "statement": "UPDATE decision SET statement = replace(statement, 'rejected', 'approved'), verdict = 'approved'",
    "signature": "UPDATE decision SET signature = 'none'",
    "key": "UPDATE operator SET public_key = :key",
    "no key": "UPDATE operator SET public_key = 'x'",
    "name": "UPDATE operator SET name = 'eve' WHERE name = 'ana'",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_row_that_was_changed_does_not_count(desk: Desk, name: str) -> None:
    ana, bo = make_signer(desk.made, "ana"), make_signer(desk.made, "bo")
    decision = desk.decide(ana, Verdict.REJECTED)
    assert len(desk.voices()) == 1
    values = {"other": "b" * 64, "key": bo.key.public}
    used = {key: value for key, value in values.items() if f":{key}" in FORGERIES[name]}
    assert run_sql(desk.made.store, FORGERIES[name], **used) > 0
    for subject in (
        SUBJECT,
        Subject("notice", "n1", "b" * 64),
        Subject("notice", "n2", SUBJECT.hash),
        Subject("report", "n1", SUBJECT.hash),
    ):
        assert desk.voices(subject, drill=True) == []
    with desk.made.store.read() as session:
        row, operator = session.get(Decision, decision.id), session.get(Operator, decision.operator_id)
        if name == "operator":
            operator = operator_named(session, "bo")
    assert row is not None and operator is not None
    assert not signature_holds(row, operator)


def test_a_decision_copied_to_another_id_is_still_one_voice(desk: Desk) -> None:
    desk.decide(make_signer(desk.made, "ana"))
    run_sql(
        desk.made.store,
        "INSERT INTO decision SELECT 'copy', incident_id, operator_id, subject_kind, subject_id, subject_hash,"
        " verdict, decided_at, statement, signature, sealed FROM decision",
    )
    assert len(desk.voices()) == 1


@pytest.mark.parametrize("statement", ["[]", "{}", "no JSON", "7", '{"reason_sha256": "x", "subject": []}'])
def test_something_else_that_an_operator_once_signed_is_no_decision(desk: Desk, statement: str) -> None:
    ana = make_signer(desk.made, "ana")
    desk.decide(ana)
    run_sql(
        desk.made.store,
        "UPDATE decision SET statement = :statement, signature = :signature",
        statement=statement,
        signature=ana.key.sign(statement.encode()),
    )
    assert desk.voices() == []


def test_what_a_retired_operator_signs_afterwards_behind_our_back_does_not_count(desk: Desk) -> None:
    desk.decide(make_signer(desk.made, "ana"))
    run_sql(desk.made.store, "UPDATE operator SET retired_at = '2026-11-23 09:00:30.000000'")
    assert desk.voices() == []
