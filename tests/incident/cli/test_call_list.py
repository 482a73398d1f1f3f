"""`incident call-list` as somebody at the terminal uses it, from the list that is written to the results that come back."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest

from tests.support.commands import Answer, snapshot
from tests.support.estates import Estate
from tests.support.relays import recording_relay

PEOPLE = """reference,name,email,phone,more_phones,language,data,birth_date,guardian_name,guardian_phone
C-1,Ann,ann@example.org,,,en,phone_number,,,
C-2,Bert,,13800138000,13800138009,en,phone_number,,,
C-3,=cmd(),,13800138001,,zh-Hans,phone_number,,,
C-4,Dan,,13800138002,,en,phone_number;location,,,
C-5,Eve,,,,en,phone_number,2016-01-01,Ed,13900139000
C-6,Fay,,13700137000,,en,phone_number,2016-01-01,,
"""
CALLS = """
[calls.centre]
processor = "our own call centre"
country = "cn"

"""


@pytest.fixture
def sent(estate: Estate, tmp_path: Path) -> Estate:
    """The notice went out by e-mail; of six people one has an address."""
    file = tmp_path / "people.csv"
    file.write_text(PEOPLE, "utf-8")
    estate.done("people", "import", estate.id, file)
    for name in ("anna", "bo"):
        estate.done("--as", name, "notice", "release", estate.id)
    with recording_relay() as relay:
        estate.change_settings("port = 9", f"port = {relay.port}")
        estate.change_settings("[mail]", f"{CALLS}[mail]")
        estate.done("notice", "send", estate.id)
    return estate


def exported(estate: Estate, out: Path, *more: str) -> Answer:
    return estate.done("--as", "anna", "call-list", "export", estate.id, "-o", out, *more)


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text("utf-8-sig"))))


def fill_in(file: Path, results: dict[str, str], *, encoding: str = "utf-8-sig", **cells: str) -> Path:
    """The list as it comes back: results by whom to ask for."""
    rows = rows_of(file)
    back = file.parent / "back.csv"
    with back.open("w", encoding=encoding, newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows([{**row, "result": results.get(row["ask_for"], ""), **cells} for row in rows])
    return back


def test_a_list_is_written_with_a_line_a_call_and_the_script_in_each_language(
    sent: Estate, tmp_path: Path
) -> None:
    answer = exported(sent, tmp_path / "list")
    assert "list 1: 5 calls" in answer.out
    names = sorted(each.name for each in (tmp_path / "list").iterdir())
    assert names == ["call-list-1.csv", "script-en.txt", "script-zh-Hans.txt"]
    rows = {row["ask_for"]: row for row in rows_of(tmp_path / "list" / "call-list-1.csv")}
    assert rows["Bert"]["phone"] == "+8613800138000" and rows["Bert"]["list"] == "1"
    assert rows["Dan"]["information"].count(",") == 1
    assert rows["Ed"]["about"] == "Eve" and rows["Ed"]["phone"] == "+8613900139000"
    assert "'=cmd()" in rows  # no spreadsheet program runs it
    assert [row["about"] for row in rows.values() if row["phone"] == "+8613700137000"] == ["Fay"]
    script = (tmp_path / "list" / "script-en.txt").read_text("utf-8")
    for column in ("[ask_for]", "[information]", "[code]"):
        assert column in script
    assert "\ufdd0" not in script and "Bert" not in script


def test_what_is_written_is_for_its_owner_alone(sent: Estate, tmp_path: Path) -> None:
    exported(sent, tmp_path / "list")
    modes = {oct(each.stat().st_mode & 0o777) for each in (tmp_path / "list").iterdir()}
    assert modes == {"0o600"}
    assert oct((tmp_path / "list").stat().st_mode & 0o777) == "0o700"


def test_results_come_back_in_the_same_file_and_are_counted_once(sent: Estate, tmp_path: Path) -> None:
    exported(sent, tmp_path / "list")
    file = tmp_path / "list" / "call-list-1.csv"
    back = fill_in(file, {"Bert": "told", "'=cmd()": "无人接听", "Dan": "Wrong person"}, by="agent 7")
    answer = sent.done("call-list", "import", sent.id, back, "--json")
    assert answer.document["new"] == {"no_answer": 1, "told": 1, "wrong_person": 1}
    assert answer.document["waiting"] == 2
    again = sent.done("call-list", "import", sent.id, back, "--json").document
    assert (again["new"], again["known"]) == ({}, 3)
    [campaign] = sent.done("notice", "status", sent.id, "--json").document["campaigns"]
    assert (campaign["accepted"], campaign["in_progress"], campaign["adds_up"]) == (2, 2, True)
    shown = sent.done("notice", "status", sent.id).out
    assert "told on the phone" in shown and "notice by e-mail and phone" in shown
    assert campaign["on_call_lists"] == 2
    assert "of them with the call centre" in shown and f"`incident call-list import {sent.id} FILE`" in shown
    assert "the number cannot be used, or is somebody else's" in shown
    assert sent.done("check").code == 0 and sent.done("verify").code == 0


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig"])
def test_a_file_is_read_in_the_encoding_that_is_named(sent: Estate, tmp_path: Path, encoding: str) -> None:
    exported(sent, tmp_path / "list")
    back = fill_in(
        tmp_path / "list" / "call-list-1.csv", {"Bert": "已告知"}, encoding=encoding, note="已核对身份"
    )
    asked = ["--encoding", "gb18030"] if encoding == "gb18030" else []
    assert sent.done("call-list", "import", sent.id, back, *asked, "--json").document["new"] == {"told": 1}


def test_a_file_in_another_encoding_is_refused_with_what_to_do(sent: Estate, tmp_path: Path) -> None:
    exported(sent, tmp_path / "list")
    back = fill_in(tmp_path / "list" / "call-list-1.csv", {"Bert": "已告知"}, encoding="gb18030")
    answer = sent.run("call-list", "import", sent.id, back)
    assert answer.code == 1 and "--encoding gb18030" in answer.err


def test_an_encoding_that_is_not_one_of_texts_is_refused(sent: Estate, tmp_path: Path) -> None:
    exported(sent, tmp_path / "list")
    for encoding, code in (("punycode", 1), ("undefined", 1), ("base64", 2), ("none", 2)):
        answer = sent.run(
            "call-list", "import", sent.id, tmp_path / "list" / "call-list-1.csv", "--encoding", encoding
        )
        assert answer.code == code and encoding in answer.err, answer.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no column code"),
        ("code,outcome\nA,told\n", "no column result"),
        ("code,result\nnonsense,told\n", "line 2: this is no verification code"),
        ("code,result\nK7P2-4M9Q-X5T,perhaps\n", "'perhaps' is no result"),
        ("code,result,called_at\nK7P2-4M9Q-X5T,told,soon\n", "line 2: “soon” is no time"),
        ("code,result,called_at\nK7P2-4M9Q-X5T,told,2999-01-01 08:00\n", "still to come"),
        ("code,result,list\nK7P2-4M9Q-X5T,told,first\n", "no number of a list"),
        ("code,result\nK7P2-4M9Q-X5T\n", "1 cells, and the first line has 2"),
        ('code,result\n"K7P2,told\n', "no file of comma-separated values"),
        ("code,result,code\nA,told,B\n", "the column code twice"),
        ("code,result,note\nA,told," + "x" * 501 + "\n", "note has more than 500 characters"),
    ],
)
def test_a_file_that_is_not_right_is_refused_by_line_and_changes_nothing(
    sent: Estate, tmp_path: Path, content: str, said: str
) -> None:
    exported(sent, tmp_path / "list")
    back = tmp_path / "back.csv"
    back.write_text(content, "utf-8")
    before = snapshot(sent.root)
    answer = sent.run("call-list", "import", sent.id, back)
    assert answer.code == 1 and said in answer.err, answer.err
    assert snapshot(sent.root) == before


def test_a_list_is_written_again_without_those_whose_results_came(sent: Estate, tmp_path: Path) -> None:
    exported(sent, tmp_path / "list")
    first = rows_of(tmp_path / "list" / "call-list-1.csv")
    back = fill_in(tmp_path / "list" / "call-list-1.csv", {"Bert": "told"})
    sent.done("call-list", "import", sent.id, back)
    exported(sent, tmp_path / "again", "--list", "1")
    assert rows_of(tmp_path / "again" / "call-list-1.csv") == [
        row for row in first if row["ask_for"] != "Bert"
    ]
    assert len(sent.done("call-list", "list", sent.id, "--json").document) == 1


def test_where_the_list_cannot_be_written_it_can_be_written_again(sent: Estate, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    for out, said in ((there, "something of this name"), (tmp_path / "no" / "list", "folder above")):
        answer = sent.run("--as", "anna", "call-list", "export", sent.id, "-o", out)
        assert answer.code == 1 and said in answer.err
    assert sent.done("call-list", "list", sent.id, "--json").document == []
    if os.geteuid() != 0:
        there.chmod(0o500)
        answer = sent.run("--as", "anna", "call-list", "export", sent.id, "-o", there / "list")
        assert answer.code == 1 and "--list 1" in answer.err


def test_nobody_writes_a_list_without_signing_for_it(sent: Estate, tmp_path: Path) -> None:
    answer = sent.run("call-list", "export", sent.id, "-o", tmp_path / "list")
    assert answer.code == 1 and "--as" in answer.err
    assert not (tmp_path / "list").exists()


def test_a_call_is_found_by_its_code_and_shown_to_who_signs(sent: Estate, tmp_path: Path) -> None:
    exported(sent, tmp_path / "list")
    rows = {row["ask_for"]: row for row in rows_of(tmp_path / "list" / "call-list-1.csv")}
    code = rows["Bert"]["code"]
    plain = sent.done("call-list", "show", sent.id, code)
    assert "list 1: no result yet" in plain.out and "Bert" not in plain.text
    shown = sent.done("--as", "anna", "call-list", "show", sent.id, code, "--reveal", "--reason", "he calls")
    assert "ask_for: Bert" in shown.out and "+8613800138000" in shown.out and code in shown.out
    assert "may I speak to Bert" in shown.out.replace("May", "may")


def test_one_result_is_recorded_by_hand(sent: Estate, tmp_path: Path) -> None:
    exported(sent, tmp_path / "list")
    rows = {row["ask_for"]: row for row in rows_of(tmp_path / "list" / "call-list-1.csv")}
    code = rows["Bert"]["code"].lower().replace("-", " ")
    sent.done("call-list", "record", sent.id, code, "told", "--by", "agent 7", "--note", "called us back")
    assert "told; the person stands as accepted" in sent.done("call-list", "show", sent.id, code).out
    refused = sent.run("call-list", "record", sent.id, code, "no_answer")
    assert refused.code == 1 and "told before, which stands" in refused.err
    assert sent.run("call-list", "record", sent.id, code, "maybe").code == 2


def test_a_list_is_closed_and_its_deletion_is_kept(sent: Estate, tmp_path: Path) -> None:
    exported(sent, tmp_path / "list", "--for", "Night shift")
    early = sent.run("call-list", "deleted", sent.id, "1", "--by", "Li Na")
    assert early.code == 1 and "is open" in early.err
    assert sent.done("call-list", "close", sent.id, "1", "--json").document["without_result"] == 5
    assert sent.run("call-list", "close", sent.id, "1").code == 1
    sent.done("call-list", "deleted", sent.id, "1", "--by", "Li Na")
    [listed] = sent.done("call-list", "list", sent.id, "--json").document
    assert (listed["for"], listed["people"], listed["waiting"]) == ("Night shift", 5, 0)
    assert listed["closed_at"] and listed["deleted_at"]
    assert sent.done("check").code == 0 and sent.done("verify").code == 0


def test_there_is_no_list_of_that_number(sent: Estate) -> None:
    answer = sent.run("call-list", "close", sent.id, "7")
    assert answer.code == 1 and "no call list 7" in answer.err


def test_under_a_hold_a_list_is_not_written_again(sent: Estate, tmp_path: Path) -> None:
    exported(sent, tmp_path / "list")
    sent.done("hold", "add", sent.id, "--by", "police", "--until", "+48h", "--covers", "people")
    answer = sent.run("--as", "anna", "call-list", "export", sent.id, "--list", "1", "-o", tmp_path / "again")
    assert answer.code == 1 and "hold" in answer.err.lower()
    assert not (tmp_path / "again").exists()


def test_under_the_brake_or_once_it_is_closed_a_list_is_not_written_again(
    sent: Estate, tmp_path: Path
) -> None:
    exported(sent, tmp_path / "list")
    again = ("--as", "anna", "call-list", "export", sent.id, "--list", "1", "-o", tmp_path / "again")
    sent.done("worker", "--brake", "--reason", "stop")
    assert "brake is on" in sent.run(*again).err
    sent.done("worker", "--release")
    sent.done("call-list", "close", sent.id, "1")
    assert "list 1 is closed" in sent.run(*again).err
    assert not (tmp_path / "again").exists()
