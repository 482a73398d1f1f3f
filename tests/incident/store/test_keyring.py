from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incident.errors import KeyDestroyed, KeyMissing, WorkspaceError
from incident.store.keyring import Keyring

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keyring")


def test_a_key_is_kept_in_a_file_that_only_its_owner_can_read(ring: Keyring) -> None:
    key = ring.create("INC-2026-0001", now=NOW)
    assert len(key) == 32
    assert (ring.folder / "INC-2026-0001.key").stat().st_mode & 0o777 == 0o600
    assert ring.folder.stat().st_mode & 0o777 == 0o700
    assert Keyring(ring.folder).get("INC-2026-0001") == key


def test_a_name_is_given_once(ring: Keyring) -> None:
    key = ring.create("a", now=NOW)
    with pytest.raises(WorkspaceError, match="already holds"):
        Keyring(ring.folder).create("a", now=NOW)
    assert Keyring(ring.folder).get("a") == key


@pytest.mark.parametrize("name", ["", "../a", "a/b", "a\n", "a.key", "a" * 65])
def test_a_name_that_could_lead_elsewhere_is_refused(ring: Keyring, name: str) -> None:
    with pytest.raises(KeyMissing, match="no name of a key"):
        ring.get(name)
    with pytest.raises(KeyMissing, match="no name of a key"):
        ring.create(name, now=NOW)


def test_a_key_that_is_not_there_is_missing_and_the_error_says_what_to_do(ring: Keyring) -> None:
    with pytest.raises(KeyMissing) as caught:
        ring.get("a")
    assert not isinstance(caught.value, KeyDestroyed)
    assert caught.value.where == str(ring.folder)
    assert caught.value.next_step is not None and "store.keyring" in caught.value.next_step
    assert not ring.has("a") and not ring.is_taken("a")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"key": 7}',
        '{"key": "%%%"}',
        json.dumps({"key": base64.b64encode(b"short").decode()}),
    ],
)
def test_a_damaged_key_file_is_a_missing_key(ring: Keyring, content: str) -> None:
    ring.folder.mkdir()
    (ring.folder / "a.key").write_text(content)
    with pytest.raises(KeyMissing) as caught:
        ring.get("a")
    assert caught.value.where == str(ring.folder / "a.key")


def test_a_destroyed_key_is_gone_with_its_bytes_and_says_when(ring: Keyring) -> None:
    ring.create("a", now=NOW)
    ring.destroy("a", now=NOW)
    assert [file.name for file in ring.folder.iterdir()] == ["a.destroyed"]
    assert ring.destroyed_at("a") == NOW.isoformat()
    with pytest.raises(KeyDestroyed, match="2026-11-23"):
        ring.get("a")
    assert not ring.has("a")
    assert ring.is_taken("a")


def test_a_key_that_another_process_destroyed_is_not_used_from_memory(ring: Keyring) -> None:
    ring.create("a", now=NOW)
    elsewhere = Keyring(ring.folder)
    elsewhere.get("a")
    ring.destroy("a", now=NOW)
    with pytest.raises(KeyDestroyed):
        elsewhere.get("a")


def test_destroying_again_finishes_what_a_crash_left(ring: Keyring) -> None:
    ring.create("a", now=NOW)
    content = (ring.folder / "a.key").read_bytes()
    ring.destroy("a", now=NOW)
    (ring.folder / "a.key").write_bytes(content)
    assert not ring.has("a")
    with pytest.raises(KeyDestroyed):
        Keyring(ring.folder).get("a")
    ring.destroy("a", now=NOW.replace(year=2027))
    assert not (ring.folder / "a.key").exists()
    assert ring.destroyed_at("a") == NOW.isoformat()


def test_destroying_a_key_that_was_never_there_is_refused(ring: Keyring) -> None:
    ring.folder.mkdir()
    with pytest.raises(KeyMissing):
        ring.destroy("a", now=NOW)
    assert not ring.is_taken("a")


def test_a_tombstone_that_says_nothing_is_an_error_that_names_it(ring: Keyring) -> None:
    ring.create("a", now=NOW)
    (ring.folder / "a.destroyed").write_text("")
    with pytest.raises(KeyMissing) as caught:
        ring.get("a")
    assert caught.value.where == str(ring.folder / "a.destroyed")


def test_a_discarded_key_leaves_nothing(ring: Keyring) -> None:
    ring.create("a", now=NOW)
    ring.discard("a")
    assert list(ring.folder.iterdir()) == []
    with pytest.raises(KeyMissing):
        ring.get("a")


def test_a_keyring_that_cannot_be_written_is_an_error_of_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        Keyring(tmp_path / "file").create("a", now=NOW)


FULL_DISK = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from incident.errors import WorkspaceError
from incident.store.keyring import Keyring
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))
try:
    Keyring(Path(sys.argv[1])).create("a", now=datetime(2026, 1, 1, tzinfo=UTC))
except WorkspaceError as error:
    print("refused:", error.what)
"""


def test_a_key_that_fits_on_the_disk_only_in_part_leaves_no_file(tmp_path: Path) -> None:
    ring = tmp_path / "ring"
    ring.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(ring)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("refused: the key a cannot be written")
    assert list(ring.iterdir()) == []
