"""Making a workspace, and looking whether it is ready."""

from __future__ import annotations

import re
import resource
import tomllib
from pathlib import Path

import pytest

from incident.settings import parse_settings
from tests.support.commands import run, run_process, sql
from tests.support.estates import Estate, make_key
from tests.support.relays import recording_relay


def test_a_new_workspace_has_settings_database_and_keyring_closed_to_others(tmp_path: Path) -> None:
    answer = run(
        "init", tmp_path / "a" / "b", "--name", '北京 "Example" \\ 公司', "--country", "DE", "--json"
    )
    assert answer.code == 0, answer.text
    root = Path(answer.document["workspace"])
    assert {each.name for each in root.iterdir()} >= {"incident.toml", "incident.db", "keyring"}
    assert root.stat().st_mode & 0o077 == 0
    assert (root / "keyring").stat().st_mode & 0o077 == 0
    settings = tomllib.loads((root / "incident.toml").read_text("utf-8"))
    assert settings["workspace"]["name"] == '北京 "Example" \\ 公司'
    assert settings["workspace"]["born"] == "live"
    assert run("--workspace", root, "list").code == 0
    assert sql(root, "SELECT kind FROM journal_entry") == [("workspace.born",)]


@pytest.mark.parametrize(("kept", "left_out"), [("smpp", "gateway"), ("gateway", "smpp")])
def test_the_settings_that_a_new_workspace_shows_as_examples_are_taken(
    tmp_path: Path, kept: str, left_out: str
) -> None:
    assert run("init", tmp_path / "a").code == 0
    text = (tmp_path / "a" / "incident.toml").read_text("utf-8")
    shown = re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", text)
    assert f"\n[sms.{kept}]\n" in shown and "\nwording = " in shown
    one_carrier = re.sub(rf"(?ms)^\[sms\.{left_out}\]\n.*?(?=^\[)", "", shown)
    assert one_carrier != shown
    settings = parse_settings(tomllib.loads(one_carrier), where="incident.toml")
    assert settings.sms.table == f"sms.{kept}" and settings.sms.carrier is not None


def test_the_folder_may_be_given_by_the_option_too_but_not_twice(tmp_path: Path) -> None:
    assert run("--workspace", tmp_path / "a", "init").code == 0
    assert (tmp_path / "a" / "incident.toml").is_file()
    answer = run("--workspace", tmp_path / "b", "init", tmp_path / "c")
    assert answer.code == 2
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "c").exists()


def test_a_folder_that_is_not_empty_or_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("mine")
    for target in (tmp_path, tmp_path / "note"):
        answer = run("init", target)
        assert answer.code == 1
        assert "not empty" in answer.err
    assert [each.name for each in tmp_path.iterdir()] == ["note"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--zone", "Mars/Olympus"], "Mars/Olympus"),
        (["--zone", ""], "zone"),
        (["--country", "china"], "china"),
        (["--name", "a\x7fb"], "TOML"),
        (["--name", "a\udc80b"], "character"),
    ],
)
def test_what_cannot_be_a_setting_is_refused_and_nothing_is_left(
    tmp_path: Path, words: list[str], says: str
) -> None:
    answer = run("init", tmp_path / "a" / "b", *words)
    assert answer.code == 1
    assert answer.err.count("error: ") == 1
    assert says in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("most", [0, 1_000, 30_000, 120_000])
def test_on_a_full_disk_nothing_is_left_behind(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, most: int
) -> None:
    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    # All that it loads is compiled before there is no room for that.
    run_process("init", tmp_path_factory.mktemp("with-room") / "workspace")
    existing = tmp_path / "existing"
    existing.mkdir()
    for target in (tmp_path / "new" / "below", existing):
        answer = run_process("init", target, preexec_fn=small_disk)
        assert answer.code == 1, answer.text
        assert answer.err.count("error: ") == 1
        assert "Traceback" not in answer.err
        assert list(tmp_path.rglob("*")) == [existing]


def _doctor(estate: Estate, **environment: str) -> dict[str, list[dict[str, str]]]:
    answer = estate.run("doctor", "--json", **environment)
    found: dict[str, list[dict[str, str]]] = {}
    for each in answer.document:
        found.setdefault(each["what"], []).append(each)
    failed = any(each["state"] == "fail" for each in answer.document)
    assert answer.code == (1 if failed else 0)
    assert all(each["next_step"] for each in answer.document if each["state"] == "fail"), answer.out
    states = [each["state"] for each in answer.document]
    assert states == sorted(states, key=["fail", "warn", "ok"].index)
    return found


def _states(found: dict[str, list[dict[str, str]]], what: str) -> set[str]:
    return {each["state"] for each in found[what]}


def test_a_workspace_that_is_ready_passes_and_warns_of_what_is_thin(estate: Estate, tmp_path: Path) -> None:
    with recording_relay() as relay:
        estate.change_settings("port = 9", f"port = {relay.port}")
        found = _doctor(estate, WAZUH_HOOK_TOKEN="x" * 40)
        assert not [each for rows in found.values() for each in rows if each["state"] == "fail"]
        assert _states(found, "operators") == {"warn"}
        make_key(tmp_path / "dora")
        estate.done("operator", "add", "dora", "--key", tmp_path / "dora")
        assert _states(_doctor(estate, WAZUH_HOOK_TOKEN="x" * 40), "operators") == {"ok"}
        assert relay.taken == []


