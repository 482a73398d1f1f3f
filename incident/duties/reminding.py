"""Reminders of duties as rows, calls and jobs. `incident.duties.reminders` says when, `incident.ops.duty_reminders` works.

One job an incident looks at all its duties. What is told stands in `duty_reminder`, so that a job that was lost, a worker
that was killed, or one that comes back after days tells each thing once. People are called once for all duties of an
incident that are near their end, and once for those that have run out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo

import sqlalchemy as sa
from sqlmodel import Session, col, select

from incident.durable import put_job
from incident.duties.reminders import DutyEnd, Pace, Plan, Reminder, Told, plan_reminders
from incident.law.clocks import Urgency
from incident.law.findings import STANDING
from incident.law.regimes import DutyKind
from incident.record.incidents import IncidentState
from incident.record.operators import Role
from incident.record.showing import show_seconds, show_time
from incident.record.summons import Reason, end_summons, is_unanswered, open_summons, summon
from incident.settings import Settings
from incident.store.change import Change, Content
from incident.store.store import Store
from incident.store.tables import DutyReminder, DutyRow, Incident, Summons

DUTIES_JOB = "duties"
REASONS = frozenset({Reason.DUTY_DUE, Reason.DUTY_PASSED})
LONGEST_SLEEP = timedelta(hours=6)
"""After so long the job looks again whatever it waits for: a clock may have been set meanwhile."""

_LINES = {
    "left": {
        "zh-Hans": "{title}（{duty}）须在 {end} 前完成，还剩 {time}。",
        "en": "{title} ({duty}) is due at {end}: {time} left.",
    },
    "left of a target": {
        "zh-Hans": "{title}（{duty}）：法律未规定具体时限，本单位内部目标时间为 {end}，还剩 {time}。",
        "en": "{title} ({duty}): the law names no hours; our own target is {end}: {time} left.",
    },
    "ran out": {
        "zh-Hans": "{title}（{duty}）的期限已于 {end} 届满，至今已过 {time}。",
        "en": "{title} ({duty}) was due at {end}; that ran out {time} ago.",
    },
    "target missed": {
        "zh-Hans": "{title}（{duty}）：法律未规定具体时限，本单位内部目标时间 {end} 已过 {time}。",
        "en": "{title} ({duty}): the law names no hours; our own target of {end} ran out {time} ago.",
    },
}


def pace_of(settings: Settings) -> Pace:
    """When to remind, by the settings."""
    reminders = settings.reminders
    return Pace(tuple(reminders.before_minutes), reminders.after_minutes, reminders.after_times)


def watch_duties(change: Change, settings: Settings, incident_id: str) -> None:
    """Let a worker look at the duties, as this change leaves them, when something is to be told."""
    if not has_open_duties(change.session, incident_id):
        return
    after = seconds_until_next_look(change.session, settings, incident_id, now=change.at)
    put_job(change.session, DUTIES_JOB, incident_id, incident_id=incident_id, after=after)


def seconds_until_next_look(
    session: Session, settings: Settings, incident_id: str, *, now: datetime
) -> float:
    """Until something is to be told, 0 where that is now; never longer than `LONGEST_SLEEP`."""
    plan = plan_of(session, settings, incident_id, now=now)
    if plan.now:
        return 0.0
    wait = LONGEST_SLEEP if plan.next_at is None else min(plan.next_at - now, LONGEST_SLEEP)
    return max(wait.total_seconds(), 0.0)


def has_open_duties(session: Session, incident_id: str) -> bool:
    """Whether the incident is open and one of its duties stands: then it has a job."""
    incident = session.get(Incident, incident_id)
    if incident is None or incident.state != IncidentState.OPEN:
        return False
    stands = select(DutyRow.duty_id).where(
        DutyRow.incident_id == incident_id, col(DutyRow.state).in_(sorted(STANDING))
    )
    return session.exec(stands.limit(1)).first() is not None


def plan_of(session: Session, settings: Settings, incident_id: str, *, now: datetime) -> Plan:
    """What is to be told of an incident now and when next; of one that is not open, nothing."""
    if not has_open_duties(session, incident_id):
        return Plan((), None)
    return plan_reminders(
        open_ends(session, settings, incident_id),
        told_of(session, incident_id),
        pace_of(settings),
        now=now,
    )


def open_ends(session: Session, settings: Settings, incident_id: str) -> list[DutyEnd]:
    """The ends of the duties that stand open, by their ids. One without an end yet has none to remind of."""
    d = DutyRow.__table__.c  # type: ignore[attr-defined]
    found = session.connection().execute(
        sa.select(d.duty_id, d.kind, d.due_at, d.urgency, d.anchor_at)
        .where(d.incident_id == incident_id, d.state.in_(sorted(STANDING)))
        .order_by(d.duty_id)
    )
    ends = (duty_end(*row, settings) for row in found)
    return [end for end in ends if end is not None]


def duty_end(
    duty_id: str,
    kind: str,
    due_at: datetime | None,
    urgency: str | None,
    anchor_at: datetime | None,
    settings: Settings,
) -> DutyEnd | None:
    """When a duty ends: as the law says, else by the workspace's own target; None where neither is known.

    What an authority may ask for later (`DutyKind.prepare`) has no target.
    """
    if due_at is not None:
        return DutyEnd(duty_id, due_at, anchor_at)
    hours = {
        Urgency.immediately: settings.targets.immediately_hours,
        Urgency.promptly: settings.targets.promptly_hours,
    }.get(Urgency(urgency or Urgency.within))
    if hours is None or anchor_at is None or kind == DutyKind.prepare:
        return None
    return DutyEnd(duty_id, anchor_at + timedelta(hours=hours), anchor_at, is_target=True)


def told_of(session: Session, incident_id: str) -> list[Told]:
    """What was told of an incident's duties."""
    rows = session.exec(select(DutyReminder).where(DutyReminder.incident_id == incident_id)).all()
    return [Told(row.duty_id, row.due_at, int(row.moment), row.told_at) for row in rows]


