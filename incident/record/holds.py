"""Holds: silence that somebody asked for, until a person lifts it.

A hold stops words and never a duty. It stands at once, also unsigned, because silence can be taken back and words
cannot; whoever accepts its risk signs for it, and only a signature lifts it. At its end it asks, and goes on standing.
A brake for each thing covered lets every worker see it within a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import rfc8785
from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from incident.durable import lift_brake, put_job, set_brake
from incident.errors import BadInput, Refused
from incident.record.decisions import Signer, Subject, Verdict, approvals, decide, voices
from incident.record.incidents import must_be_open
from incident.record.numbers import label_of, next_number, row_called
from incident.record.operators import Role, operator_named
from incident.record.summons import settle_summons
from incident.settings import Born
from incident.store.change import Change, Content
from incident.store.opening import born_as
from incident.store.prepared import Prepared
from incident.store.store import Store
from incident.store.tables import Hold

HOLD_JOB = "hold"
SUBJECT, LIFTING = "hold", "hold-lift"
BRAKES = "hold:"
LONGEST_LEAD = timedelta(hours=4)
LONGEST = timedelta(days=366)
"""How far ahead the end of a hold may lie: who wants longer silence is asked again within a year."""
MAY_SIGN = frozenset({Role.COUNSEL, Role.APPROVER})


class Cover(StrEnum):
    """What a hold can keep from leaving."""

    PEOPLE = "people"
    PUBLIC = "public"
    SELFCHECK = "selfcheck"
    CHAT = "chat"
    CALENDAR = "calendar"


COVER_TITLES: dict[Cover, dict[str, str]] = {
    Cover.PEOPLE: {"zh-Hans": "给个人的通知", "en": "messages to people"},
    Cover.PUBLIC: {"zh-Hans": "公开页面", "en": "public pages"},
    Cover.SELFCHECK: {"zh-Hans": "自助查询的答复", "en": "answers of the self-check"},
    Cover.CHAT: {"zh-Hans": "聊天工具中的内容", "en": "what chat messages say"},
    Cover.CALENDAR: {"zh-Hans": "日历标题", "en": "titles in calendars"},
}


class HoldState(StrEnum):
    """`ENDED`: its time is over and nobody has decided yet; it stands all the same."""

    STANDS = "stands"
    ENDED = "ended"
    LIFTED = "lifted"


class HeldBack(Refused):
    """A hold keeps this from leaving; once it is lifted, it may be tried again. `label` names the hold."""

    def __init__(self, what: str, *, label: str, where: str, next_step: str) -> None:
        super().__init__(what, where=where, next_step=next_step)
        self.label = label


@dataclass(frozen=True)
class Conflict:
    """A duty that the silence keeps from being met."""

    duty: str
    article: str
    title: Mapping[str, str]


@dataclass(frozen=True)
class HoldLine:
    """A hold as listed. `accepted_by` have signed that the risk of exactly this hold is theirs."""

    id: str
    label: str
    covers: tuple[Cover, ...]
    by: str
    officer: str
    paper: str
    reason: str
    conflicts: tuple[Conflict, ...]
    placed_at: datetime
    placed_by: str
    until_at: datetime
    accepted_by: tuple[str, ...]
    lifted_at: datetime | None
    lifted_why: str

    @property
    def stands(self) -> bool:
        return self.lifted_at is None

    def state_at(self, now: datetime) -> HoldState:
        """Where it stands at a moment."""
        if not self.stands:
            return HoldState.LIFTED
        return HoldState.ENDED if now >= self.until_at else HoldState.STANDS


def read_covers(text: str) -> tuple[Cover, ...]:
    """What a hold covers, from words separated by commas, each once and in one order. Raises `BadInput`."""
    words = {word.strip().lower() for word in text.split(",")} - {""}
    unknown = sorted(words - set(Cover))
    if unknown or not words:
        what = f"{', '.join(unknown)} is nothing that a hold covers" if unknown else "a hold covers something"
        raise BadInput(
            what, where="--covers", next_step=f"name some of {', '.join(Cover)}, separated by commas"
        )
    return tuple(cover for cover in Cover if cover in words)


def covers_of(row: Hold) -> tuple[Cover, ...]:
    """What a hold covers."""
    return tuple(Cover(word) for word in row.covers.split(","))


def hold_brake(incident_id: str, cover: Cover) -> str:
    """The name of the brake that is on while a hold of the incident covers this."""
    return f"{BRAKES}{incident_id}:{cover}"


def place_hold(
    change: Change,
    store: Store,
    incident_id: str,
    *,
    covers: Sequence[Cover],
    by: str,
    officer: str = "",
    paper: str = "",
    reason: str = "",
    until: datetime,
    conflicts: Sequence[Conflict] = (),
) -> Hold:
    """Let nothing that it covers leave from now on. The risk is accepted by `accept_hold`.

    Raises `BadInput` for an end that is not to come or a hold that nobody asks for, `NotFound` or `Refused` as
    `must_be_open`.
    """
    must_be_open(change.session, incident_id)
    if not by.strip():
        raise BadInput("a hold names who asks for it", where="--by", next_step="for example --by police")
    _must_be_to_come(until, now=change.at)
    row = Hold(
        id=store.new_id(),
        incident_id=incident_id,
        number=next_number(change.session, Hold, incident_id),
        covers=",".join(covers),
        placed_at=change.at,
        placed_by=change.actor,
        until_at=until,
    )
    content = {
        "by": by.strip(),
        "officer": officer,
        "paper": paper,
        "reason": reason,
        "conflicts": [
            {"duty": each.duty, "article": each.article, "title": dict(each.title)} for each in conflicts
        ],
        "lifted_why": "",
    }
    change.put(row, content)
    for cover in covers:
        set_brake(change.session, hold_brake(incident_id, cover), at=change.at, by=change.actor)
    _look_at(change, row)
    return row


def extend_hold(change: Change, store: Store, incident_id: str, label: str, *, until: datetime) -> Hold:
    """Let a hold last longer. Who accepted its risk did so for the earlier end: it is to be accepted anew.

    Raises `BadInput` for an end that is not later or not to come, `NotFound`, and `Refused` for one that was lifted.
    """
    row = _standing(change.session, incident_id, label)
    _must_be_to_come(until, now=change.at)
    if until <= row.until_at:
        raise BadInput(
            f"{label_of(row)} lasts until then already",
            where="--until",
            next_step=f"name a later time, or lift it: `incident hold lift {incident_id} {label_of(row)}`",
        )
    row.until_at, row.reminded_at, row.asked_at = until, None, None
    change.put(row, store.open(row, incident_id=incident_id))
    settle_summons(change, incident_id, row.id)
    _look_at(change, row)
    return row


def accept_hold(
    change: Change,
    store: Store,
    incident_id: str,
    label: str,
    *,
    signer: Signer,
    drill: bool,
    reason: str = "",
) -> Hold:
    """Sign that the risk of a standing hold, as it is now, is accepted.

    Raises `NotFound`, and `Refused` for a hold that was lifted or a person who is neither counsel nor approver.
    """
    row = _standing(change.session, incident_id, label)
    subject = hold_subject(row, store.open(row, incident_id=incident_id))
    _sign(change, store, row, subject, signer=signer, drill=drill, reason=reason)
    return row


def lift_hold(
    change: Change,
    store: Store,
    incident_id: str,
    label: str,
    *,
    signer: Signer,
    drill: bool,
    reason: str,
) -> tuple[Hold, tuple[Cover, ...]]:
    """End a hold by a signed decision; returns it with what nothing holds back any more.

    The work that waited is to be put again by the caller. Raises `NotFound`, `BadInput` without a reason, and
    `Refused` for a hold that was lifted or a person who is neither counsel nor approver.
    """
    row = _standing(change.session, incident_id, label)
    if not reason.strip():
        raise BadInput(
            "lifting a hold takes a reason", where="--reason", next_step="for example who agreed, and when"
        )
    content = store.open(row, incident_id=incident_id)
    before = hold_subject(row, content)
    subject = Subject(LIFTING, row.id, before.hash)
    _sign(change, store, row, subject, signer=signer, drill=drill, reason=reason)
    row.lifted_at = change.at
    change.put(row, {**content, "lifted_why": reason})
    freed = tuple(cover for cover in covers_of(row) if held(change.session, incident_id, cover) is None)
    for cover in freed:
        lift_brake(change.session, hold_brake(incident_id, cover))
    settle_summons(change, incident_id, row.id)
    put_job(change.session, HOLD_JOB, row.id, incident_id=incident_id)
    return row, freed


def hold_subject(row: Hold, content: Content) -> Subject:
    """What a signature on a hold binds: everything it says, so that an extension asks for a new one."""
    said: dict[str, Any] = {
        "conflicts": content["conflicts"],
        "covers": sorted(row.covers.split(",")),
        "incident": row.incident_id,
        "hold": label_of(row),
        "until": row.until_at.astimezone(UTC).isoformat(timespec="seconds"),
        **{name: content[name] for name in ("by", "officer", "paper", "reason")},
    }
    return Subject(SUBJECT, row.id, hashlib.sha256(rfc8785.dumps(said)).hexdigest())


def standing_holds(session: Session, incident_id: str) -> list[Hold]:
    """The holds of an incident that were not lifted, the oldest first, also those whose time is over."""
    found = (
        select(Hold)
        .where(Hold.incident_id == incident_id, col(Hold.lifted_at).is_(None))
        .order_by(col(Hold.number))
    )
    return list(session.exec(found).all())


def held(session: Session, incident_id: str, cover: Cover | str) -> Hold | None:
    """The hold that keeps this from leaving, or None. One whose time is over holds until a person lifts it."""
    wanted = Cover(cover)
    return next((row for row in standing_holds(session, incident_id) if wanted in covers_of(row)), None)


def is_held(session: Session, incident_id: str, cover: Cover) -> bool:
    """As `held`, without reading a hold: it is asked for every group of messages."""
    found = _COVERS.run(session.connection(), {"incident": incident_id}).fetchall()
    return any(cover in covers.split(",") for (covers,) in found)


_COVERS = Prepared(
    select(Hold.covers).where(Hold.incident_id == bindparam("incident"), col(Hold.lifted_at).is_(None))
)


def must_not_be_held(session: Session, store: Store, incident_id: str, cover: Cover | str) -> None:
    """Raises `HeldBack`, naming the hold, while one keeps this from leaving."""
    row = held(session, incident_id, cover)
    if row is None:
        return
    label = label_of(row)
    by = store.open(row, incident_id=incident_id)["by"]
    raise HeldBack(
        f"{label}, asked for by {by}, holds back {COVER_TITLES[Cover(cover)]['en']}",
        label=label,
        where=incident_id,
        next_step=f"`incident hold show {incident_id} {label}` says until when; a person lifts it with `incident hold lift`",
    )


def list_holds(session: Session, store: Store, incident_id: str) -> list[HoldLine]:
    """All holds of an incident, also lifted ones, in the order in which they were placed."""
    rows = session.exec(select(Hold).where(Hold.incident_id == incident_id).order_by(col(Hold.number))).all()
    drill = bool(rows) and born_as(store) == Born.DRILL
    return [_line(session, store, row, drill=drill) for row in rows]


def list_standing_holds(session: Session, store: Store, incident_id: str) -> list[HoldLine]:
    """The holds of an incident that were not lifted; of one whose data was destroyed there are none."""
    rows = standing_holds(session, incident_id)
    drill = bool(rows) and born_as(store) == Born.DRILL
    return [_line(session, store, row, drill=drill) for row in rows]


def hold_called(session: Session, store: Store, incident_id: str, label: str) -> HoldLine:
    """A hold as a person names it (`H1`). Raises `BadInput` or `NotFound`."""
    row = row_called(session, Hold, incident_id, label)
    return _line(session, store, row, drill=born_as(store) == Born.DRILL)


def remind_at(row: Hold) -> datetime:
    """When to remind of its end: four hours before, or a quarter of its length where that is less."""
    return row.until_at - min(LONGEST_LEAD, (row.until_at - row.placed_at) / 4)


def _line(session: Session, store: Store, row: Hold, *, drill: bool) -> HoldLine:
    content = store.open(row, incident_id=row.incident_id)
    signed = approvals(voices(session, hold_subject(row, content), drill=drill))
    return HoldLine(
        id=row.id,
        label=label_of(row),
        covers=covers_of(row),
        by=content["by"],
        officer=content["officer"],
        paper=content["paper"],
        reason=content["reason"],
        conflicts=tuple(
            Conflict(each["duty"], each["article"], each["title"]) for each in content["conflicts"]
        ),
        placed_at=row.placed_at,
        placed_by=row.placed_by,
        until_at=row.until_at,
        accepted_by=tuple(sorted(voice.operator.name for voice in signed)),
        lifted_at=row.lifted_at,
        lifted_why=content["lifted_why"],
    )


def _standing(session: Session, incident_id: str, label: str) -> Hold:
    row = row_called(session, Hold, incident_id, label)
    if row.lifted_at is not None:
        raise Refused(
            f"{label_of(row)} was lifted already",
            where=incident_id,
            next_step=f"`incident hold list {incident_id}` shows which stand",
        )
    return row


def _must_be_to_come(until: datetime, *, now: datetime) -> None:
    if until <= now:
        raise BadInput(
            "a hold ends at a time that is still to come",
            where="--until",
            next_step="for example --until +48h; nothing was changed",
        )
    if until > now + LONGEST:
        raise BadInput(
            f"a hold ends within {LONGEST.days} days",
            where="--until",
            next_step="name an earlier time; it can be extended, and it stands until a person lifts it",
        )


def _look_at(change: Change, row: Hold) -> None:
    after = max((remind_at(row) - change.at).total_seconds(), 0.0)
    put_job(change.session, HOLD_JOB, row.id, incident_id=row.incident_id, after=after)


def _sign(
    change: Change, store: Store, row: Hold, subject: Subject, *, signer: Signer, drill: bool, reason: str
) -> None:
    operator = operator_named(change.session, signer.name)
    if operator.simulated and not drill:
        raise Refused(
            f"{operator.name} is a simulated operator and decides nothing outside a drill",
            next_step="let a person with a key of their own decide",
        )
    decide(
        change,
        row.incident_id,
        subject,
        Verdict.APPROVED,
        signer=signer,
        needs=MAY_SIGN,
        reason=reason,
        decision_id=store.new_id(),
    )
