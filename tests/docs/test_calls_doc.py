"""The guide on calls: its commands run in its order, its settings are taken, and what it says of calls is what there is."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import tomllib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from incident.carrier_settings import CallCentreSettings, TwilioVoiceSettings
from incident.delivery.call_closing import CLOSED
from incident.delivery.call_dialogue import MOST_GREETINGS, MOST_TEXTS
from incident.delivery.call_files import COLUMNS, RESULT_WORDS
from incident.delivery.call_lists import DELETED, LISTED
from incident.delivery.call_results import TAKEN, CallResult
from incident.delivery.call_rules import CALL_SETTLES
from incident.delivery.codes import read_code
from incident.settings import Settings
from notifiers.twilio.twiml import VOICES
from tests.support.commands import Answer, sql
from tests.support.estates import Estate, build_estate
from tests.support.relays import recording_relay
from tests.support.tools import need_tool

GUIDE = (Path(__file__).parents[2] / "docs" / "calls.md").read_text(encoding="utf-8")
CENTRE = GUIDE.split("\n## The call centre\n")[1].split("\n## Calls by machine\n")[0]
MACHINE = GUIDE.split("\n## Calls by machine\n")[1]
INCIDENT = "INC-2026-0001"
PEOPLE = """reference,name,email,phone,language,data
C-1,Ann,ann@example.org,,en,phone_number
C-2,Bert,,13800138000,en,phone_number
C-3,Cui,,13800138001,zh-Hans,phone_number
C-4,Dan,,13800138002,en,phone_number
C-5,Eve,,13800138003,en,phone_number
C-6,Fay,,13800138004,en,phone_number
"""
CALLED = ("Bert", "Cui", "Dan", "Eve")
"""Whose results the guide shows, in its order. Fay's never comes."""


def block(text: str, mark: str) -> str:
    """The example behind a mark of the guide."""
    found = re.search(rf"(?ms)^<!-- {mark} -->\n\n```[a-z]+\n(.*?)^```$", text)
    assert found, mark
    return found[1]


def commands() -> list[str]:
    typed = re.findall(r"(?ms)^```console\n(.*?)^```$", CENTRE)
    return [line.removeprefix("$ incident ") for line in "".join(typed).splitlines()]


def settings_with(text: str) -> Settings:
    return Settings.model_validate({"workspace": {"id": "x", "name": "x"}, **tomllib.loads(text)})


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))


class Walked(NamedTuple):
    """The part on the call centre, done as it is written: what each command answered, and where the files are."""

    estate: Estate
    folder: Path
    answers: dict[str, Answer]

    def answer(self, begins: str) -> Answer:
        [found] = [answer for line, answer in self.answers.items() if re.match(begins, line)]
        return found


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """Of six people one has an e-mail address. Codes and days of the guide become those of these people and of today."""
    folder = tmp_path_factory.mktemp("calls")
    estate = build_estate(folder / "estate")
    (folder / "people.csv").write_text(PEOPLE, "utf-8")
    estate.done("people", "import", estate.id, folder / "people.csv")
    [toml] = re.findall(r"(?ms)^```toml\n(.*?)^```$", CENTRE)
    for name in ("anna", "bo"):
        estate.done("--as", name, "notice", "release", estate.id)
    with recording_relay() as relay, pytest.MonkeyPatch.context() as patch:
        estate.change_settings("port = 9", f"port = {relay.port}")
        estate.change_settings("[mail]", f"{toml}\n[mail]")
        estate.done("notice", "send", estate.id)
        patch.chdir(folder)
        codes: dict[str, str] = {}
        answers = {}
        for line in commands():
            if " import " in line:
                codes = come_back(folder)
            said = line.replace(INCIDENT, estate.id)
            for shown, code in codes.items():
                said = said.replace(shown, code)
            answers[line] = estate.done(*shlex.split(said))
    return Walked(estate, folder, answers)


def come_back(folder: Path) -> dict[str, str]:
    """Write the results of the guide for the people who are on the list; their codes by those that the guide shows."""
    text = block(CENTRE, "results")
    shown = [row["code"] for row in csv.DictReader(text.splitlines())]
    listed = {row["ask_for"]: row["code"] for row in rows_of(folder / "calls-1" / "call-list-1.csv")}
    codes = {code: listed[name] for code, name in zip(shown, CALLED, strict=True)}
    for code, theirs in codes.items():
        text = text.replace(code, theirs)
    (folder / "results.csv").write_text(re.sub(r"\d{4}-\d\d-\d\d (?=\d\d:)", "2025-01-02 ", text), "utf-8")
    return codes


def test_the_commands_of_the_call_centre_run_in_the_order_of_the_guide(walked: Walked) -> None:
    assert len(walked.answers) == len(commands()) == 12
    assert "list 1: 5 calls" in walked.answer("--as anna call-list export .* -o calls-1$").out
    assert "list 2: 2 calls" in walked.answer(".* --again").out
    assert walked.estate.done("check").code == 0
    assert walked.estate.done("verify").code == 0


def test_the_results_of_the_guide_lead_where_it_says(walked: Walked) -> None:
    imported = walked.answer("call-list import").out
    for result in ("told", "wrong_person", "no_answer"):
        assert re.search(rf"{result} +1", imported)
    assert "lines without a result" in imported
    assert "1 calls had no result" in walked.answer("call-list close").out
    assert "told; the person stands as accepted" in walked.answer("call-list show").out
    assert "ask_for: Bert" in walked.answer(".* --reveal").out
    [account] = walked.estate.done("notice", "status", walked.estate.id, "--json").document["campaigns"]
    assert (account["accepted"], account["in_progress"]) == (2, 2)
    assert account["unreachable"] == {"bad_address": 1, "passed_on": 1}
    again = {row["ask_for"] for row in rows_of(walked.folder / "calls-2" / "call-list-2.csv")}
    assert again == {"Dan", "Fay"}