def moment_name(minutes: int) -> str:
    """A moment as its row keeps it: minutes from the end with their sign, `-60`, `+0`."""
    return f"{minutes:+d}"


def tell(change: Change, store: Store, settings: Settings, incident_id: str) -> None:
    """Tell what is to be told now: a row for each duty, and a call for those near their end and those that ran out."""
    plan = plan_of(change.session, settings, incident_id, now=change.at)
    if not plan.now:
        return
    for reminder in plan.now:
        change.put(
            DutyReminder(
                id=store.new_id(),
                incident_id=incident_id,
                duty_id=reminder.end.duty_id,
                due_at=reminder.end.end_at,
                moment=moment_name(reminder.minutes),
                told_at=change.at,
            )
        )
    settle_reminders(change, store, incident_id, settings=settings, ran_out=_ran_out(plan.now))
    for reason, reminders in (
        (Reason.DUTY_DUE, [each for each in plan.now if not each.has_run_out]),
        (Reason.DUTY_PASSED, [each for each in plan.now if each.has_run_out]),
    ):
        if reminders:
            _call(change, store, settings, incident_id, reason, reminders)


def settle_reminders(
    change: Change,
    store: Store,
    incident_id: str,
    *,
    settings: Settings | None = None,
    ran_out: Iterable[str] = (),
) -> None:
    """End the calls whose duties are all met, waived, not owed any more, or due at another time by now.

    Without `settings` a target of the organisation's own counts as unmoved. `ran_out`: the duties of which it is told
    anew that they have run out, so that nobody is told that they are near.
    """
    asked = [row for row in open_summons(change.session, incident_id) if row.reason in REASONS]
    if not asked:
        return
    standing = _standing_ends(change.session, incident_id)
    if settings is not None:
        standing |= {each.duty_id: each.end_at for each in open_ends(change.session, settings, incident_id)}
    over = frozenset(ran_out)
    for row in asked:
        about: Mapping[str, str] = store.open(row, incident_id=incident_id).get("about", {})
        gone = over if row.reason == Reason.DUTY_DUE else frozenset()
        if not any(_still_counts(duty, end, standing) for duty, end in about.items() if duty not in gone):
            end_summons(change, row)


def _still_counts(duty: str, end: str, standing: Mapping[str, datetime | None]) -> bool:
    """Whether a duty stands, and ends when it did, as far as its end is known here."""
    if duty not in standing:
        return False
    now = standing[duty]
    return now is None or now == datetime.fromisoformat(end)


def _standing_ends(session: Session, incident_id: str) -> dict[str, datetime | None]:
    found = select(DutyRow.duty_id, DutyRow.due_at).where(
        DutyRow.incident_id == incident_id, col(DutyRow.state).in_(sorted(STANDING))
    )
    return dict(session.exec(found).all())


def _ran_out(reminders: Iterable[Reminder]) -> list[str]:
    return [each.end.duty_id for each in reminders if each.has_run_out]


def _call(
    change: Change,
    store: Store,
    settings: Settings,
    incident_id: str,
    reason: Reason,
    reminders: Sequence[Reminder],
) -> None:
    """Call counsel. A call that is under way is told of these duties too; one that nobody answered begins anew."""
    about = {each.end.duty_id: each.end.end_at.isoformat() for each in reminders}
    text = _text(change, store, settings.zone, incident_id, reminders)
    open_one = _open(change.session, incident_id, reason)
    if open_one is not None and not is_unanswered(open_one):
        content = store.open(open_one, incident_id=incident_id)
        change.put(open_one, {**content, "text": text, "about": {**content.get("about", {}), **about}})
        return
    if open_one is not None:
        end_summons(change, open_one)
    summon(
        change,
        store,
        incident_id,
        reason=reason,
        subject_id=reason,
        role=Role.COUNSEL,
        text=text,
        about=about,
    )


def _open(session: Session, incident_id: str, reason: Reason) -> Summons | None:
    return next((row for row in open_summons(session, incident_id) if row.reason == reason), None)


def _text(
    change: Change, store: Store, zone: tzinfo, incident_id: str, reminders: Sequence[Reminder]
) -> dict[str, str]:
    titles = {each.end.duty_id: _title(change.session, store, incident_id, each) for each in reminders}
    return {
        language: "\n".join(
            line_of(each, titles[each.end.duty_id], language=language, zone=zone, now=change.at)
            for each in reminders
        )
        for language in ("zh-Hans", "en")
    }


def line_of(
    reminder: Reminder, title: Mapping[str, str], *, language: str, zone: tzinfo, now: datetime
) -> str:
    """A reminder as people read it."""
    end = reminder.end
    if reminder.has_run_out:
        name = "target missed" if end.is_target else "ran out"
    else:
        name = "left of a target" if end.is_target else "left"
    whole_minutes = int(abs(now - end.end_at).total_seconds()) // 60 * 60
    return _LINES[name][language].format(
        title=title.get(language, end.duty_id),
        duty=end.duty_id,
        end=show_time(end.end_at, zone=zone),
        time=show_seconds(whole_minutes, language=language),
    )


def _title(session: Session, store: Store, incident_id: str, reminder: Reminder) -> Mapping[str, str]:
    row = session.get_one(DutyRow, (incident_id, reminder.end.duty_id))
    content: Content = store.open(row, incident_id=incident_id)
    title: Mapping[str, str] = content.get("title", {})
    return title
