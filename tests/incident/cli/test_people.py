"""Lists of people at the terminal: every shape from files and standard input, and a match with its offer of facts."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.support.commands import sql
from tests.support.estates import Estate

LOG = "time,caller,what\n1,13800138000,phone_number\n2,139 0013 9000,location\n3,13600136000,location\n"
CRM = "客户编号,姓名,手机号,邮箱\nC1,张三,+86 138 0013 8000,z@example.org\nC2,李四,13700137000,\nC3,王五,13900139000,\n"
COLUMNS = ("--on", "phone", "--map-affected", "phone=caller", "--taken", "what")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    log, crm = tmp_path / "access.log.csv", tmp_path / "crm.csv"
    log.write_text(LOG, encoding="utf-8")
    crm.write_text(CRM, encoding="gb18030")
    return log, crm


def matched(files: tuple[Path, Path], *more: str | Path) -> tuple[str | Path, ...]:
    return ("--affected", files[0], "--directory", files[1], "--encoding", "gb18030", *COLUMNS, *more)


def test_people_are_imported_from_standard_input_once_the_format_is_said(estate: Estate) -> None:
    text = '{"reference": "C1", "name": "Bo", "email": "bo@example.org"}\n'
    estate.refused("people", "import", estate.id, "-", stdin=text, says=["standard input", "--format"])
    estate.refused("people", "import", estate.id, "-", "--format", "xml", code=2, says=["xml", "jsonl"])
    answer = estate.done("people", "import", estate.id, "-", "--format", "jsonl", stdin=text)
    assert "1 people were added" in answer.out
    assert "plain file" not in answer.out
    again = estate.done("people", "import", estate.id, "-", "--format", "JSONL", "--json", stdin=text)
    assert (again.document["added"], again.document["unchanged"]) == (0, 1)


def test_a_dry_run_says_that_only_the_first_rows_were_read(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "list.tsv"
    file.write_text("reference\tname\n" + "".join(f"C{number}\tBo\n" for number in range(90_000)))
    answer = estate.done("people", "import", estate.id, file, "--dry-run")
    assert "only the first 1000 rows were read" in answer.out
    assert estate.done("people", "import", estate.id, file, "--dry-run", "--json").document["rows"] == 1000


def test_a_match_imports_those_who_were_hit_and_offers_its_counts_word_by_word(
    estate: Estate, files: tuple[Path, Path]
) -> None:
    before = estate.done("show", estate.id, "--json").document["facts"]
    answer = estate.done("people", "match", estate.id, *matched(files))
    assert "2 people were added" in answer.out
    for file in files:
        assert f"the plain file still lies at {file}" in answer.out
    assert estate.done("show", estate.id, "--json").document["facts"] == before, "nothing sets itself"
    [offer] = [line for line in answer.out.splitlines() if line.strip().startswith("incident set")]
    words = shlex.split(offer)
    assert words[:4] == ["incident", "set", estate.id, "persons=2..3"]
    estate.done(*words[1:])
    [persons] = [
        each
        for each in estate.done("show", estate.id, "--json").document["facts"]
        if each["field"] == "persons"
    ]
    assert (persons["value"]["min"], persons["value"]["max"], persons["sure"]) == (2, 3, "likely")
    assert "access.log.csv" in persons["source"]
    estate.done("verify")
    estate.done("check")


def test_a_match_as_one_document_holds_what_was_counted(estate: Estate, files: tuple[Path, Path]) -> None:
    document = estate.done("people", "match", estate.id, *matched(files), "--json").document
    wanted = {"keys": 3, "hit": 2, "unmatched": 1, "ambiguous": 0, "hit_rows": 2, "added": 2, "listed": 2}
    assert {name: document[name] for name in wanted} == wanted
    assert document["persons"] == {"min": 2, "max": 3}
    assert (document["affected"]["rows"], document["directory"]["rows"]) == (3, 3)
    assert len(document["affected"]["sha256"]) == 64
    assert "138" not in json.dumps({**document, "affected": 0, "directory": 0, "offered": 0})


def test_the_lines_are_said_in_chinese_too(estate: Estate, files: tuple[Path, Path]) -> None:
    answer = estate.done("people", "match", estate.id, *matched(files), INCIDENT_LANGUAGE="zh-Hans")
    assert "2 个查找项有命中，1 个无人命中" in answer.out
    assert "persons=2..3" in answer.out


def test_people_from_elsewhere_are_told_beside_the_offer(estate: Estate, files: tuple[Path, Path]) -> None:
    estate.done(
        "people", "import", estate.id, "-", "--format", "csv", stdin="reference,email\nX,x@example.org\n"
    )
    assert "lists 3 people by now" in estate.done("people", "match", estate.id, *matched(files)).out


def test_a_dry_run_of_a_match_changes_and_offers_nothing(estate: Estate, files: tuple[Path, Path]) -> None:
    before = estate.snapshot()
    out = files[0].with_name("unmatched.csv")
    look = ("--unmatched", out, "--reveal", "--reason", "x")
    answer = estate.done("--as", "anna", "people", "match", estate.id, *matched(files, "--dry-run", *look))
    assert "2 people would be added" in answer.out
    assert "incident set" not in answer.out
    assert estate.snapshot() == before
    assert not out.exists()


def test_keys_that_hit_nobody_are_masked_unless_somebody_signs_for_a_look(
    estate: Estate, files: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "unmatched.csv"
    estate.done("people", "match", estate.id, *matched(files, "--unmatched", out))
    assert out.read_text() == "phone,data_categories\n'+86 136****6000,location\n"
    estate.refused(
        "people",
        "match",
        estate.id,
        *matched(files, "--unmatched", out, "--reveal", "--reason", "x"),
        says=["--as"],
    )
    estate.refused(
        "people", "match", estate.id, *matched(files, "--reveal"), code=2, says=["nothing to reveal"]
    )
    revealed = matched(files, "--unmatched", out, "--reveal", "--reason", "for the call centre")
    answer = estate.done("--as", "anna", "people", "match", estate.id, *revealed)
    assert "13600136000" in out.read_text()
    assert f"the plain file still lies at {out}" in answer.out
    looks = sql(estate.root, "SELECT count(*) FROM decision WHERE subject_kind = 'reveal'")
    assert looks == [(1,)]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--on", "name"), 2, ["--on", "reference, email, phone"]),
        (("--on", "email"), 1, ["--map-affected", "fields are email, data_categories"]),
        (("--map", "phone"), 2, ["--map", "FIELD=HEADER"]),
        (("--map-affected", "phone"), 2, ["--map-affected", "FIELD=HEADER"]),
        (("--affected-format", "xml"), 2, ["--affected-format"]),
        (("--affected-encoding", "utf-16"), 1, ["access.log.csv"]),
        (("--affected", "-", "--directory", "-"), 2, ["standard input holds one file"]),
        (("--affected", "no.csv"), 1, ["no.csv", "No such file"]),
        (("--directory", "no.csv"), 1, ["no.csv", "No such file"]),
        (("--language", "fr"), 2, ["--language"]),
        (("--categories", "shoe_size"), 1, ["shoe_size"]),
    ],
)
def test_a_match_that_cannot_be_made_is_refused_and_changes_nothing(
    estate: Estate, files: tuple[Path, Path], words: tuple[str, ...], code: int, says: list[str]
) -> None:
    estate.refused("people", "match", estate.id, *matched(files, *words), code=code, says=says)


@pytest.mark.parametrize("place", [".", "access.log.csv/unmatched.csv"])
def test_where_no_file_can_be_written_nobody_is_imported_first(
    estate: Estate, files: tuple[Path, Path], place: str
) -> None:
    out = files[0].parent / place
    estate.refused("people", "match", estate.id, *matched(files, "--unmatched", out), says=["no file can"])


def test_the_plain_files_are_named_in_the_document_too(estate: Estate, files: tuple[Path, Path]) -> None:
    found = estate.done("people", "match", estate.id, *matched(files), "--json").document
    assert found["plain_files"] == [str(file) for file in files]
    listed = estate.done("people", "import", estate.id, files[1], "--encoding", "gb18030", "--json").document
    assert listed["plain_files"] == [str(files[1])]


def test_a_row_that_bears_a_key_of_somebody_else_too_is_kept_aside(
    estate: Estate, files: tuple[Path, Path]
) -> None:
    files[1].write_text(CRM + "C4,赵六,13800138000,\n", encoding="gb18030")
    estate.refused(
        "people",
        "match",
        estate.id,
        *matched(files),
        says=["row 1, phone", "row 4, phone", "--keep-problems"],
    )
    answer = estate.done("people", "match", estate.id, *matched(files, "--keep-problems"))
    assert "1 keys stand in rows of several people" in answer.out
    kept = estate.done("people", "problems", estate.id, "--json").document
    assert [(each["file"], each["row"]) for each in kept] == [("crm.csv", 1), ("crm.csv", 4)]
