"""How fast a list of people is taken in: checked, joined, sealed, journalled; beside what a script with pandas does.

The peer reads the same file, checks contacts with the libraries that Tocsin stands on, drops repeated people and writes
them to SQLite in plain text. Both must find as many people and as many rows with a fault as the list was made with, or
there is no figure. Compared are CPU seconds, each turn in a process of its own, with loading of packages left out.
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from benchmarks.measure import CommandFailed, Line, Result

ROWS = 100_000
ROUNDS = 3
FAULTY = 0.03
REPEATED = 0.02
_SEED = 20261129
_CHECKOUT = Path(__file__).parents[1]

_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚桂英华玉萍红建文志海"
_MOBILE_PREFIXES = ("134", "135", "138", "139", "150", "158", "166", "178", "182", "188", "191", "198")
_COMMON_DOMAINS = (
    ("qq.com", 40),
    ("163.com", 20),
    ("126.com", 8),
    ("139.com", 8),
    ("sina.com", 4),
    ("gmail.com", 5),
    ("outlook.com", 4),
    ("Hotmail.com", 1),
)
_COMPANIES = 500
_NO_ADDRESSES = ("{local}", "{local}@", "{local}@@qq.com", "{local}.@qq.com", "{local}@localhost", "无")
_NO_NUMBERS = ("12", "无", "1380013800138", "1380013800013800", "-")


@dataclass(frozen=True)
class Taken:
    """What one turn found and took. Sizes in KiB: the most memory held, and what was held before the work began."""

    people: int
    faulty: int
    wall: float
    cpu: float
    peak: int
    before: int


def run(people: int = ROWS, rounds: int = ROUNDS) -> Result:
    """`people` is the number of rows, some of which name somebody again.

    Raises `CommandFailed` when pandas is missing, a turn fails, or a count does not agree.
    """
    if find_spec("pandas") is None:
        raise CommandFailed("pandas is not here: `make bench-peers` installs it")
    turns: dict[str, list[Taken]] = {"tocsin": [], "pandas": []}
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        folder = Path(name)
        file, quarter = folder / "people.csv", folder / "quarter.csv"
        expected = write_list(file, rows=people)
        few = write_list(quarter, rows=max(people // 4, 1))
        small = _turn("tocsin", quarter, folder / "quarter", few)
        for number in range(rounds):
            for who, taken in turns.items():
                taken.append(_turn(who, file, folder / f"{who}-{number}", expected))
    rates = {who: median(people / one.cpu for one in taken) for who, taken in turns.items()}
    large = turns["tocsin"][0]
    return Result(
        name="people",
        unit=f"rows per CPU second, median of {rounds}, more is better",
        lines=tuple(
            Line(who, rates[who], median(one.cpu for one in taken), median(one.wall for one in taken))
            for who, taken in turns.items()
        ),
        ratios={"pandas": rates["tocsin"] / rates["pandas"]},
        notes=(
            f"{people} rows; every turn found {expected.people} people and {expected.faulty} rows with a fault",
            f"memory beyond what is loaded: tocsin {_mebibytes(small)} MiB for {max(people // 4, 1)} rows and"
            f" {_mebibytes(large)} MiB for {people}; pandas {_mebibytes(turns['pandas'][0])} MiB",
        ),
    )


@dataclass(frozen=True)
class Expected:
    """What a list was made with: different people, and rows with a faulty contact."""

    people: int
    faulty: int


def write_list(file: Path, *, rows: int) -> Expected:
    """A list of so many rows, the same each time: Chinese names, numbers in several notations, mixed domains.

    Of a hundred rows three have a contact that is none, and two name somebody again.
    """
    dice = random.Random(_SEED)
    faulty = people = 0
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["客户编号", "姓名", "手机号", "电子邮箱"])
        for cells in _rows(dice, rows):
            faulty += cells.faulty
            people += cells.new
            writer.writerow(cells.cells)
    return Expected(people, faulty)


@dataclass(frozen=True)
class _Row:
    cells: tuple[str, ...]
    new: bool
    faulty: bool


def _rows(dice: random.Random, count: int) -> Iterator[_Row]:
    domains, weights = _domains()
    chosen = iter(dice.choices(domains, weights, k=count))
    # Of the latest people: a list of a million names somebody again soon or late.
    recent: list[_Row] = []
    for number, domain in enumerate(chosen):
        if recent and dice.random() < REPEATED:
            again = dice.choice(recent)
            yield _Row(again.cells, new=False, faulty=again.faulty)
            continue
        row = _new_row(dice, number, domain)
        if len(recent) < _COMPANIES:
            recent.append(row)
        else:
            recent[dice.randrange(_COMPANIES)] = row
        yield row


def _domains() -> tuple[list[str], list[float]]:
    names, weights = [name for name, _ in _COMMON_DOMAINS], [float(weight) for _, weight in _COMMON_DOMAINS]
    rest = (100 - sum(weights)) / _COMPANIES
    return names + [f"company-{number}.com.cn" for number in range(_COMPANIES)], weights + [rest] * _COMPANIES


def _new_row(dice: random.Random, number: int, domain: str) -> _Row:
    name = dice.choice(_SURNAMES) + "".join(dice.choices(_GIVEN, k=dice.choice((1, 2, 2))))
    local = dice.choice((f"{number + 10_000_000}", f"user.{number}", f"li_{number}", f"Zhang{number}"))
    phone, email = _number(dice), f"{local}@{domain}"
    faulty = dice.random() < FAULTY
    if faulty and dice.random() < 0.5:
        phone = dice.choice(_NO_NUMBERS)
    elif faulty:
        email = dice.choice(_NO_ADDRESSES).format(local=local)
    return _Row((f"C{number:08d}", name, phone, email), new=True, faulty=faulty)


def _number(dice: random.Random) -> str:
    prefix, rest = dice.choice(_MOBILE_PREFIXES), f"{dice.randrange(10**8):08d}"
    notation = dice.random()
    if notation < 0.85:
        return prefix + rest
    if notation < 0.90:
        return f"+86 {prefix} {rest[:4]} {rest[4:]}"
    if notation < 0.94:
        return f"{prefix}-{rest[:4]}-{rest[4:]}"
    if notation < 0.98:
        return f"86{prefix}{rest}"
    return dice.choice((f"010-6{rest[:7]}", f"+852 5{rest[:3]} {rest[4:]}"))


def _turn(who: str, file: Path, folder: Path, expected: Expected) -> Taken:
    done = subprocess.run(
        (sys.executable, "-m", "benchmarks.people_importers", who, str(file), str(folder)),
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise CommandFailed(f"{who} ended with {done.returncode}\n{done.stderr.strip()[-2000:]}")
    taken = Taken(**json.loads(done.stdout))
    if (taken.people, taken.faulty) != (expected.people, expected.faulty):
        raise CommandFailed(
            f"{who} found {taken.people} people and {taken.faulty} rows with a fault,"
            f" and the list was made with {expected.people} and {expected.faulty}"
        )
    return taken


def _mebibytes(taken: Taken) -> int:
    return round((taken.peak - taken.before) / 1024)
