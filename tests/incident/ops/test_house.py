from pathlib import Path

import pytest

from incident.ops.house import name_of_playbook
from incident.workspace import Workspace

CALLED = "playbook--6d74ecc7-fe91-4607-8f97-399cd0b3f58d"
CALLER = f"""\
name: Caller
id: playbook--11036b97-0d3c-4922-9a9c-d3ae649c1d33
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
workflow:
  start: {{type: start, on_completion: call}}
  call: {{type: playbook-action, playbook_id: {CALLED}, on_completion: end}}
  end: {{type: end}}
"""
PART = """\
name: Part
{id}
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
workflow:
  start: {{type: start, on_completion: end}}
  end: {{type: end}}
"""


@pytest.mark.parametrize("written", ["id: {}", "'id': '{}'", '"id" : "{}"'])
def test_a_playbook_is_found_by_its_id_also_behind_one_that_calls_it(tmp_path: Path, written: str) -> None:
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "a-caller.yaml").write_text(CALLER)
    (folder / "b-comment.yaml").write_text(f"# id: {CALLED}\n{PART.format(id='')}")
    (folder / "c-part.yaml").write_text(PART.format(id=written.format(CALLED)))
    assert name_of_playbook(Workspace(tmp_path), CALLED) == "c-part"


def test_an_id_that_no_playbook_has_names_none(tmp_path: Path) -> None:
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "a-caller.yaml").write_text(CALLER)
    assert name_of_playbook(Workspace(tmp_path), "playbook--00000000-0000-4000-8000-000000000000") is None
    assert (
        name_of_playbook(Workspace(tmp_path), "playbook--11036b97-0d3c-4922-9a9c-d3ae649c1d33") == "a-caller"
    )
