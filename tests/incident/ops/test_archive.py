"""The file of a backup: what was put in comes out, and nothing else is taken for one."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.ops.archive import ArchiveWriter, examine, unpack

PLENTY = 1 << 40
GOOD = {
    "incident.db": b"a database",
    "incident.toml": b"[store]\n",
    "blobs/INC-1/e1.sealed": b"sealed" * 1000,
}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    """A backup of these files, as `incident backup` writes it."""
    source, target = folder / "source", folder / "backup.tgz"
    with target.open("wb") as out:
        archive = ArchiveWriter(out)
        for number, (name, content) in enumerate(files.items()):
            file = source / str(number)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
            archive.add_file(name, file)
        archive.finish({"taken_at": "now"})
    return target


Entry = tuple[tarfile.TarInfo, bytes]


def entry(name: str, content: bytes = b"x", **fields: Any) -> Entry:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def by_hand(
    folder: Path, *entries: Entry, manifest: dict[str, Any] | None = None, behind: bytes = b""
) -> Path:
    """An archive that no version of ours wrote; its manifest agrees with it unless another is given."""
    members = {
        info.name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for info, content in entries
    }
    said = manifest if manifest is not None else {"format": "tocsin-backup/1", "members": members}
    file = folder / "by-hand.tgz"
    with gzip.open(file, "wb") as out:
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for info, content in [*entries, entry("manifest.json", json.dumps(said).encode())]:
                archive.addfile(info, io.BytesIO(content))
        out.write(behind)
    return file


def refused(file: Path, says: str, *, room: int = PLENTY) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        examine(file, room=room)
    assert caught.value.where == str(file)
    assert caught.value.next_step


def test_what_was_put_in_comes_out(tmp_path: Path) -> None:
    names = {
        "playbooks/遏制 泄露.yaml": b"\0\xff",
        "templates/" + "long/" * 60 + "x": b"",
        "public/empty": b"",
    }
    files = {**GOOD, **names, "blobs/block": b"b" * 512 * 3}
    examined = examine(written(tmp_path, files), room=PLENTY)
    assert examined.manifest["taken_at"] == "now"
    assert examined.size == sum(map(len, files.values()))
    unpack(examined, tmp_path / "out")
    found = {
        file.relative_to(tmp_path / "out").as_posix(): file.read_bytes()
        for file in (tmp_path / "out").rglob("*")
        if file.is_file()
    }
    assert found == files


def test_rights_come_out_without_those_that_let_others_write_or_become_somebody(tmp_path: Path) -> None:
    names = {"public/a": 0o644, "public/b": 0o666, "public/c": 0o000, "public/d": 0o6777}
    good = [entry(name, content) for name, content in GOOD.items()]
    file = by_hand(tmp_path, *good, *(entry(name, mode=mode) for name, mode in names.items()))
    unpack(examine(file, room=PLENTY), tmp_path / "out")
    modes = {name: (tmp_path / "out" / name).stat().st_mode & 0o7777 for name in names}
    assert modes == {"public/a": 0o644, "public/b": 0o644, "public/c": 0o600, "public/d": 0o755}


def test_a_file_that_is_gone_leaves_the_archive_whole(tmp_path: Path) -> None:
    with (tmp_path / "x.tgz").open("wb") as out:
        archive = ArchiveWriter(out)
        with pytest.raises(FileNotFoundError):
            archive.add_file("public/gone", tmp_path / "gone")
        for name in ("incident.db", "incident.toml"):
            (tmp_path / name).write_bytes(b"x")
            archive.add_file(name, tmp_path / name)
        archive.finish({})
    assert set(examine(tmp_path / "x.tgz", room=PLENTY).members) == {"incident.db", "incident.toml"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_truncated_file_is_never_taken(tmp_path: Path, data: st.DataObject) -> None:
    whole = _whole(tmp_path)
    (tmp_path / "cut.tgz").write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    refused(tmp_path / "cut.tgz", "no whole backup")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_changed_file_is_taken_only_where_its_content_is_the_same(
    tmp_path: Path, data: st.DataObject
) -> None:
    """Some bits of a gzip stream may be either way: zeros copied from further back are the same zeros."""
    whole = _whole(tmp_path)
    place = data.draw(st.integers(10, len(whole) - 1))
    changed = whole[:place] + bytes([whole[place] ^ 1 << data.draw(st.integers(0, 7))]) + whole[place + 1 :]
    (tmp_path / "changed.tgz").write_bytes(changed)
    if _unzipped(changed) == gzip.decompress(whole):
        assert (
            examine(tmp_path / "changed.tgz", room=PLENTY).members
            == examine(tmp_path / "backup.tgz", room=PLENTY).members
        )
    else:
        refused(tmp_path / "changed.tgz", "no whole backup")


def _whole(tmp_path: Path) -> bytes:
    file = tmp_path / "backup.tgz"
    if not file.exists():
        written(tmp_path, {**GOOD, "blobs/noise": random.Random(1).randbytes(3000)})
    return file.read_bytes()


def _unzipped(content: bytes) -> bytes | None:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return None


def test_something_else_is_no_backup(tmp_path: Path) -> None:
    for content in (b"", b"not a tar", gzip.compress(b"not a tar" * 1000), gzip.compress(b"\0" * 4096)):
        (tmp_path / "x").write_bytes(content)
        refused(tmp_path / "x", "no whole backup")
    with pytest.raises(BadInput, match="cannot be read"):
        examine(tmp_path / "nowhere", room=PLENTY)
    with pytest.raises(BadInput, match="cannot be read"):
        examine(tmp_path, room=PLENTY)


GOOD_ENTRIES = [entry(name, content) for name, content in GOOD.items()]
HARMFUL: dict[str, tuple[Entry, ...]] = {
    "a path upward": (entry("blobs/../../outside"),),
    "an absolute path": (entry("/etc/passwd"),),
    "a name of nothing": (entry("blobs/./x"),),
    "two slashes": (entry("blobs//x"),),
    "another folder": (entry("keyring/workspace.key"),),
    "another file": (entry("worker.lock"),),
    "a hidden way to another folder": (entry("blobs"),),
    "the same name twice": (entry("blobs/INC-1/e1.sealed", GOOD["blobs/INC-1/e1.sealed"]),),
    "a file that is a folder too": (entry("blobs/x"), entry("blobs/x/y")),
    "a folder that is a file too": (entry("blobs/x/y"), entry("blobs/x")),
    "a link": (entry("blobs/x", b"", type=tarfile.SYMTYPE, linkname="/etc"),),
    "a hard link": (entry("blobs/x", b"", type=tarfile.LNKTYPE, linkname="incident.toml"),),
    "a device": (entry("blobs/x", b"", type=tarfile.CHRTYPE),),
    "a pipe": (entry("blobs/x", b"", type=tarfile.FIFOTYPE),),
    "a folder": (entry("blobs/x", b"", type=tarfile.DIRTYPE),),
    "a sparse file": (
        entry("blobs/x", b"", pax_headers={"GNU.sparse.size": "99999999999", "GNU.sparse.map": "0,0"}),
    ),
}


@pytest.mark.parametrize("what", HARMFUL)
def test_a_member_that_no_backup_of_ours_holds_is_refused(tmp_path: Path, what: str) -> None:
    refused(by_hand(tmp_path, *GOOD_ENTRIES, *HARMFUL[what]), "no whole backup")


def _says(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda said: said.update(changes)


MANIFESTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no members": lambda said: said.pop("members"),
    "a list of members": _says(members=[]),
    "a file that is not there": lambda said: said["members"].update(
        {"blobs/y": {"size": 1, "sha256": "0" * 64}}
    ),
    "not a file that is there": lambda said: said["members"].pop("blobs/INC-1/e1.sealed"),
    "another size": lambda said: said["members"]["incident.db"].update(size=3),
    "another hash": lambda said: said["members"]["incident.db"].update(sha256="0" * 64),
    "no hash": lambda said: said["members"]["incident.db"].pop("sha256"),
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_manifest_that_says_something_else_is_refused(tmp_path: Path, what: str) -> None:
    members = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in GOOD.items()
    }
    said: dict[str, Any] = {"format": "tocsin-backup/1", "members": members}
    examine(by_hand(tmp_path, *GOOD_ENTRIES, manifest=said), room=PLENTY)
    MANIFESTS[what](said)
    refused(by_hand(tmp_path, *GOOD_ENTRIES, manifest=said), "no whole backup")


def test_another_format_names_itself(tmp_path: Path) -> None:
    refused(by_hand(tmp_path, *GOOD_ENTRIES, manifest={"format": "tocsin-backup/9"}), "tocsin-backup/9")


def test_a_backup_without_a_database_or_settings_is_none(tmp_path: Path) -> None:
    refused(by_hand(tmp_path, GOOD_ENTRIES[0]), "incident.toml is not in it")
    refused(by_hand(tmp_path, GOOD_ENTRIES[1]), "incident.db is not in it")


def test_nothing_may_stand_behind_the_end(tmp_path: Path) -> None:
    refused(by_hand(tmp_path, *GOOD_ENTRIES, behind=b"more"), "behind its end")
    refused(by_hand(tmp_path, *GOOD_ENTRIES, behind=b"\0" * (3 << 20)), "behind its end")
    file = by_hand(tmp_path, *GOOD_ENTRIES)
    file.write_bytes(file.read_bytes() + gzip.compress(b"a second stream"))
    refused(file, "behind its end")


def _bomb(tmp_path: Path, header: tarfile.TarInfo, size: int) -> Path:
    """A header and as many zero bytes behind it as it says, which take next to nothing on the disk."""
    file = tmp_path / "bomb.tgz"
    header.size = size
    with gzip.open(file, "wb", compresslevel=1) as out:
        out.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(min(size, 300 << 20) >> 20):
            out.write(b"\0" * (1 << 20))
    return file


def test_a_bomb_is_refused_by_its_header_before_it_is_read(tmp_path: Path) -> None:
    file = _bomb(tmp_path, tarfile.TarInfo("blobs/x"), 1 << 42)
    refused(file, "there is room for 1048576 MiB", room=1 << 40)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_a_header_of_hundreds_of_megabytes_is_not_read_into_memory(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("x")
    header.type = kind
    file = _bomb(tmp_path, header, 300 << 20)
    tracemalloc.start()
    refused(file, "no whole backup")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20


def test_a_large_member_is_checked_and_written_in_flat_memory(tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as out:
        out.truncate(100 << 20)
    with (tmp_path / "b.tgz").open("wb") as out:
        archive = ArchiveWriter(out)
        for name in ("incident.db", "incident.toml"):
            archive.add_file(name, big)
        archive.finish({})
    tracemalloc.start()
    unpack(examine(tmp_path / "b.tgz", room=PLENTY), tmp_path / "out")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20
    assert (tmp_path / "out" / "incident.db").stat().st_size == 100 << 20


def test_a_file_that_changes_between_checking_and_unpacking_is_refused(tmp_path: Path) -> None:
    examined = examine(written(tmp_path, GOOD), room=PLENTY)
    for changed in (
        {**GOOD, "incident.db": b"a datebase"},
        {**GOOD, "blobs/more": b""},
        dict(list(GOOD.items())[:2]),
    ):
        written(tmp_path, changed)
        with pytest.raises(BadInput, match="no whole backup"):
            unpack(examined, tmp_path / f"out{len(changed)}{changed['incident.db']!r}")
