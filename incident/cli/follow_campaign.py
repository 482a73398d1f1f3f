"""Working on a sending at the terminal, with a bar, for as long as there is something to do."""

from __future__ import annotations

import sys

from incident.cli.desk import Desk


def follow_campaign(desk: Desk, campaign_id: str, incident_id: str) -> None:
    """Work on a campaign, with a progress bar, until it ends or only waits for a later time."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from incident.delivery.status import progress, some_wait_for_a_limit
    from incident.delivery.waving import is_watched
    from incident.durable import open_jobs
    from incident.ops.worker import Worker

    def settled() -> bool:
        with desk.store.read() as session:
            if open_jobs(session, incident_id=incident_id):
                return False
            # Between two waves nothing is due for a while.
            if is_watched(session, campaign_id, desk.settings, now=desk.now()):
                return False
            return not some_wait_for_a_limit(session, incident_id, now=desk.now())

    bar = Progress(
        TextColumn("  sending"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty() and not desk.force_bar,
    )
    with bar:
        task = bar.add_task("sending")

        def beat() -> None:
            with desk.store.read() as session:
                done, expected = progress(session, campaign_id)
            bar.update(task, completed=done, total=expected)

        Worker(desk.house).work_until(settled, beat=beat)
        beat()
