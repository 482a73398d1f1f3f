from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from incident.errors import BadInput, KeyMissing, NotFound, Refused, StoreUnavailable, WorkspaceError
from incident.record.dossier import load_dossier
from incident.record.facts import Certainty, Fact, Interval, Value
from incident.record.incidents import (
    IncidentState,
    Origin,
    close_incident,
    list_incidents,
    log_entry,
    open_incident,
    record_run_measure,
    state_facts,
)
from incident.record.measures import MeasureTaken
from incident.store.change import Change
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START, Made, all_rows, make_workspace, open_one, run_sql

ROOT = Path(__file__).parents[3]


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


def a_fact(field: str, value: Value | None, *, said_by: str = "Ana") -> Fact:
    return Fact(field, value, said_by, "phone", Certainty.likely, START)


def log(made: Made, incident: str, text: str, **options: Any) -> str:
    with made.store.write(incident, kind="log.entered", actor="ana", now=made.clock()) as change:
        return log_entry(
            made.store, change, incident, text, **{"at": made.clock(), "by": "Ana", **options}
        ).id


def close(made: Made, incident: str) -> None:
    with made.store.write(incident, kind="incident.closed", actor="ana", now=made.clock()) as change:
        close_incident(change, incident, reason="over")


def key_files(made: Made) -> set[str]:
    return {file.name for file in made.store.keyring.folder.iterdir()}


def test_ids_count_by_year_in_the_zone_of_the_workspace(made: Made) -> None:
    assert [open_one(made), open_one(made)] == ["INC-2026-0001", "INC-2026-0002"]
    made.clock.now = datetime(2026, 12, 31, 15, 59, tzinfo=UTC)
    assert open_one(made) == "INC-2026-0003"
    made.clock.now = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert open_one(made) == "INC-2027-0001", "it is 2027 already in Shanghai"


def test_after_9999_incidents_a_year_goes_on(made: Made) -> None:
    run_sql(
        made.store,
        "INSERT INTO incident (id, opened_at, opened_by, origin, state, sealed)"
        " VALUES ('INC-2026-9999', '2026-01-01 00:00:00', 'a', 'person', 'open', ''),"
        "        ('INC-2026-10000', '2026-01-02 00:00:00', 'a', 'person', 'open', ''),"
        "        ('INC-2026-12000', '2026-01-03 00:00:00', 'a', 'person', 'open', '')",
    )
    assert open_one(made) == "INC-2026-12001"
    assert [row.id[9:] for row in list_incidents(made.store)] == ["12001", "12000", "10000", "9999"]


def test_an_incident_holds_what_it_was_opened_with(made: Made) -> None:
    incident = open_one(made, "Leak", facts=[a_fact("persons", Interval(800, 1000, 1300))])
    dossier = load_dossier(made.store, incident)
    assert (dossier.title, dossier.told_by, dossier.origin, dossier.state) == (
        "Leak",
        "night desk",
        "person",
        "open",
    )
    assert (dossier.opened_at, dossier.opened_by, dossier.closed_at) == (START, "ana", None)
    assert dossier.sheet == {"persons": Interval(800, 1000, 1300)}
    assert dossier.history[0].fact.sure is Certainty.likely


class Planned(Exception):
    pass


def test_an_opening_that_fails_leaves_no_key_and_no_row(made: Made) -> None:
    open_one(made)
    keys, rows = key_files(made), all_rows(made.store)

    def fail(change: Change, incident_id: str) -> None:
        raise Planned

    with pytest.raises(Planned):
        open_incident(
            made.store,
            "t",
            facts=(),
            told_by="x",
            origin=Origin.ALERT,
            actor="a",
            now=START,
            zone=UTC,
            then=fail,
        )
    assert key_files(made) == keys
    assert all_rows(made.store) == rows
    assert open_one(made) == "INC-2026-0002", "and its number is free again"