def test_a_list_that_is_written_again_is_the_one_that_was_made(walked: Walked) -> None:
    first, second = (walked.folder / each / "call-list-1.csv" for each in ("calls-1", "calls-1-again"))
    assert first.read_bytes() == second.read_bytes()
    assert len(walked.estate.done("call-list", "list", walked.estate.id, "--json").document) == 2


def test_the_journal_names_what_the_guide_says(walked: Walked) -> None:
    kinds = Counter(kind for (kind,) in sql(walked.estate.root, "SELECT kind FROM journal_entry"))
    for kind in (LISTED, TAKEN, CLOSED, DELETED):
        assert f"`{kind}`" in CENTRE
    assert (kinds[LISTED], kinds[TAKEN], kinds[CLOSED], kinds[DELETED]) == (2, 2, 1, 1)


def test_the_guide_names_every_result_in_both_languages_and_no_other() -> None:
    rows = re.findall(r"(?m)^\| `([a-z_]+)` (\S+) \|", CENTRE)
    assert [CallResult(word) for word, _ in rows] == list(CallResult)
    assert all(RESULT_WORDS[chinese] == word for word, chinese in rows)


def test_the_guide_names_every_column_of_a_list() -> None:
    table = CENTRE.split("| column | |")[1].split("\n\n")[0]
    first_cells = "".join(row.split("|")[1] for row in table.strip().splitlines()[1:])
    assert sorted(re.findall(r"`([a-z_]+)`", first_cells)) == sorted(COLUMNS)


def test_the_codes_of_the_guide_are_well_formed() -> None:
    codes = set(re.findall(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}\b", GUIDE))
    assert len(codes) == len(CALLED)
    assert all(read_code(code) for code in codes)


@pytest.mark.parametrize("number", range(len(re.findall(r"(?m)^```toml$", GUIDE))))
def test_every_example_of_settings_is_taken(number: int) -> None:
    settings = settings_with(re.findall(r"(?ms)^```toml\n(.*?)^```$", GUIDE)[number])
    assert settings.calls.carrier is not None and settings.calls.carrier.missing == ()
    assert "phone" in settings.fallback.means


def test_both_ways_of_calling_are_shown() -> None:
    shown = [settings_with(text).calls.carrier for text in re.findall(r"(?ms)^```toml\n(.*?)^```$", GUIDE)]
    assert [type(each) for each in shown] == [CallCentreSettings, TwilioVoiceSettings]


def test_the_voices_and_figures_of_the_guide_are_those_of_the_carrier() -> None:
    named = {
        "German": "de",
        "English": "en",
        "Spanish": "es",
        "French": "fr",
        "Japanese": "ja",
        "Korean": "ko",
        "Russian": "ru",
        "Vietnamese": "vi",
    }
    told = MACHINE.split("### Voices")[1].split("\n### ")[0]
    assert all(name in told for name in named)
    assert {*named.values(), "zh-Hans", "zh-Hant"} == set(VOICES)
    usual = TwilioVoiceSettings()
    assert f"`ring_seconds` ({usual.ring_seconds})" in MACHINE
    assert f"`longest_seconds` ({usual.longest_seconds})" in MACHINE
    assert usual.per_second == 1.0 and usual.hours == "09:00-20:00"
    assert f"{3600 * 11:,} in the 11 hours" in MACHINE


def test_the_proxy_of_the_guide_is_one_that_nginx_takes(tmp_path: Path) -> None:
    nginx = need_tool("nginx", "nginx")
    [location] = re.findall(r"(?ms)^```nginx\n(.*?)^```$", GUIDE)
    file = tmp_path / "nginx.conf"
    file.write_text(
        f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\nserver {{\nlisten 127.0.0.1:1;\n{location}}}\n}}\n",
        "utf-8",
    )
    done = subprocess.run([nginx, "-t", "-c", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_account_at_twilio_of_the_guide_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("twilio", reason="the extra twilio is not installed")
    from incident.delivery.call_room import twilio_voice_from

    monkeypatch.setenv("TOCSIN_TWILIO_SECRET", "s3cret" * 5)
    monkeypatch.setenv("TOCSIN_TWILIO_TOKEN", "0" * 32)
    settings = TwilioVoiceSettings.model_validate(tomllib.loads(block(MACHINE, "twilio"))["calls"]["twilio"])
    found = twilio_voice_from(settings, root=Path("no-workspace"))
    assert found.account.callback_base == settings.callback_url


def test_the_dialogue_of_the_guide_is_the_one_that_is_spoken() -> None:
    in_words = {3: "three times in all", 4: "four times in all"}
    assert f"Another one: the same again, {in_words[MOST_GREETINGS]}" in MACHINE
    assert f"2: once more, {in_words[MOST_TEXTS]}" in MACHINE


def test_the_times_of_a_call_are_those_of_the_guide() -> None:
    pytest.importorskip("twilio", reason="the extra twilio is not installed")
    from incident.delivery.call_room import WAIT_SECONDS

    hours = CALL_SETTLES.total_seconds() / 3600
    assert f"no key within {WAIT_SECONDS} seconds" in MACHINE
    assert f"nothing for {hours:.0f} hours" in MACHINE and f"after {hours:.0f} hours" in GUIDE
