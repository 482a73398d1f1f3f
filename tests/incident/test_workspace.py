from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from incident.errors import NotFound, WorkspaceError
from incident.workspace import (
    Workspace,
    find_data,
    find_workspace,
    search_path,
    shipped,
    worker_lives,
    worker_lock,
)

ROOT = Path(__file__).parents[2]


def workspace_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "incident.toml").write_text("")
    return folder


def test_a_named_workspace_wins_over_the_environment_and_that_over_the_folder(tmp_path: Path) -> None:
    named, set_, near = (workspace_in(tmp_path / name) for name in ("named", "set", "near"))
    environment = {"INCIDENT_WORKSPACE": str(set_)}
    assert find_workspace(named, environment=environment, start=near).root == named.resolve()
    assert find_workspace(None, environment=environment, start=near).root == set_.resolve()
    assert find_workspace(None, environment={"INCIDENT_WORKSPACE": ""}, start=near).root == near.resolve()


def test_the_nearest_folder_upward_is_the_workspace(tmp_path: Path) -> None:
    outer = workspace_in(tmp_path / "outer")
    inner = workspace_in(outer / "a" / "inner")
    deep = inner / "b" / "c"
    deep.mkdir(parents=True)
    assert find_workspace(None, environment={}, start=deep).root == inner.resolve()
    assert find_workspace(None, environment={}, start=outer / "a").root == outer.resolve()


def test_where_there_is_none_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as nowhere:
        find_workspace(None, environment={}, start=tmp_path)
    with pytest.raises(WorkspaceError) as wrong:
        find_workspace(tmp_path, environment={}, start=tmp_path)
    for caught in (nowhere, wrong):
        assert caught.value.where == str(tmp_path)
        assert caught.value.next_step is not None and "incident init" in caught.value.next_step


def test_a_path_of_the_settings_counts_from_the_workspace_unless_it_is_absolute(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path.resolve())
    assert workspace.under("keyring") == tmp_path.resolve() / "keyring"
    assert workspace.under("/somewhere/else") == Path("/somewhere/else")


def test_the_workspaces_own_file_wins_over_the_shipped_one(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    name = sorted(file.name for file in shipped("playbooks").glob("*.yaml"))[0]
    assert find_data(workspace, "playbooks", name) == shipped("playbooks") / name
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / name).write_text("own")
    assert find_data(workspace, "playbooks", name).read_text() == "own"
    assert find_data(None, "playbooks", name) == shipped("playbooks") / name


def test_a_file_that_is_nowhere_names_every_place_that_was_searched(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(NotFound) as caught:
        find_data(workspace, "playbooks", "nothing.yaml")
    assert caught.value.where is not None
    assert all(str(place) in caught.value.where for place in search_path(workspace, "playbooks"))


def test_the_workers_lock_is_held_by_one_and_free_again_after_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert not worker_lives(workspace)
    with worker_lock(workspace) as first:
        assert first
        assert worker_lives(workspace)
        with worker_lock(workspace) as second:
            assert not second
        assert worker_lives(workspace), "asking must not let go of it"
    assert not worker_lives(workspace)
    with worker_lock(workspace) as again:
        assert again


HOLD = """
import sys, time
from pathlib import Path
from incident.workspace import Workspace, worker_lock
with worker_lock(Workspace(Path(sys.argv[1]))) as ours:
    print("held" if ours else "refused", flush=True)
    time.sleep(60)
"""


def test_the_lock_ends_with_its_process_even_by_kill_9(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    with process:
        try:
            assert process.stdout.readline() == "held\n"
            assert worker_lives(workspace)
            with worker_lock(workspace) as ours:
                assert not ours
        finally:
            process.send_signal(signal.SIGKILL)
    assert not worker_lives(workspace)
    with worker_lock(workspace) as ours:
        assert ours


def test_somebody_who_only_asks_never_keeps_a_worker_from_starting(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    over = threading.Event()

    def keep_asking() -> None:
        while not over.is_set():
            worker_lives(workspace)
            time.sleep(0.001)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        for _ in range(200):
            with worker_lock(workspace) as ours:
                assert ours
    finally:
        over.set()
        asking.join()


def test_a_lock_that_cannot_be_made_is_an_error_of_the_workspace(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as caught, worker_lock(Workspace(tmp_path / "nowhere")):
        pass
    assert caught.value.where == str(tmp_path / "nowhere" / "worker.lock")
