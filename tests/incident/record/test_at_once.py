"""Entries of the record that several people make at the same moment."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import func, select

from incident.errors import Refused, WorkspaceError
from incident.record.facts import Certainty, Fact
from incident.record.incidents import list_incidents, state_facts
from incident.record.operators import DEFAULT_ROLES, add_operator, list_operators
from incident.record.people import Counts, import_people
from incident.record.people_file import Defaults
from incident.record.sshsig import public_line
from incident.store.opening import open_store
from incident.store.store import Store
from incident.store.tables import FactRow, Person
from tests.support.at_once import at_once
from tests.support.journals import sound
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START, Made, make_workspace, open_one

DEFAULTS = Defaults(language="en", country="cn", categories=("name",), known_categories={"name": "name"})


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


def test_of_two_operators_of_one_name_added_at_once_one_is_refused(made: Made) -> None:
    def add(store: Store) -> str:
        line = public_line(Ed25519PrivateKey.generate())
        return add_operator(
            store, "bo", line, roles=DEFAULT_ROLES, simulated=False, actor="ana", now=made.clock()
        ).name

    outcomes = at_once(*(lambda: add(made.another().store) for _ in range(3)))
    assert sorted(type(each).__name__ for each in outcomes) == ["Refused", "Refused", "str"]
    assert [each.name for each in list_operators(made.store)] == ["bo"]
    assert any(isinstance(each, Refused) for each in outcomes)


def test_one_list_imported_twice_at_once_names_everybody_once(made: Made, tmp_path: Path) -> None:
    incident = open_one(made)
    file = tmp_path / "list.csv"
    file.write_text("reference,name\n" + "".join(f"C{number},Person {number}\n" for number in range(2500)))

    def load() -> Counts:
        return import_people(
            made.another().store,
            incident,
            file,
            encoding="utf-8",
            defaults=DEFAULTS,
            keep_problems=False,
            dry_run=False,
            actor="ana",
            now=made.clock(),
            today=date(2026, 11, 23),
        ).counts

    counts = at_once(load, load)
    found = sorted((each.added, each.unchanged) for each in counts if isinstance(each, Counts))
    assert found == [(0, 2500), (2500, 0)], counts
    with made.store.read() as session:
        assert session.exec(select(func.count()).select_from(Person)).one() == 2500


def test_facts_stated_at_once_are_numbered_in_turn(made: Made) -> None:
    incident = open_one(made)

    def say(store: Store, who: str) -> None:
        fact = Fact("systems", (who,), who, "phone", Certainty.likely, START)
        with store.write(incident, kind="facts.set", actor=who, now=made.clock()) as change:
            state_facts(store, change, incident, [fact])

    desks = [(made.another().store, who) for who in ("ana", "bo", "cy", "di")]
    assert at_once(*(lambda desk=desk, who=who: say(desk, who) for desk, who in desks)) == [None] * 4
    with made.store.read() as session:
        assert sorted(session.exec(select(FactRow.seq)).all()) == [1, 2, 3, 4]
    assert sound(made.store, *made.store.heads())


def test_a_number_that_another_keyring_gave_out_at_the_same_moment_is_not_overwritten(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """Machines share one keyring. Where they do not, the second one must not write over the first one's incident."""
    made = make_workspace(tmp_path, on=postgres)
    apart = tmp_path / "apart"
    apart.mkdir()
    for file in made.store.keyring.folder.iterdir():
        (apart / file.name).write_bytes(file.read_bytes())
    settings = made.settings.model_copy(
        update={"store": made.settings.store.model_copy(update={"keyring": str(apart)})}
    )
    other = replace(made, settings=settings, store=open_store(made.workspace, settings))
    looked = threading.Barrier(2)
    for each in (made, other):
        create = each.store.keyring.create

        def at_the_same_moment(name: str, *, now: object, create: object = create) -> bytes:
            looked.wait(10)
            return create(name, now=now)  # type: ignore[operator, no-any-return]

        each.store.keyring.create = at_the_same_moment  # type: ignore[method-assign]
    outcomes = at_once(lambda: open_one(made, "one"), lambda: open_one(other, "two"))
    assert sorted(type(each).__name__ for each in outcomes) == ["_NumberTaken", "str"]
    assert all(isinstance(each, str | WorkspaceError) for each in outcomes)
    assert [each.id for each in list_incidents(made.store)] == ["INC-2026-0001"]
    first = made if isinstance(outcomes[0], str) else other
    second = other if first is made else made
    assert first.store.keyring.has("INC-2026-0001")
    assert not second.store.keyring.has("INC-2026-0001"), (
        "a key that opens nothing must not look like the right one"
    )
