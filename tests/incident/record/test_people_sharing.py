"""People who share an address and are written to one by one are counted before anything goes out."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.record.people_sharing import MOST_IN_A_MESSAGE, written_to_one_by_one
from tests.support.breaches import Affected, make_breach


def counted(tmp_path: Path, people: list[Affected]) -> int:
    breach = make_breach(tmp_path, people=people)
    with breach.made.store.read() as session:
        found = written_to_one_by_one(session, breach.made.store, breach.id)
    breach.made.store.close()
    return found


def test_two_who_share_an_address_are_counted_and_who_has_one_alone_is_not(tmp_path: Path) -> None:
    people = [
        Affected("A", email="us@example.org"),
        Affected("B", email="US@example.org"),
        Affected("C", email="me@example.org"),
        Affected("D"),
    ]
    assert counted(tmp_path, people) == 2


def test_a_household_is_one_reader_and_a_stranger_at_its_address_another(tmp_path: Path) -> None:
    household = [Affected(each, email="us@example.org", household="yes") for each in "AB"]
    assert counted(tmp_path / "one", household) == 0
    assert counted(tmp_path / "two", [*household, Affected("C", email="us@example.org")]) == 3


def test_a_household_of_two_languages_gets_two_messages(tmp_path: Path) -> None:
    people = [
        Affected("A", email="us@example.org", household="yes", language="en"),
        Affected("B", email="us@example.org", household="yes", language="zh-Hans"),
    ]
    assert counted(tmp_path, people) == 2


def test_whoever_is_not_written_to_does_not_count(tmp_path: Path) -> None:
    people = [Affected("A", email="us@example.org"), Affected("B", email="us@example.org", deceased="yes")]
    assert counted(tmp_path, people) == 0


def test_an_organisation_is_written_to_at_its_address_and_may_read_what_a_person_gets_there(
    tmp_path: Path,
) -> None:
    people = [
        Affected("A", email="us@example.org"),
        Affected("B", email="us@example.org", kind="organisation", household="yes"),
    ]
    assert counted(tmp_path, people) == 2


def test_a_household_of_a_school_is_none_and_each_gets_a_message(tmp_path: Path) -> None:
    def school(size: int) -> list[Affected]:
        return [Affected(f"P{number}", email="us@example.org", household="yes") for number in range(size)]

    assert counted(tmp_path / "few", school(MOST_IN_A_MESSAGE)) == 0
    assert counted(tmp_path / "many", school(MOST_IN_A_MESSAGE + 1)) == MOST_IN_A_MESSAGE + 1


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=10))
def test_any_list_is_counted_as_by_hand(people: list[tuple[int, bool]]) -> None:
    by_hand = 0
    for mailbox in range(4):
        here = [household for each, household in people if each == mailbox]
        messages = here.count(False) + (1 if True in here else 0)
        by_hand += len(here) if messages > 1 else 0
    listed = [
        Affected(f"R{number}", email=f"m{each}@example.org", household="yes" if household else "")
        for number, (each, household) in enumerate(people)
    ]
    with TemporaryDirectory() as folder:
        assert counted(Path(folder), listed) == by_hand
