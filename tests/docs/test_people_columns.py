"""docs/people-columns.md names every column that a list may have, and no word that is not read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from incident.record.people_file import HEADERS
from incident.record.person_cells import (
    read_age_class,
    read_date,
    read_deceased,
    read_kind,
    read_number_role,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "people-columns.md"
TABLE = DOCUMENT.read_text("utf-8").partition("\n## ")[0]


def rows() -> dict[str, list[str]]:
    found = {}
    for row in re.findall(r"(?m)^\| (`.+) \|$", TABLE):
        field, headers, meaning = re.split(r"(?<!\\) \| ?", row)
        found[field.strip("`")] = [headers, meaning]
    return found


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_every_field_stands_there_with_all_its_headers() -> None:
    assert {field: tuple(quoted(headers)) for field, (headers, _) in rows().items()} == dict(HEADERS)


@pytest.mark.parametrize(
    ("field", "read"),
    [
        ("kind", read_kind),
        ("number_role", read_number_role),
        ("age_class", read_age_class),
        ("deceased", read_deceased),
        ("birth_date", read_date),
    ],
)
def test_every_word_that_it_names_is_read(field: str, read: Callable[[str], object]) -> None:
    words = quoted(rows()[field][1])
    assert len(words) >= 3
    assert [word for word in words if read(word) is None] == []
