"""The definitions of gateways: a workspace's own come first, and what is wrong in one is told with its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from incident.delivery.sms_gateways import FOLDER, files_of, gateway_definition, read_definition
from incident.errors import BadInput, NotFound
from notifiers.sms_gateway.shipped import definitions_folder


def own(root: Path, called: str, /, *, like: str = "aliyun", **changes: str) -> Path:
    """A definition in a workspace: a shipped one with some lines changed."""
    text = (definitions_folder() / f"{like}.yaml").read_text(encoding="utf-8")
    for before, after in changes.items():
        assert f"{before}: " in text
        text = "\n".join(
            f"{before}: {after}" if line.startswith(f"{before}: ") else line for line in text.splitlines()
        )
    file = root / FOLDER / f"{called}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_the_shipped_ones_can_be_used_as_they_are(tmp_path: Path) -> None:
    names = [each.stem for each in files_of(tmp_path)]
    assert names == ["aliyun", "tencent"]
    assert [gateway_definition(name, root=tmp_path).name for name in names] == names


def test_a_workspaces_own_comes_before_a_shipped_one_of_that_name(tmp_path: Path) -> None:
    own(tmp_path, "aliyun", host="sms.example.com")
    assert gateway_definition("aliyun", root=tmp_path).host == "sms.example.com"
    assert [each.parent.name for each in files_of(tmp_path)] == [FOLDER, "gateways"]
    assert len(list(files_of(tmp_path))) == 2


def test_one_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    own(tmp_path, "ours", name="ours")
    with pytest.raises(NotFound, match="there is: aliyun, ours, tencent"):
        gateway_definition("theirs", root=tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [", "YAML"),
        ("\tname: x", "YAML"),
        ("", "definition"),
        ("- a\n- b", "definition"),
        ("name: ours", "title"),
        ("name: ours\nname: theirs", "YAML"),
        ("a: &a [*a]", "definition"),
    ],
)
def test_what_is_no_definition_is_told_with_its_file(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as raised:
        read_definition(file)
    assert says in raised.value.what and str(file) in str(raised.value.where)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    file = tmp_path / "ours.yaml"
    file.write_bytes(b"name: \xff\xfe")
    with pytest.raises(BadInput, match="UTF-8"):
        read_definition(file)


def test_a_slot_that_does_not_exist_is_told_with_its_place(tmp_path: Path) -> None:
    file = own(tmp_path, "aliyun")
    file.write_text(
        file.read_text(encoding="utf-8").replace('"{own_id}"', '"{persons_name}"'), encoding="utf-8"
    )
    with pytest.raises(BadInput, match=r"send: .*\{persons_name\} is no slot; there are: .*own_id, "):
        read_definition(file)


def test_a_file_is_called_as_its_gateway(tmp_path: Path) -> None:
    shutil.copy(definitions_folder() / "aliyun.yaml", tmp_path / "other.yaml")
    with pytest.raises(BadInput, match="other"):
        read_definition(tmp_path / "other.yaml")
