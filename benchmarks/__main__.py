"""`python -m benchmarks NAME [--people N] [--json]`: one benchmark, as a table or as one JSON document on stdout."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence

from benchmarks.measure import CommandFailed, Result

# Each is a module here with `run() -> Result`; loaded only when asked for, as some need peers of their own.
NAMES = ("email", "startup")
# Those whose `run` takes the number of people.
SIZED = frozenset({"email"})


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Tocsin beside others.")
    parser.add_argument("name", metavar="NAME", help=f"one of: {', '.join(NAMES)}")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    parser.add_argument("--people", type=int, metavar="N", help="how many people (email)")
    options = parser.parse_args(argv)
    if options.name not in NAMES:
        parser.error(f"there is no benchmark {options.name!r}; there is: {', '.join(NAMES)}")
    if options.people is not None and (options.name not in SIZED or options.people < 1):
        parser.error(f"--people takes a number from 1, and only with {', '.join(sorted(SIZED))}")

    size = {} if options.people is None else {"people": options.people}
    try:
        result: Result = importlib.import_module(f"benchmarks.{options.name}").run(**size)
    except CommandFailed as failure:
        print(f"{options.name}: a measured command failed, so there is no figure: {failure}", file=sys.stderr)
        return 1
    print(json.dumps(result.as_document()) if options.json else result.as_table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
