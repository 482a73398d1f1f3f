"""What lies beside the checkout and not in it: schemas and samples of others, read by tests and shipped by nobody."""

from __future__ import annotations

from pathlib import Path

import pytest


def shared_folder(name: str) -> Path | None:
    """The folder `shared/NAME` beside this checkout or above it; None where there is none."""
    found = (parent / "shared" / name for parent in Path(__file__).parents)
    return next((folder for folder in found if folder.is_dir()), None)


def need_shared(name: str) -> Path:
    """The folder, or the test is skipped."""
    folder = shared_folder(name)
    if folder is None:
        pytest.skip(f"shared/{name} is not beside this checkout")
    return folder
