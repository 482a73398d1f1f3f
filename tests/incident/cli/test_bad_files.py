"""Files that cannot be taken as they are: one clear error each, exit code 1, database and files as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.estates import Estate, with_people, with_release

HEADER = "reference,name,email,phone,language,data\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"persons: 4\nprsons: 3\n", ["line 2", "prsons", "persons"], id="an unknown field"),
        pytest.param(b"", ["facts.yaml", "empty"], id="an empty file"),
        pytest.param(b"persons: [\n", ["facts.yaml, line", "YAML"], id="no YAML"),
        pytest.param(b"- 1\n- 2\n", ["facts.yaml", "field: value"], id="a list"),
        pytest.param(
            "what_happened: 接口配置错误\n".encode("gb18030"), ["facts.yaml", "UTF-8"], id="GB 18030"
        ),
        pytest.param(b"persons: many\n", ["line 1", "persons", "many"], id="a value of the wrong type"),
        pytest.param(b"persons: 1\npersons: 2\n", ["facts.yaml", "persons"], id="a field twice"),
        pytest.param(b"data_categories: [shoe_size]\n", ["shoe_size"], id="an unknown kind of data"),
    ],
)
def test_a_facts_file_that_cannot_be_taken_is_refused(
    estate: Estate, tmp_path: Path, content: bytes, says: list[str]
) -> None:
    file = tmp_path / "facts.yaml"
    file.write_bytes(content)
    estate.refused("open", "--title", "x", "--not-state-secret", "--facts", file, says=says)
    estate.refused("set", estate.id, "--facts", file, says=says)


def test_a_facts_file_that_is_a_folder_or_not_there_is_refused(estate: Estate, tmp_path: Path) -> None:
    words = ("open", "--title", "x", "--not-state-secret", "--facts")
    estate.refused(*words, tmp_path, says=[str(tmp_path), "Is a directory", "check the path"])
    estate.refused(*words, tmp_path / "no.yaml", says=["no.yaml", "No such file", "check the path"])


def test_facts_from_standard_input_are_refused_as_those_of_a_file(estate: Estate) -> None:
    estate.refused("set", estate.id, "--facts", "-", stdin="persn: 3\n", says=["standard input", "persn"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(
            f"{HEADER}1,Ann,not-an-address,,en,phone_number\n".encode(),
            ["row 1, email", "--keep-problems"],
            id="no address",
        ),
        pytest.param(f"{HEADER}1,Ann,a@example.org\n".encode(), ["row 1", "columns"], id="too few columns"),
        pytest.param(
            f"{HEADER}1,安妮,a@example.org,,zh,phone_number\n".encode("gb18030"),
            ["utf-8", "--encoding gb18030"],
            id="GB 18030",
        ),
        pytest.param(b"", ["empty", "header"], id="an empty file"),
        pytest.param(HEADER.encode(), ["no rows"], id="a header only"),
        pytest.param(b"a,b\n1,2\n", ["people.csv"], id="unknown columns"),
    ],
)
def test_a_list_of_people_that_cannot_be_taken_is_refused(
    estate: Estate, tmp_path: Path, content: bytes, says: list[str]
) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(content)
    answer = estate.refused("people", "import", estate.id, file, says=says)
    assert "not-an-address" not in answer.err
    assert "Ann" not in answer.err


def test_a_list_of_people_that_is_not_there_is_refused(estate: Estate, tmp_path: Path) -> None:
    estate.refused(
        "people", "import", estate.id, tmp_path / "no.csv", says=["no.csv", "No such file", "check"]
    )


def test_a_list_of_people_in_an_encoding_that_nobody_knows_is_refused(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f"{HEADER}1,Ann,a@example.org,,en,phone_number\n")
    estate.refused("people", "import", estate.id, file, "--encoding", "utf-9", says=["utf-9", "gb18030"])
    estate.refused(
        "people", "import", estate.id, file, "--language", "fr", code=2, says=["--language", "zh-Hans"]
    )
    estate.refused("people", "import", estate.id, file, "--categories", "shoe_size", says=["shoe_size"])


def _override(estate: Estate, name: str, old: str, new: str) -> None:
    shipped = Path(__file__).parents[3] / "templates" / name
    own = estate.root / "templates" / name
    own.parent.mkdir(parents=True, exist_ok=True)
    text = shipped.read_text("utf-8")
    assert old in text
    own.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param("{%", "{% nonsense %}{%", "nonsense", id="a syntax error"),
        pytest.param("{{", "{{ no_such_value }}{{", "no_such_value", id="an unknown value"),
    ],
)
@pytest.mark.parametrize("name", ["notice/email.txt.j2", "notice/public.html.j2"])
def test_a_notice_template_of_the_workspace_that_is_broken_is_refused(
    estate: Estate, name: str, old: str, new: str, says: str
) -> None:
    with_people(estate)
    _override(estate, name, old, new)
    estate.refused("notice", "check", estate.id, says=[name, says])
    estate.refused("notice", "draft", estate.id, says=[name, says])
    estate.refused("--as", "anna", "notice", "release", estate.id, says=[name, says])


def test_a_report_template_of_the_workspace_that_is_broken_is_refused(estate: Estate) -> None:
    _override(estate, "report/zh-Hans/report.html.j2", "{%", "{% nonsense %}{%")
    words = ("report", estate.id, "--regime", "cn-cac-incident-2025")
    estate.refused(*words, says=["report.html.j2", "nonsense"])


def test_without_the_shipped_templates_the_notice_is_refused(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_people(estate)
    monkeypatch.setattr("incident.workspace.shipped", lambda kind: tmp_path / "nothing" / kind)
    estate.refused(
        "notice", "check", estate.id, says=["no language", str(tmp_path / "nothing" / "templates")]
    )
    estate.refused("report", estate.id, "--regime", "eu-gdpr", says=["report.html.j2"])


def test_a_report_that_cannot_be_written_leaves_no_version(estate: Estate) -> None:
    target = estate.settings_file / "report.html"
    answer = estate.refused(
        "report", estate.id, "--regime", "eu-gdpr", "-o", target, says=[str(target), "-o"]
    )
    assert "cannot be written" in answer.err


def test_several_reports_do_not_go_into_one_file(estate: Estate, tmp_path: Path) -> None:
    estate.refused("report", estate.id, "-o", tmp_path / "r.html", code=2, says=["--regime"])
    assert not (tmp_path / "r.html").exists()


def test_evidence_is_taken_with_the_log_entry_or_not_at_all(estate: Estate, tmp_path: Path) -> None:
    one = tmp_path / "log.txt"
    one.write_text("203.0.113.66 GET /")
    words = ("log", estate.id, "seen in the log", "--evidence", one)
    estate.refused(*words, "--evidence", tmp_path / "none", says=["none", "No such file"])
    estate.refused(*words, "--at", "2040-01-01 10:00", says=["still to come"])
    estate.refused(*words, "--measure", "contain.everything", says=["contain.everything"])
    estate.refused(*words, "--corrects", "feed", says=["feed", "timeline"])
    estate.done(*words)
    assert [each["bytes"] for each in estate.done("evidence", "list", estate.id, "--json").document] == [18]
    assert estate.done("evidence", "verify", estate.id, "--json").document[0]["holds"] is True


def test_evidence_that_was_changed_in_custody_is_found(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text("203.0.113.66 GET /")
    estate.done("evidence", "add", estate.id, file)
    [blob] = (estate.root / "blobs" / estate.id).iterdir()
    damaged = bytearray(blob.read_bytes())
    damaged[-1] ^= 1
    blob.write_bytes(damaged)
    answer = estate.run("evidence", "verify", estate.id, "--json")
    assert answer.code == 1
    assert answer.document[0]["holds"] is False


def test_a_file_of_heads_that_is_none_is_refused(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "heads.json"
    for content in (b"", b"[]", b'{"format": "other", "heads": []}', b"\xff\xfe"):
        file.write_bytes(content)
        estate.refused("verify", "--head", file, says=["heads.json", "--save-head"])
    estate.refused("verify", "--head", tmp_path / "no.json", says=["No such file"])


def test_a_playbook_of_the_workspace_that_is_broken_is_refused_and_hides_no_other(estate: Estate) -> None:
    folder = estate.root / "playbooks"
    folder.mkdir()
    (folder / "bad.yaml").write_text("name: x\nsteps: []\n")
    (folder / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    estate.refused("run", "bad", "--on", estate.id, says=["bad.yaml", "workflow", "playbook lint"])
    estate.refused("run", "bytes", "--on", estate.id, says=["bytes.yaml", "UTF-8"])
    listed = estate.done("playbook", "list", "--json")
    names = {row["playbook"]: row["steps"] for row in listed.document}
    assert names["bad"] == names["bytes"] == 0
    assert names["personal-data-breach"] > 5
    assert "bad.yaml" in listed.err
    lint = estate.run("playbook", "lint", folder / "bad.yaml")
    assert lint.code == 1
    assert "workflow" in lint.out


def test_files_to_lint_that_are_not_there_are_named(estate: Estate, tmp_path: Path) -> None:
    for kind in ("law", "source", "gateway", "playbook"):
        answer = estate.run(kind, "lint", tmp_path / "no.yaml")
        assert answer.code == 1
        assert "no.yaml" in answer.text
        assert "cannot be read" in answer.text


def test_a_released_notice_goes_nowhere_when_the_relay_is_not_there(estate: Estate) -> None:
    with_release(estate)
    estate.refused("notice", "send", estate.id, says=["127.0.0.1:9", "connect", "[mail]"])


def test_who_said_what_a_file_holds_and_since_when_may_be_said_beside_it(
    estate: Estate, tmp_path: Path
) -> None:
    (tmp_path / "facts.yaml").write_text("persons: 41\n")
    said = ("--said-by", "the database team", "--known-at", "2025-12-03 02:00")
    estate.done("set", estate.id, "--facts", tmp_path / "facts.yaml", *said)
    facts = {each["field"]: each for each in estate.done("--json", "show", estate.id).document["facts"]}
    assert facts["persons"]["said_by"] == "the database team"
    assert facts["persons"]["known_at"] == "2025-12-02T18:00:00+00:00"
