"""Both READMEs do what they say: their walk-through is run word for word, and what they name exists."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.support.tools import need_tool

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
READMES = ("README.md", "README.zh-CN.md")
WALK = ("<!-- walk-through -->", "<!-- end of the walk-through -->")
OWED = ("<!-- owed -->", "<!-- end of what is owed -->")
DONE = ("<!-- done -->", "<!-- end of what is done -->")
FIRST_HOUR = ("<!-- first hour -->", "<!-- end of the first hour -->")
ALERTS = ("<!-- alerts -->", "<!-- end of the alerts -->")
SECONDS = 600


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def between(text: str, marks: tuple[str, str]) -> str:
    return text.split(marks[0])[1].split(marks[1])[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def commands_in(text: str) -> list[str]:
    lines = "".join(blocks(text, "console")).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def walk_of(name: str) -> list[str]:
    """Every command that a README has its reader type, in order."""
    readme = text_of(name)
    return [
        each for part in (WALK, FIRST_HOUR, OWED, DONE, ALERTS) for each in commands_in(between(readme, part))
    ]


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


@dataclass(frozen=True)
class Walked:
    """What a walk left behind."""

    folder: Path
    output: str

    @property
    def book(self) -> Path:
        return self.folder / "book"


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """The walk-through, the first hour and the alert, run by bash in a folder that holds docs/examples only.

    Once for both READMEs: a test holds that they have the same commands typed. Only the two ports are other ones, as
    those of the README may be in use here; and before the alert's server is stopped, the script waits for what the
    README says happens a moment later.
    """
    for name, package in (("bash", "bash"), ("curl", "curl"), ("ssh-keygen", "openssh-client")):
        need_tool(name, package)
    home = tmp_path_factory.mktemp("walk")
    shutil.copytree(EXAMPLES, home / "checkout" / "docs" / "examples")
    ports = {"2525": free_port(), "8470": free_port()}

    def on_free_ports(text: str) -> str:
        for fixed, free in ports.items():
            text = re.sub(rf"\b{fixed}\b", free, text)
        return text

    settings = home / "checkout" / "docs" / "examples" / "settings.toml"
    settings.write_text(on_free_ports(settings.read_text(encoding="utf-8")), encoding="utf-8")
    lines = ["set -e -o pipefail"]
    for command in walk_of(READMES[0]):
        lines.append(f"cat <<'COMMAND'\n$ {command}\nCOMMAND")
        lines.append(on_free_ports(command))
        if command.startswith("curl "):
            lines.append("until incident --json runs | grep -q cut-off-by-hand; do sleep 0.2; done")
    script = home / "script.sh"
    # Whatever fails, no server is left behind.
    script.write_text("trap 'kill $(jobs -p) 2>/dev/null' EXIT\n" + "\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run(
        ["bash", str(script)],
        cwd=home / "checkout",
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return Walked(home / "tocsin-walk", output)


def environment(home: Path) -> dict[str, str]:
    """An environment as a stranger's, with the command `incident` and its `python` first on the path."""
    programs = home / "bin"
    programs.mkdir()
    for name, words in (("incident", "-m incident.cli.main "), ("python", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n', encoding="utf-8")
        program.chmod(0o755)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("INCIDENT_", "LC_", "LANG"))
    }
    return {
        **kept,
        "PATH": f"{programs}{os.pathsep}{kept['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "no_proxy": "127.0.0.1",
    }


