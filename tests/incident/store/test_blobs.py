from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.errors import BadInput, StoreUnavailable, Unreadable
from incident.store.blobs import StoredBlob, blob_hash, read_blob, store_blob

KEY = b"k" * 32
MIB = 1 << 20


def stored(tmp_path: Path, content: bytes, name: str = "one") -> StoredBlob:
    source = tmp_path / "source"
    source.write_bytes(content)
    return store_blob(tmp_path / "blobs", source, name=name, key=KEY)


def read(tmp_path: Path, place: str, key: bytes = KEY) -> bytes:
    return b"".join(read_blob(tmp_path / "blobs", place, key=key))


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB])
def test_a_file_comes_back_as_it_was_at_every_edge_of_its_pieces(tmp_path: Path, size: int) -> None:
    content = bytes(number % 251 for number in range(1000)) * (size // 1000 + 1)
    blob = stored(tmp_path, content[:size])
    assert read(tmp_path, blob.place) == content[:size]
    assert (blob.size, blob.sha256) == (size, hashlib.sha256(content[:size]).hexdigest())
    assert blob_hash(tmp_path / "blobs", blob.place, key=KEY) == blob.sha256


def test_the_plain_bytes_are_nowhere_in_the_folder(tmp_path: Path) -> None:
    blob = stored(tmp_path, b"Zhang San 13800138000")
    [file] = (tmp_path / "blobs").iterdir()
    assert file.name == blob.place
    assert b"Zhang" not in file.read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_any_byte_changed_or_cut_off_is_found(tmp_path: Path, data: st.DataObject) -> None:
    blob = stored(tmp_path, b"evidence " * 5)
    file = tmp_path / "blobs" / blob.place
    sealed = bytearray(file.read_bytes())
    if data.draw(st.booleans()):
        sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del sealed[data.draw(st.integers(0, len(sealed) - 1)) :]
    file.write_bytes(sealed)
    with pytest.raises(Unreadable):
        read(tmp_path, blob.place)


def test_pieces_taken_away_added_or_swapped_are_found(tmp_path: Path) -> None:
    blob = stored(tmp_path, b"a" * MIB + b"b" * MIB + b"c")
    file = tmp_path / "blobs" / blob.place
    whole = file.read_bytes()
    first = 4 + int.from_bytes(whole[:4], "big")
    second = first + 4 + int.from_bytes(whole[first : first + 4], "big")
    pieces = [whole[:first], whole[first:second], whole[second:]]
    for order in ([0, 1], [1, 0, 2], [0, 2], [0, 1, 2, 2]):
        file.write_bytes(b"".join(pieces[at] for at in order))
        with pytest.raises(Unreadable):
            read(tmp_path, blob.place)


def test_a_file_under_another_name_or_key_does_not_open(tmp_path: Path) -> None:
    blob = stored(tmp_path, b"evidence")
    with pytest.raises(Unreadable):
        read(tmp_path, blob.place, key=b"o" * 32)
    (tmp_path / "blobs" / blob.place).rename(tmp_path / "blobs" / "two.sealed")
    with pytest.raises(Unreadable):
        read(tmp_path, "two.sealed")
    with pytest.raises(Unreadable, match="cannot be read"):
        read(tmp_path, blob.place)


def test_a_source_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        store_blob(tmp_path / "blobs", tmp_path / "nothing", name="one", key=KEY)
    assert not (tmp_path / "blobs").exists()


def test_a_folder_that_cannot_be_written_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file")
    with pytest.raises(StoreUnavailable):
        stored(tmp_path, b"evidence")
