"""`incident playbook import`, `export` and `lint`."""

import json
from pathlib import Path
from typing import Any

from tests.support.estates import Estate

ACT = "action--808b60f0-e6f4-45f0-87aa-b193ec27b8f8"
END = "end--12944823-2e36-453b-8998-aba3b26f513e"
TEAM = "group--624befeb-fd75-4340-9fa6-1445328c40b7"


def theirs(folder: Path, **more: Any) -> Path:
    file = folder / "Their Playbook.json"
    document = {
        "type": "playbook",
        "spec_version": "cacao-2.0",
        "id": "playbook--11036b97-0d3c-4922-9a9c-d3ae649c1d33",
        "name": "Theirs",
        "created_by": "identity--5abe695c-7bd5-4c31-8824-2528696cdbf1",
        "created": "2025-08-20T08:00:00.000Z",
        "modified": "2025-08-20T08:00:00.000Z",
        "workflow_start": ACT,
        "workflow": {
            ACT: {
                "type": "action",
                "agent": TEAM,
                "commands": [{"type": "manual", "command": "look at {{ host }}"}],
                "on_completion": END,
            },
            END: {"type": "end"},
        },
        "agent_definitions": {TEAM: {"type": "group", "name": "Team"}},
        **more,
    }
    file.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return file


def test_a_foreign_playbook_is_repaired_reported_run_and_handed_out(estate: Estate, tmp_path: Path) -> None:
    file = theirs(tmp_path)
    tried = estate.done("playbook", "import", file, "--dry-run", "--json").document
    assert tried["file"] is None
    assert not (estate.root / "playbooks" / "their-playbook.yaml").exists()
    taken = estate.done("playbook", "import", file, "--json").document
    assert taken["name"] == "their-playbook"
    assert taken["runs_here"]
    assert {"variable", "undeclared-variable", "no-start"} <= {each["code"] for each in taken["repairs"]}
    assert all(each["where"].startswith(file.name) for each in taken["repairs"])
    assert estate.done("playbook", "lint", Path(taken["file"])).code == 0
    run = estate.done("run", "their-playbook", "--on", estate.id, "--var", "host=db1", "--json").document
    assert run["run"]
    exported = estate.done("playbook", "export", "their-playbook").document
    assert exported["id"] == taken["id"]
    assert exported["derived_from"] == ["playbook--11036b97-0d3c-4922-9a9c-d3ae649c1d33"]


def test_the_report_reads_as_text_and_names_what_is_needed(estate: Estate, tmp_path: Path) -> None:
    answer = estate.done("playbook", "import", theirs(tmp_path, created="2025-08-20"), "--name", "x")
    assert "2025-08-20T08:00:00.000Z" not in answer.out
    assert "2025-08-20T00:00:00.000Z" in answer.out
    assert "it can be run here: incident run x" in answer.out


def test_a_playbook_of_that_name_is_kept_unless_it_shall_be_replaced(estate: Estate, tmp_path: Path) -> None:
    file = theirs(tmp_path)
    estate.done("playbook", "import", file, "--name", "x")
    estate.refused("playbook", "import", file, "--name", "x", says=["x already", "--replace"])
    estate.refused("playbook", "import", file, "--name", "y", says=["here already", "--name x --replace"])
    estate.done("playbook", "import", file, "--name", "x", "--replace")


def test_what_cannot_be_repaired_is_refused_with_the_reason(estate: Estate, tmp_path: Path) -> None:
    broken = theirs(tmp_path, workflow_start="nowhere")
    estate.refused("playbook", "import", broken, says=["Their Playbook.json", "start"])
    estate.refused("playbook", "import", tmp_path / "none.json", says=["none.json"])
    estate.refused("playbook", "import", theirs(tmp_path), "--name", "../x", says=["--name"])


def test_it_can_be_written_elsewhere(estate: Estate, tmp_path: Path) -> None:
    output = tmp_path / "out.yaml"
    estate.done("playbook", "import", theirs(tmp_path), "-o", output)
    assert output.read_text(encoding="utf-8").startswith("# Imported from Their Playbook.json, sha256 ")
    assert not (estate.root / "playbooks").exists() or not list((estate.root / "playbooks").glob("their*"))


def test_an_export_that_breaks_the_standard_is_refused(estate: Estate, tmp_path: Path) -> None:
    estate.done("playbook", "import", theirs(tmp_path, playbook_types=["notification"]), "--name", "x")
    estate.refused("playbook", "export", "x", says=["compose-content", "playbook_activity"])


def test_lint_says_how_each_finding_is_cured(estate: Estate, tmp_path: Path) -> None:
    answer = estate.run("playbook", "lint", theirs(tmp_path, priority=101), "--json")
    assert answer.code == 1
    found = {each["code"]: each for each in answer.document}
    assert found["number-range"]["cure"] == "write a whole number from 0 to 100"
    assert found["number-range"]["where"].startswith("Their Playbook.json:")
