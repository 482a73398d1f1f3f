"""Whatever somebody does to a store behind its back is found by the invariants that it breaks, and by no others.

Each damage is shown to those surveys alone that read what it changed (`tests.support.readers`); the chaos runs show
one of each kind to the whole check.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.ops.check import INVARIANTS, check
from incident.ops.checks.base import SHOWN, State
from tests.support.damages.base import Damage
from tests.support.damages.every import DAMAGES
from tests.support.lived_in import LivedIn, broken, lived_in, must_hold, untold, with_damage
from tests.support.postgres import PostgresServer
from tests.support.readers import Readers, changed_by, readers_in

# How many workers there are decides these; the tests of `incident.ops.check` break them.
ELSEWHERE = {"jobs.held", "jobs.waiting"}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> LivedIn:
    return lived_in(tmp_path_factory.mktemp("lived-in"))


@pytest.fixture(scope="module")
def readers(lived: LivedIn) -> Readers:
    return readers_in(lived.house)


def must_be_whole(lived: LivedIn) -> None:
    """Every invariant was looked at, and holds."""
    result = must_hold(lived.house)
    assert {each.invariant.name for each in result.verdicts} == {each.name for each in INVARIANTS}


def test_a_store_in_which_everything_has_happened_is_whole(lived: LivedIn) -> None:
    must_be_whole(lived)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.does)
def test_damage_is_found(lived: LivedIn, readers: Readers, damage: Damage) -> None:
    damage.must_be_found_in(lived, by=readers.of(damage.changes))


def test_every_invariant_is_broken_by_some_damage() -> None:
    tried = {name for damage in DAMAGES for name in damage.breaks}
    assert tried | ELSEWHERE == {each.name for each in INVARIANTS}


def one_damage_an_invariant() -> list[Damage]:
    """Files may lie on other machines than the database does in PostgreSQL, so none is missed there."""
    chosen: list[Damage] = []
    tried: set[str] = set()
    for damage in DAMAGES:
        here = not any("its file is not there" in said for said in damage.breaks.values())
        if here and not set(damage.breaks) <= tried:
            chosen.append(damage)
            tried |= set(damage.breaks)
    return chosen


def test_in_postgresql_the_same_store_is_whole_and_the_same_is_found(
    tmp_path: Path, postgres: PostgresServer, readers: Readers
) -> None:
    lived = lived_in(tmp_path, on=postgres)
    must_be_whole(lived)
    for damage in one_damage_an_invariant():
        damage.must_be_found_in(lived, by=readers.of(damage.changes))
    must_be_whole(lived)


@pytest.mark.chaos
def test_the_whole_check_finds_nothing_else(
    lived: LivedIn, tmp_path: Path, store_on: PostgresServer | None
) -> None:
    mine = lived_in(tmp_path, on=store_on) if store_on is not None else lived
    for damage in one_damage_an_invariant():
        damage.must_be_found_in(mine)


def test_afterwards_the_store_is_whole_again(lived: LivedIn) -> None:
    must_hold(lived.house)


# -- values that nobody wrote ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE delivery SET next_at = 'soon' WHERE state = 'pending'",
        "UPDATE delivery SET settled_at = 'noon' WHERE state = 'accepted'",
        "UPDATE attempt SET outcome_at = 'noon' WHERE result = 'accepted'",
        "UPDATE delivery SET attempts = 'many' WHERE state = 'accepted'",
        "UPDATE batch SET seq = 'last'",
        "UPDATE person SET has_email = 7",
        "UPDATE run_effect SET due_at = 'noon' WHERE due_at IS NOT NULL",
        "UPDATE job SET next_at = 'never'",
        "UPDATE people_import SET at = 'noon'",
        "UPDATE public_notice SET file = '../../etc/passwd'",
        "UPDATE evidence SET blob = '../../../../etc/passwd'",
        "UPDATE instance SET epoch = 'first'",
        "UPDATE incident SET id = '../' || id WHERE id = (SELECT max(id) FROM incident)",
    ],
)
def test_a_value_that_is_none_is_a_finding_and_no_crash(
    lived: LivedIn, readers: Readers, statement: str
) -> None:
    """Only SQLite lets words stand where a number or a time belongs."""
    with with_damage(lived.house, statement, surveys=readers.of(changed_by([statement]))) as result:
        assert broken(result)


def test_many_faults_are_counted_and_a_few_named(lived: LivedIn) -> None:
    numbered = (
        "INSERT INTO person (id, incident_id, reference_mac, version, language, has_email, minor,"
        " guardian_reachable, import_id, sealed)"
        " WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 500)"
        " SELECT 'copy' || n, p.incident_id, randomblob(16), p.version, p.language, p.has_email,"
        " p.minor, p.guardian_reachable, p.import_id, p.sealed FROM person p, numbers"
        " WHERE p.id = (SELECT min(id) FROM person WHERE incident_id = :incident)"
    )
    with with_damage(lived.house, (numbered, {"incident": lived.sending.id})) as result:
        verdict = next(each for each in result.verdicts if each.invariant.name == "ledger.people")
    assert (verdict.broken, len(verdict.faults), verdict.state) == (500, SHOWN, State.BROKEN)


# -- one incident ------------------------------------------------------------------------------------


def test_of_one_incident_only_its_own_faults_are_told(lived: LivedIn) -> None:
    statement = ("UPDATE delivery SET strikes = 9 WHERE incident_id = :told", {"told": lived.told.id})
    with with_damage(lived.house, statement, incident_id=lived.told.id) as result:
        assert set(broken(result)) == {"ledger.attempts"}
    for other in (lived.sending.id, lived.destroyed):
        with with_damage(lived.house, statement, incident_id=other) as result:
            assert (broken(result), untold(result)) == ({}, {})


def test_each_incident_by_itself_holds(lived: LivedIn) -> None:
    for incident in (lived.sending.id, lived.told.id, lived.destroyed):
        result = check(lived.house, incident_id=incident)
        assert (broken(result), untold(result), result.incident_id) == ({}, {}, incident)
