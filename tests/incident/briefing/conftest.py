"""A fresh workspace for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.estates import Estate, build_estate


@pytest.fixture(scope="session")
def first_estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return build_estate(tmp_path_factory.mktemp("estate"))


@pytest.fixture
def estate(first_estate: Estate, tmp_path: Path) -> Estate:
    return first_estate.copy_to(tmp_path / "workspace")
