"""What `incident notice status` says of the waves of a sending, and `incident notice report-phishing`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import desk_of
from incident.cli.record import ID

if TYPE_CHECKING:
    from sqlmodel import Session

    from incident.cli.desk import Desk
    from incident.delivery.resting import Rest
    from incident.delivery.status import Account
    from incident.delivery.waving import WavesNow


@dataclass(frozen=True)
class Going:
    """How a sending goes: its waves, where it has some, and what quiet hours mean for it now."""

    waves: WavesNow | None
    rest: Rest | None


def how_it_goes(desk: Desk, session: Session, each: Account) -> Going:
    """Look at how one sending goes."""
    from incident.delivery.resting import rest_now
    from incident.delivery.waving import waves_now

    waves = waves_now(session, each.campaign_id, desk.settings, now=desk.now())
    if each.ended_at is not None or not each.in_progress:
        return Going(waves, None)
    return Going(waves, rest_now(session, each.incident_id, desk.settings, now=desk.now()))


def wave_rows(desk: Desk, going: Going, incident_id: str) -> list[tuple[str, object]]:
    """The lines of a table: which wave is under way and when the next one begins, or why it stopped."""
    from incident.delivery.waving import STOP_TEXTS

    now, rows = going.waves, _rest_rows(desk, going.rest)
    if now is None:
        return rows
    if now.of > 1:
        rows.append((f"wave {now.number} of {now.of}", _where(desk, now, going.rest)))
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


def _rest_rows(desk: Desk, rest: Rest | None) -> list[tuple[str, object]]:
    if rest is None:
        return []
    until = desk.show(rest.until)
    if rest.deadline is None:
        return [("quiet hours: nothing leaves", f"until {until}")]
    comes_first = f"{rest.deadline.duty} ends {desk.show(rest.deadline.at)}"
    return [(f"quiet hours until {until} are not kept: the deadline comes first", comes_first)]


def _where(desk: Desk, now: WavesNow, rest: Rest | None) -> str:
    people = f"{now.people} people"
    if not now.waiting:
        return f"{people}; the last one"
    if now.stop is not None:
        return f"{people}; no further one begins"
    if now.next_at is None:
        return f"{people}; the next one when these are settled and were watched"
    begins = max(now.next_at, rest.until) if rest is not None and rest.holds else now.next_at
    return f"{people}; the next one at {desk.show(begins)} unless something is wrong"


def wave_document(going: Going) -> dict[str, Any]:
    """The same for scripts: `waves` is None for a sending without them, `quiet` outside of quiet hours."""
    rest = going.rest
    quiet = rest and {"until": rest.until, "kept": rest.holds}
    return {"waves": _waves_document(going.waves), "quiet": quiet}


def _waves_document(now: WavesNow | None) -> dict[str, Any] | None:
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


def planned_waves(desk: Desk, people: int) -> tuple[list[str], dict[str, Any]]:
    """What `incident plan` says of the waves of a sending to so many people, as lines and for scripts."""
    from incident.delivery.batching import BATCH_SIZE
    from incident.delivery.waves import outlook

    found = outlook(people, desk.settings.waves, batch_size=BATCH_SIZE)
    minutes = found.watched.total_seconds() / 60
    document = {"waves": found.waves, "watching_minutes": minutes}
    if found.waves < 2:
        return [], document
    if desk.language == "zh-Hans":
        return [f"分 {found.waves} 批发送，批次之间共观察 {minutes:g} 分钟（上述耗时之外）"], document
    return [f"waves: {found.waves}, watching {minutes:g} minutes besides the time above"], document


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
