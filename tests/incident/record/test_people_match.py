"""A log and a directory become a list of people: all or nobody, counted, and on record with both hashes."""

from __future__ import annotations

import hashlib
import tracemalloc
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlmodel import col, select

from incident.errors import BadInput, Refused
from incident.record.incidents import close_incident
from incident.record.matching import LookUp
from incident.record.people import Counts
from incident.record.people_file import Defaults, Reason
from incident.record.people_match import MatchedFiles, MatchResult, match_people
from incident.record.people_problems import kept_problems
from incident.record.person import PersonRow, person_from_content
from incident.record.quantities import Interval
from incident.record.row_files import RowFile, RowFormat
from incident.store.change import open_row
from incident.store.tables import PeopleImport, Person
from tests.support.postgres import PostgresServer
from tests.support.workspaces import Made, all_rows, make_workspace, open_one, stored_bytes

DEFAULTS = Defaults(
    language="zh-Hans",
    country="cn",
    categories=(),
    known_categories={"name": "name", "phone": "phone", "location": "location"},
)
LOG = "time,phone,data_categories\n1,13800138000,phone\n2,13900139000,name\n3,138 0013 8000,location\n"
DIRECTORY = (
    "客户编号,姓名,手机号,邮箱\n"
    "C1,张三,+86 138-0013-8000,zhang@example.org\n"
    "C2,李四,13700137000,li@example.org\n"
    "C3,王五,13900139000,\n"
)


class Desk:
    def __init__(self, made: Made, folder: Path) -> None:
        self.made, self.folder = made, folder
        self.incident = open_one(made)

    def match(self, log: str | bytes, directory: str | bytes, **options: Any) -> MatchResult:
        log_file, crm = RowFile(self.folder / "log.csv"), RowFile(self.folder / "crm.csv")
        for file, content in ((log_file, log), (crm, directory)):
            file.path.write_bytes(content if isinstance(content, bytes) else content.encode())
        values: dict[str, Any] = {
            "defaults": DEFAULTS,
            "keep_problems": False,
            "dry_run": False,
            "scratch": self.folder,
            "actor": "ana",
            "now": self.made.clock.move(minutes=1),
            "today": date(2026, 11, 23),
        }
        matched = options.pop("files", MatchedFiles(log_file, crm, LookUp.PHONE))
        return match_people(self.made.store, self.incident, matched, **{**values, **options})

    def people(self) -> dict[str, PersonRow]:
        key = self.made.store.key(self.incident)
        with self.made.store.read() as session:
            rows = session.exec(select(Person).where(col(Person.incident_id) == self.incident)).all()
        people = [person_from_content(open_row(row, key=key)) for row in rows]
        return {person.reference: person for person in people}


@pytest.fixture
def desk(tmp_path: Path, store_on: PostgresServer | None) -> Desk:
    return Desk(make_workspace(tmp_path, on=store_on), tmp_path)


@pytest.fixture
def desk_in_a_file(tmp_path: Path) -> Desk:
    return Desk(make_workspace(tmp_path), tmp_path)


def test_only_those_who_were_hit_are_imported_with_what_was_taken_of_them(desk: Desk) -> None:
    result = desk.match(LOG, DIRECTORY)
    assert result.counts == Counts(rows=2, added=2)
    people = desk.people()
    assert {reference: person.categories for reference, person in people.items()} == {
        "C1": ("phone", "location"),
        "C3": ("name",),
    }
    assert people["C1"].contact.email == "zhang@example.org"
    assert result.match.persons == Interval.exactly(2)


def test_method_counts_and_both_hashes_are_on_record(desk: Desk) -> None:
    match = desk.match(LOG + "4,13600136000,name\n", DIRECTORY).match
    hashes = [
        hashlib.sha256(content.encode()).hexdigest() for content in (LOG + "4,13600136000,name\n", DIRECTORY)
    ]
    assert (match.keys, match.hit, match.unmatched, match.ambiguous, match.hit_rows) == (3, 2, 1, 0, 2)
    assert match.persons == Interval(2, None, 3)
    *_, last = desk.made.store.recorded(desk.incident)
    assert last.entry.kind == "people.matched"
    assert last.body is not None and last.body["match"] == match.as_document()
    assert last.body["match"]["persons"] == {"min": 2, "max": 3}
    key = desk.made.store.key(desk.incident)
    with desk.made.store.read() as session:
        rows = session.exec(select(PeopleImport)).all()
    kept = {row.file_sha256: (row.rows, row.added, open_row(row, key=key)["match"]["keys"]) for row in rows}
    assert kept == {hashes[0]: (4, 0, 3), hashes[1]: (2, 2, 3)}