def test_each_thing_that_fails_is_named_with_its_next_step(estate: Estate) -> None:
    found = _doctor(estate)
    assert _states(found, "mail relay") == {"fail"}
    assert "127.0.0.1:9" in found["mail relay"][0]["finding"]
    assert _states(found, "source wazuh") == {"fail"}
    assert _states(found, "law") == {"warn"}
    assert "UNREVIEWED" in found["law"][0]["finding"]
    estate.done("operator", "retire", "bo")
    estate.change_settings('phone = "020-10000"', 'phone = ""')
    estate.change_settings('sources = ["wazuh"]', 'sources = ["smoke-signals"]')
    (estate.root / "keyring").chmod(0o755)
    (estate.root / "playbooks").mkdir()
    (estate.root / "playbooks" / "bad.yaml").write_text("name: x\n")
    found = _doctor(estate)
    assert _states(found, "operators") == {"fail"}
    assert "phone" in found["organisation"][0]["finding"]
    assert _states(found, "source smoke-signals") == {"fail"}
    assert "fail" in _states(found, "keyring")
    assert "chmod 700" in str(found["keyring"])
    assert _states(found, "playbook bad") == {"fail"}


def test_doctor_tries_each_relay_also_one_that_only_takes_over(estate: Estate) -> None:
    with recording_relay() as relay:
        other = (
            '\n[[mail.others]]\nhost = "127.0.0.1"\nport = 9\ntls = "none"\nprocessor = "x"\ncountry = "cn"\n'
        )
        estate.change_settings("port = 9", f"port = {relay.port}")
        text = estate.settings_file.read_text("utf-8")
        estate.settings_file.write_text(text.replace("\n[hooks]", f"{other}\n[hooks]"), "utf-8")
        found = _doctor(estate)
    assert sorted(each["state"] for each in found["mail relay"]) == ["fail", "ok"]
    assert {each["finding"].count(f"127.0.0.1:{relay.port}") for each in found["mail relay"]} == {0, 1}


def test_lost_keys_are_found_before_the_worst_day(estate: Estate) -> None:
    (estate.root / "keyring" / f"{estate.id}.key").unlink()
    assert estate.id in str(_doctor(estate)["keyring"])
    (estate.root / "keyring" / "workspace.key").unlink()
    assert "fail" in _states(_doctor(estate), "keyring")


def test_one_broken_source_or_regime_does_not_hide_the_rest(estate: Estate) -> None:
    for kind in ("sources", "regimes"):
        (estate.root / kind).mkdir()
        (estate.root / kind / "bad.yaml").write_text("nonsense: [")
    found = _doctor(estate)
    assert _states(found, "sources") == {"fail"}
    assert _states(found, "law") == {"fail", "warn"}
    assert "keyring" in found
    assert "organisation" in found


def test_laws_that_are_off_for_want_of_a_word_are_counted(estate: Estate) -> None:
    [said] = _doctor(estate)["law"]
    assert "off as they bind only certain kinds of organisations" in said["finding"]
    assert "eu-gdpr" in said["finding"]
    assert "eu-gdpr-omnibus" not in said["finding"], "a proposal is not to be approved"
    assert "[scope] organisation" in said["next_step"]
    estate.change_settings(
        'countries = ["cn", "eu"]', 'countries = ["cn", "eu"]\norganisation = ["telecom_operator"]'
    )
    [answered] = _doctor(estate)["law"]
    assert "off as they bind" in answered["finding"], "those of banks and hospitals are"
    assert "[scope] organisation" not in answered["next_step"]


def test_a_relay_that_breaks_a_promise_is_found(estate: Estate) -> None:
    estate.change_settings('country = "cn"', 'country = "us"')
    estate.settings_file.write_text(
        estate.settings_file.read_text("utf-8") + '\n[promises]\nkeep_in = ["cn"]\n', "utf-8"
    )
    assert "fail" in _states(_doctor(estate), "mail relay")


def test_without_a_database_the_doctor_says_so(estate: Estate) -> None:
    (estate.root / "incident.db").unlink()
    found = _doctor(estate)
    assert _states(found, "store") == {"fail"}


def test_a_copy_that_does_not_act_is_no_ready_workspace(estate: Estate) -> None:
    def record() -> dict[str, str]:
        [found] = [each for each in estate.run("doctor", "--json").document if each["what"] == "record"]
        return {str(name): str(value) for name, value in found.items()}

    assert record()["state"] == "ok"
    sql(estate.root, "UPDATE instance SET standing = 'copy'")
    found = record()
    assert found["state"] == "fail"
    assert "copy" in found["finding"] and "restore --activate" in found["next_step"]
    (estate.root / "keyring" / "epoch").write_text("no number")
    sql(estate.root, "UPDATE instance SET standing = 'active'")
    assert record()["state"] == "fail"
