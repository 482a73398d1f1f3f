"""What holds for every command: help, `--json`, options that work anywhere, and the errors of both."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st

from incident.cli.main import COMMANDS, app, hoist
from tests.support.commands import run, run_process
from tests.support.estates import Estate, make_key, with_people, with_release


def _all_commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    group: Any = typer.main.get_command(app)
    for name in COMMANDS:
        command: Any = group.get_command(None, name)
        found.append((name,))
        found += [(name, each) for each in getattr(command, "commands", {})]
    return found


ALL = _all_commands()


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_a_help(words: tuple[str, ...]) -> None:
    answer = run(*words, "--help")
    assert answer.code == 0, answer.text
    assert answer.out.startswith(f"Usage: incident {' '.join(words)}")
    assert answer.err == ""
    assert "--install-completion" not in answer.out


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    group: Any = typer.main.get_command(app)
    lines = {name: group.get_command(None, name).help for name in COMMANDS}
    assert lines == {name: line for name, (_, line) in COMMANDS.items()}
    listed = run("--help")
    assert listed.code == 0
    assert all(name in listed.out for name in COMMANDS)


def test_each_module_offers_only_commands_that_are_listed() -> None:
    for module in {module for module, _ in COMMANDS.values()}:
        found = importlib.import_module(f"incident.cli.{module}")
        built: Any = typer.main.get_command(found.app)
        named = set(getattr(built, "commands", {})) if not hasattr(found, "GROUP") else {found.GROUP}
        assert named <= set(COMMANDS), module


def test_the_version_is_told() -> None:
    from incident import __version__

    assert run("--version").out == f"incident {__version__}\n"


JSON: list[tuple[list[str], int]] = [
    (["list"], 0),
    (["doctor"], 1),
    (["operator", "list"], 0),
    (["operator", "list", "--allowed-signers"], 0),
    (["operator", "add", "zoe", "--key", "{keys}/zoe"], 0),
    (["operator", "retire", "carl"], 0),
    (["operator", "reach", "carl"], 0),
    (["operator", "reach", "carl", "--url", "env:CALL_CARL", "--deputy", "bo"], 0),
    (["operator", "reach", "carl", "--url", "syslog://"], 1),
    (["contact", "add", "provincial_cac", "--kind", "authority", "--name", "CAC", "--phone", "12387"], 0),
    (["contact", "add", "x", "--kind", "friend", "--name", "A"], 2),
    (["contact", "list"], 0),
    (["contact", "checked", "nobody"], 1),
    (["contact", "remove", "nobody"], 1),
    (["call", "{id}", "--role", "responder"], 0),
    (["call", "{id}"], 2),
    (["ack", "{id}"], 0),
    (["calls", "{id}"], 0),
    (["open", "--title", "x", "--not-state-secret"], 0),
    (["show", "{id}"], 0),
    (["show", "{id}", "--as-of", "{now}"], 0),
    (["set", "{id}", "persons=6"], 0),
    (["log", "{id}", "seen"], 0),
    (["measures"], 0),
    (["task", "add", "{id}", "call the host", "--owner", "bo", "--due", "+2h"], 0),
    (["task", "list", "{id}"], 0),
    (["task", "done", "{id}", "T1"], 1),
    (["task", "drop", "{id}", "T1", "--reason", "not needed"], 1),
    (["timeline", "{id}"], 0),
    (["close", "{id}"], 0),
    (["--as", "anna", "decide", "{id}", "--question", "q", "--decision", "d", "--reasons", "r"], 0),
    (["--as", "anna", "decide", "{id}", "--question", "q", "--decision", "d"], 2),
    (["decisions", "{id}"], 0),
    (["decisions", "{id}", "--save", "{keys}/signed"], 0),
    (["--as", "anna", "counsel", "add", "{id}", "settle it"], 1),
    (["--as", "anna", "counsel", "list", "{id}"], 1),
    (["evidence", "add", "{id}", "{keys}/anna.pub"], 0),
    (["evidence", "list", "{id}"], 0),
    (["evidence", "verify", "{id}"], 0),
    (["evidence", "show", "{id}", "00"], 1),
    (["evidence", "take", "{id}", "00", "-o", "{keys}/copy", "--reason", "an expert looks at it"], 1),
    (["ask", "{id}"], 0),
    (["ask", "{id}", "--all"], 0),
    (["answer", "{id}", "persons", "5"], 0),
    (["answer", "{id}", "cii_involved", "perhaps"], 1),
    (["answer", "{id}", "cii_involved"], 2),
    (["duties", "{id}"], 0),
    (["duties", "{id}", "--why", "--all"], 0),
    (["duties"], 0),
    (["duties", "--ics", "-"], 0),
    (["duties", "{id}", "--ics", "{keys}/duties.ics"], 0),
    (["duties", "--all"], 0),
    (["meet", "{id}", "eu-gdpr/authority", "--how", "portal"], 0),
    (["meet", "{id}", "eu-gdpr/authorty", "--how", "portal"], 1),
    (["meet", "{id}", "eu-gdpr/authority"], 2),
    (["meet", "{id}", "eu-gdpr/authority", "--withdraw", "it was not"], 1),
    (["--as", "anna", "waive", "{id}", "eu-gdpr/authority", "--reason", "r", "--evidence", "00"], 1),
    (["waive", "{id}", "eu-gdpr/authority"], 2),
    (["waive", "{id}", "eu-gdpr/authority", "--withdraw", "it was not"], 1),
    (["grade", "{id}", "--why"], 0),
    (["register"], 0),
    (["register", "--format", "csv", "-o", "{keys}/register.csv"], 0),
    (["register", "--format", "html", "-o", "{keys}/register.html", "--country", "eu"], 0),
    (["register", "--from", "2099-01-01 00:00", "--format", "json"], 0),
    (["register", "--format", "docx"], 2),
    (["register", "--country", "xx"], 2),
    (["hold", "add", "{id}", "--by", "police", "--until", "+48h"], 0),
    (["hold", "add", "{id}", "--by", "police", "--until", "-1h"], 1),
    (["hold", "add", "{id}", "--by", "police"], 2),
    (["hold", "extend", "{id}", "H1", "--until", "+72h"], 1),
    (["--as", "anna", "hold", "accept", "{id}", "H1"], 1),
    (["--as", "anna", "hold", "lift", "{id}", "H1", "--reason", "agreed"], 1),
    (["hold", "list", "{id}"], 0),
    (["hold", "show", "{id}", "H1"], 1),
    (["instruction", "add", "{id}", "hand it over", "--from", "CAC", "--effect", "require"], 0),
    (["instruction", "add", "{id}", "x", "--from", "CAC", "--effect", "hold"], 2),
    (["instruction", "list", "{id}"], 0),
    (["instruction", "settle", "{id}", "I1", "--how", "done"], 1),
    (["people", "stats", "{id}"], 0),
    (["people", "problems", "{id}"], 0),
    (["people", "problems", "{id}", "--list", "1"], 0),
    (["people", "problems", "{id}", "--list", "9"], 1),
    (["people", "show", "{id}", "C000001"], 0),
    (["people", "show", "{id}", "nobody"], 1),
    (["--as", "anna", "people", "show", "{id}", "C000001", "--reveal"], 1),
    (["--as", "anna", "people", "show", "{id}", "C000001", "--reveal", "--reason", "A caller asks"], 0),
    (["people", "import", "{id}", "{people}"], 0),
    (["people", "import", "{id}", "{people}", "--dry-run"], 0),
    (
        ["people", "match", "{id}", "--affected", "{people}", "--directory", "{people}", "--on", "reference"],
        0,
    ),
    (["run", "personal-data-breach", "--on", "{id}", "--dry-run"], 0),
    (["run", "personal-data-breach", "--on", "{id}", "--dry-run", "--var", "colour=red"], 1),
    (["run", "personal-data-breach", "--on", "{id}"], 0),
    (["run", "personal-data-breach", "--on", "{id}", "--detach"], 0),
    (["runs"], 0),
    (["containment", "list"], 0),
    (["containment", "{id}"], 0),
    (["containment", "keep", "{id}", "C1", "--until", "+24h", "--reason", "not over"], 1),
    (["containment", "keep", "{id}", "C1", "--until", "+24h"], 2),
    (["undo", "RUN-2026-0001-9"], 1),
    (["undo", "RUN-2026-0001-9", "--dry-run"], 1),
    (["notice", "draft", "{id}"], 0),
    (["notice", "check", "{id}"], 0),
    (["notice", "edit", "{id}", "cause", "--language", "en", "--text", "A gateway was open."], 0),
    (["notice", "preview", "{id}"], 0),
    (["notice", "preview", "{id}", "--channel", "public", "-o", "{keys}/page.html"], 0),
    (["notice", "preview", "{id}", "--channel", "sms", "--with", "longest"], 0),
    (["notice", "preview", "{id}", "--channel", "voice", "-o", "{keys}/call.txt"], 0),
    (["--as", "anna", "notice", "release", "{id}"], 0),
    (["notice", "status", "{id}"], 0),
    (["notice", "send", "{id}"], 1),
    (["notice", "verify", "{id}", "nonsense"], 1),
    (["plan", "{id}"], 0),
    (["plan", "{id}", "--start", "+2h"], 0),
    (["deliveries", "{id}"], 0),
    (["deliveries", "{id}", "--unreached", "--format", "csv"], 0),
    (["report", "{id}"], 0),
    (["report", "{id}", "--regime", "eu-gdpr", "--format", "text", "-o", "-"], 0),
    (["report", "{id}", "--regime", "eu-gdpr", "--submitted", "portal"], 0),
    (["brief", "{id}", "--for", "hq"], 0),
    (["brief", "{id}", "--for", "press", "--language", "zh-Hans", "-o", "{keys}/brief.txt"], 0),
    (["brief", "{id}", "--for", "mayor"], 2),
    (["brief", "{id}"], 2),
    (["handover", "{id}", "--to", "bo"], 0),
    (["handover", "{id}", "--since", "2099-01-01 00:00"], 1),
    (["export", "{id}", "--format", "veris"], 0),
    (["export", "{id}", "--format", "stix", "--tlp", "green", "-o", "{keys}/bundle.json"], 0),
    (["export", "{id}", "--format", "veris", "--tlp", "red"], 2),
    (["export", "{id}", "--format", "docx"], 2),
    (["export", "{id}"], 2),
    (["verify"], 0),
    (["verify", "{id}", "--save-head", "{keys}/heads.json"], 0),
    (["check"], 0),
    (["check", "{id}"], 0),
    (["backup", "{keys}/b.tgz"], 0),
    (["backup", "-"], 2),
    (["restore", "{keys}/zoe", "{keys}/r"], 1),
    (["restore", "{keys}/zoe"], 2),
    (["--as", "anna", "restore", "--activate", "--reason", "it is"], 0),
    (["move", "--to", "sqlite:///moved.db"], 0),
    (["move"], 2),
    (["purge", "{id}", "--dry-run"], 0),
    (["engine", "status"], 0),
    (["engine", "limits", "--mail-per-second", "50"], 0),
    (["engine", "reset"], 0),
    (["worker", "--brake", "--reason", "a wrong text"], 0),
    (["worker", "--release"], 0),
    (["worker", "--brake", "--release"], 2),
    (["notice", "pause", "{id}"], 1),
    (["notice", "resume", "{id}"], 1),
    (["notice", "report-phishing", "{id}"], 1),
    (["law", "list"], 0),
    (["law", "lint"], 0),
    (["notice", "lint"], 0),
    (["notice", "new-language", "vi"], 0),
    (["law", "categories"], 0),
    (["law", "categories", "--country", "US-CA"], 0),
    (["law", "categories", "--country", "ZZ"], 1),
    (["law", "remedies"], 0),
    (["law", "show", "eu-gdpr"], 0),
    (["law", "show", "no-such"], 1),
    (["law", "new", "own-clause", "--from", "cn-pipl-57"], 0),
    (["--as", "anna", "law", "approve", "eu-gdpr", "--until", "2027-01-01"], 1),
    (["--as", "anna", "law", "approve", "eu-gdpr", "--withdraw"], 1),
    (["law", "approve", "eu-gdpr"], 2),
    (["bounces", "take"], 1),
    (["bounces", "take", "no-such-file.eml"], 1),
    (["bounces", "list"], 1),
    (["bounces", "settle", "no-such-message", "--discard"], 1),
    (["--as", "anna", "call-list", "export", "{id}", "-o", "calls"], 1),
    (["call-list", "import", "{id}", "no-such-file.csv"], 1),
    (["call-list", "record", "{id}", "nonsense", "told"], 1),
    (["call-list", "show", "{id}", "nonsense"], 1),
    (["call-list", "list", "{id}"], 0),
    (["call-list", "close", "{id}", "1"], 1),
    (["call-list", "deleted", "{id}", "1", "--by", "Li Na"], 1),
    (["source", "list"], 0),
    (["source", "lint"], 0),
    (["source", "test", "wazuh"], 0),
    (["gateway", "list"], 0),
    (["gateway", "lint"], 0),
    (["gateway", "lint", "no-such-file.yaml"], 1),
    (["playbook", "list"], 0),
    (["playbook", "show", "personal-data-breach"], 0),
    (["playbook", "show", "personal-data-breach", "--deep"], 0),
    (["playbook", "show", "personal-data-breach", "--format", "mermaid"], 0),
    (["playbook", "lint"], 0),
    (["playbook", "export", "personal-data-breach"], 0),
    (["playbook", "import", "no-such-file.json"], 1),
    (["show", "INC-1999-0001"], 1),
    (["show"], 2),
    (["frobnicate"], 2),
    (["serve", "coffee"], 2),
]


@pytest.mark.parametrize(("words", "code"), JSON, ids=[" ".join(words) for words, _ in JSON])
def test_with_json_there_is_one_document_on_stdout(
    estate: Estate, tmp_path: Path, words: list[str], code: int
) -> None:
    with_people(estate)
    make_key(tmp_path / "zoe")
    make_key(tmp_path / "anna")
    values = {
        "id": estate.id,
        "keys": str(tmp_path),
        "people": str(estate.keys.parent / "people-6.csv"),
        "now": "2099-01-01 00:00",
    }
    filled = [word.format(**values) for word in words]
    key = str(estate.keys / "anna")
    answer = estate.run(*filled, "--json", INCIDENT_SIGNING_KEY=key)
    assert answer.code == code, answer.text
    assert answer.document is not None
    if code == 2 or (code == 1 and answer.err.startswith("error")):
        assert set(answer.document) == {"error"}
        assert answer.document["error"]["what"]


def test_every_command_is_tried_with_json() -> None:
    groups = {words[0] for words in ALL if len(words) == 2}
    asked = [words[words.index("anna") + 1 :] if words[0] == "--as" else words for words, _ in JSON]
    tried = {tuple(words[: 2 if words[0] in groups else 1]) for words in asked}
    # These wait for people or run on; the tests of runs, of serving and of the drill look at them.
    elsewhere = {("init",), ("approve",), ("reject",), ("done",), ("cancel",), ("drill",)}
    reveal = {words for words in ALL if words[-1] == "reveal"}
    wanted = {words for words in ALL if len(words) == 2 or words[0] not in groups}
    assert wanted - tried - elsewhere - reveal == set()


def test_the_commands_of_a_run_print_one_document_too(estate: Estate) -> None:
    run_id = estate.done("run", "personal-data-breach", "--on", estate.id, "--json").document["run"]
    step = "cut-off-by-hand"
    given = ("--value", "contained_at=2026-11-23 08:00")
    after = estate.done("done", run_id, step, *given, "--json").document
    assert after["run"] == run_id
    assert step not in [each["step"] for each in after["waits_for"]]
    for words in (("approve", run_id, "x"), ("reject", run_id, "x")):
        answer = estate.run("--as", "anna", "--json", *words)
        assert answer.code == 1
        assert "x" in answer.document["error"]["what"]
    assert estate.done("cancel", run_id, "--json").document["state"] != "running"


def test_options_for_all_commands_work_anywhere(estate: Estate) -> None:
    words = ("notice", "check", estate.id)
    documents = [
        run("--workspace", estate.root, "--json", *words),
        run(*words, "--json", "--workspace", estate.root),
        run(*words, f"--workspace={estate.root}", "--json"),
        run("notice", "--json", "--workspace", estate.root, "check", estate.id),
        run(*words, "--json", environment={"INCIDENT_WORKSPACE": str(estate.root)}),
    ]
    assert {answer.out for answer in documents} == {documents[0].out}
    assert documents[0].document
    assert (
        run(*words, "--workspace", estate.root, "--as", "zed").code
        == run(*words, "--workspace", estate.root).code
    )


def test_words_after_two_dashes_are_text_not_options(estate: Estate) -> None:
    answer = estate.done("log", estate.id, "--", "--json")
    assert "logged for" in answer.out
    assert "--json" in estate.done("timeline", estate.id).out
    refused = estate.run("log", "INC-1", "--", "--json")
    assert refused.code == 1
    assert refused.out == ""


@given(st.lists(st.sampled_from(["--json", "--as", "a", "--", "--workspace=x", "show", "--workspace"])))
def test_hoisting_loses_no_word_and_leaves_what_follows_two_dashes(words: list[str]) -> None:
    hoisted = hoist(words)
    assert sorted(hoisted) == sorted(words)
    if "--" in words:
        tail = words[words.index("--") :]
        taken_as_value = words[words.index("--") - 1 : words.index("--")] in (["--as"], ["--workspace"])
        assert taken_as_value or hoisted[-len(tail) :] == tail


def test_what_a_person_reads_comes_in_both_languages(estate: Estate) -> None:
    chinese = estate.done("duties", estate.id, INCIDENT_LANGUAGE="zh-Hans").out
    assert "应履行" in chinese
    assert "owed" in estate.done("duties", estate.id).out


def test_interrupting_is_exit_code_1_and_no_traceback(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_store: object) -> list[Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr("incident.record.incidents.list_incidents", interrupt)
    answer = estate.run("list")
    assert (answer.code, answer.out, answer.err) == (1, "", "stopped\n")


def test_a_failure_of_the_system_is_an_error_of_ours_with_its_file(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_store: object) -> list[Any]:
        raise PermissionError(13, "Permission denied", "/some/file")

    monkeypatch.setattr("incident.record.incidents.list_incidents", fail)
    answer = estate.run("list", "--json")
    assert answer.code == 1
    assert answer.document["error"]["where"] == "/some/file"
    assert "Permission denied" in answer.err


def test_the_process_answers_as_the_function_does(estate: Estate) -> None:
    there = run_process("--workspace", estate.root, "show", estate.id, "--json")
    assert there.code == 0, there.text
    assert there.document == estate.done("show", estate.id, "--json").document
    gone = run_process("--workspace", estate.root, "show", "INC-1999-0001", "--json")
    assert gone.code == 1
    assert json.loads(gone.out)["error"]["next_step"]
    assert run_process("frobnicate").code == 2


def test_a_release_takes_two_people_and_an_edit_voids_it(estate: Estate) -> None:
    with_people(estate)
    first = estate.done("--as", "anna", "notice", "release", estate.id, "--json").document
    assert (first["released"], first["signed_by"], first["needed"]) == (False, ["anna"], 2)
    edit = "what_happened: {zh-Hans: 查询接口被打开, en: A search interface was left open.}\n"
    estate.done("set", estate.id, "--facts", "-", stdin=edit)
    second = estate.done("--as", "bo", "notice", "release", estate.id, "--json").document
    assert (second["released"], second["signed_by"]) == (False, ["bo"])
    assert second["content_hash"] != first["content_hash"]
    third = estate.done("--as", "anna", "notice", "release", estate.id, "--json").document
    assert third["released"] is True
    stale = ("--as", "bo", "notice", "release", estate.id, "--content", first["content_hash"])
    assert estate.run(*stale).code == 1


def test_a_released_notice_is_listed_as_such(estate: Estate) -> None:
    with_release(estate)
    document = estate.done("notice", "draft", estate.id, "--json").document
    assert document["releasable"] is True