def incident(walked: Walked, *words: str) -> object:
    """The JSON document of a command in the walk's workspace."""
    done = subprocess.run(
        [sys.executable, "-m", "incident.cli.main", "--workspace", str(walked.book), "--json", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def first_incident(walked: Walked) -> str:
    return next(path.name for path in (walked.book / "reports").iterdir())


def test_each_person_with_an_address_got_the_notice_in_their_language(walked: Walked) -> None:
    mails = [
        message_from_bytes(file.read_bytes(), policy=policy.default)
        for file in (walked.folder / "caught-mail").glob("*.eml")
    ]
    told = {str(mail["X-Envelope-To"]).strip("<>"): str(mail["Subject"]) for mail in mails}
    chinese = {
        "wang.wei@example.org",
        "li.jingli@example.org",
        "liu.yang@example.org",
        "liu.qiang@example.org",
    }
    english = {"alice.novak@example.net", "ben.costa@example.net"}
    assert set(told) == chinese | english and len(mails) == 6
    assert all(told[address].isascii() for address in english)
    assert not any(told[address].isascii() for address in chinese)


def test_a_measure_stands_in_the_notice_with_the_day_it_was_taken(walked: Walked) -> None:
    page = (walked.book / "public" / first_incident(walked) / "notice.en.html").read_text(encoding="utf-8")
    assert "3 December 2025" in page
    assert "We closed the interface" in page


def test_the_account_is_the_one_that_the_readme_shows(walked: Walked) -> None:
    shown = [" ".join(line.split()) for line in walked.output.splitlines()]
    for name in READMES:
        for line in "".join(blocks(between(text_of(name), WALK), "text")).splitlines():
            assert " ".join(line.split()) in shown


def test_the_reports_of_all_authorities_are_there_as_page_and_as_data(walked: Walked) -> None:
    files = sorted(path.name for path in (walked.book / "reports" / first_incident(walked)).iterdir())
    regimes = ("cn-cac-incident-2025", "cn-pipl-57", "eu-gdpr")
    assert files == [f"{regime}-initial-v1.{form}" for regime in regimes for form in ("html", "json")]


def test_the_record_verifies_against_the_heads_that_were_saved(walked: Walked) -> None:
    assert re.search(r"(?m)^sound, compared with \d+ heads", walked.output)
    document = incident(walked, "verify", "--head", str(walked.folder / "heads.json"))
    assert isinstance(document, dict)
    assert document["sound"] is True
    assert document["heads_compared"] == 2


def test_the_alert_opened_an_incident_whose_run_waits_for_a_person(walked: Walked) -> None:
    runs = incident(walked, "runs")
    assert isinstance(runs, list)
    waiting = [run for run in runs if run["state"] == "running"]
    assert len(waiting) == 1
    assert waiting[0]["incident"] != first_incident(walked)
    assert "cut-off-by-hand" in waiting[0]["waits_for"][0]


def test_the_first_hour_left_its_record(walked: Walked) -> None:
    listed = incident(walked, "list")
    assert isinstance(listed, list)
    [hour] = [each for each in listed if each["title"].startswith("Portal shows")]
    held = incident(walked, "hold", "list", hour["incident"])
    assert isinstance(held, dict)
    assert [(each["hold"], each["state"], each["accepted_by"]) for each in held["holds"]] == [
        ("H1", "lifted", ["anna"])
    ]
    signed = incident(walked, "decisions", hour["incident"])
    assert isinstance(signed, list)
    assert len(signed) == 3 and all(each["holds"] for each in signed)
    assert "“yes”" not in walked.output and "客服应答口径" in walked.output


def test_what_is_owed_was_met_written_and_approved(walked: Walked) -> None:
    listed = incident(walked, "list")
    assert isinstance(listed, list)
    [hour] = [each for each in listed if each["title"].startswith("Portal shows")]
    found = incident(walked, "duties", hour["incident"])
    assert isinstance(found, dict)
    status = {each["id"]: each["status"] for each in found["duties"]}
    assert status["cn-police-24h/police"] == "met"
    assert status["cn-cac-incident-2025/initial"] in ("running", "assumed")
    reviewed = {each["id"] for each in found["duties"] if each["reviewed"]}
    assert reviewed == {"cn-pipl-57/authority", "cn-pipl-57/people", "instruction/I1"}
    calendar = (walked.folder / "calendar.ics").read_text("utf-8")
    assert calendar.startswith("BEGIN:VCALENDAR") and "VALARM" in calendar
    register = (walked.folder / "register.csv").read_text("utf-8")
    assert hour["incident"] in register and first_incident(walked) in register
    bundle = json.loads((walked.folder / "incident-stix.json").read_text("utf-8"))
    assert bundle["type"] == "bundle"


@pytest.mark.parametrize("name", READMES[1:])
def test_both_readmes_are_the_same_walk(name: str) -> None:
    assert walk_of(name) == walk_of(READMES[0])


def test_both_readmes_give_the_same_commands() -> None:
    english, chinese = (text_of(name) for name in READMES)
    for language in ("console", "toml", "yaml", "text"):
        assert blocks(english, language) == blocks(chinese, language)
    assert [re.sub(r"\s+#.*", "", line) for line in "".join(blocks(english, "sh")).splitlines()] == [
        re.sub(r"\s+#.*", "", line) for line in "".join(blocks(chinese, "sh")).splitlines()
    ]


def test_both_readmes_draw_the_same_flow() -> None:
    english, chinese = (re.sub(r'"[^"]*"', '""', blocks(text_of(name), "mermaid")[0]) for name in READMES)
    assert english == chinese


def test_the_settings_and_facts_shown_are_those_of_the_example_files() -> None:
    readme = text_of("README.md")
    assert blocks(readme, "toml") == [(EXAMPLES / "settings.toml").read_text(encoding="utf-8")]
    assert "".join(blocks(readme, "yaml")) in (EXAMPLES / "facts.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", READMES)
def test_every_file_that_a_readme_links_to_exists(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", text_of(name))
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
