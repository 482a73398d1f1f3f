"""The compiled data say what the YAML says, and never answer for another text."""

from __future__ import annotations

from pathlib import Path

from incident.law import data
from incident.law.compiling import compiled_text
from incident.law.data import COMPILED, plain_data

SHIPPED = COMPILED.parent / "regimes" / "cn-pipl-57.yaml"


def test_the_compiled_data_are_in_step_with_the_yaml() -> None:
    assert COMPILED.read_text("utf-8") == compiled_text(), "make data"


def test_a_text_that_was_changed_is_read_as_it_stands() -> None:
    text = SHIPPED.read_text("utf-8")
    changed = plain_data(text.replace("id: cn-pipl-57", "id: our-own"), name="x")
    assert changed["id"] == "our-own"
    assert plain_data(text, name="x")["id"] == "cn-pipl-57"


def test_without_compiled_data_the_yaml_is_read(monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(data, "COMPILED", tmp_path / "none.json")
    data._compiled.cache_clear()
    try:
        assert plain_data(SHIPPED.read_text("utf-8"), name="x")["id"] == "cn-pipl-57"
    finally:
        data._compiled.cache_clear()
