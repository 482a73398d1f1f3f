"""Entries of the log and their corrections."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from incident.errors import BadInput, NotFound, Refused, WrongUsage
from incident.record.dossier import load_dossier
from incident.record.incidents import record_run_measure
from incident.record.log import Entered, Said, enter
from incident.store.store import Store
from tests.support.at_once import at_once
from tests.support.journals import sound
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START, Made, all_rows, make_workspace, open_one

EARLIER = START - timedelta(minutes=10)
MEASURE, ANOTHER = "contain.disable-endpoint", "contain.isolate-host"


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


def log(
    made: Made, incident: str, said: Said, *, corrects: str | None = None, store: Store | None = None
) -> Entered:
    at = store or made.store
    with at.write(incident, kind="log.entered", actor="ana", now=made.clock()) as change:
        return enter(at, change, incident, said, corrects=corrects)


def test_what_is_not_said_of_an_entry_is_now_and_whoever_types(made: Made) -> None:
    entered = log(made, open_one(made), Said("the page answers again"))
    assert (entered.row.at, entered.by, entered.row.action, entered.evidence) == (START, "ana", None, ())
    assert not entered.touches_measures


def test_a_correction_keeps_what_is_not_said_again(made: Made) -> None:
    incident = open_one(made)
    first = log(made, incident, Said("portal cut", EARLIER, "NOC", MEASURE, evidence=["e1"]))
    second = log(made, incident, Said("portal cut for all"), corrects=first.row.id[:8])
    assert (second.row.at, second.by, second.row.action, second.evidence) == (
        EARLIER,
        "NOC",
        MEASURE,
        ("e1",),
    )
    assert second.row.corrects == first.row.id
    third = log(
        made,
        incident,
        Said("host cut", START, "Bo", ANOTHER, evidence=["e2"]),
        corrects=second.row.id,
    )
    assert (third.row.at, third.by, third.row.action, third.evidence) == (START, "Bo", ANOTHER, ("e2",))
    assert third.was == MEASURE
    assert [(each.action, each.text) for each in load_dossier(made.store, incident).measures] == [
        (ANOTHER, "host cut")
    ]


def test_a_measure_can_be_taken_off_and_the_entries_stay(made: Made) -> None:
    incident = open_one(made)
    first = log(made, incident, Said("portal cut", action=MEASURE))
    second = log(made, incident, Said("it was another portal", no_action=True), corrects=first.row.id)
    assert second.touches_measures
    dossier = load_dossier(made.store, incident)
    assert dossier.measures == ()
    assert {line.text: line.superseded for line in dossier.log} == {
        "portal cut": True,
        "it was another portal": False,
    }


def test_what_a_playbook_did_is_put_right_by_a_person(made: Made) -> None:
    incident = open_one(made)
    with made.store.write(incident, kind="run.settled", actor="run", now=EARLIER) as change:
        record_run_measure(made.store, change, incident, action=MEASURE, text="portal cut", by="", at=EARLIER)
    [before] = load_dossier(made.store, incident).log
    log(made, incident, Said("only one of two portals was cut"), corrects=before.id)
    [measure] = load_dossier(made.store, incident).measures
    assert (measure.action, measure.at, measure.by, measure.origin) == (MEASURE, EARLIER, "ana", "log")
    assert measure.text == "only one of two portals was cut"


def test_of_two_people_who_correct_one_entry_at_once_one_is_refused(made: Made) -> None:
    incident = open_one(made)
    first = log(made, incident, Said("portal cut", action=MEASURE)).row.id
    desks = [made.another().store for _ in range(3)]
    outcomes = at_once(
        *(
            lambda store=store, text=f"text {number}": log(
                made, incident, Said(text), corrects=first, store=store
            )
            for number, store in enumerate(desks)
        )
    )
    assert sorted(type(each).__name__ for each in outcomes) == ["Entered", "Refused", "Refused"]
    [refusal, _] = [each for each in outcomes if isinstance(each, Refused)]
    [winner] = [each for each in outcomes if isinstance(each, Entered)]
    assert winner.row.id[:8] in str(refusal), "it names the one to look at"
    assert len(load_dossier(made.store, incident).measures) == 1
    assert sound(made.store, *made.store.heads())


@pytest.mark.parametrize(
    ("said", "corrects", "error"),
    [
        (Said(""), None, BadInput),
        (Said(" \n "), None, BadInput),
        (Said("x" * 20_001), None, BadInput),
        (Said("bell \a"), None, BadInput),
        (Said("escape \x1b[2J"), None, BadInput),
        (Said("x", by="two\nlines"), None, BadInput),
        (Said("x", by=" "), None, BadInput),
        (Said("x", action="contain.everything"), None, NotFound),
        (Said("x", at=START + timedelta(hours=1)), None, Refused),
        (Said("x"), "nothing", NotFound),
        (Said("x"), "", NotFound),
        (Said("x", no_action=True), None, WrongUsage),
        (Said("x", action=MEASURE, no_action=True), None, WrongUsage),
    ],
)
def test_what_cannot_be_logged_changes_nothing(
    made: Made, said: Said, corrects: str | None, error: Any
) -> None:
    incident = open_one(made)
    log(made, incident, Said("first"))
    before = all_rows(made.store)
    with pytest.raises(error):
        log(made, incident, said, corrects=corrects)
    assert all_rows(made.store) == before


def test_an_entry_of_another_incident_cannot_be_corrected(made: Made) -> None:
    one, other = open_one(made), open_one(made)
    entry = log(made, one, Said("portal cut")).row.id
    with pytest.raises(NotFound, match="no log entry"):
        log(made, other, Said("x"), corrects=entry)
