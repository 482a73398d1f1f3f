"""The locks are in step with pyproject.toml, name no address, and carry a hash for everything.

All of it offline: whether a newer version exists is a question for `make lock-upgrade`.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "requirements"
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS: dict[str, list[str]] = PYPROJECT["dependency-groups"]
CORE: list[str] = PYPROJECT["project"]["dependencies"]
EXTRAS: dict[str, list[str]] = PYPROJECT["project"].get("optional-dependencies", {})

ASKED = {
    "runtime": CORE,
    "postgres": [*CORE, *EXTRAS["postgres"]],
    "paper": [*CORE, *EXTRAS["paper"]],
    "responders": [*CORE, *EXTRAS["responders"]],
    "twilio": [*CORE, *EXTRAS["twilio"]],
    "build": GROUPS["build"],
    "bench": GROUPS["bench"],
    "dev": [*CORE, *chain(*EXTRAS.values()), *GROUPS["test"], *GROUPS["lint"], *GROUPS["build"]],
}


@dataclass(frozen=True)
class Pin:
    name: str
    version: str
    hashes: int
    asked_by_us: bool


def read_lock(name: str) -> dict[str, Pin]:
    text = (LOCKS / f"{name}.lock").read_text(encoding="utf-8")
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", re.sub(r"(?m)^#.*\n", "", text))
    pins = [_pin_of(block) for block in blocks if block.strip()]
    assert len({pin.name for pin in pins}) == len(pins), f"{name}.lock holds a package twice"
    return {pin.name: pin for pin in pins}


def _pin_of(block: str) -> Pin:
    head = re.match(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)", block)
    assert head, f"not a pin: {block.splitlines()[0]}"
    return Pin(
        name=canonicalize_name(head["name"]),
        version=head["version"],
        hashes=len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block)),
        asked_by_us="tocsin (pyproject.toml" in block,
    )


@pytest.mark.parametrize("lock", ASKED)
def test_all_that_pyproject_asks_for_is_locked_at_a_version_it_accepts(lock: str) -> None:
    pins = read_lock(lock)
    off = []
    for text in ASKED[lock]:
        wanted = Requirement(text)
        pin = pins.get(canonicalize_name(wanted.name))
        if pin is None or not wanted.specifier.contains(pin.version, prereleases=True):
            off.append(f"{text} (locked: {pin.version if pin else 'not at all'})")
    assert off == [], "call `make lock`"


@pytest.mark.parametrize("lock", ASKED)
def test_nothing_is_locked_for_a_wish_that_pyproject_no_longer_has(lock: str) -> None:
    asked = {canonicalize_name(Requirement(text).name) for text in ASKED[lock]}
    assert {pin.name for pin in read_lock(lock).values() if pin.asked_by_us} == asked, "call `make lock`"


@pytest.mark.parametrize("lock", ASKED)
def test_everything_locked_has_a_hash(lock: str) -> None:
    pins = read_lock(lock).values()
    assert pins
    assert [pin.name for pin in pins if not pin.hashes] == []


@pytest.mark.parametrize("lock", ASKED)
def test_a_lock_names_no_address_and_no_path(lock: str) -> None:
    lines = (LOCKS / f"{lock}.lock").read_text(encoding="utf-8").splitlines()
    told = re.compile(r"://|^\s*--(?!hash=)|(^|\s)-[ifr]\s|\s/|@\s")
    assert [line for line in lines if told.search(line)] == []


@pytest.mark.parametrize("lock", ["runtime", "postgres", "paper", "twilio", "build"])
def test_what_is_tested_is_what_is_shipped(lock: str) -> None:
    tested = read_lock("dev")
    assert {name: pin.version for name, pin in read_lock(lock).items()} == {
        name: tested[name].version for name in read_lock(lock)
    }


def test_what_is_measured_beside_ours_changes_nothing_that_is_tested() -> None:
    tested, measured = read_lock("dev"), read_lock("bench")
    shared = tested.keys() & measured.keys()
    assert shared and "apprise" in measured
    assert [name for name in shared if tested[name].version != measured[name].version] == []


def test_the_build_group_holds_what_the_build_needs() -> None:
    assert set(PYPROJECT["build-system"]["requires"]) <= set(GROUPS["build"])


@pytest.mark.parametrize("folder", ["tests/support/smsc", "tests/support/twilio/prism"])
def test_packages_of_npm_have_hashes_and_no_address(folder: str) -> None:
    """What tests run comes from npm too, whose lock would name a registry for each package."""
    lock = json.loads((ROOT / folder / "package-lock.json").read_text(encoding="utf-8"))
    packages = [package for name, package in lock["packages"].items() if name]
    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages)
    assert [package for package in packages if "resolved" in package] == []
