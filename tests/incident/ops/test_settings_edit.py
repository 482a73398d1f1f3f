"""Changing where the store is, and not one other byte of the settings."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import Refused, WorkspaceError
from incident.ops.settings_edit import read_settings_text, replace_settings, with_store

HERE = {"url": "postgresql://tocsin@db.example:5432/tocsin"}
BEFORE = """\
# ours   and nobody else's
[workspace]
id = "x"   # keep

[store]  # where it lies
# the old place
url = 'sqlite:///incident.db'  # one machine
  keyring="/mnt/keys"

[mail]
url = "not this one"
"""


def test_only_the_value_changes(tmp_path: Path) -> None:
    after = with_store(BEFORE, HERE, where="x")
    assert after == BEFORE.replace("'sqlite:///incident.db'", json.dumps(HERE["url"]))


def test_a_key_that_was_not_there_comes_first_in_its_table() -> None:
    after = with_store(BEFORE, {"password": "env:TOCSIN_DB"}, where="x")
    assert after == BEFORE.replace("it lies\n", 'it lies\npassword = "env:TOCSIN_DB"\n')


def test_a_key_can_be_taken_out() -> None:
    after = with_store(BEFORE, {"url": None, "password": None}, where="x")
    assert after == BEFORE.replace("url = 'sqlite:///incident.db'  # one machine\n", "")


def test_without_the_table_it_is_added_at_the_end() -> None:
    for before in ("", '[workspace]\nid = "x"', '[workspace]\nid = "x"\n'):
        after = with_store(before, HERE, where="x")
        assert after.startswith(before)
        assert tomllib.loads(after)["store"] == HERE
    assert with_store("[mail]\n", {"url": None}, where="x") == "[mail]\n"


def test_line_ends_of_another_system_and_a_byte_order_mark_stay() -> None:
    before = "\ufeff" + BEFORE.replace("\n", "\r\n")
    after = with_store(before, {"url": "sqlite:///a.db", "password": "env:X"}, where="x")
    assert after.startswith("\ufeff#")
    assert "\n" not in after.replace("\r\n", "")
    assert after.count("\r\n") == before.count("\r\n") + 1


@pytest.mark.parametrize(
    "written",
    [
        'store = { url = "sqlite:///incident.db" }\n',
        'store.url = "sqlite:///incident.db"\n',
        '[store]\nurl = """sqlite:///incident.db"""\n',
        '[store]\n"u\\u0072l" = "sqlite:///incident.db"\n',
        '[a]\ntext = """\n[store]\n"""\n[store]\nurl = "sqlite:///incident.db"\n',
    ],
)
def test_what_cannot_be_changed_safely_is_refused_with_the_line_to_write(written: str) -> None:
    with pytest.raises(Refused, match="cannot be changed") as caught:
        with_store(written, HERE, where="incident.toml")
    assert HERE["url"] in (caught.value.next_step or "")


@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=30),
    st.sampled_from(("url", "keyring", "password")),
)
def test_any_value_comes_out_as_it_went_in_or_is_refused(value: str, key: str) -> None:
    try:
        after = with_store(BEFORE, {key: value}, where="x")
    except Refused:
        return
    wanted = tomllib.loads(BEFORE)
    wanted["store"][key] = value
    assert tomllib.loads(after) == wanted


def test_the_file_is_replaced_in_one_step_and_keeps_its_rights(tmp_path: Path) -> None:
    file = tmp_path / "incident.toml"
    file.write_text(BEFORE)
    file.chmod(0o640)
    (tmp_path / ".incident.toml.new").write_text("left over by somebody who was killed")
    replace_settings(file, BEFORE + "# more\n")
    assert read_settings_text(file) == BEFORE + "# more\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["incident.toml"]


def test_a_file_that_cannot_be_read_or_written_is_an_error_of_the_workspace(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError):
        read_settings_text(tmp_path / "nowhere")
    with pytest.raises(WorkspaceError):
        replace_settings(tmp_path / "nowhere" / "incident.toml", BEFORE)