def test_an_interrupt_after_the_commit_does_not_take_the_key_away(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = made.store.write

    @contextmanager
    def interrupted_late(*arguments: Any, **options: Any) -> Iterator[Change]:
        with write(*arguments, **options) as change:
            yield change
        raise KeyboardInterrupt

    monkeypatch.setattr(made.store, "write", interrupted_late)
    with pytest.raises(KeyboardInterrupt):
        open_one(made, "Kept")
    monkeypatch.undo()
    assert load_dossier(made.store, "INC-2026-0001").title == "Kept"


def test_a_key_that_a_crash_left_behind_takes_its_number(made: Made) -> None:
    made.store.keyring.create("INC-2026-0001", now=START)
    assert open_one(made) == "INC-2026-0002"


def test_a_number_whose_data_was_destroyed_is_not_given_again(made: Made) -> None:
    incident = open_one(made)
    made.store.keyring.destroy(incident, now=START)
    assert open_one(made) == "INC-2026-0002"


def test_a_keyring_that_cannot_be_written_keeps_an_incident_from_being_opened(
    made: Made, tmp_path: Path
) -> None:
    rows = all_rows(made.store)
    made.store.keyring.folder.rename(tmp_path / "elsewhere")
    made.store.keyring.folder.write_text("no folder")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        open_one(made)
    assert all_rows(made.store) == rows


OPEN_MANY = """
import sys
from pathlib import Path
from tests.support.workspaces import FixedClock, Made, open_one
from incident.store.opening import open_store
from incident.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
settings = workspace.settings()
made = Made(workspace, settings, open_store(workspace, settings), FixedClock())
print("ready", flush=True)
sys.stdin.readline()
print(" ".join(open_one(made) for _ in range(10)))
"""


def test_two_processes_that_open_at_the_same_moment_get_different_numbers(made: Made) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_MANY, str(made.workspace.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    given_out = [number for process in processes for number in process.communicate(timeout=60)[0].split()]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(given_out) == len(set(given_out)) == 20
    assert {row.id for row in list_incidents(made.store)} == set(given_out)
    assert all(load_dossier(made.store, number).title for number in given_out)


def test_the_latest_statement_of_a_field_holds_and_earlier_ones_stay(made: Made) -> None:
    incident = open_one(made, facts=[a_fact("persons", Interval.exactly(100))])
    made.clock.move(hours=1)
    with made.store.write(incident, kind="facts.set", actor="bo", now=made.clock()) as change:
        state_facts(
            made.store,
            change,
            incident,
            [a_fact("persons", Interval.exactly(900)), a_fact("persons", None, said_by="Bo")],
        )
    dossier = load_dossier(made.store, incident)
    assert dossier.sheet == {"persons": None}, "that it is unknown is the latest that was said"
    assert [stated.seq for stated in dossier.history] == [1, 2, 3]
    assert [stated.fact.said_by for stated in dossier.history] == ["Ana", "Ana", "Bo"]
    assert dossier.current["persons"].recorded_by == "bo"


def test_what_is_still_to_come_cannot_be_logged(made: Made) -> None:
    incident = open_one(made)
    log(made, incident, "the clocks differ a little", at=START + timedelta(minutes=5))
    before = all_rows(made.store)
    with pytest.raises(Refused) as caught:
        log(made, incident, "tomorrow", at=START + timedelta(minutes=5, seconds=1))
    assert caught.value.next_step is not None and "zone" in caught.value.next_step
    assert all_rows(made.store) == before


def test_a_logged_measure_is_a_measure_taken_and_so_is_one_of_a_playbook(made: Made) -> None:
    incident = open_one(made)
    earlier = START - timedelta(hours=2)
    log(made, incident, "closed the share", at=earlier, action="contain.disable-endpoint")
    log(made, incident, "called the vendor")
    with made.store.write(incident, kind="run", actor="engine", now=START) as change:
        record_run_measure(
            made.store,
            change,
            incident,
            action="contain.lock-account",
            text="two accounts",
            by="run 1",
            at=START,
        )
    assert load_dossier(made.store, incident).measures == (
        MeasureTaken(
            action="contain.disable-endpoint", at=earlier, by="Ana", text="closed the share", origin="log"
        ),
        MeasureTaken(action="contain.lock-account", at=START, by="run 1", text="two accounts", origin="run"),
    )


def test_a_correction_supersedes_and_both_stay_in_the_log(made: Made) -> None:
    incident = open_one(made)
    wrong = log(made, incident, "closed the wrong share", action="contain.disable-endpoint")
    right = log(made, incident, "it was only looked at", corrects=wrong)
    lines = {line.id: line for line in load_dossier(made.store, incident).log}
    assert lines[wrong].superseded and not lines[right].superseded
    assert lines[right].corrects == wrong
    assert load_dossier(made.store, incident).measures == ()


def test_an_entry_is_corrected_once_so_that_no_measure_counts_twice(made: Made) -> None:
    incident = open_one(made)
    wrong = log(made, incident, "one", action="contain.disable-endpoint")
    right = log(made, incident, "two", action="contain.disable-endpoint", corrects=wrong)
    before = all_rows(made.store)
    with pytest.raises(Refused, match=right):
        log(made, incident, "three", action="contain.disable-endpoint", corrects=wrong)
    assert all_rows(made.store) == before
    log(made, incident, "three", action="contain.disable-endpoint", corrects=right)
    assert [measure.text for measure in load_dossier(made.store, incident).measures] == ["three"]


def test_a_field_that_is_none_is_refused_before_it_is_kept(made: Made) -> None:
    before, keys = all_rows(made.store), key_files(made)
    with pytest.raises(BadInput, match="no fact called"):
        open_one(made, facts=[a_fact("person_count", Interval.exactly(1))])
    assert (all_rows(made.store), key_files(made)) == (before, keys)


def test_unknown_measures_and_entries_are_refused(made: Made) -> None:
    incident, other = open_one(made), open_one(made)
    entry = log(made, other, "of another incident")
    before = all_rows(made.store)
    for options in ({"action": "contain.dance"}, {"corrects": "nothing"}, {"corrects": entry}):
        with pytest.raises(NotFound):
            log(made, incident, "text", **options)
    assert all_rows(made.store) == before


def test_a_closed_incident_takes_nothing_more_and_is_anchored(made: Made) -> None:
    incident = open_one(made)
    made.clock.move(hours=1)
    close(made, incident)
    dossier = load_dossier(made.store, incident)
    assert (dossier.state, dossier.closed_at) == (IncidentState.CLOSED, made.clock())
    before = all_rows(made.store)
    with pytest.raises(Refused, match="is closed"):
        log(made, incident, "late")
    with pytest.raises(Refused), made.store.write(incident, kind="x", actor="a", now=START) as change:
        state_facts(made.store, change, incident, [a_fact("persons", None)])
    with pytest.raises(Refused):
        close(made, incident)
    assert all_rows(made.store) == before
    *_, last = made.store.recorded("workspace")
    assert last.body is not None and last.body["anchor"]["hash"] == made.store.entries(incident)[-1].hash


def test_an_incident_that_does_not_exist_is_not_found(made: Made) -> None:
    with pytest.raises(NotFound, match="INC-2026-0009"):
        load_dossier(made.store, "INC-2026-0009")
    with pytest.raises(KeyMissing):
        log(made, "INC-2026-0009", "text")


def test_incidents_are_listed_newest_first(made: Made) -> None:
    first = open_one(made)
    second = open_one(made)
    made.clock.move(days=400)
    third = open_one(made)
    assert [row.id for row in list_incidents(made.store)] == [third, second, first]


def test_a_store_that_refuses_leaves_no_key(made: Made) -> None:
    keys = key_files(made)
    run_sql(made.store, "ALTER TABLE log_entry RENAME TO away")
    rows = all_rows(made.store)

    def log_too(change: Change, incident_id: str) -> None:
        log_entry(made.store, change, incident_id, "text", at=START, by="Ana")

    with pytest.raises(StoreUnavailable):
        open_incident(
            made.store,
            "t",
            facts=(),
            told_by="x",
            origin=Origin.PERSON,
            actor="a",
            now=START,
            zone=UTC,
            then=log_too,
        )
    assert key_files(made) == keys
    assert all_rows(made.store) == rows
