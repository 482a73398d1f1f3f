from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incident.carrier_settings import Relation
from incident.errors import BadInput, WorkspaceError
from incident.settings import (
    Born,
    Playbooks,
    parse_settings,
    read_settings,
    resolve_secret,
    secret_reader,
)

LEAST: dict[str, Any] = {"workspace": {"id": "w", "name": "W"}}


def parse(**tables: dict[str, Any]) -> Any:
    return parse_settings({**LEAST, **tables}, where="incident.toml")


def test_the_least_settings_give_a_live_workspace_with_careful_defaults() -> None:
    settings = parse()
    assert settings.workspace.born is Born.LIVE
    assert str(settings.zone) == "Asia/Shanghai"
    assert settings.scope.countries == ["cn"]
    assert settings.mail.relation is Relation.OWN
    assert settings.mail.tls == "starttls"
    assert settings.promises.share_with_no_one is True
    assert settings.approvals.notice_release == 2
    assert settings.hooks.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("languages", "own"),
    [
        (["zh-Hans", "en"], ["zh-Hans", "en"]),
        (["zh-Hant"], ["zh-Hans"]),
        (["zh-Hant", "zh-Hans", "en"], ["zh-Hans", "en"]),
        (["ug", "vi"], ["en"]),
        (["ug", "zh-Hans"], ["en", "zh-Hans"]),
    ],
)
def test_those_who_respond_are_spoken_to_in_the_nearest_language_of_ours(
    languages: list[str], own: list[str]
) -> None:
    settings = parse_settings(
        {"workspace": {"id": "test", "name": "Example", "languages": languages}}, where="x"
    )
    assert settings.workspace.languages == languages
    assert settings.workspace.own_languages == own


@pytest.mark.parametrize(
    ("table", "key", "value", "said"),
    [
        ("workspace", "zone", "Mars/Olympus", "IANA time zone"),
        ("workspace", "zone", "../../etc/passwd", "IANA time zone"),
        ("workspace", "born", "wild", "'live' or 'drill'"),
        ("workspace", "languages", [], "name at least one language"),
        ("workspace", "languages", ["../fr"], "no language tag"),
        ("workspace", "colour", "red", "there is no setting"),
        ("mail", "password", "hunter2", "never written into the settings"),
        ("mail", "password", "env:1X", "never written into the settings"),
        ("mail", "password", "env:X\n", "never written into the settings"),
        ("mail", "tls", "maybe", "pattern"),
        ("mail", "port", 70000, "65535"),
        ("mail", "country", "China", "no country code"),
        ("mail", "relation", "friend", "'own', 'entrusted' or 'provided'"),
        ("scope", "countries", [], "at least 1"),
        ("scope", "countries", ["cn", "Germany"], "no country code"),
        ("promises", "keep_in", ["CHN"], "no country code"),
        ("approvals", "notice_release", 1, "greater than or equal to 2"),
        ("targets", "promptly_hours", 0, "greater than 0"),
    ],
)
def test_a_setting_that_is_off_is_named_with_the_file(table: str, key: str, value: object, said: str) -> None:
    tables = {**LEAST, table: {**LEAST.get(table, {}), key: value}}
    with pytest.raises(BadInput) as caught:
        parse_settings(tables, where="incident.toml")
    assert f"{table}.{key}" in caught.value.what
    assert said in caught.value.what
    assert caught.value.where == "incident.toml"


def test_a_secret_written_into_the_settings_is_not_repeated_in_the_error() -> None:
    with pytest.raises(BadInput) as caught:
        parse(mail={"password": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_country_codes_are_taken_in_either_case() -> None:
    settings = parse(scope={"countries": ["CN", "eu"]}, mail={"country": "CN"}, promises={"keep_in": ["CN"]})
    assert settings.scope.countries == ["cn", "eu"]
    assert settings.mail.country == settings.promises.keep_in[0] == "cn"


def test_settings_cannot_be_changed_after_they_were_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse().workspace.born = Born.DRILL


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "incident.toml"
    file.write_text('[workspace]\nid = "w"\nname = "移动"\n', encoding="utf-8-sig")
    assert read_settings(file).workspace.name == "移动"


def test_without_a_file_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as caught:
        read_settings(tmp_path / "incident.toml")
    assert caught.value.next_step is not None and "incident init" in caught.value.next_step


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[workspace\n", b"x = \x00"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "incident.toml"
    file.write_bytes(content)
    with pytest.raises((WorkspaceError, BadInput)) as caught:
        read_settings(file)
    assert caught.value.where == str(file)


def test_a_folder_in_place_of_the_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="cannot be read"):
        read_settings(tmp_path)


def test_a_secret_is_read_from_the_environment_or_a_file_without_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(" s3cret \r\n", encoding="utf-8")
    assert resolve_secret(f"file:{file}") == " s3cret "
    assert resolve_secret("env:TOKEN", environment={"TOKEN": "s3cret\n"}) == "s3cret"


@pytest.mark.parametrize("reference", ["env:NOT_THERE", "file:/not/there", "env:EMPTY", "plain", "https://x"])
def test_a_secret_that_is_not_there_is_an_error_that_names_the_reference(reference: str) -> None:
    with pytest.raises(BadInput) as caught:
        resolve_secret(reference, environment={"EMPTY": ""})
    assert reference in caught.value.what


def test_a_host_that_is_none_is_refused_with_its_key() -> None:
    with pytest.raises(
        BadInput, match=r"playbooks\.hosts\.1 is not right: “127\.1” is no host; write a name"
    ):
        parse(playbooks={"hosts": ["a.example", "127.1"]})


def test_the_secrets_of_playbooks_are_those_that_the_workspace_names(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret\n", encoding="utf-8")
    read = secret_reader(Playbooks(secrets={"ssh-key": f"file:{file}"}))
    assert read("ssh-key") == "s3cret"
    for name in (f"file:{file}", "env:PATH", "other"):
        with pytest.raises(BadInput, match="has no secret of the name") as caught:
            read(name)
        assert f'"{name}" = ' in (caught.value.next_step or "")
