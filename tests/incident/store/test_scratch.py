"""Rows set aside on disk: they come back as they were, and nobody else can read them or find them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from incident.errors import StoreUnavailable
from incident.store.scratch import Scratch


def test_what_was_set_aside_comes_back_in_order_and_as_often_as_wanted(tmp_path: Path) -> None:
    items = [[number, f"张三{number}", ["a", ""]] for number in range(1234)]
    with Scratch(tmp_path) as scratch:
        scratch.set_aside(iter(items[:1000]))
        scratch.set_aside(items[1000:])
        assert list(scratch.items()) == items
        assert list(zip(scratch.items(), scratch.items(), strict=True)) == [(each, each) for each in items]


def test_nothing_set_aside_is_nothing(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.set_aside([])
        assert list(scratch.items()) == []


def test_the_file_has_no_name_and_what_lies_in_it_is_sealed(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.set_aside(["Zweiundvierzig"] * 2000)
        assert list(tmp_path.iterdir()) == []
        content = os.pread(scratch._file.fileno(), 1 << 20, 0)
        assert len(content) > 2000 * len("Zweiundvierzig")
        assert b"Zweiund" not in content


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="nothing can be set aside") as caught:
        Scratch(tmp_path / "nowhere")
    assert caught.value.next_step


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch._file.close()
        scratch._file = cast(Any, Path("/dev/full").open("r+b", buffering=0))  # noqa: SIM115
        with pytest.raises(StoreUnavailable, match="No space left"):
            scratch.set_aside(["x"])
