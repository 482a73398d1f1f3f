"""What `incident notice status` says of the waves of a sending, and `incident notice report-phishing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import desk_of
from incident.cli.record import ID

if TYPE_CHECKING:
    from incident.cli.desk import Desk
    from incident.delivery.waving import WavesNow


def wave_rows(desk: Desk, now: WavesNow | None, incident_id: str) -> list[tuple[str, object]]:
    """The lines of a table: which wave is under way and when the next one begins, or why it stopped."""
    from incident.delivery.waving import STOP_TEXTS

    if now is None:
        return []
    rows: list[tuple[str, object]] = []
    if now.of > 1:
        rows.append((f"wave {now.number} of {now.of}", _where(desk, now)))
    if now.waiting:
        rows.append(("of those in progress, wait for a later wave", now.waiting))
    if now.stop is not None and now.stopped_at is not None:
        words = STOP_TEXTS[now.stop.reason][desk.language].format(count=now.stop.count, of=now.stop.of)
        rows.append((words, f"since {desk.show(now.stopped_at)}"))
        rows.append(
            (
                "look at what came back, then decide",
                f"`incident deliveries {incident_id} --unreached`",
            )
        )
    if now.reports:
        rows.append(("reports of suspicious messages", now.reports))
    return rows


def _where(desk: Desk, now: WavesNow) -> str:
    people = f"{now.people} people"
    if not now.waiting:
        return f"{people}; the last one"
    if now.stop is not None:
        return f"{people}; no further one begins"
    if now.next_at is None:
        return f"{people}; the next one when these are settled and were watched"
    return f"{people}; the next one at {desk.show(now.next_at)} unless something is wrong"


def wave_document(now: WavesNow | None) -> dict[str, Any] | None:
    """The same for scripts; None for a sending without waves."""
    if now is None:
        return None
    stopped = None
    if now.stop is not None:
        stopped = {
            "at": now.stopped_at,
            "reason": now.stop.reason,
            "count": now.stop.count,
            "of": now.stop.of,
        }
    return {
        "wave": now.number,
        "waves": now.of,
        "people": now.people,
        "waiting": now.waiting,
        "next_at": now.next_at,
        "reports": now.reports,
        "stopped": stopped,
    }


def report_phishing(
    ctx: typer.Context,
    incident_id: str = ID,
    count: int = typer.Option(1, "--count", min=1, max=1_000_000, help="How many reports came in."),
    reason: str = typer.Option("", "--reason", help="What they say, for the journal."),
) -> None:
    from incident.delivery.waving import count_reports

    desk = desk_of(ctx)
    with desk.change(incident_id, kind="phishing.reported") as change:
        change.note(count=count, reason=reason)
        reports = count_reports(change, incident_id, count)
    stops_at = desk.settings.waves.stop_reports
    then = f"the sending stops at {stops_at}" if stops_at else "no number of them stops the sending"
    desk.lines(
        [f"{reports} reports of suspicious messages so far; {then}"],
        document={"incident": incident_id, "reports": reports, "stops_at": stops_at or None},
    )