def test_matching_again_changes_nobody(desk: Desk) -> None:
    desk.match(LOG, DIRECTORY)
    before = all_rows(desk.made.store)["person"]
    assert desk.match(LOG, DIRECTORY).counts == Counts(rows=2, unchanged=2)
    assert all_rows(desk.made.store)["person"] == before


def test_a_second_log_adds_what_more_was_taken(desk_in_a_file: Desk) -> None:
    desk_in_a_file.match(LOG, DIRECTORY)
    result = desk_in_a_file.match("phone,data_categories\n13900139000,location\n", DIRECTORY)
    assert result.counts == Counts(rows=1, changed=1)
    assert desk_in_a_file.people()["C3"].categories == ("name", "location")


def test_a_log_that_hits_nobody_is_on_record_too(desk_in_a_file: Desk) -> None:
    result = desk_in_a_file.match("phone\n13600136000\n", DIRECTORY)
    assert (result.counts, result.match.persons) == (Counts(), Interval(0, None, 1))
    assert list(result.affected.unmatched()) == ["+8613600136000"]
    *_, last = desk_in_a_file.made.store.recorded(desk_in_a_file.incident)
    assert last.entry.kind == "people.matched"


SHARED = DIRECTORY + "C4,赵六,13800138000,\n"


def test_a_key_of_several_people_is_refused_or_kept_as_a_problem_and_is_never_the_first(desk: Desk) -> None:
    before = all_rows(desk.made.store)
    with pytest.raises(Refused, match="2 of 3 rows have problems; nothing was imported") as caught:
        desk.match(LOG, SHARED)
    assert "row 1, phone: what people are looked up by" in caught.value.what
    assert all_rows(desk.made.store) == before
    result = desk.match(LOG, SHARED, keep_problems=True)
    assert set(desk.people()) == {"C3"}
    assert (result.match.ambiguous, result.match.persons) == (1, Interval(1, None, 3))
    problems = list(kept_problems(desk.made.store, desk.incident))
    assert [(each.file, each.row, each.reason) for each in problems] == [
        ("crm.csv", 1, Reason.SEVERAL_PEOPLE),
        ("crm.csv", 4, Reason.SEVERAL_PEOPLE),
    ]
    assert problems[1].cells == ("C4", "赵六", "13800138000", "")


def test_faulty_rows_of_the_log_are_refused_or_kept_beside_those_of_the_directory(desk: Desk) -> None:
    log = LOG + "4,nobody,name\n1,nix\n"
    directory = DIRECTORY.replace("zhang@example.org", "no address")
    before = all_rows(desk.made.store)
    with pytest.raises(Refused, match="2 of 5 rows have problems") as caught:
        desk.match(log, directory)
    assert caught.value.where == "log.csv"
    assert "nobody" not in str(caught.value)
    with pytest.raises(Refused, match="1 of 2 rows have problems") as caught:
        desk.match(LOG, directory)
    assert caught.value.where == "crm.csv"
    assert all_rows(desk.made.store) == before
    result = desk.match(log, directory, keep_problems=True)
    assert result.counts == Counts(rows=2, added=2, problems=1)
    kept = {(each.file, each.row) for each in kept_problems(desk.made.store, desk.incident)}
    assert kept == {("log.csv", 4), ("log.csv", 5), ("crm.csv", 1)}
    assert len(list(kept_problems(desk.made.store, desk.incident))) == 3


def test_rows_of_the_directory_that_are_no_rows_are_refused_or_counted_but_never_kept(
    desk_in_a_file: Desk,
) -> None:
    directory = DIRECTORY + "C9,Siebenundzwanzig\n"
    with pytest.raises(Refused, match="1 of 4 rows have problems") as caught:
        desk_in_a_file.match(LOG, directory)
    assert "row 4: the row has another number" in caught.value.what
    result = desk_in_a_file.match(LOG, directory, keep_problems=True)
    assert (result.match.directory.faulty, result.counts.problems) == (1, 0)
    assert list(kept_problems(desk_in_a_file.made.store, desk_in_a_file.incident)) == []


def test_a_dry_run_reads_a_thousand_rows_of_each_and_changes_nothing(desk_in_a_file: Desk) -> None:
    before = all_rows(desk_in_a_file.made.store)
    log = "phone\n" + "".join(f"138{number:08}\n" for number in range(40_000))
    directory = "id,phone\n" + "".join(f"C{number},138{number * 2:08}\n" for number in range(40_000))
    result = desk_in_a_file.match(log, directory, dry_run=True)
    assert (result.match.affected.rows, result.match.directory.rows, result.match.hit) == (1000, 1000, 500)
    assert (result.match.affected.sha256, result.match.directory.sha256) == (None, None)
    assert result.counts == Counts(rows=500, added=500)
    assert all_rows(desk_in_a_file.made.store) == before


