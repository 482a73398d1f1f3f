"""Rows that were kept aside come back as a list, which, corrected, is imported like any other."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from incident.errors import BadInput, Refused
from incident.record.people import Counts, import_people
from incident.record.people_file import Defaults, Reason, read_people
from incident.record.people_problems import ADDED_COLUMNS, KeptProblem, correctable_list, kept_problems
from incident.record.row_files import RowFormat, read_rows
from incident.record.showing import as_written, defused
from incident.store.change import open_row
from incident.store.sealing import seal_json
from incident.store.tables import PeopleImport
from tests.support.workspaces import Made, make_workspace, open_one, run_sql, stored_bytes

DEFAULTS = Defaults("zh-Hans", "cn", (), {})
LIST = (
    "Kundennummer,姓名,email,phone\n"
    "C1,张三,z@example.org,\n"
    'C2,"李\n四",li@example.org,\n'
    "C3,=王五,no address,+8613800138000\n"
    "C4,赵六\n"
)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make_workspace(tmp_path)


def load(made: Made, incident: str, text: str, *, name: str = "list.csv") -> Counts:
    file = made.workspace.root / name
    file.write_text(text, "utf-8", newline="")
    return import_people(
        made.store,
        incident,
        file,
        encoding="utf-8",
        defaults=Defaults("zh-Hans", "cn", (), {}, {"reference": "Kundennummer"})
        if "Kundennummer" in text
        else DEFAULTS,
        keep_problems=True,
        dry_run=False,
        actor="ana",
        now=made.clock.move(minutes=1),
        today=date(2026, 11, 23),
    ).counts


def as_csv(rows: list[list[str]]) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([defused(cell) for cell in row] for row in rows)
    return stream.getvalue()


def test_the_rows_stand_below_their_header_with_what_is_wrong_behind(made: Made) -> None:
    incident = open_one(made)
    load(made, incident, LIST)
    assert correctable_list(list(kept_problems(made.store, incident))) == [
        ["Kundennummer", "姓名", "email", "phone", "row", "field", "reason"],
        ["C2", "李\n四", "li@example.org", "", "2", "name", Reason.CONTROL.value],
        ["C3", "=王五", "no address", "+8613800138000", "3", "email", Reason.EMAIL.value],
        ["C4", "赵六", "4", "", Reason.COLUMNS.value],
    ]


def test_what_comes_out_is_corrected_and_imported_again(made: Made) -> None:
    incident = open_one(made)
    assert load(made, incident, LIST) == Counts(rows=4, added=3, rejected=1, problems=3)
    out = as_csv(correctable_list(list(kept_problems(made.store, incident))))
    assert "'=王五" in out and "'+86138" in out, "no spreadsheet runs a cell"
    assert load(made, incident, out) == Counts(rows=3, unchanged=2, rejected=1, problems=3)
    mended = (
        out.replace('"李\n四"', "李四")
        .replace("no address", "wang@example.org")
        .replace("C4,赵六,", "C4,赵六,zhao@example.org,,")
    )
    assert load(made, incident, mended) == Counts(rows=3, added=1, changed=2)


def test_a_correction_that_is_still_wrong_comes_out_as_it_went_in(made: Made) -> None:
    incident = open_one(made)
    load(made, incident, LIST)
    out = correctable_list(list(kept_problems(made.store, incident)))
    load(made, incident, as_csv(out))
    again = correctable_list(list(kept_problems(made.store, incident, list_number=2)))
    assert again[0] == out[0]
    assert [row[:4] for row in again[1:3]] == [[defused(cell) for cell in row[:4]] for row in out[1:3]]
    assert again[3][:2] == ["C4", "赵六"] and len(again[3]) != len(again[0])


def test_lists_with_other_headers_are_taken_one_after_the_other(made: Made) -> None:
    incident = open_one(made)
    load(made, incident, "id,email\nC1,x\n", name="crm.csv")
    load(made, incident, "phone\nx\n", name="billing.csv")
    with pytest.raises(Refused, match="different headers") as caught:
        correctable_list(list(kept_problems(made.store, incident)))
    assert caught.value.where == "1 (crm.csv), 2 (billing.csv)"
    assert [
        correctable_list(list(kept_problems(made.store, incident, list_number=number)))[0][:-3]
        for number in (1, 2)
    ] == [["id", "email"], ["phone"]]
    for number in (0, 3):
        with pytest.raises(BadInput, match=f"no list {number}"):
            list(kept_problems(made.store, incident, list_number=number))


def test_of_a_list_without_faulty_rows_the_header_of_what_is_added_is_left(made: Made) -> None:
    incident = open_one(made)
    load(made, incident, "id\nC1\n")
    assert correctable_list(list(kept_problems(made.store, incident))) == [list(ADDED_COLUMNS)]


def test_a_list_of_an_earlier_version_has_numbers_for_headers(made: Made) -> None:
    incident = open_one(made)
    load(made, incident, "id,email\nC1,x\nC2\n")
    key = made.store.key(incident)
    with made.store.read() as session:
        row = session.exec(select(PeopleImport)).one()
        said = open_row(row, key=key)
    assert said.pop("header") == ["id", "email"]
    sealed = seal_json(key, said, bound_to=f"people_import/{row.id}")
    run_sql(made.store, "UPDATE people_import SET sealed = :sealed", sealed=sealed)
    assert correctable_list(list(kept_problems(made.store, incident))) == [
        ["column 1", "column 2", *ADDED_COLUMNS],
        ["C1", "x", "1", "email", Reason.EMAIL.value],
        ["C2", "2", "", Reason.COLUMNS.value],
    ]


def test_a_header_lies_sealed_like_the_rows(made: Made) -> None:
    load(made, open_one(made), "id,email,Zweiundvierzig\nC1,x,\n")
    assert b"Zweiundvierzig" not in stored_bytes(made)


cells = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8).map(str.strip),
    min_size=3,
    max_size=3,
)


@given(rows=st.lists(cells.filter(any), min_size=1, max_size=4))
def test_every_cell_survives_the_way_out_and_in(rows: list[list[str]]) -> None:
    header = ("a", "b", "reference")
    kept = [
        KeptProblem("list.csv", at, "b", Reason.EMAIL, tuple(row), header, 1) for at, row in enumerate(rows)
    ]
    out = as_csv(correctable_list(kept))
    rows_out = read_rows(io.BytesIO(out.encode()), encoding="utf-8", name="out.csv", format=RowFormat.CSV)
    read = list(read_people(rows_out, defaults=DEFAULTS))
    assert [tuple(map(as_written, row.raw[:3])) for row in read] == [
        tuple(map(as_written, map(defused, row))) for row in rows
    ]


@given(st.text(max_size=6) | st.sampled_from(["=1", "+1", "-1", "@a", "'=1", "'t Hooft"]))
def test_a_cell_made_safe_is_read_as_it_was(cell: str) -> None:
    made_safe = defused(cell)
    assert not made_safe.startswith(("=", "+", "-", "@"))
    if made_safe != cell:
        assert as_written(made_safe) == cell
