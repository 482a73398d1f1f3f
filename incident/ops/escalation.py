"""Escalation: who is called when somebody is needed, and who when nobody answers.

The first round calls everybody with the role (or the one who was named), the second their deputies, and every later one
everybody who can be reached. After the last the summons stands as unanswered. Nothing here answers anything: a summons
ends when a person says so, or when what it was about is settled.

Intent is committed before a group of messages leaves, outcomes after it, both fenced by the job's attempt. A worker that
dies in between leaves calls in doubt. Each is made once more at most, since a doubled page is better than none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from hashlib import sha256

from sqlmodel import Session, col, select

from incident.durable import Lease, braked
from incident.errors import TocsinError
from incident.record.holds import Cover, held, hold_brake
from incident.record.reaches import ReachLine, is_reference, list_reaches, shown_address
from incident.record.summons import REASON_TITLES, SUMMONS_JOB, CallState, Reason, calls_of
from incident.response.attempt import ENGINE
from incident.settings import Settings, resolve_secret
from incident.store.change import Change, Content
from incident.store.store import Store
from incident.store.tables import Decision, Summons, SummonsCall
from notifiers.errors import BadAddress, CarrierMissing
from notifiers.outcome import Outcome, Result
from notifiers.responders import Message, send

__all__ = ["SUMMONS_JOB", "Caller", "work_on_summons"]

GROUP = 16
"""Messages that are under way at a time: so many may be doubled by a crash."""
MOST_TRIES = 2
_UNDER_A_BRAKE = 3600.0  # whoever lifts it makes every open job due at once
_NOT_SURE = 1.0
_DEPUTIES = 2
_STATES = {
    Result.accepted: CallState.ACCEPTED,
    Result.temporary: CallState.REFUSED,
    Result.permanent: CallState.REFUSED,
    Result.not_sent: CallState.UNREACHABLE,
    Result.ambiguous: CallState.UNKNOWN,
}
_NEEDS = {
    "zh-Hans": ("{id} 需要您处理", "{id} 需要您处理：{what}"),
    "en": ("{id} needs you", "{id} needs you: {what}"),
}


@dataclass(frozen=True)
class Caller:
    """What calling needs from outside. `timeout`: seconds of each wait on a service; `longest`: of a whole group."""

    settings: Settings
    clock: Callable[[], datetime]
    timeout: float = 15.0
    longest: float = 60.0


class _Next(Enum):
    OVER = auto()
    LATER = auto()
    CALL = auto()
    CLOSE_DOUBTS = auto()
    GIVE_UP = auto()


_KINDS = {
    _Next.CALL: "summons.calling",
    _Next.CLOSE_DOUBTS: "summons.doubtful",
    _Next.GIVE_UP: "summons.unanswered",
}


@dataclass(frozen=True)
class _Target:
    """One address of one operator."""

    operator_id: str
    url: str

    @property
    def mark(self) -> str:
        """What finds the address again without keeping it."""
        return sha256(f"{self.operator_id}\0{self.url}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class _Step:
    """What is to be done next with a summons. `doubtful`: calls to make again; `targets`: calls not yet made."""

    next: _Next
    level: int = 0
    doubtful: tuple[SummonsCall, ...] = ()
    targets: tuple[_Target, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class _Call:
    row_id: str
    url: str


@dataclass(frozen=True)
class _Words:
    """What is said to all of a group. `silent`: a hold covers chats, so it is no more than that somebody is needed."""

    subject: str
    text: str
    silent: bool

    @property
    def out(self) -> Message:
        return Message(self.subject, self.text)


@dataclass(frozen=True)
class _Said:
    """What came of a call; None as `state` when it was not made after all."""

    state: CallState | None
    words: str


class _Overtaken(Exception):
    """Somebody changed the summons in between: nothing was written, and it must be looked at anew."""


def work_on_summons(lease: Lease, store: Store, summons_id: str, caller: Caller) -> None:
    """Call who is to be called now, and leave the job until the next round, or done."""
    while True:
        with store.transaction() as session:
            lease.fence(session)
            step = _look(session, store, session.get(Summons, summons_id), caller)
            if step.next is _Next.OVER:
                lease.done(session)
                return
            if (wait := _waits(lease, session, step)) is not None:
                lease.again(session, after=wait)
                return
        try:
            message, calls = _intend(lease, store, summons_id, step, caller)
        except _Overtaken:
            continue
        if calls:
            said = _make(calls, message, lease, caller)
            lease.insist(partial(_keep, lease, store, summons_id, said, caller))


def _waits(lease: Lease, session: Session, step: _Step) -> float | None:
    """Seconds after which the job is to look again; None when it goes on at once."""
    if step.next is _Next.LATER:
        return step.seconds
    if step.next is _Next.CLOSE_DOUBTS:
        return None
    if braked(session):
        return _UNDER_A_BRAKE
    if lease.stopping:
        return 0.0
    return None if lease.may_act() else _NOT_SURE


# -- what is to be done --------------------------------------------------------------------------------


def _look(session: Session, store: Store, row: Summons | None, caller: Caller) -> _Step:
    if row is None:
        return _Step(_Next.OVER)
    made = calls_of(session, row.id)
    doubtful = tuple(call for call in made if call.outcome == CallState.INTENDED)
    if row.ended_at is not None:
        # After its data was destroyed there is no key to write with, and nothing left to say.
        known = doubtful and store.keyring.has(row.incident_id)
        return _Step(_Next.CLOSE_DOUBTS, doubtful=doubtful) if known else _Step(_Next.OVER)
    if doubtful:
        return _Step(_Next.CALL, row.level, doubtful=doubtful[:GROUP])
    content = store.open(row, incident_id=row.incident_id)
    reaches = _without_those_who_decided(session, row, list_reaches(session, store))
    due = row.next_at is not None and row.next_at <= caller.clock()
    if row.level and (missing := _not_called(store, made, row.level, _audience(row, content, reaches))):
        return _Step(_Next.CALL, row.level, targets=missing[:GROUP])
    if due:
        return _climb(row, content, reaches, caller.settings.escalation.rounds)
    if row.next_at is None:
        return _Step(_Next.OVER)
    return _Step(_Next.LATER, seconds=max((row.next_at - caller.clock()).total_seconds(), 0.001))


def _climb(row: Summons, content: Content, reaches: Sequence[ReachLine], rounds: int) -> _Step:
    """The next round that reaches somebody; one that reaches nobody is not waited for."""
    for level in range(row.level + 1, rounds + 1):
        if targets := _audience(row, content, reaches, level=level):
            return _Step(_Next.CALL, level, targets=targets[:GROUP])
    return _Step(_Next.GIVE_UP, max(rounds, row.level))


def _audience(
    row: Summons, content: Content, reaches: Sequence[ReachLine], *, level: int | None = None
) -> tuple[_Target, ...]:
    """Whom a round calls, by what is known of operators now."""
    round_ = row.level if level is None else level
    named = content.get("operator", "")
    roles = {row.role, *content.get("or_roles", ())}
    first = [line for line in reaches if (line.name == named if named else not roles.isdisjoint(line.roles))]
    called: Sequence[ReachLine] = reaches
    if round_ < _DEPUTIES:
        called = first
    elif round_ == _DEPUTIES:
        deputies = {line.deputy_id for line in first}
        called = [line for line in reaches if line.operator_id in deputies]
    return tuple(_Target(line.operator_id, url) for line in called for url in line.urls)


def _without_those_who_decided(
    session: Session, row: Summons, reaches: Sequence[ReachLine]
) -> list[ReachLine]:
    """Who has signed on the subject already, where more than one must, is not called again about it."""
    signed = select(Decision.operator_id).where(Decision.subject_id == row.subject_id)
    done = set(session.exec(signed).all())
    return [line for line in reaches if line.operator_id not in done]


def _not_called(
    store: Store, made: Sequence[SummonsCall], level: int, targets: Sequence[_Target]
) -> tuple[_Target, ...]:
    marks = {store.open(call, incident_id=call.incident_id)["mark"] for call in made if call.level == level}
    return tuple(target for target in targets if target.mark not in marks)


# -- intent, call, outcome -----------------------------------------------------------------------------


def _intend(
    lease: Lease, store: Store, summons_id: str, step: _Step, caller: Caller
) -> tuple[_Words, list[_Call]]:
    """Keep what is about to be called. Raises `_Overtaken`."""
    with store.read() as session:
        incident_id = session.get_one(Summons, summons_id).incident_id
    with store.write(incident_id, kind=_KINDS[step.next], actor=ENGINE, now=caller.clock()) as change:
        lease.fence(change.session, progress=True)
        row = change.session.get_one(Summons, summons_id)
        now = _look(change.session, store, row, caller)
        if (now.next, now.level) != (step.next, step.level):
            raise _Overtaken
        if braked(change.session) and now.next is not _Next.CLOSE_DOUBTS:
            raise _Overtaken
        message = _message(change.session, store, row, caller.settings)
        if now.next is _Next.GIVE_UP:
            row.level, row.next_at = now.level, None
            change.put(row)
            return message, []
        if now.next is _Next.CLOSE_DOUBTS:
            for call in now.doubtful:
                _settle(change, store, call, _Said(CallState.UNKNOWN, _STOPPED))
            return message, []
        _rise(change, row, now.level, caller.settings)
        return message, [
            *_again(change, store, now.doubtful, message),
            *(_new_call(change, store, row, target, message) for target in now.targets),
        ]


_STOPPED = "the worker stopped while it was made"


def _rise(change: Change, row: Summons, level: int, settings: Settings) -> None:
    """Note the round that begins, and when the next one is due; of one that goes on, nothing changes."""
    if row.level == level and row.next_at is not None:
        return
    row.level = level
    row.next_at = change.at + timedelta(minutes=settings.escalation.minutes)
    change.put(row)


def _new_call(change: Change, store: Store, row: Summons, target: _Target, message: _Words) -> _Call:
    call = SummonsCall(
        id=store.new_id(),
        summons_id=row.id,
        incident_id=row.incident_id,
        operator_id=target.operator_id,
        level=row.level,
        called_at=change.at,
        outcome=CallState.INTENDED,
    )
    content = {"to": shown_address(target.url), "mark": target.mark, "text": message.text, "tries": 1}
    change.put(call, {**content, "words": ""})
    return _Call(call.id, target.url)


def _again(change: Change, store: Store, doubtful: Sequence[SummonsCall], message: _Words) -> Iterator[_Call]:
    """Calls in doubt: those that may be made once more and whose address still stands; the others are closed."""
    addresses = {
        target.mark: target.url
        for line in list_reaches(change.session, store)
        for target in (_Target(line.operator_id, url) for url in line.urls)
    }
    for call in doubtful:
        content = store.open(call, incident_id=call.incident_id)
        url = addresses.get(content["mark"])
        if url is None or content["tries"] >= MOST_TRIES:
            _settle(change, store, call, _Said(CallState.UNKNOWN, _STOPPED))
            continue
        change.put(call, {**content, "text": message.text, "tries": content["tries"] + 1})
        yield _Call(call.id, url)


def _make(calls: Sequence[_Call], message: _Words, lease: Lease, caller: Caller) -> dict[str, _Said]:
    """Make all calls of a group at once: nobody waits for a service that does not answer another."""
    lease.allow(2 * caller.longest)
    said: dict[str, _Said] = {}
    # Placed since the intent, a hold takes effect here: the call is made anew with fewer words.
    brake = "" if message.silent else hold_brake(message.subject, Cover.CHAT)

    def make(call: _Call) -> None:
        may = lease.may_act(brake)
        said[call.row_id] = _call(call.url, message.out, caller.timeout) if may else _Said(None, "")

    # Daemons: one that hangs in a service keeps no worker from ending.
    threads = [threading.Thread(target=make, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + caller.longest
    for thread in threads:
        thread.join(max(ends - time.monotonic(), 0.0))
    late = _Said(CallState.UNKNOWN, f"no answer within {caller.longest:.0f} s")
    return {call.row_id: said.get(call.row_id, late) for call in calls}


def _call(url: str, message: Message, timeout: float) -> _Said:
    try:
        address = resolve_secret(url) if is_reference(url) else url
        outcome: Outcome = send(message, address, timeout=timeout)
    except CarrierMissing as error:
        return _Said(
            CallState.UNUSABLE, f"{error.package} is not installed: pip install 'tocsin[responders]'"
        )
    except (BadAddress, TocsinError) as error:
        return _Said(CallState.UNUSABLE, error.what)
    except Exception as error:
        # A fault of a plugin must not keep the others from being called; its text could hold the address.
        return _Said(CallState.UNKNOWN, f"it failed in an unforeseen way ({type(error).__name__})")
    return _Said(_STATES[outcome.result], outcome.text)


def _keep(lease: Lease, store: Store, summons_id: str, said: dict[str, _Said], caller: Caller) -> None:
    with store.read() as session:
        incident_id = session.get_one(Summons, summons_id).incident_id
    with store.write(incident_id, kind="summons.called", actor=ENGINE, now=caller.clock()) as change:
        lease.fence(change.session, progress=True)
        found = change.session.exec(select(SummonsCall).where(col(SummonsCall.id).in_(sorted(said)))).all()
        for call in found:
            _settle(change, store, call, said[call.id])


def _settle(change: Change, store: Store, call: SummonsCall, said: _Said) -> None:
    content = store.open(call, incident_id=call.incident_id)
    if said.state is None:
        change.put(call, {**content, "tries": content["tries"] - 1})
        return
    call.outcome, call.settled_at = said.state, change.at
    change.put(call, {**content, "words": said.words})


def _message(session: Session, store: Store, row: Summons, settings: Settings) -> _Words:
    """What is said: never a title, a fact or a name; under a hold that covers chats only that somebody is needed."""
    silent = held(session, row.incident_id, Cover.CHAT) is not None
    label = store.open(row, incident_id=row.incident_id).get("label", "")
    lines = []
    for language in settings.workspace.own_languages:
        bare, full = _NEEDS[language]
        what = REASON_TITLES[Reason(row.reason)][language]
        named = (f"（{label}）" if language.startswith("zh") else f" ({label})") if label else ""
        lines.append((bare if silent else full).format(id=row.incident_id, what=f"{what}{named}"))
    return _Words(row.incident_id, "\n".join(lines), silent)
