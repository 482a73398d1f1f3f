"""The importers that the benchmark `people` compares, each in a process of its own: `IMPORTER FILE FOLDER` prints what it took.

What is timed is the import, from opening the file to the commit: packages are loaded and the database is made before.
The peer gets for nothing what Tocsin pays for: its people lie in the open, and it keeps no journal.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

Import = Callable[[], None]
# How many people there are then, and how many rows had a fault.
Found = Callable[[], tuple[int, int]]
_ACTOR = "benchmark"


def tocsin(file: Path, folder: Path) -> tuple[Import, Found]:
    """`import_people` into a new workspace, with the faulty rows kept aside."""
    from incident.ops.founding import found_workspace
    from incident.record.incidents import Origin, open_incident
    from incident.record.people import import_people
    from incident.record.people_file import Defaults
    from incident.record.people_problems import kept_problems
    from incident.record.people_stats import number_listed
    from incident.settings import Born
    from incident.store.opening import open_store

    now = datetime.now(UTC)
    workspace = found_workspace(
        folder, name="benchmark", countries=["cn"], zone="Asia/Shanghai", born=Born.DRILL, now=now
    )
    settings = workspace.settings()
    store = open_store(workspace, settings)
    incident_id = open_incident(
        store,
        "Benchmark",
        facts=[],
        told_by="",
        origin=Origin.PERSON,
        actor=_ACTOR,
        now=now,
        zone=settings.zone,
    )

    def work() -> None:
        import_people(
            store,
            incident_id,
            file,
            encoding="utf-8",
            defaults=Defaults("zh-Hans", "cn", ("name", "phone_number"), {}),
            keep_problems=True,
            dry_run=False,
            actor=_ACTOR,
            now=now,
            today=now.date(),
        )

    def found() -> tuple[int, int]:
        with store.read() as session:
            listed = number_listed(session, incident_id)
        problems = sum(1 for _ in kept_problems(store, incident_id))
        store.close()
        return listed, problems

    return work, found


def pandas(file: Path, folder: Path) -> tuple[Import, Found]:
    """Read, check, drop repeated people, write: what a careful script would do."""
    import pandas as pd
    import phonenumbers
    import sqlalchemy
    from email_validator import EmailNotValidError, validate_email

    folder.mkdir()
    engine = sqlalchemy.create_engine(f"sqlite:///{folder / 'people.db'}")

    def address(text: str) -> str | None:
        try:
            return validate_email(text, check_deliverability=False).normalized
        except EmailNotValidError:
            return None

    def number(text: str) -> str | None:
        try:
            found = phonenumbers.parse(text, "CN")
        except phonenumbers.NumberParseException:
            return None
        if not phonenumbers.is_possible_number(found):
            return None
        return str(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164))

    faulty: list[int] = []

    def work() -> None:
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
        frame.columns = pd.Index(["reference", "name", "phone", "email"])
        frame["phone"] = frame["phone"].map(number)
        frame["email"] = frame["email"].map(address)
        faulty.append(int((frame["phone"].isna() | frame["email"].isna()).sum()))
        people = frame.drop_duplicates("reference")
        people.to_sql("person", engine, index=False, chunksize=10_000)

    def found() -> tuple[int, int]:
        with engine.connect() as connection:
            people = connection.execute(sqlalchemy.text("SELECT count(*) FROM person")).scalar_one()
        return int(people), sum(faulty)

    return work, found


IMPORTERS = {each.__name__: each for each in (tocsin, pandas)}


def main() -> None:
    name, file, folder = sys.argv[1:]
    work, found = IMPORTERS[name](Path(file), Path(folder))
    before, wall, cpu = _most_memory(), time.perf_counter(), os.times()
    work()
    after, wall = os.times(), time.perf_counter() - wall
    people, faulty = found()
    taken = {
        "people": people,
        "faulty": faulty,
        "wall": wall,
        "cpu": after.user + after.system - cpu.user - cpu.system,
        "peak": _most_memory(),
        "before": before,
    }
    print(json.dumps(taken))


def _most_memory() -> int:
    # The most that this process has held so far, in KiB (getrusage(2) on Linux).
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
