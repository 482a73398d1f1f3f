"""`incident check`: a table of what must hold, what is wrong by the ids of rows, and an exit code for scripts."""

from __future__ import annotations

from pathlib import Path

from incident.ops.check import INVARIANTS
from incident.ops.checks.base import SHOWN
from tests.support.commands import Answer, run_process, sql
from tests.support.estates import Estate, with_release
from tests.support.relays import recording_relay


def lines_of(answer: Answer) -> list[str]:
    return answer.out.splitlines()


def sent(estate: Estate) -> Estate:
    with_release(estate)
    with recording_relay() as relay:
        estate.change_settings("port = 9", f"port = {relay.port}")
        estate.done("notice", "send", estate.id)
    return estate


def test_where_everything_holds_it_says_so_and_ends_with_0(estate: Estate) -> None:
    answer = sent(estate).done("check")
    assert lines_of(answer)[-1] == f"all {len(INVARIANTS)} invariants hold"
    table = "\n".join(lines_of(answer)[2:-1])
    assert all(f"{each.name} " in table and each.says in table for each in INVARIANTS)
    document = estate.done("check", "--json").document
    assert (document["holds"], document["all_told"], document["incident"]) == (True, True, None)
    assert [each["state"] for each in document["invariants"]] == ["holds"] * len(INVARIANTS)


def test_what_is_broken_is_named_by_its_id_with_what_to_do_and_the_end_is_1(estate: Estate) -> None:
    [(delivery,)] = sql(sent(estate).root, "SELECT min(id) FROM delivery")
    sql(estate.root, "UPDATE delivery SET strikes = 4 WHERE id = ?", delivery)
    answer = estate.run("check")
    assert answer.code == 1
    said = lines_of(answer)
    place = said.index(f"ledger.attempts: delivery {delivery}: its strikes are not those of its attempts")
    assert said[place + 1].startswith("  → keep a copy of the database")
    assert said[-1] == f"NOT SOUND: 1 of {len(INVARIANTS)} invariants are broken"
    again = estate.run("check", estate.id, "--json")
    assert (again.code, again.document["holds"], again.document["incident"]) == (1, False, estate.id)
    [broken] = [each for each in again.document["invariants"] if each["state"] == "broken"]
    assert (broken["name"], broken["broken"]) == ("ledger.attempts", 1)
    assert broken["faults"][0]["where"] == f"delivery {delivery}"
    assert set(broken["faults"][0]) == {"where", "what", "next_step"}


def test_of_many_faults_some_are_named_and_all_are_counted(estate: Estate) -> None:
    sent(estate)
    for number in range(SHOWN + 5):
        sql(
            estate.root,
            "INSERT INTO job (kind, key, state, attempt, starts, pokes, beats, beat_at, asked_at, next_at)"
            " VALUES ('dance', ?, 'done', 0, 0, 1, 0, 0, 0, 0)",
            str(number),
        )
    answer = estate.run("check")
    assert sum("job dance/" in line for line in lines_of(answer)) == SHOWN
    assert "jobs.known: and 5 more" in lines_of(answer)


def test_what_cannot_be_told_is_said_and_is_no_fault(estate: Estate) -> None:
    (estate.root / "keyring").rename(estate.root / "moved")
    answer = estate.run("check")
    assert answer.code == 0
    assert "cannot be told" in answer.out
    assert lines_of(answer)[-1].startswith("nothing is broken; ")
    assert estate.done("check", "--json").document["all_told"] is False


def test_a_job_that_is_parked_is_named_with_the_way_back(estate: Estate) -> None:
    sent(estate)
    sql(estate.root, "UPDATE job SET state = 'parked' WHERE kind = 'notice.publish'")
    answer = estate.run("check")
    assert answer.code == 1
    assert any(line.startswith("jobs.parked: job notice.publish/") for line in lines_of(answer))
    assert "`incident worker --retry-parked`" in answer.out


def test_nobody_s_data_and_no_path_stands_in_what_it_says(estate: Estate, tmp_path: Path) -> None:
    """Everything is damaged at once, so that every kind of finding is printed."""
    sent(estate)
    for statement in (
        "UPDATE person SET sealed = zeroblob(64), version = 9, language = 'fr'",
        "UPDATE delivery SET state = 'lost', person_id = 'x' || person_id",
        "UPDATE attempt SET n = n + 3, stage = 'moon'",
        "UPDATE notice SET sealed = zeroblob(64), version = 7",
        "UPDATE campaign SET expected = 1, notice_id = 'none'",
        "UPDATE decision SET verdict = 'rejected'",
        "UPDATE public_notice SET sha256 = 'f00'",
        "UPDATE duty SET state = 'lost'",
        "UPDATE fact SET sealed = zeroblob(64)",
        "DELETE FROM journal_body WHERE seq > 1",
        "DELETE FROM job",
    ):
        sql(estate.root, statement)
    answer = estate.run("check")
    assert answer.code == 1
    printed = answer.text + estate.run("check", "--json").text
    people = (estate.keys.parent / "people-6.csv").read_text("utf-8").splitlines()[1:]
    secrets = [cell for row in people for cell in row.split(",") if len(cell) > 4 and ";" not in cell]
    assert len(secrets) > 10
    assert [secret for secret in secrets if secret in printed] == []
    assert str(tmp_path) not in printed and "anna" not in printed


def test_an_incident_that_does_not_exist_is_an_error(estate: Estate) -> None:
    estate.refused("check", "INC-1999-0001", says=["INC-1999-0001", "incident list"])


def test_checking_leaves_database_and_files_as_before(estate: Estate) -> None:
    before = sent(estate).snapshot()
    estate.done("check")
    assert estate.snapshot() == before


def test_as_a_process_it_answers_the_same(estate: Estate) -> None:
    there = run_process("--workspace", estate.root, "check", "--json")
    assert there.code == 0
    here = estate.done("check", "--json").document
    assert {**there.document, "at": ""} == {**here, "at": ""}
