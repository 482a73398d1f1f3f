"""Notes for counsel: who writes and reads them, and that the incident's key alone opens nothing of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlmodel import Session, select

from incident.errors import BadInput, KeyDestroyed, KeyMissing, NotFound, Refused, Unreadable
from incident.record.decisions import Signer, signature_holds
from incident.record.incidents import close_incident
from incident.record.operators import Role, retire_operator
from incident.record.privileged import LONGEST_NOTE, add_note, challenge, read_notes, seal_note
from incident.store.change import open_row
from incident.store.keyring import counsel_key
from incident.store.opening import open_store
from incident.store.tables import Decision, Operator, PrivilegedNote
from tests.support.at_once import at_once
from tests.support.deciding import notes_read_by, write_note
from tests.support.postgres import PostgresServer
from tests.support.workspaces import (
    Made,
    all_rows,
    make_signer,
    make_workspace,
    open_one,
    run_sql,
    stored_bytes,
)

SECRET = "Vergleichsangebot viertausend Euro-zhangsan"


@dataclass(frozen=True)
class Desk:
    """An incident, with lex and may for counsel and ana who responds and approves."""

    made: Made
    incident: str
    signers: dict[str, Signer]

    def note(self, text: str = SECRET, *, by: str = "lex") -> PrivilegedNote:
        return write_note(self.made, self.incident, self.signers[by], text)

    def texts(self, *, by: str = "lex") -> list[str]:
        return [line.text for line in notes_read_by(self.made, self.incident, self.signers[by])]

    def another(self) -> Desk:
        return replace(self, made=self.made.another())

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.made.store.entries(self.incident)]


@pytest.fixture
def desk(tmp_path: Path, store_on: PostgresServer | None) -> Desk:
    made = make_workspace(tmp_path, on=store_on)
    signers = {name: make_signer(made, name, roles=[Role.COUNSEL]) for name in ("lex", "may")}
    signers["ana"] = make_signer(made, "ana")
    return Desk(made, open_one(made), signers)


def test_what_counsel_writes_counsel_reads(desk: Desk) -> None:
    assert desk.texts() == []
    desk.note(f"  {SECRET}\n")
    desk.made.clock.move(minutes=1)
    desk.note("不要和解", by="may")
    lines = notes_read_by(desk.made, desk.incident, desk.signers["may"])
    assert [(line.label, line.written_by, line.text) for line in lines] == [
        ("N1", "lex", SECRET),
        ("N2", "may", "不要和解"),
    ]
    assert lines[1].written_at == desk.made.clock()


def test_nobody_else_writes_or_reads_them(desk: Desk) -> None:
    desk.note()
    before = all_rows(desk.made.store)
    for act in (desk.note, desk.texts):
        with pytest.raises(Refused, match="ana is no counsel"):
            act(by="ana")
    assert all_rows(desk.made.store) == before


def test_who_is_counsel_by_name_only_reads_nothing(desk: Desk) -> None:
    """The challenge is made for lex; ana, who acts under that name, has another key."""
    desk.note()
    before = all_rows(desk.made.store)
    asked = challenge(desk.made.store, desk.incident, by="lex")
    as_lex = replace(desk.signers["ana"], name="lex")
    for signer, why in (
        (as_lex, "not the one that belongs to lex"),
        (desk.signers["ana"], "ana is no counsel"),
    ):
        with pytest.raises(Refused, match=why):
            read_notes(desk.made.store, asked, signer=signer, now=desk.made.clock())
        sealed = seal_note(desk.made.store, desk.incident, "x", by="lex", now=desk.made.clock())
        with pytest.raises(Refused, match=why):
            add_note(desk.made.store, sealed, signer=signer, now=desk.made.clock())
    assert all_rows(desk.made.store) == before


def test_who_was_retired_reads_nothing_any_more(desk: Desk) -> None:
    desk.note()
    retire_operator(desk.made.store, "lex", actor="ana", now=desk.made.clock.move(minutes=1))
    with pytest.raises(Refused, match="lex was retired"):
        desk.texts()
    assert desk.texts(by="may") == [SECRET]


def test_each_reading_is_signed_and_on_record(desk: Desk) -> None:
    desk.note()
    desk.texts()
    desk.texts(by="may")
    assert desk.kinds() == ["incident.opened", "counsel.noted", "counsel.read", "counsel.read"]
    readers = [entry.actor for entry in desk.made.store.entries(desk.incident)][2:]
    assert readers == ["lex", "may"]
    with desk.made.store.read() as session:
        found = session.exec(select(Decision).where(Decision.subject_kind == "counsel-reading")).all()
        assert all(signature_holds(each, _operator(session, each)) for each in found)
    # Each signs a challenge of its own: none can be shown twice.
    assert len({each.subject_hash for each in found}) == len(found) == 2


def test_if_it_cannot_be_recorded_nothing_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.note()
    opened: list[str] = []
    monkeypatch.setattr("incident.record.privileged._opened", lambda note, key: opened.append(note.id))
    desk.made.store.keyring._cache.clear()
    (desk.made.store.keyring.folder / f"{desk.incident}.key").rename(desk.made.workspace.root / "away")
    with pytest.raises(KeyMissing):
        desk.texts()
    assert opened == []


# -- what is sealed -----------------------------------------------------------------------------------


def test_nothing_of_a_note_lies_open_and_the_incident_s_key_opens_nothing_of_it(desk: Desk) -> None:
    row = desk.note()
    desk.texts()
    store = desk.made.store
    for chain in store.chains():
        for recorded in store.recorded(chain):
            told = json.dumps([vars(recorded.entry), recorded.body], default=str, ensure_ascii=False)
            assert not any(word in told for word in SECRET.split(" ")), recorded.entry.kind
    with pytest.raises(Unreadable):
        store.open(row, incident_id=desk.incident)
    with pytest.raises(Unreadable):
        open_row(row, key=store.keyring.get("workspace"))
    assert open_row(row, key=store.keyring.get(counsel_key(desk.incident))) == {"text": SECRET}
    stored = stored_bytes(desk.made)
    assert not any(word.encode() in stored for word in SECRET.split(" "))


def test_with_the_incident_s_key_alone_the_record_is_read_and_the_notes_are_not(desk: Desk) -> None:
    desk.note()
    keyring = desk.made.store.keyring
    (keyring.folder / f"{counsel_key(desk.incident)}.key").unlink()
    desk.made.store.close()
    store = open_store(desk.made.workspace, desk.made.settings)
    opened = replace(desk, made=replace(desk.made, store=store))
    assert [recorded.body is not None for recorded in store.recorded(desk.incident)] == [True, True]
    with pytest.raises(KeyMissing, match="counsel"):
        opened.texts()
    # A new key would hide that the old one is lost.
    with pytest.raises(KeyMissing, match="counsel"):
        opened.note("another")
    assert not keyring.is_taken(counsel_key(desk.incident))


def test_a_note_that_was_changed_is_not_read(desk: Desk) -> None:
    desk.note()
    desk.note("another")
    run_sql(
        desk.made.store,
        "UPDATE privileged_note SET sealed = (SELECT o.sealed FROM privileged_note o WHERE o.number = 2)"
        " WHERE number = 1",
    )
    with pytest.raises(Refused, match="N1 is not the one that was written") as caught:
        desk.texts()
    assert SECRET not in str(caught.value)


def test_a_note_of_another_incident_opens_nowhere_else(desk: Desk) -> None:
    desk.note()
    other = replace(desk, incident=open_one(desk.made))
    other.note("another")
    run_sql(
        desk.made.store,
        "UPDATE privileged_note SET sealed = (SELECT o.sealed FROM privileged_note o WHERE o.incident_id = :one),"
        " digest = (SELECT o.digest FROM privileged_note o WHERE o.incident_id = :one) WHERE incident_id = :other",
        one=desk.incident,
        other=other.incident,
    )
    with pytest.raises(Unreadable):
        other.texts()


# -- bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " \n", "x" * (LONGEST_NOTE + 1)])
def test_a_note_that_says_nothing_or_too_much_is_refused_without_its_words(desk: Desk, text: str) -> None:
    before = all_rows(desk.made.store)
    with pytest.raises(BadInput) as caught:
        desk.note(text)
    assert "xx" not in str(caught.value)
    assert all_rows(desk.made.store) == before
    assert not desk.made.store.keyring.is_taken(counsel_key(desk.incident))


def test_only_an_open_incident_takes_notes_and_a_closed_one_shows_them(desk: Desk) -> None:
    desk.note()
    store, now = desk.made.store, desk.made.clock()
    with store.write(desk.incident, kind="closed", actor="ana", now=now) as change:
        close_incident(change, desk.incident, reason="done")
    with pytest.raises(Refused, match="is closed"):
        desk.note("too late")
    assert desk.texts() == [SECRET]


def test_an_incident_that_is_none_has_no_notes(desk: Desk) -> None:
    nowhere = replace(desk, incident="INC-1999-0001")
    for act in (nowhere.note, nowhere.texts):
        with pytest.raises(NotFound):
            act()


def test_once_its_key_is_destroyed_nobody_reads_or_writes(desk: Desk) -> None:
    desk.note()
    desk.made.store.keyring.destroy(counsel_key(desk.incident), now=desk.made.clock())
    for act in (desk.note, desk.texts):
        with pytest.raises(KeyDestroyed):
            act()


# -- at the same moment -------------------------------------------------------------------------------


def test_the_first_two_notes_at_once_are_sealed_by_one_key(desk: Desk) -> None:
    desks = [desk.another() for _ in range(4)]
    for each in desks:
        each.made.store.keyring._cache.clear()
    rows = at_once(
        *(
            lambda one=one, number=number: one.note(f"note {number}", by=("lex", "may")[number % 2])
            for number, one in enumerate(desks)
        )
    )
    assert [type(each) for each in rows] == [PrivilegedNote] * len(desks)
    assert sorted(row.number for row in rows if isinstance(row, PrivilegedNote)) == [1, 2, 3, 4]
    assert sorted(desk.texts()) == [f"note {number}" for number in range(len(desks))]


def test_a_note_that_comes_while_somebody_signs_is_shown_the_next_time(desk: Desk) -> None:
    desk.note()
    asked = challenge(desk.made.store, desk.incident, by="lex")
    desk.note("meanwhile", by="may")
    lines = read_notes(desk.made.store, asked, signer=desk.signers["lex"], now=desk.made.clock())
    assert [line.text for line in lines] == [SECRET]
    assert desk.texts() == [SECRET, "meanwhile"]


def _operator(session: Session, decision: Decision) -> Operator:
    operator = session.get(Operator, decision.operator_id)
    assert operator is not None
    return operator
