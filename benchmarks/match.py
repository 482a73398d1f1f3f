"""How long it takes to find those of a large directory whom a log names, and how much memory; beside a join in pandas.

The whole command is measured: both files read, phone numbers brought to one form, those who were hit imported, sealed and
journalled. A quarter of the directory is measured too, with the same share of the log: time must grow with the size and
memory hardly. The peer only joins: it takes the last eleven digits for a number, and keeps nothing. Both must find as
many people as the files were made with, or there is no figure.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import CommandFailed, Line, Result
from benchmarks.startup import OURS, environment_of, tocsin

# About 1.2 GB in GB18030, a tenth of a large carrier's; then the log has 200,000 lines.
PEOPLE = 11_000_000
_PEOPLE_A_LINE = 55
_UNKNOWN_EVERY = 10
_ROWS_TOGETHER = 20_000
_MB = 1_000_000
_PANDAS = """
import sys
import pandas
def numbers(column):
    return column.str.replace(r"[^0-9]", "", regex=True).str[-11:]
log = pandas.read_csv(sys.argv[1], dtype=str)
people = pandas.read_csv(sys.argv[2], dtype=str, encoding="gb18030")
hit = people[numbers(people["手机号"]).isin(set(numbers(log["phone"])))]
print(hit["客户编号"].nunique())
"""


@dataclass(frozen=True)
class Made:
    """The two files, and how many people the log names that are in the directory, and that are not."""

    log: Path
    directory: Path
    lines: int
    hit: int
    unmatched: int

    @property
    def megabytes(self) -> float:
        return self.directory.stat().st_size / _MB


@dataclass(frozen=True)
class Took:
    """What one command took: seconds, and the most memory it held, in MiB."""

    wall: float
    cpu: float
    memory: float


def run(people: int = PEOPLE) -> Result:
    """`people` is the number of rows of the directory. Raises `CommandFailed`, also when a count does not agree."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        folder = Path(name)
        took: dict[str, tuple[Made, Took]] = {}
        for who, rows in (("tocsin, a quarter", max(people // 4, 1)), ("tocsin", people)):
            made = make_files(folder / str(rows), people=rows)
            took[who] = (made, _match(made, made.log.parent))
        if importlib.util.find_spec("pandas"):
            took["pandas"] = (made, _join_in_pandas(made))
        (few, small), (_, whole) = took["tocsin, a quarter"], took["tocsin"]
        rates = {who: files.megabytes / one.cpu for who, (files, one) in took.items()}
        return Result(
            name="match",
            unit="MB of the directory per CPU second, more is better",
            lines=tuple(Line(who, rates[who], one.cpu, one.wall) for who, (_, one) in took.items()),
            ratios={"pandas": rates["tocsin"] / rates["pandas"]} if "pandas" in took else {},
            notes=(
                f"{people} people in {made.megabytes:,.0f} MB, {made.lines} lines of the log; {made.hit} people hit,"
                f" {made.unmatched} not in the directory",
                f"{made.megabytes / few.megabytes:.1f} times the size took {whole.cpu / small.cpu:.1f} times the CPU time",
                "memory at most: "
                + ", ".join(f"{who} {one.memory:.0f} MiB" for who, (_, one) in took.items()),
            ),
        )


def make_files(folder: Path, *, people: int) -> Made:
    """A directory of so many people, the same each time, and a log that names every 55th and some whom nobody knows."""
    folder.mkdir()
    log, directory = folder / "access.log.csv", folder / "crm.csv"
    with directory.open("w", encoding="gb18030", newline="") as handle:
        handle.write("客户编号,姓名,手机号,电子邮箱,国家,出生日期,城市,地址\n")
        for begin in range(0, people, _ROWS_TOGETHER):
            handle.writelines(_row(number) for number in range(begin, min(begin + _ROWS_TOGETHER, people)))
    named = range(0, people, _PEOPLE_A_LINE)
    unknown = range(0, len(named), _UNKNOWN_EVERY)
    with log.open("w", encoding="utf-8", newline="") as handle:
        handle.write("time,phone\n")
        handle.writelines(f"{at},+86 13{number:09d}\n" for at, number in enumerate(named))
        handle.writelines(f"{at},15{number:09d}\n" for at, number in enumerate(unknown))
    return Made(log, directory, len(named) + len(unknown), len(named), len(unknown))


def _row(number: int) -> str:
    return (
        f"C{number:09d},张三{number % 97},13{number:09d},user{number}@example.org,cn,19{number % 90 + 10}-01-15,"
        f"广州市,天河区体育西路{number % 900}号{number % 40}栋\n"
    )


def _match(made: Made, folder: Path) -> Took:
    workspace = folder / "workspace"
    environment = environment_of(folder, workspace)
    # Loading counts for little here: the modules may be those that are compiled already.
    environment.pop("PYTHONPYCACHEPREFIX")
    tocsin("init", str(workspace), "--country", "cn", environment=environment)
    tocsin("open", "--title", "Benchmark", "--not-state-secret", environment=environment)
    [incident] = json.loads(tocsin("--json", "list", environment=environment))
    files = ("--affected", str(made.log), "--affected-encoding", "utf-8", "--directory", str(made.directory))
    options = (
        "--encoding",
        "gb18030",
        "--on",
        "phone",
        "--categories",
        "phone_number",
        "--language",
        "zh-Hans",
    )
    words = (*OURS, "--json", "people", "match", incident["incident"], *files, *options)
    answer, took = _measured(words, folder, environment)
    must_agree(json.loads(answer), made)
    return took


def must_agree(found: Mapping[str, int], made: Made) -> None:
    """Raises `CommandFailed` when the command did not find what the files were made with."""
    if (found["added"], found["unmatched"]) != (made.hit, made.unmatched):
        raise CommandFailed(
            f"{found['added']} people were added and {found['unmatched']} keys hit nobody,"
            f" and the files were made with {made.hit} and {made.unmatched}"
        )


def _join_in_pandas(made: Made) -> Took:
    words = (sys.executable, "-c", _PANDAS, str(made.log), str(made.directory))
    answer, took = _measured(words, made.log.parent, dict(os.environ))
    if int(answer) != made.hit:
        raise CommandFailed(f"pandas found {answer.strip()} people, and the log names {made.hit}")
    return took


def _measured(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[str, Took]:
    """What a command prints, and what it took. Raises `CommandFailed` with its last words."""
    with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            raise CommandFailed(
                f"{words[0]} ended with {process.returncode}\n{errors.read().decode(errors='replace')[-2000:]}"
            )
        took = Took(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        return out.read().decode(), took
