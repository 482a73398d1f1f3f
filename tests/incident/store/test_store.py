"""The one `write()`: everything of a change or nothing, journalled, and readable only with its key."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from incident.errors import BadInput, ConflictingWrite, KeyDestroyed, KeyMissing, Unreadable
from incident.record.incidents import log_entry
from incident.store.journal import WORKSPACE_CHAIN, check_chain
from incident.store.keyring import Keyring
from incident.store.sealing import seal_json
from incident.store.store import Store
from incident.store.tables import Incident, Job, LogEntry, Person
from tests.support.journals import log, note, sound, three_entries
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START, Made, all_rows, make_workspace, open_one, run_sql


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


def test_a_change_writes_its_rows_and_one_entry_that_holds_them_sealed(made: Made) -> None:
    incident = open_one(made, "Secret title")
    [recorded] = made.store.recorded(incident)
    assert recorded.entry.kind == "incident.opened"
    assert recorded.entry.at == START
    assert recorded.body is not None
    assert recorded.body["rows"][0]["content"]["title"] == "Secret title"
    assert sound(made.store, *made.store.heads())


def test_an_anchored_change_lets_the_workspace_chain_name_its_head(made: Made) -> None:
    incident = open_one(made)
    *_, last = made.store.recorded(WORKSPACE_CHAIN)
    head = made.store.entries(incident)[-1]
    assert last.body == {"anchor": {"chain": incident, "seq": head.seq, "hash": head.hash}}


def test_every_chain_has_its_own_numbers_and_the_workspace_comes_first(made: Made) -> None:
    first, second = open_one(made), open_one(made)
    note(made, second, "more")
    assert made.store.chains() == [WORKSPACE_CHAIN, first, second]
    assert [entry.seq for entry in made.store.entries(second)] == [1, 2]
    assert {head.chain: head.seq for head in made.store.heads()} == {WORKSPACE_CHAIN: 3, first: 1, second: 2}


class Planned(Exception):
    """A failure that a test wants."""


def test_a_failure_inside_a_change_leaves_rows_and_journal_as_before(made: Made) -> None:
    incident = open_one(made)
    before = all_rows(made.store)
    with (
        pytest.raises(Planned),
        made.store.write(incident, kind="log.entered", actor="ana", now=made.clock()) as change,
    ):
        log_entry(made.store, change, incident, "text", at=made.clock(), by="Ana")
        change.put_bulk(Person, [])
        change.anchor()
        raise Planned
    assert all_rows(made.store) == before


def test_a_text_that_is_no_unicode_changes_nothing(made: Made) -> None:
    incident = open_one(made)
    before = all_rows(made.store)
    with pytest.raises(BadInput):
        log(made, incident, "half a pair \ud800")
    assert all_rows(made.store) == before


def test_without_the_key_nothing_is_written_and_the_error_tells_lost_from_destroyed(made: Made) -> None:
    incident, other = open_one(made), open_one(made)
    before = all_rows(made.store)
    (made.store.keyring.folder / f"{incident}.key").unlink()
    fresh = Store(made.store.engine, Keyring(made.store.keyring.folder), where="test")
    with pytest.raises(KeyMissing) as lost, fresh.write(incident, kind="x", actor="a", now=START) as change:
        change.note(a=1)
    assert not isinstance(lost.value, KeyDestroyed)
    fresh.keyring.destroy(other, now=START)
    with pytest.raises(KeyDestroyed), made.store.write(other, kind="x", actor="a", now=START) as change:
        change.note(a=1)
    assert all_rows(made.store) == before
    assert sound(made.store, *made.store.heads())


def test_a_key_destroyed_in_the_middle_of_a_change_undoes_it(made: Made) -> None:
    incident = open_one(made)
    before = all_rows(made.store)
    with pytest.raises(KeyDestroyed), made.store.write(incident, kind="x", actor="a", now=START) as change:
        log_entry(made.store, change, incident, "text", at=START, by="Ana")
        Keyring(made.store.keyring.folder).destroy(incident, now=START)
    assert all_rows(made.store) == before


def test_a_row_that_is_not_journalled_cannot_slip_into_a_change(made: Made) -> None:
    job = Job(kind="k", key="k", state="open", attempt=0, starts=0, pokes=0, beat_at=0, next_at=0)
    with made.store.write(WORKSPACE_CHAIN, kind="x", actor="a", now=START) as change:
        with pytest.raises(TypeError, match="not journalled"):
            change.put(job)
        with pytest.raises(TypeError, match="not a bulk table"):
            change.put_bulk(Incident, [{"id": "x"}])


def test_ids_together_begin_alike_and_each_is_another(made: Made) -> None:
    one, two = made.store.new_ids_together(), made.store.new_ids_together()
    first, second = [one() for _ in range(50)], [two() for _ in range(50)]
    assert len({each[:8] for each in first}) == 1
    assert len({*first, *second}) == 100
    assert {len(each) for each in (*first, *second)} == {len(made.store.new_id())}
    assert first[0][:8] != second[0][:8]


def test_ids_in_order_rise_from_piece_to_piece_and_are_random_besides(made: Made) -> None:
    pieces = [made.store.new_ids_in_order(50, now=START, piece=piece) for piece in (0, 1, 2, 4096)]
    later = made.store.new_ids_in_order(1, now=START + timedelta(milliseconds=1), piece=0)
    ids = [each for piece in pieces for each in piece] + later
    assert ids == sorted(set(ids))
    assert {len(each) for each in ids} == {len(made.store.new_id())}
    assert set(made.store.new_ids_in_order(50, now=START, piece=0)).isdisjoint(pieces[0])
    assert made.store.new_ids_in_order(0, now=START, piece=0) == []
    with pytest.raises(ValueError, match="no piece"):
        made.store.new_ids_in_order(1, now=START, piece=16**6)


def test_bulk_rows_are_journalled_by_count_and_root(made: Made) -> None:
    incident = open_one(made)
    rows = [
        {
            "id": f"p{number}",
            "incident_id": incident,
            "reference_mac": b"",
            "version": 1,
            "language": "en",
            "has_email": True,
            "minor": False,
            "guardian_reachable": False,
            "import_id": "i",
            "sealed": bytes([number]) * 3,
        }
        for number in range(3)
    ]
    roots = []
    for number, sealed in enumerate((b"one", b"two")):
        rows = [
            {**row, "id": f"p{number}{at}", "reference_mac": bytes([number, at]), "sealed": sealed}
            for at, row in enumerate(rows)
        ]
        with made.store.write(incident, kind="people", actor="a", now=START) as change:
            assert change.put_bulk(Person, rows) == 3
            change.count_bulk(Person, "updated", 2, sealed=b"x")
        *_, last = made.store.recorded(incident)
        assert last.body is not None
        assert last.body["bulk"]["person"]["counts"] == {"inserted": 3, "updated": 2}
        roots.append(last.body["bulk"]["person"]["root"])
    assert len(set(roots)) == 2


def test_a_blob_moved_to_another_row_does_not_open(made: Made) -> None:
    incident = open_one(made)
    one, two = log(made, incident, "one"), log(made, incident, "two")
    run_sql(
        made.store,
        "UPDATE log_entry SET sealed = (SELECT sealed FROM log_entry WHERE id = :one) WHERE id = :two",
        one=one,
        two=two,
    )
    with made.store.read() as session:
        first, second = session.get(LogEntry, one), session.get(LogEntry, two)
    assert first is not None and second is not None
    assert made.store.open(first, incident_id=incident)["text"] == "one"
    with pytest.raises(Unreadable):
        made.store.open(second, incident_id=incident)


def test_a_row_of_one_incident_does_not_open_by_the_key_of_another(made: Made) -> None:
    incident, other = open_one(made), open_one(made)
    with made.store.read() as session:
        row = session.get(Incident, incident)
    assert row is not None
    with pytest.raises(Unreadable):
        made.store.open(row, incident_id=other)


TAMPERING = {
    "changed": "UPDATE journal_entry SET actor = 'eve' WHERE chain = :chain AND seq = 2",
    "changed time": "UPDATE journal_entry SET at = '2026-01-01 00:00:00.000000' WHERE chain = :chain AND seq = 2",
    "changed body hash": "UPDATE journal_entry SET body_hash = hash WHERE chain = :chain AND seq = 3",
    "removed first": "DELETE FROM journal_entry WHERE chain = :chain AND seq = 1",
    "removed within": "DELETE FROM journal_entry WHERE chain = :chain AND seq = 2",
    "truncated": "DELETE FROM journal_entry WHERE chain = :chain AND seq = 3",
    "emptied": "DELETE FROM journal_entry WHERE chain = :chain",
    "inserted": "INSERT INTO journal_entry SELECT chain, 4, at, kind, actor, suite, body_hash, hash, body_hash"
    " FROM journal_entry WHERE chain = :chain AND seq = 3",
    "exchanged": "UPDATE journal_entry SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE chain = :chain AND seq > 1",
    "moved to another chain": "UPDATE journal_entry SET chain = 'other' WHERE chain = :chain AND seq = 3",
}


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_with_entries_by_sql_is_found(made: Made, name: str) -> None:
    incident = three_entries(made)
    heads = made.store.heads()
    assert check_chain(made.store.entries(incident), chain=incident, outside=heads) == []
    assert run_sql(made.store, TAMPERING[name], chain=incident) > 0
    if name == "exchanged":
        run_sql(made.store, "UPDATE journal_entry SET seq = -seq WHERE seq < 0")
    assert check_chain(made.store.entries(incident), chain=incident, outside=heads) != []


BODY_TAMPERING = {
    "bytes": "UPDATE journal_body SET sealed = :bytes WHERE chain = :chain AND seq = 2",
    "empty": "UPDATE journal_body SET sealed = substr(sealed, 1, 0) WHERE chain = :chain AND seq = 2",
    "removed": "DELETE FROM journal_body WHERE chain = :chain AND seq = 2",
    "of another entry": "UPDATE journal_body SET sealed ="
    " (SELECT sealed FROM journal_body WHERE chain = :chain AND seq = 3) WHERE chain = :chain AND seq = 2",
}


@pytest.mark.parametrize("name", BODY_TAMPERING)
def test_a_tampered_body_is_found_though_the_chain_holds(made: Made, name: str) -> None:
    incident = three_entries(made)
    more = {"bytes": bytes(60)} if name == "bytes" else {}
    assert run_sql(made.store, BODY_TAMPERING[name], chain=incident, **more) == 1
    assert sound(made.store, *made.store.heads())
    with pytest.raises(Unreadable):
        list(made.store.recorded(incident))
    with pytest.raises(Unreadable):
        made.store.body_of(incident, 2)
    bodies = [recorded.body is not None for recorded in made.store.recorded(incident, skip_unreadable=True)]
    assert bodies == [True, False, True]


def test_a_body_sealed_anew_with_the_right_key_still_differs_from_what_the_chain_names(made: Made) -> None:
    incident = three_entries(made)
    forged = seal_json(
        made.store.key(incident),
        {"salt": "00" * 16, "body": {"text": "forged"}},
        bound_to=f"journal_body/{incident}/2",
    )
    run_sql(
        made.store,
        "UPDATE journal_body SET sealed = :sealed WHERE chain = :c AND seq = 2",
        sealed=forged,
        c=incident,
    )
    with pytest.raises(Unreadable, match="not the one that the chain names"):
        made.store.body_of(incident, 2)


def test_equal_bodies_have_different_hashes_because_each_has_its_own_salt(made: Made) -> None:
    incident = open_one(made)
    note(made, incident, "same")
    note(made, incident, "same")
    _, one, two = made.store.entries(incident)
    assert made.store.body_of(incident, 2) == made.store.body_of(incident, 3)
    assert one.body_hash != two.body_hash


def test_a_destroyed_body_comes_as_none_with_its_date_and_the_chain_stays_valid(made: Made) -> None:
    incident = three_entries(made)
    heads = made.store.heads()
    run_sql(
        made.store,
        "UPDATE journal_body SET sealed = substr(sealed, 1, 0), destroyed_at = '2026-12-01 00:00:00.000000' WHERE chain = :c",
        c=incident,
    )
    recorded = list(made.store.recorded(incident))
    assert [each.body for each in recorded] == [None] * 3
    assert all(each.destroyed_at is not None and each.destroyed_at.year == 2026 for each in recorded)
    assert sound(made.store, *heads)


def test_recorded_until_a_time_follows_the_order_of_recording_when_the_clock_went_back(made: Made) -> None:
    incident = open_one(made)
    made.clock.move(minutes=10)
    note(made, incident, "with the clock ahead")
    made.clock.move(minutes=-8)
    note(made, incident, "after it was put right")

    def seqs(**after: float) -> list[int]:
        until = START + timedelta(**after)
        return [recorded.entry.seq for recorded in made.store.recorded(incident, until=until)]

    assert seqs(seconds=-1) == []
    assert seqs(minutes=0) == [1]
    assert seqs(minutes=1) == [1]
    assert seqs(minutes=2) == [1, 2, 3], "the third entry cannot be there without the second"


def test_a_chain_whose_stored_head_was_put_back_takes_no_entry(made: Made) -> None:
    incident = three_entries(made)
    run_sql(made.store, "DELETE FROM journal_head WHERE chain = :c", c=incident)
    before = all_rows(made.store)
    with pytest.raises(ConflictingWrite, match="nothing was changed"):
        note(made, incident, "more")
    assert all_rows(made.store) == before


def test_many_threads_writing_one_chain_leave_no_gap(made: Made) -> None:
    incident = open_one(made)

    def write_five() -> None:
        for _ in range(5):
            note(made, incident, "text")

    threads = [threading.Thread(target=write_five) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made.store.entries(incident)) == 21
    assert sound(made.store, *made.store.heads())


def test_a_reader_sees_one_state_while_another_writes(made: Made) -> None:
    incident = open_one(made)
    with made.store.read() as session:
        assert session.get(Incident, incident) is not None
        log(made, incident, "meanwhile")
        assert session.exec(select(LogEntry)).all() == []