def test_the_two_files_have_encodings_and_formats_of_their_own(desk_in_a_file: Desk) -> None:
    log, crm = desk_in_a_file.folder / "log", desk_in_a_file.folder / "crm.tsv"
    log.write_bytes('{"caller": 13800138000, "what": "phone"}\n'.encode("utf-16"))
    crm.write_bytes(DIRECTORY.replace(",", "\t").encode("gb18030"))
    files = MatchedFiles(
        RowFile(log, "utf-16", RowFormat.JSONL),
        RowFile(crm, "gb18030"),
        LookUp.PHONE,
        {"phone": "caller", "data_categories": "what"},
    )
    desk_in_a_file.match("", "", files=files)
    assert {key: each.categories for key, each in desk_in_a_file.people().items()} == {"C1": ("phone",)}


def test_a_directory_in_parquet_gives_the_same_people(desk_in_a_file: Desk) -> None:
    log, crm = desk_in_a_file.folder / "calls.csv", desk_in_a_file.folder / "crm.parquet"
    log.write_text("phone\n13800138000\n")
    phones = [13800138000.0, 13900139000.0, None]
    parquet.write_table(pa.table({"id": ["C1", "C2", "C3"], "phone": phones}), crm)
    result = desk_in_a_file.match("", "", files=MatchedFiles(RowFile(log), RowFile(crm), LookUp.PHONE))
    assert list(desk_in_a_file.people()) == ["C1"]
    assert result.match.directory.rows == 3
    assert result.match.directory.sha256 == hashlib.sha256(crm.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("log", "directory", "where"),
    [
        ("phone\n", DIRECTORY, "log.csv"),
        (LOG, "id,phone\n", "crm.csv"),
        (LOG, DIRECTORY.encode("gb18030"), "crm.csv"),
        (LOG, DIRECTORY.encode() + b'"' + b"C9,x,1,\n" * 9000, "crm.csv"),
        (LOG.encode() + b"\xff\n", DIRECTORY, "log.csv"),
        (LOG, DIRECTORY + "C7," + "x" * 200_000 + ",1,\n", "crm.csv"),
    ],
)
def test_a_file_that_cannot_be_read_changes_nothing(
    desk_in_a_file: Desk, log: str | bytes, directory: str | bytes, where: str
) -> None:
    before = all_rows(desk_in_a_file.made.store)
    with pytest.raises(BadInput) as caught:
        desk_in_a_file.match(log, directory, keep_problems=True)
    assert caught.value.where is not None and caught.value.where.startswith(where)
    assert caught.value.next_step
    assert all_rows(desk_in_a_file.made.store) == before


def test_a_closed_incident_says_so_before_anything_is_read(desk_in_a_file: Desk) -> None:
    made = desk_in_a_file.made
    with made.store.write(desk_in_a_file.incident, kind="closed", actor="ana", now=made.clock()) as change:
        close_incident(change, desk_in_a_file.incident, reason="over")
    missing = MatchedFiles(RowFile(Path("no.csv")), RowFile(Path("no.csv")), LookUp.PHONE)
    with pytest.raises(Refused, match="is closed"):
        desk_in_a_file.match("", "", files=missing)


def test_nothing_of_those_who_were_not_hit_is_kept_and_nothing_lies_plain(desk_in_a_file: Desk) -> None:
    desk_in_a_file.match(
        "phone\n13800138000\n13600136000\n",
        "id,name,phone\nC-4711,Zweiundvierzig,13800138000\nC-4712,Siebenundzwanzig,13700137000\n",
    )
    content = stored_bytes(desk_in_a_file.made)
    for secret in (b"Zweiund", b"Siebenund", b"C-4711", b"13800138000", b"13700137000", b"13600136000"):
        assert secret not in content


def test_memory_does_not_grow_with_the_directory(desk_in_a_file: Desk) -> None:
    folder = desk_in_a_file.folder
    files = MatchedFiles(RowFile(folder / "log.csv"), RowFile(folder / "crm.csv"), LookUp.REFERENCE)

    def peak(count: int) -> int:
        content = b"id,name\n" + b"".join(b"C%d,%990d\n" % (at, at) for at in range(count))
        tracemalloc.start()
        try:
            desk_in_a_file.match("id\nC1\n", content, files=files)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    # Both are several times what is read at once.
    assert peak(6000) < 1.2 * peak(2000)
