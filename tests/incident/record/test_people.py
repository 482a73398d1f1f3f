"""Importing people: all of a list or nothing, and once more changes nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from incident.errors import BadInput, Refused
from incident.record.incidents import close_incident
from incident.record.people import (
    Counts,
    import_people,
)
from incident.record.people_file import Reason
from incident.record.people_problems import kept_problems
from incident.record.people_stats import PeopleStats
from incident.record.person import person_content, person_from_content
from incident.record.row_files import RowFormat
from incident.store.change import open_row
from incident.store.sealing import seal_json
from incident.store.tables import PeopleImport, Person
from tests.support.lists import DEFAULTS, TODAY, ListDesk
from tests.support.postgres import PostgresServer
from tests.support.workspaces import Made, all_rows, make_workspace, run_sql, stored_bytes


@pytest.fixture
def desk(tmp_path: Path, store_on: PostgresServer | None) -> ListDesk:
    return ListDesk(make_workspace(tmp_path, on=store_on), tmp_path)


@pytest.fixture
def desk_in_a_file(tmp_path: Path) -> ListDesk:
    """For what takes long, or is about the reading of the list only."""
    return ListDesk(make_workspace(tmp_path), tmp_path)


def adds_up(counts: Counts) -> bool:
    return counts.rows == counts.added + counts.changed + counts.unchanged + counts.joined + counts.rejected


def test_a_list_in_gb18030_with_chinese_headers_is_imported(desk: ListDesk) -> None:
    text = "客户编号,姓名,手机号,邮箱\nC1,张三,13800138000,zhang@example.org\nC2,李四𠀀,,li@example.org\n"
    result = desk.load(text, encoding="gb18030")
    assert result.counts == Counts(rows=2, added=2)
    assert result.file_sha256 == hashlib.sha256(text.encode("gb18030")).hexdigest()
    people = desk.people()
    assert people["C1"][1].contact.name == "张三"
    assert people["C2"][1].contact.name == "李四𠀀"


@pytest.mark.parametrize("encoding", ["utf-8", "UTF_8", "utf8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_first_header(desk_in_a_file: ListDesk, encoding: str) -> None:
    content = "reference,name\nC1,张三\n".encode("utf-16" if encoding == "utf-16" else "utf-8-sig")
    assert desk_in_a_file.load(content, encoding=encoding).counts == Counts(rows=1, added=1)
    assert set(desk_in_a_file.people()) == {"C1"}


@pytest.mark.parametrize(
    ("content", "encoding", "said", "advice"),
    [
        (
            "姓名,邮箱\n张三,a@example.org\n".encode("gb18030"),
            "utf-8",
            "not in the encoding",
            "--encoding gb18030",
        ),
        ("邮箱\na@example.org\n".encode("utf-16"), "utf-8", "not in the encoding", "--encoding"),
        ("邮箱\na@example.org\n".encode() + b"\xff" * 3000, "utf-8", "not in the encoding", "--encoding"),
        (b"email\na@example.org\n", "klingon", "no encoding 'klingon'", "utf-8"),
        (b"email\na@example.org\n", "hex", "no encoding 'hex'", "utf-8"),
        (b"", "utf-8", "the file is empty", "header"),
        (b"email\n", "utf-8", "a header but no rows", "list of people"),
        (b"email\n\n \n", "utf-8", "a header but no rows", "list of people"),
    ],
)
def test_a_file_that_cannot_be_read_changes_nothing_and_the_error_says_what_to_do(
    desk: ListDesk, content: bytes, encoding: str, said: str, advice: str
) -> None:
    before = all_rows(desk.made.store)
    with pytest.raises(BadInput, match=said) as caught:
        desk.load(content, encoding=encoding, keep_problems=True)
    assert caught.value.next_step is not None and advice in caught.value.next_step
    assert all_rows(desk.made.store) == before


def test_a_wrong_encoding_far_into_the_file_takes_back_what_was_imported_before(desk: ListDesk) -> None:
    before = all_rows(desk.made.store)
    many = "".join(f"C{number},\n" for number in range(5000))
    with pytest.raises(BadInput, match="not in the encoding"):
        desk.load(b"reference,name\n" + many.encode() + b"C1,\xff\n")
    assert all_rows(desk.made.store) == before


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_is_not_there_is_refused(desk_in_a_file: ListDesk, name: str) -> None:
    before = all_rows(desk_in_a_file.made.store)
    with pytest.raises(BadInput, match="cannot be read"):
        import_people(
            desk_in_a_file.made.store,
            desk_in_a_file.incident,
            desk_in_a_file.folder / name,
            encoding="utf-8",
            defaults=DEFAULTS,
            keep_problems=False,
            dry_run=False,
            actor="ana",
            now=desk_in_a_file.made.clock(),
            today=TODAY,
        )
    assert all_rows(desk_in_a_file.made.store) == before


BROKEN = (
    "reference,name,email,birth_date\n"
    "C1,张三,zhang@example.org,\n"
    "C2,李四,no address,\n"
    "C3,王五\n"
    ",赵六,,\n"
    "C5,孙七,sun@example.org,tomorrow\n"
)


def test_broken_rows_refuse_the_whole_file_and_are_listed(desk: ListDesk) -> None:
    before = all_rows(desk.made.store)
    with pytest.raises(Refused) as caught:
        desk.load(BROKEN)
    assert "4 of 5 rows have problems; nothing was imported" in caught.value.what
    for line in (
        "row 2, email: no valid",
        "row 3: the row has another number",
        "row 4, reference",
        "row 5, birth_date",
    ):
        assert line in caught.value.what
    assert caught.value.next_step is not None and "--keep-problems" in caught.value.next_step
    assert "李四" not in str(caught.value) and "no address" not in str(caught.value), "names nobody"
    assert all_rows(desk.made.store) == before


def test_many_broken_rows_show_the_first_ten_and_how_many_more(desk: ListDesk) -> None:
    with pytest.raises(Refused) as caught:
        desk.load("reference,email\n" + "".join(f"C{number},x\n" for number in range(25)))
    assert caught.value.what.count("no valid e-mail") == 10
    assert "and 15 more rows" in caught.value.what


def test_with_keep_problems_broken_rows_are_kept_aside_and_the_rest_is_taken(desk: ListDesk) -> None:
    result = desk.load(BROKEN, keep_problems=True)
    assert result.counts == Counts(rows=5, added=3, rejected=2, problems=4)
    assert set(desk.people()) == {"C1", "C2", "C5"}
    kept = list(kept_problems(desk.made.store, desk.incident))
    assert [(problem.row, problem.field, problem.reason) for problem in kept] == [
        (2, "email", Reason.EMAIL),
        (3, "", Reason.COLUMNS),
        (4, "reference", Reason.NO_IDENTITY),
        (5, "birth_date", Reason.BIRTH_DATE),
    ]
    assert kept[1].cells == ("C3", "王五")
    assert {problem.file for problem in kept} == {"list.csv"}
    assert desk.stats().problems == 4


def test_importing_again_changes_nothing_but_the_journal(desk: ListDesk) -> None:
    text = (
        "reference,name,email,categories\nC1,张三,z@example.org,phone\nC2,李四,,name;phone\nC1,,,id_number\n"
    )
    first = desk.load(text)
    assert first.counts == Counts(rows=3, added=2, joined=1)
    before = desk.rows()
    again = desk.load(text)
    assert again.counts == Counts(rows=3, unchanged=2, joined=1)
    assert desk.rows() == before
    with desk.made.store.read() as session:
        imports = session.exec(select(PeopleImport).order_by(col(PeopleImport.at))).all()
    assert [(row.rows, row.added, row.unchanged) for row in imports] == [(3, 2, 0), (3, 0, 2)]
    assert {row.file_sha256 for row in imports} == {first.file_sha256}


def test_a_dry_run_tells_the_same_and_changes_nothing(desk: ListDesk) -> None:
    before = all_rows(desk.made.store)
    dry = desk.load(BROKEN, dry_run=True)
    assert dry.counts == Counts(rows=5, added=3, rejected=2, problems=4)
    assert dry.dry_run and len(dry.first_problems) == 4
    assert all_rows(desk.made.store) == before


def test_the_same_people_come_from_every_format(desk_in_a_file: ListDesk) -> None:
    contents = {
        RowFormat.CSV: "客户编号,姓名,手机号\nC1,张三,13800138000\n",
        RowFormat.TSV: "客户编号\t姓名\t手机号\nC1\t张三\t13800138000\n",
        RowFormat.JSONL: '{"客户编号": "C1", "姓名": "张三", "手机号": 13800138000}\n',
    }
    for number, (format, content) in enumerate(contents.items()):
        counts = desk_in_a_file.load(content, encoding="gb18030", format=format).counts
        assert (counts.added, counts.unchanged) == ((1, 0) if number == 0 else (0, 1))


def test_rows_of_one_person_are_joined_into_one(desk: ListDesk) -> None:
    result = desk.load(
        "reference,phone,email,categories\nC1,13800138000,,phone\nC1,,a@example.org,name\nC2,,,\n"
    )
    assert result.counts == Counts(rows=3, added=2, joined=1)
    version, person = desk.people()["C1"]
    assert (version, person.categories) == (1, ("phone", "name"))
    assert (person.contact.phone, person.contact.email) == ("+8613800138000", "a@example.org")


def test_rows_of_one_person_are_joined_however_far_apart_they_stand(desk: ListDesk) -> None:
    between = "".join(f"D{number},,\n" for number in range(2500))
    result = desk.load(
        f"reference,email,categories\nC1,,phone\n{between}C1,a@example.org,name\n{between}C1,,id_number\n"
    )
    assert result.counts == Counts(rows=5003, added=2501, joined=2502)
    version, person = desk.people()["C1"]
    assert (version, person.contact.email) == (1, "a@example.org")
    assert person.categories == ("phone", "name", "id_number")


def test_what_two_parts_of_a_file_add_to_somebody_known_is_not_lost(desk: ListDesk) -> None:
    desk.load("reference,categories\nC1,name\n")
    between = "".join(f"D{number},\n" for number in range(2500))
    desk.load(f"reference,categories\nC1,phone\n{between}C1,id_number\n")
    assert desk.people()["C1"][1].categories == ("name", "phone", "id_number")


def test_a_new_kind_of_data_updates_the_person_and_takes_nothing_away(desk: ListDesk) -> None:
    desk.load("reference,email,categories\nC1,a@example.org,phone\nC2,b@example.org,phone\n")
    result = desk.load("reference,email,categories\nC1,,name\nC2,,phone\n")
    assert result.counts == Counts(rows=2, changed=1, unchanged=1)
    people = desk.people()
    assert people["C1"][0] == 2 and people["C1"][1].categories == ("phone", "name")
    assert people["C1"][1].contact.email == "a@example.org"
    assert people["C2"][0] == 1
    *_, last = desk.made.store.recorded(desk.incident)
    assert last.body is not None and last.body["bulk"]["person"]["counts"] == {"updated": 1}


def test_another_address_for_somebody_known_is_a_conflict_and_not_dropped_unseen(desk: ListDesk) -> None:
    desk.load("reference,email\nC1,a@example.org\n")
    with pytest.raises(Refused, match=r"row 1, email: the same person as an earlier row or list"):
        desk.load("reference,email\nC1,b@example.org\n")
    result = desk.load("reference,email\nC1,b@example.org\n", keep_problems=True)
    assert result.counts == Counts(rows=1, unchanged=1, problems=1)
    assert desk.people()["C1"][1].contact.email == "a@example.org"
    assert [problem.cells for problem in kept_problems(desk.made.store, desk.incident)] == [
        ("C1", "b@example.org")
    ]


def test_a_conflict_within_a_file_is_told_also_when_the_first_row_has_no_address(desk: ListDesk) -> None:
    between = "".join(f"D{number},\n" for number in range(1500))
    for text in (
        "C1,\nC1,a@example.org\nC1,b@example.org\n",
        f"C1,a@example.org\n{between}C1,b@example.org\n",
    ):
        with pytest.raises(Refused, match="1 of"):
            desk.load(f"reference,email\n{text}")


def test_two_names_at_one_shared_address_are_told(desk: ListDesk) -> None:
    result = desk.load("name,email\n张三,family@example.org\n张小三,family@example.org\n", keep_problems=True)
    assert result.counts == Counts(rows=2, added=1, joined=1, problems=1)
    [problem] = kept_problems(desk.made.store, desk.incident)
    assert (problem.field, problem.reason, problem.cells) == (
        "name",
        Reason.CONFLICT,
        ("张小三", "family@example.org"),
    )


def test_minors_and_guardians_are_counted(desk: ListDesk) -> None:
    desk.load(
        "reference,email,birth_date,guardian_name,guardian_phone,language\n"
        "C1,,2010-01-01,李,13900139000,\n"
        "C2,c2@example.org,2010-01-01,李,,en\n"
        "C3,c3@example.org,2008-11-23,,,en\n"
        "C4,,,,,\n"
    )
    assert desk.stats() == PeopleStats(
        total=4,
        by_language={"en": 2, "zh-Hans": 2},
        without_email=2,
        minors=2,
        minors_without_guardian=1,
        problems=0,
    )


def test_a_person_listed_by_an_earlier_version_is_unchanged_by_the_same_list(desk: ListDesk) -> None:
    text = "reference,phone,birth_date\nC1,13800138000,2015-01-01\n"
    desk.load(text)
    with desk.made.store.read() as session:
        row = session.exec(select(Person)).one()
    old = {
        "reference": "C1",
        "contact": {"name": "", "email": "", "phone": "+8613800138000"},
        "language": "zh-Hans",
        "country": "cn",
        "categories": ["name"],
        "birth_date": "2015-01-01",
        "guardian": {"name": "", "email": "", "phone": ""},
    }
    key = desk.made.store.key(desk.incident)
    assert open_row(row, key=key) == {name: value for name, value in old.items() if name != "guardian"}
    sealed = seal_json(key, old, bound_to=f"person/{row.id}")
    run_sql(desk.made.store, "UPDATE person SET sealed = :sealed", sealed=sealed)
    assert desk.load(text).counts == Counts(rows=1, unchanged=1)
    assert desk.load(text.replace("\n", ",deceased\n", 1).replace("01\n", "01,yes\n")).counts.changed == 1
    version, person = desk.people()["C1"]
    assert (version, person.deceased) == (2, True)


def test_what_is_shown_of_a_person_follows_what_a_later_list_says(desk: ListDesk) -> None:
    desk.load("reference,phone\nC1,13800138000\nC2,13800138001\n")
    desk.load(
        "reference,email,birth_date,guardian_phone,kind,deceased,held_since,safe_contact,household\n"
        "C1,a@example.org,2015-01-01,13800138002,organisation,yes,2020-01-01,by letter,yes\n"
    )
    with desk.made.store.read() as session:
        rows = session.exec(select(Person).order_by(col(Person.id))).all()
    marks = [[value for value in row.model_dump().values() if isinstance(value, bool)] for row in rows]
    assert marks == [[True] * 8, [False] * 8]
    assert [row.version for row in rows] == [2, 1]


def test_people_of_another_incident_are_others(desk: ListDesk) -> None:
    text = "reference,email\nC1,a@example.org\n"
    desk.load(text)
    other = ListDesk(desk.made, desk.folder)
    assert other.load(text).counts == Counts(rows=1, added=1)
    with desk.made.store.read() as session:
        macs = [row.reference_mac for row in session.exec(select(Person)).all()]
    assert len(set(macs)) == 2, "the same person cannot be linked across incidents"


def test_no_contact_lies_plain_in_the_database(desk: ListDesk) -> None:
    desk.load("reference,name,email\nC-4711,Zweiundvierzig,zw@example.org\n")
    desk.load("reference,name,email\nC-4712,Siebenundzwanzig,broken\n", keep_problems=True)
    content = stored_bytes(desk.made)
    for secret in (b"Zweiund", b"Siebenund", b"zw@example", b"C-4711", b"C-4712", b"broken"):
        assert secret not in content


def test_a_closed_incident_and_one_whose_notice_goes_out_take_no_more_people(desk: ListDesk) -> None:
    text = "reference,email\nC1,a@example.org\n"
    desk.load(text)
    run_sql(
        desk.made.store,
        "INSERT INTO campaign (id, incident_id, notice_id, state, expected, opened_at, opened_by)"
        " VALUES ('c', :incident, 'n', 'sending', 1, '2026-11-23', 'ana')",
        incident=desk.incident,
    )
    before = all_rows(desk.made.store)
    with pytest.raises(Refused, match="takes no more people"):
        desk.load(text)
    assert all_rows(desk.made.store) == before
    closed = ListDesk(desk.made, desk.folder)
    with desk.made.store.write(closed.incident, kind="closed", actor="ana", now=desk.made.clock()) as change:
        close_incident(change, closed.incident, reason="over")
    with pytest.raises(Refused, match="is closed"):
        closed.load(text)


def test_a_person_comes_back_from_what_is_sealed(desk_in_a_file: ListDesk) -> None:
    desk_in_a_file.load(
        "reference,name,birth_date,guardian_name,categories\nC1,张三,2015-01-01,李四,name;phone\n"
    )
    person = desk_in_a_file.people()["C1"][1]
    assert person_from_content(person_content(person)) == person


line = st.builds(
    lambda reference, email, category, broken: f"{reference},{email},{category}{',x' if broken else ''}",
    st.sampled_from(["C1", "C2", "C3", ""]),
    st.sampled_from(["", "", "a@example.org", "b@example.org", "nothing"]),
    st.sampled_from(["", "name", "phone", "name;phone", "dreams"]),
    st.booleans(),
)
_shared: list[Made] = []


@settings(max_examples=40)
@given(first=st.lists(line, max_size=6), second=st.lists(line, max_size=6))
def test_counts_always_add_up_and_a_third_import_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, first: list[str], second: list[str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    if not _shared:
        _shared.append(make_workspace(tmp_path_factory.mktemp("people")))
    desk = ListDesk(_shared[0], folder)
    for lines in (first, second):
        text = "\n".join(["reference,email,categories", *lines])
        for dry_run in (True, False):
            try:
                result = desk.load(text, keep_problems=True, dry_run=dry_run)
            except BadInput:
                assert not any(row.replace(",", "").strip() for row in lines)
                continue
            assert adds_up(result.counts)
            assert result.counts.rows == sum(1 for row in lines if row.replace(",", "").strip())
        people = desk.people()
        try:
            again = desk.load(text, keep_problems=True)
        except BadInput:
            continue
        assert (again.counts.added, again.counts.changed) == (0, 0)
        assert desk.people() == people
    assert desk.stats().total == len(desk.people())
