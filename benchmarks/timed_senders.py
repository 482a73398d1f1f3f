"""Senders of one job, each timed in a process of its own: the frame of the benchmarks `email` and `sms`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from benchmarks.measure import CommandFailed, Sample

Send = Callable[[], None]
"""Sends all of a job; what is made ready before is not timed."""
_Job = TypeVar("_Job")
_CHECKOUT = Path(__file__).parents[1]


def time_sender(module: str, who: str, job: str, folder: Path) -> Sample:
    """Let a sender of a module do a job, given as text, in a process of its own. Raises `CommandFailed`."""
    file = folder / "job.json"
    file.write_text(job, encoding="utf-8")
    done = subprocess.run(
        (sys.executable, "-m", module, who, str(file)),
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise CommandFailed(f"{who} ended with {done.returncode}\n{done.stderr.strip()[-2000:]}")
    return Sample(**json.loads(done.stdout))


def run_as_sender(senders: Mapping[str, Callable[[_Job], Send]], read: Callable[[str], _Job]) -> None:
    """The other side of `time_sender`: the program that a module with senders is."""
    name, file = sys.argv[1:]
    send = senders[name](read(Path(file).read_text(encoding="utf-8")))
    wall, cpu = time.perf_counter(), time.process_time()
    send()
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))


def work_until_ended(root: str) -> Send:
    """The real worker of a workspace, until every campaign in it has ended."""
    from sqlmodel import select

    from incident.delivery.states import CampaignState
    from incident.ops.worker import Worker
    from incident.response.housework import House
    from incident.store.opening import open_store
    from incident.store.tables import Campaign
    from incident.workspace import Workspace

    workspace = Workspace(Path(root))
    settings = workspace.settings()
    house = House(workspace, settings, open_store(workspace, settings), lambda: datetime.now(UTC))

    def ended() -> bool:
        with house.store.read() as session:
            return set(session.exec(select(Campaign.state)).all()) == {CampaignState.ENDED}

    ended()  # SQLAlchemy makes its tables ready at the first look: that is loading, as the imports are
    return lambda: Worker(house).work_until(ended)
