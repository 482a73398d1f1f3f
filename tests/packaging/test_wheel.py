"""The wheel holds what a user needs and nothing else, and runs away from the checkout.

A drill from the wheel in an environment of its own, on each Python, is a stage of .ci/run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA_FOLDERS = ("templates", "playbooks")


def build(source: Path, out: Path, *kinds: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "build", *kinds, "--no-isolation", "--outdir", str(out), str(source)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build(ROOT, out, "--wheel")
    (made,) = out.glob("tocsin-*-py3-none-any.whl")
    return made


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def tracked_like(folder: Path) -> set[Path]:
    """The folder's files, but for what Python leaves behind."""
    return {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def test_the_wheel_holds_every_file_of_the_product(wheel: Path) -> None:
    product = {
        str(path.relative_to(ROOT))
        for name in ("incident", "notifiers")
        for path in tracked_like(ROOT / name)
    }
    assert {"incident/py.typed", "notifiers/py.typed", "incident/record/fields.yaml"} <= product
    assert product - names_in(wheel) == set()


@pytest.mark.parametrize("folder", DATA_FOLDERS)
def test_the_data_folders_are_shipped_inside_the_package(wheel: Path, folder: str) -> None:
    here = {f"incident/_shipped/{path.relative_to(ROOT)}" for path in tracked_like(ROOT / folder)}
    assert here, f"{folder}/ is empty"
    assert here - names_in(wheel) == set()


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names_in(wheel)}
    assert tops - {"incident", "notifiers"} == {next(top for top in tops if top.endswith(".dist-info"))}
    assert [name for name in names_in(wheel) if "/tests/" in name or name.endswith((".pyc", ".db"))] == []


def test_a_wheel_built_from_the_source_archive_is_the_same(wheel: Path, tmp_path: Path) -> None:
    build(ROOT, tmp_path)  # without a kind, build makes the sdist and then the wheel out of it
    (from_sdist,) = tmp_path.glob("tocsin-*-py3-none-any.whl")
    assert names_in(from_sdist) == names_in(wheel)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    command = [*pip, "--target", str(target), str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return target


def python_with(installed: Path, code: str, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Python in `cwd` that finds the installed wheel before the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    environment.pop("INCIDENT_WORKSPACE", None)
    command = [sys.executable, "-c", code, *args]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def test_the_installed_command_helps_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "import sys; from incident.cli.main import main; sys.argv[0] = 'incident'; sys.exit(main())"
    done = python_with(installed, code, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Usage: incident" in done.stdout
    assert (installed / "bin" / "incident").exists()


def test_the_installed_package_is_the_one_that_ran(installed: Path, tmp_path: Path) -> None:
    code = "import incident, notifiers; print(incident.__file__); print(notifiers.__file__)"
    done = python_with(installed, code, cwd=tmp_path)
    assert [Path(line).parent.parent for line in done.stdout.split()] == [installed, installed]
