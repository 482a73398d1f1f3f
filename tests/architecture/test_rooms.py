"""The rooms of the house: a room may import any room above it, never one below."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ROOMS = (
    (
        "errors",
        "hosts",
        "setting_values",
        "carrier_settings",
        "settings",
        "workspace",
        "masking",
        "folding",
        "garbage",
    ),
    ("store",),
    ("durable",),
    ("record",),
    ("law",),
    ("duties",),
    ("notice",),
    ("delivery",),
    ("report",),
    ("response",),
    ("briefing",),
    ("hooks",),
    ("proof",),
    ("ops",),
    ("server",),
    ("cli", "__main__"),
)
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}

LONGEST_FILE = 500


def product_files() -> list[Path]:
    return sorted([*ROOT.glob("incident/**/*.py"), *ROOT.glob("notifiers/**/*.py")])


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_in(source: str, module: str, *, is_package: bool) -> Iterator[str]:
    """Every name that the source imports, wherever it stands: `from a.b import c` gives `a.b.c`.

    Function bodies and TYPE_CHECKING blocks count, and so does import_module("...").
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = _home_of(node, module, is_package=is_package)
            yield from (f"{home}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called_name(node) in ("import_module", "__import__"):
            yield from (word.value for word in node.args if _is_text(word))  # type: ignore[attr-defined]


def _home_of(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if node.level == 0:
        return node.module or ""
    parents = module.split(".")
    kept = parents[: len(parents) - node.level + (1 if is_package else 0)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _called_name(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def objections_to(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What in this file breaks the order of the house, one line each."""
    found = (objection_to(module, name) for name in imports_in(source, module, is_package=is_package))
    return [f"{module}: {objection}" for objection in found if objection]


def objection_to(module: str, imported: str) -> str | None:
    house, _, below = module.partition(".")
    if imported.split(".")[0] == "smtplib":
        return "imports smtplib; mail leaves by notifiers.email"
    if imported.split(".")[0] in ("tests", "benchmarks"):
        return f"imports {imported}, which is not in the wheel"
    if imported.split(".")[0] != "incident":
        return None
    if house == "notifiers":
        return f"imports {imported}; notifiers knows nothing of incident"

    room, target = below.split(".")[0], imported.split(".")[1] if "." in imported else ""
    if target in ("", "__version__"):
        return None
    if target not in RANK:
        return f"imports {imported}, and {target} is no room"
    if not room:
        return f"imports {imported}; the package itself imports no room"
    if room == "law" and target == "record" and imported.split(".")[2:3] != ["facts"]:
        return f"imports {imported}; of record, law may import only record.facts"
    if RANK[target] > RANK[room]:
        return f"imports {imported}, a room below its own"
    return None


@pytest.mark.parametrize("path", product_files(), ids=module_of)
def test_a_file_imports_only_from_its_own_room_and_those_above(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert objections_to(source, module_of(path), is_package=path.name == "__init__.py") == []


def test_every_file_lies_in_a_room() -> None:
    modules = [module_of(path) for path in product_files()]
    assert "incident.errors" in modules
    assert [m for m in modules if m.startswith("incident.") and m.split(".")[1] not in RANK] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("incident.store.journal", "from incident.record import facts"),
        ("incident.store.journal", "def late():\n    import incident.cli.main"),
        ("incident.store.journal", "from ..record import facts"),
        ("incident.settings", "from incident import store"),
        ("incident.law.clocks", "from incident.record.incidents import Incident"),
        ("incident.law.clocks", "from incident.record import incidents"),
        (
            "incident.record.log",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import incident.ops.drill",
        ),
        ("incident.record.log", "import importlib\nimportlib.import_module('incident.server.hooks')"),
        ("incident.ops.drill", "from incident.cellar import wine"),
        ("incident.ops.drill", "import smtplib"),
        ("incident.ops.drill", "from tests.support import tools"),
        ("incident", "from incident.errors import TocsinError"),
        ("notifiers.email.sending", "from incident.errors import TocsinError"),
    ],
)
def test_what_breaks_the_order_is_seen(module: str, source: str) -> None:
    assert len(objections_to(source, module, is_package=module == "incident")) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("incident.cli.show", "from incident.record import incidents\nfrom incident import __version__"),
        ("incident.law.clocks", "from incident.record.facts import Fact\nfrom incident.record import facts"),
        ("incident.delivery.sender", "from notifiers.email import sending"),
        ("incident.law.grading", "from .conditions import Condition\nfrom . import clocks"),
    ],
)
def test_what_keeps_the_order_passes(module: str, source: str) -> None:
    assert objections_to(source, module) == []


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    files = [*product_files(), *ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("tests/**/*.py")]
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files
    }
    written_once = "incident/store/migrations/versions/"  # the schema of a day, generated and never changed
    long = {name: length for name, length in lengths.items() if length > LONGEST_FILE}
    assert {name: length for name, length in long.items() if not name.startswith(written_once)} == {}


def test_no_file_of_the_tests_support_has_the_name_of_a_package() -> None:
    """Some are run as programs, and their folder is then searched first: `requests.py` took the place of requests."""
    taken = set(sys.stdlib_module_names) | set(packages_distributions())
    assert sorted({path.stem for path in ROOT.glob("tests/support/*.py")} & taken) == []
