"""The definitions of SMS gateways at the terminal: which there are, and what is wrong with one of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifiers.sms_gateway.shipped import definitions_folder
from tests.support.commands import run
from tests.support.estates import Estate

SHIPPED = (definitions_folder() / "aliyun.yaml").read_text(encoding="utf-8")


def own(folder: Path, text: str, *, name: str = "own") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def renamed(name: str) -> str:
    return SHIPPED.replace("name: aliyun", f"name: {name}")


def line_with(text: str, words: str) -> int:
    return next(at for at, line in enumerate(text.splitlines(), start=1) if words in line)


def test_the_shipped_ones_are_listed_and_sound_also_without_a_workspace() -> None:
    listed = run("gateway", "list", "--json")
    assert listed.code == 0
    assert [(each["gateway"], each["longest"], each["values"]) for each in listed.document] == [
        ("aliyun", 35, ""),
        ("tencent", 6, "app_id, region"),
    ]
    checked = run("gateway", "lint", "--json")
    assert (checked.code, checked.document) == (0, [])


def test_the_workspaces_own_come_beside_and_before_the_shipped_ones(estate: Estate) -> None:
    own(estate.root / "gateways", renamed("own"))
    own(
        estate.root / "gateways",
        SHIPPED.replace("longest_variable: 35", "longest_variable: 20"),
        name="aliyun",
    )
    listed = estate.done("gateway", "list", "--json").document
    assert [(each["gateway"], each["longest"]) for each in listed] == [
        ("aliyun", 20),
        ("own", 35),
        ("tencent", 6),
    ]


def test_one_that_cannot_be_used_is_named_and_the_others_are_listed(estate: Estate) -> None:
    file = own(estate.root / "gateways", "name: [")
    listed = estate.done("gateway", "list", "--json")
    assert [each["gateway"] for each in listed.document] == ["aliyun", "tencent"]
    assert str(file) in listed.err
    found = estate.run("gateway", "lint", "--json")
    assert found.code == 1
    assert [each["file"] for each in found.document] == [str(file)]


@pytest.mark.parametrize(
    ("right", "wrong", "place"),
    [
        ("signing: acs3", "signing: acs9", "signing"),
        ("reference: BizId", "reference: '((('", "send.reply.reference"),
        ("days_back: 30", "days_ago: 30", "receipt.days_ago"),
        ("always_own_id: true", "always_own_id: perhaps", "receipt.records.always_own_id"),
        ("isp.*: unknown", "isp.*: odd", "codes.isp.*"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_place(
    tmp_path: Path, right: str, wrong: str, place: str
) -> None:
    text = renamed("own")
    assert right in text
    broken = text.replace(right, wrong, 1)
    answer = run("gateway", "lint", own(tmp_path, broken), "--json")
    assert answer.code == 1
    assert (line_with(broken, wrong), place) in [(each["line"], each["where"]) for each in answer.document]


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = renamed("own").replace("signing: acs3", "signing: acs9").replace("page_size: 50", "page_size: x")
    answer = run("gateway", "lint", own(tmp_path, text), "--json")
    assert [each["where"] for each in answer.document] == ["signing", "receipt.page_size"]


def test_a_file_with_another_name_than_its_gateway_is_a_mistake(tmp_path: Path) -> None:
    answer = run("gateway", "lint", own(tmp_path, SHIPPED), "--json")
    assert answer.code == 1
    assert [(each["line"], each["where"]) for each in answer.document] == [
        (line_with(SHIPPED, "name: "), "name")
    ]


def test_what_a_text_that_is_no_yaml_breaks_at_is_told(tmp_path: Path) -> None:
    answer = run("gateway", "lint", own(tmp_path, renamed("own") + "\nname: twice\n"), "--json")
    assert answer.code == 1
    assert f"own.yaml, line {len(SHIPPED.splitlines()) + 2}" == answer.document[0]["where"]
