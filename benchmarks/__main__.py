"""`python -m benchmarks NAME [--people N] [--incidents N] [--runs N] [--store URL] [--json]`: one benchmark, as a table or as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence

from benchmarks.measure import CommandFailed, Result

# Each is a module here with `run() -> Result`; loaded only when asked for, as some need peers of their own.
NAMES = (
    "email",
    "growth",
    "incidents",
    "letters",
    "match",
    "people",
    "playbooks",
    "sms",
    "startup",
    "worker",
)
# Those whose `run` takes the number of people or of incidents, or a database in PostgreSQL.
SIZED = frozenset({"email", "growth", "letters", "match", "people", "sms", "worker"})
OF_INCIDENTS = frozenset({"incidents"})
STORED = frozenset({"playbooks", "worker"})
OF_RUNS = frozenset({"playbooks"})


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Tocsin beside others.")
    parser.add_argument("name", metavar="NAME", help=f"one of: {', '.join(NAMES)}")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    parser.add_argument(
        "--people",
        type=int,
        metavar="N",
        help="how many people (email, growth, letters, match, people, sms, worker)",
    )
    parser.add_argument("--incidents", type=int, metavar="N", help="how many incidents (incidents)")
    parser.add_argument("--store", metavar="URL", help="an empty database in PostgreSQL (playbooks, worker)")
    parser.add_argument("--runs", type=int, metavar="N", help="how many runs (playbooks)")
    options = parser.parse_args(argv)
    if options.name not in NAMES:
        parser.error(f"there is no benchmark {options.name!r}; there is: {', '.join(NAMES)}")
    if options.people is not None and (options.name not in SIZED or options.people < 1):
        parser.error(f"--people takes a number from 1, and only with {', '.join(sorted(SIZED))}")
    if options.incidents is not None and (options.name not in OF_INCIDENTS or options.incidents < 1):
        parser.error(f"--incidents takes a number from 1, and only with {', '.join(sorted(OF_INCIDENTS))}")
    if options.runs is not None and (options.name not in OF_RUNS or options.runs < 1):
        parser.error(f"--runs takes a number from 1, and only with {', '.join(sorted(OF_RUNS))}")
    if options.store is not None and options.name not in STORED:
        parser.error(f"--store goes only with {', '.join(sorted(STORED))}")

    asked = {"people": options.people, "incidents": options.incidents, "store": options.store}
    asked |= {"runs": options.runs}
    given = {name: value for name, value in asked.items() if value is not None}
    try:
        result: Result = importlib.import_module(f"benchmarks.{options.name}").run(**given)
    except CommandFailed as failure:
        print(f"{options.name}: a measured command failed, so there is no figure: {failure}", file=sys.stderr)
        return 1
    print(json.dumps(result.as_document()) if options.json else result.as_table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
