"""Verification finds every change behind our back, and heads held outside find what the record itself could hide."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from incident.cli.main import COMMANDS
from incident.proof.verify import verify
from incident.record.incidents import log_entry
from incident.store.tables import ROW_TABLES
from tests.support.chat_desks import chat_desk
from tests.support.commands import Answer, snapshot, sql
from tests.support.estates import Estate, make_key, with_people, with_release
from tests.support.relays import recording_relay
from tests.support.workspaces import make_workspace, open_one


@pytest.fixture
def heads(estate: Estate, tmp_path: Path) -> Path:
    """The heads as they stood when the chain had four entries, kept outside."""
    estate.done("set", estate.id, "persons=6")
    estate.done("log", estate.id, "seen")
    file = tmp_path / "heads.json"
    estate.done("verify", "--save-head", file)
    return file


def _findings(answer: Answer) -> list[str]:
    document = answer.document
    assert answer.code == (0 if document["sound"] else 1), answer.text
    return [
        f"{each['chain']}/{each['seq']} {each['fault']} {each['detail']}" for each in document["findings"]
    ]


def _verify(estate: Estate, *words: str | Path) -> list[str]:
    return _findings(estate.run("verify", *words, "--json"))


def test_an_untouched_record_is_sound_also_against_heads_held_outside(estate: Estate, heads: Path) -> None:
    assert _verify(estate) == []
    estate.done("set", estate.id, "persons=7")
    estate.done("log", estate.id, "more")
    answer = estate.done("verify", "--head", heads)
    assert "sound, compared with 2 heads held outside" in answer.out
    assert _verify(estate, estate.id, "--head", heads) == []


def test_verifying_changes_nothing(estate: Estate, heads: Path) -> None:
    before = snapshot(estate.root)
    _verify(estate, "--head", heads)
    sql(estate.root, "UPDATE fact SET field = 'location' WHERE field = 'persons'")
    changed = snapshot(estate.root)
    assert changed != before
    assert _verify(estate)
    assert snapshot(estate.root) == changed


@pytest.mark.parametrize("column", ["kind", "actor", "body_hash", "previous", "hash", "at"])
@pytest.mark.parametrize("chain", ["workspace", "{id}"])
def test_a_changed_entry_is_found(estate: Estate, heads: Path, chain: str, column: str) -> None:
    name = chain.format(id=estate.id)
    value = "2026-01-01 00:00:00.000000" if column == "at" else "0" * 63 + "1"
    sql(estate.root, f"UPDATE journal_entry SET {column} = ? WHERE chain = ? AND seq = 2", value, name)  # noqa: S608
    held: list[tuple[str | Path, ...]] = [(), ("--head", heads)]
    for words in held:
        assert any(finding.startswith(f"{name}/2 ") for finding in _verify(estate, *words))


def test_a_removed_entry_is_found(estate: Estate, heads: Path) -> None:
    sql(estate.root, "DELETE FROM journal_entry WHERE chain = ? AND seq = 2", estate.id)
    found = _verify(estate, "--head", heads)
    assert any(f"{estate.id}/2 missing" in each for each in found)


def test_an_inserted_entry_is_found(estate: Estate, heads: Path) -> None:
    sql(
        estate.root,
        "INSERT INTO journal_entry SELECT chain, 99, at, kind, actor, suite, body_hash, hash, hash"
        " FROM journal_entry WHERE chain = ? AND seq = 4",
        estate.id,
    )
    found = _verify(estate, "--head", heads)
    assert any(each.startswith(f"{estate.id}/99") for each in found)
    assert any("the stored head is not the last entry" in each for each in found)


def test_reordered_entries_are_found(estate: Estate, heads: Path) -> None:
    for old, new in ((2, 77), (3, 2), (77, 3)):
        sql(estate.root, "UPDATE journal_entry SET seq = ? WHERE chain = ? AND seq = ?", new, estate.id, old)
    found = _verify(estate, "--head", heads)
    assert any("out of order" in each for each in found)
    assert {f"{estate.id}/{seq} changed its fields do not give its hash" for seq in (2, 3)} <= set(found)


def test_a_tail_that_was_cut_off_well_is_found_by_the_anchors_and_by_a_head_held_outside(
    estate: Estate, heads: Path
) -> None:
    """Somebody who takes the last entry, its body, its row and the stored head away leaves a chain that is whole."""
    last = sql(estate.root, "SELECT max(seq) FROM journal_entry WHERE chain = ?", estate.id)[0][0]
    sql(estate.root, "DELETE FROM journal_entry WHERE chain = ? AND seq = ?", estate.id, last)
    sql(estate.root, "DELETE FROM journal_body WHERE chain = ? AND seq = ?", estate.id, last)
    sql(
        estate.root,
        "UPDATE journal_head SET seq = ?, hash = (SELECT hash FROM journal_entry WHERE chain = ? AND seq = ?)"
        " WHERE chain = ?",
        *(last - 1, estate.id, last - 1, estate.id),
    )
    sql(estate.root, "DELETE FROM log_entry")
    assert any("truncated" in each for each in _verify(estate, "--head", heads))


def test_an_incident_that_was_taken_out_whole_is_found(estate: Estate, heads: Path) -> None:
    for table in sql(estate.root, "SELECT name FROM sqlite_master WHERE type = 'table'"):
        columns = [row[1] for row in sql(estate.root, f"PRAGMA table_info({table[0]})")]
        for column in ("incident_id", "chain"):
            if column in columns:
                sql(estate.root, f"DELETE FROM {table[0]} WHERE {column} = ?", estate.id)  # noqa: S608
    sql(estate.root, "DELETE FROM incident")
    (estate.root / "keyring" / f"{estate.id}.key").unlink()
    by_anchor, by_head = _verify(estate), _verify(estate, "--head", heads)
    assert any(each.startswith(f"{estate.id}/") and "truncated" in each for each in by_anchor)
    assert any(each.startswith(f"{estate.id}/") and "truncated" in each for each in by_head)
    assert _verify(estate, estate.id, "--head", heads)


def test_a_chain_without_its_stored_head_is_still_looked_at(estate: Estate) -> None:
    sql(estate.root, "DELETE FROM journal_head WHERE chain = ?", estate.id)
    assert any("the stored head" in each for each in _verify(estate))


def test_rows_of_an_incident_that_was_never_journalled_are_found(estate: Estate) -> None:
    sql(
        estate.root,
        "INSERT INTO incident SELECT 'INC-2026-0777', opened_at, opened_by, origin, state, closed_at,"
        " destroyed_at, sealed FROM incident",
    )
    assert any(each.startswith("INC-2026-0777/") for each in _verify(estate))


def test_a_body_that_was_changed_moved_or_taken_out_is_found(estate: Estate) -> None:
    [(sealed,)] = sql(estate.root, "SELECT sealed FROM journal_body WHERE chain = ? AND seq = 2", estate.id)
    changes: list[tuple[str, tuple[object, ...]]] = [
        ("UPDATE journal_body SET sealed = ?", (sealed[:-1] + bytes([sealed[-1] ^ 1]),)),
        ("UPDATE journal_body SET sealed = (SELECT sealed FROM journal_body WHERE seq = 1)", ()),
        ("UPDATE journal_body SET sealed = x'', destroyed_at = '2026-01-01 00:00:00'", ()),
        ("DELETE FROM journal_body", ()),
    ]
    for statement, values in changes:
        sql(estate.root, f"{statement} WHERE chain = ? AND seq = 2", *values, estate.id)
        assert any(f"{estate.id}/2 body changed" in each for each in _verify(estate)), statement
        sql(
            estate.root,
            "INSERT OR REPLACE INTO journal_body (chain, seq, sealed, destroyed_at) VALUES (?, 2, ?, NULL)",
            *(estate.id, sealed),
        )
        assert _verify(estate) == []


def _waived_and_withdrawn(estate: Estate, folder: Path) -> None:
    shown = ("harm_effectively_avoided=yes", "authority_requires_notice=no")
    estate.done("set", estate.id, *shown)
    file = folder / "paper"
    file.write_text("nobody else read it")
    evidence = estate.done("evidence", "add", estate.id, file, "--json").document["evidence"]
    why = ("--reason", "nobody else read it", "--evidence", evidence)
    estate.done("--as", "anna", "waive", estate.id, "cn-pipl-57/people", *why)
    estate.done("waive", estate.id, "cn-pipl-57/people", "--withdraw", "somebody did")
    estate.done("set", estate.id, "harm_effectively_avoided=no")


@pytest.fixture(scope="module")
def lived_in(first_estate: Estate, tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """A workspace in which everything has happened that leaves a row in a journalled table."""
    folder = tmp_path_factory.mktemp("lived-in")
    estate = first_estate.copy_to(folder / "workspace")
    _waived_and_withdrawn(estate, folder)
    estate.done("notice", "edit", estate.id, "planned", "--language", "en", "--text", "We will look again.")
    people = folder / "people.csv"
    people.write_text("reference,name,phone,language,data\nC-9,Ann,13800138000,en,phone_number\n")
    estate.done("people", "import", estate.id, people)
    with_release(estate)
    with recording_relay() as relay:
        estate.change_settings("port = 9", f"port = {relay.port}")
        estate.done("notice", "send", estate.id)
        centre = '[calls.centre]\nprocessor = "our own call centre"\ncountry = "cn"\n\n'
        estate.change_settings("[mail]", f"{centre}[mail]")
        estate.done("--as", "anna", "call-list", "export", estate.id, "-o", folder / "calls")
        estate.done("call-list", "close", estate.id, "1")
        estate.done("notice", "send", estate.id)  # which had ended, and ends again
    file = folder / "f"
    file.write_text("evidence")
    estate.done("evidence", "add", estate.id, file)
    estate.done("report", estate.id, "--regime", "eu-gdpr")
    contact = ("--kind", "authority", "--name", "Office", "--phone", "12387")
    estate.done("contact", "add", "provincial_cac", *contact)
    with chat_desk() as service:
        estate.done("operator", "reach", "anna", "--url", service.url(), "--deputy", "bo")
        run = estate.done("run", "personal-data-breach", "--on", estate.id, "--json").document["run"]
    estate.done("done", run, "cut-off-by-hand", "--value", "contained_at=2026-01-05 12:00")
    estate.done("task", "add", estate.id, "call the host")
    estate.done("--as", "anna", "hold", "add", estate.id, "--by", "police", "--until", "+48h")
    estate.done("instruction", "add", estate.id, "hand it over", "--from", "CAC", "--effect", "require")
    asked = ("--question", "Portal off?", "--decision", "yes", "--reasons", "the leak goes on")
    estate.done("--as", "anna", "decide", estate.id, *asked)
    make_key(folder / "lex")
    estate.done("operator", "add", "lex", "--key", folder / "lex", "--roles", "counsel")
    estate.done("--as", "lex", "counsel", "add", estate.id, "settle it")
    until = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    estate.done("--as", "lex", "law", "approve", "eu-gdpr", "--until", until)
    estate.done("set", estate.id, "discovered_at=2026-01-05 10:00", "aware_at=2026-01-05 10:00")
    estate.done("run", "personal-data-breach", "--on", estate.id)
    assert _verify(estate) == []
    return estate


_CHANGES = {
    "call_list": "people = people + 1",
    "campaign": "expected = expected + 1",
    "decision": "verdict = 'rejected'",
    "duty": "state = 'met'",
    "containment": "step = 'another'",
    "contact": "checked_at = '2030-01-01 00:00:00.000000'",
    "evaluation": "rules_hash = 'x'",
    "evidence": "sha256 = 'x'",
    "fact": "known_at = '2020-01-01 00:00:00.000000'",
    "hold": "until_at = '2020-01-01 00:00:00.000000'",
    "incident": "opened_by = 'mallory'",
    "instruction": "effect = 'reopen'",
    "log_entry": "at = '2020-01-01 00:00:00.000000'",
    "notice": "released_at = '2020-01-01 00:00:00.000000'",
    "notice_edit": "edited_by = 'mallory'",
    "operator": "roles = 'counsel'",
    "duty_reminder": "moment = '+0'",
    "regime_review": "until_day = '2030-01-01'",
    "people_import": "added = added + 1",
    "privileged_note": "digest = 'x'",
    "public_notice": "sha256 = 'x'",
    "reach": "deputy_id = NULL",
    "report": "version = version + 1",
    "resolution": "recorded_by = 'mallory'",
    "run": "state = 'succeeded'",
    "run_effect": "state = 'settled'",
    "run_playbook": "sealed = x'00'",
    "task": "state = 'done'",
    "waves": "number = number + 1",
    "waiver": "duty_id = 'eu-gdpr/people'",
    "summons": "answered_by = 'mallory'",
    "summons_call": "outcome = 'unknown'",
}


def test_every_journalled_table_has_its_change_below() -> None:
    assert set(_CHANGES) <= {str(table.__tablename__) for table in ROW_TABLES} | set()
    untried = {str(table.__tablename__) for table in ROW_TABLES} - set(_CHANGES)
    assert untried <= {"reveal"}, f"how is a changed row of {untried} found?"


@pytest.mark.parametrize("table", sorted(_CHANGES))
def test_a_changed_and_a_removed_row_are_found_in_each_journalled_table(
    lived_in: Estate, tmp_path: Path, table: str
) -> None:
    estate = lived_in.copy_to(tmp_path / "changed")
    assert sql(estate.root, f"SELECT count(*) FROM {table}")[0][0] > 0  # noqa: S608
    sql(estate.root, f"UPDATE {table} SET {_CHANGES[table]}")  # noqa: S608
    assert any(f"row changed: {table} " in each for each in _verify(estate))
    estate = lived_in.copy_to(tmp_path / "removed")
    sql(estate.root, f"DELETE FROM {table}")  # noqa: S608
    assert any(f"row missing: {table} " in each for each in _verify(estate))


@pytest.mark.parametrize(
    "table",
    [
        "fact",
        "log_entry",
        "notice",
        "notice_edit",
        "report",
        "decision",
        "incident",
        "resolution",
        "privileged_note",
        "contact",
        "reach",
        "summons",
        "summons_call",
    ],
)
def test_a_sealed_part_that_was_damaged_or_taken_from_another_row_is_found(
    lived_in: Estate, tmp_path: Path, table: str
) -> None:
    estate = lived_in.copy_to(tmp_path / "workspace")
    sql(estate.root, f"UPDATE {table} SET sealed = (SELECT sealed FROM evidence)")  # noqa: S608
    assert any(f"row changed: {table} " in each for each in _verify(estate))


def test_a_row_that_nobody_journalled_is_found(lived_in: Estate, tmp_path: Path) -> None:
    estate = lived_in.copy_to(tmp_path / "workspace")
    sql(
        estate.root,
        "INSERT INTO public_notice SELECT 'another', incident_id, notice_id, language, file, sha256, published_at"
        " FROM public_notice LIMIT 1",
    )
    assert any("row not in the journal: public_notice another" in each for each in _verify(estate))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE attempt SET result = 'permanent'",
        "UPDATE attempt SET code = 550",
        "UPDATE attempt SET outcome_at = '2020-01-01 00:00:00.000000'",
        "DELETE FROM attempt WHERE rowid = (SELECT min(rowid) FROM attempt)",
        "UPDATE delivery SET state = 'unreachable', reason = 'refused'",
        "UPDATE delivery SET person_id = 'somebody else'",
        "DELETE FROM delivery WHERE rowid = (SELECT min(rowid) FROM delivery)",
    ],
)
def test_a_ledger_that_was_changed_after_the_sending_ended_is_found(
    lived_in: Estate, tmp_path: Path, statement: str
) -> None:
    estate = lived_in.copy_to(tmp_path / "workspace")
    sql(estate.root, statement)
    assert any("ledger changed" in each for each in _verify(estate))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM person WHERE rowid = (SELECT min(rowid) FROM person)",
        "UPDATE person SET version = version + 1",
        "UPDATE person SET sealed = randomblob(length(sealed))",
    ],
)
def test_a_list_of_people_that_was_changed_after_sending_began_is_found(
    lived_in: Estate, tmp_path: Path, statement: str
) -> None:
    estate = lived_in.copy_to(tmp_path / "workspace")
    sql(estate.root, statement)
    assert any("the list of people changed" in each for each in _verify(estate))


def test_words_where_a_time_belongs_are_a_finding_and_no_crash(lived_in: Estate, tmp_path: Path) -> None:
    estate = lived_in.copy_to(tmp_path / "workspace")
    sql(estate.root, "UPDATE log_entry SET at = 'noon'")
    assert any("cannot be read" in each for each in _verify(estate))


def test_another_key_under_an_operators_name_is_found_twice(lived_in: Estate, tmp_path: Path) -> None:
    estate = lived_in.copy_to(tmp_path / "workspace")
    [(other,)] = sql(estate.root, "SELECT public_key FROM operator WHERE name = 'carl'")
    sql(estate.root, "UPDATE operator SET public_key = ? WHERE name = 'anna'", other)
    found = _verify(estate)
    assert any("row changed: operator" in each for each in found)
    assert any("signature does not hold: decision" in each for each in found)


def test_heads_of_a_record_that_does_not_verify_are_not_saved(estate: Estate, tmp_path: Path) -> None:
    sql(estate.root, "UPDATE journal_entry SET actor = 'mallory' WHERE seq = 2")
    file = tmp_path / "heads.json"
    answer = estate.run("verify", "--save-head", file)
    assert answer.code == 1
    assert "not saved" in answer.err
    assert not file.exists()


def test_saved_heads_are_plain_and_name_every_chain(estate: Estate, heads: Path) -> None:
    document = json.loads(heads.read_text())
    assert {each["chain"] for each in document["heads"]} == {"workspace", estate.id}
    assert all(len(each["hash"]) == 64 for each in document["heads"])


def test_without_keys_the_chains_are_still_checked(estate: Estate, heads: Path) -> None:
    (estate.root / "keyring").rename(estate.root / "moved")
    answer = estate.run("verify", "--head", heads, "--json")
    assert _findings(answer) == []
    assert answer.document["no_key_for"] == sorted([estate.id, "workspace"])
    sql(estate.root, "UPDATE journal_entry SET actor = 'mallory' WHERE chain = ? AND seq = 2", estate.id)
    assert any("its fields do not give its hash" in each for each in _verify(estate))


def test_what_was_known_when_is_answered_from_the_journal(estate: Estate) -> None:
    shown = estate.done("show", estate.id, "--json").document
    opened = shown["opened_at"]
    at_first = next(fact for fact in shown["facts"] if fact["field"] == "persons")
    estate.done("set", estate.id, "persons=100..300")
    between = estate.done("timeline", estate.id, "--json").document["events"]
    moment = max(event["recorded_at"] for event in between)
    estate.done("set", estate.id, "persons=250")

    def persons(*words: str) -> object:
        facts = estate.done("show", estate.id, "--json", *words).document["facts"]
        return next(fact["value"] for fact in facts if fact["field"] == "persons")

    assert persons("--as-of", opened) == at_first["value"]
    then, now = persons("--as-of", moment), persons()
    assert then != now
    assert then != at_first["value"]
    assert persons("--as-of", "2999-01-01 00:00") == now


def test_before_it_was_opened_nothing_was_known(estate: Estate) -> None:
    answer = estate.refused("show", estate.id, "--as-of", "2020-01-01 00:00")
    assert "nothing was recorded" in answer.err
    assert "timeline" in answer.err


def test_the_measure_and_the_people_stand_in_the_timeline_in_order(estate: Estate) -> None:
    with_people(estate)
    events = estate.done("timeline", estate.id, "--json").document["events"]
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    kinds = {event["kind"] for event in events}
    assert {"opened", "fact", "measure", "people"} <= kinds
    assert "timeline" in COMMANDS


def test_a_record_that_is_being_written_meanwhile_is_sound(tmp_path: Path) -> None:
    """Everything is compared as it stands at one moment: what comes in between is no damage."""
    made = make_workspace(tmp_path)
    incident_id = open_one(made)
    over = Event()

    def write() -> None:
        while not over.is_set():
            with made.store.write(incident_id, kind="log.entered", actor="a", now=made.clock()) as change:
                log_entry(made.store, change, incident_id, "seen", at=made.clock(), by="a")
                change.anchor()

    writer = Thread(target=write)
    writer.start()
    try:
        found = [verify(made.store).findings for _ in range(15)]
    finally:
        over.set()
        writer.join()
    assert found == [()] * 15
    assert verify(made.store).chains[-1].entries > 15
