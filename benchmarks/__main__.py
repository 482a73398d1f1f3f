"""`python -m benchmarks NAME [--json]`: one benchmark, as a table or as one JSON document on stdout."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence

from benchmarks.measure import CommandFailed, Result

# Each is a module here with `run() -> Result`; loaded only when asked for, as some need peers of their own.
NAMES = ("startup",)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Tocsin beside others.")
    parser.add_argument("name", metavar="NAME", help=f"one of: {', '.join(NAMES)}")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    options = parser.parse_args(argv)
    if options.name not in NAMES:
        parser.error(f"there is no benchmark {options.name!r}; there is: {', '.join(NAMES)}")

    try:
        result: Result = importlib.import_module(f"benchmarks.{options.name}").run()
    except CommandFailed as failure:
        print(f"{options.name}: a measured command failed, so there is no figure: {failure}", file=sys.stderr)
        return 1
    print(json.dumps(result.as_document()) if options.json else result.as_table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
