"""How fast notices become letters: one batch as it is printed, beside one WeasyPrint document for each person.

Both set the same words in the same Chinese font on the same paper: address in the window, fold marks, pages counted per
letter. Each turn is a process of its own, with loading of packages and the search for fonts left out, and one letter
set beforehand. A turn must have made as many letters and pages as it says, or there is no figure. Compared are CPU
seconds; the typesetter uses several cores where it has them, so its letters also come sooner than this tells.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from benchmarks.measure import CommandFailed, Line, Result

PEOPLE = 200
ROUNDS = 3
# A peer's letters are made one by one, so a few of them tell what each takes.
FEW = 20
_CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Set:
    """What one turn made and took: letters, pages of all of them, size in bytes, the most memory held in KiB."""

    letters: int
    pages: int
    size: int
    wall: float
    cpu: float
    peak: int


def run(people: int = PEOPLE, rounds: int = ROUNDS) -> Result:
    """`people` is the number of letters in the batch; WeasyPrint sets at most 20 of them, one by one.

    Raises `CommandFailed` when a package is missing, a turn fails, or letters or pages are not as many as asked.
    """
    for package, install in (("typst", "pip install 'tocsin[paper]'"), ("weasyprint", "make bench-peers")):
        if find_spec(package) is None:
            raise CommandFailed(f"{package} is not here: `{install}` installs it")
    sizes = {"tocsin": people, "weasyprint": min(people, FEW)}
    turns: dict[str, list[Set]] = {who: [] for who in sizes}
    for _ in range(rounds):
        for who, taken in turns.items():
            taken.append(_turn(who, sizes[who]))
    each = {who: taken[0].pages / taken[0].letters for who, taken in turns.items()}
    if len(set(each.values())) > 1:
        raise CommandFailed(f"the letters have not as many pages: {each}")
    rates = {who: median(one.letters / one.cpu for one in taken) for who, taken in turns.items()}
    by_the_clock = {
        who: median(one.wall / one.letters for one in taken) * 1000 for who, taken in turns.items()
    }
    ours, theirs = turns["tocsin"][0], turns["weasyprint"][0]
    return Result(
        name="letters",
        unit=f"letters per CPU second, median of {rounds}, more is better",
        lines=tuple(
            Line(who, rates[who], median(one.cpu for one in taken), median(one.wall for one in taken))
            for who, taken in turns.items()
        ),
        ratios={"weasyprint": rates["tocsin"] / rates["weasyprint"]},
        notes=(
            f"{ours.letters} Chinese letters of {each['tocsin']:.0f} pages in one document,"
            f" beside {theirs.letters} documents of one letter",
            f"by the clock: tocsin {by_the_clock['tocsin']:.2g} ms a letter, weasyprint"
            f" {by_the_clock['weasyprint']:.0f} ms ({by_the_clock['weasyprint'] / by_the_clock['tocsin']:.0f} times)",
            f"size of a letter: tocsin {ours.size / ours.letters / 1024:.1f} KiB, weasyprint"
            f" {theirs.size / theirs.letters / 1024:.0f} KiB; memory: {ours.peak // 1024} and {theirs.peak // 1024} MiB",
        ),
    )


def _turn(who: str, letters: int) -> Set:
    done = subprocess.run(
        (sys.executable, "-m", "benchmarks.letter_setters", who, str(letters)),
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise CommandFailed(f"{who} ended with {done.returncode}\n{done.stderr.strip()[-2000:]}")
    taken = Set(**json.loads(done.stdout))
    if taken.letters != letters or taken.pages < letters:
        raise CommandFailed(f"{who} made {taken.letters} letters of {letters}, on {taken.pages} pages")
    return taken
