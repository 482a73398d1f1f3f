"""What the call centre's agents report of their calls, and what follows from it.

A result ends the attempt that the list began. It may come twice, late, after the list was closed, or be followed by
another one of the same person: that somebody was told outweighs everything else, whenever it comes. Who is reported as
told is counted by a receipt of the highest rank, matched by the verification code of their notice.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from incident.delivery.call_closing import close_what_is_done
from incident.delivery.call_lists import due_of, hold_jobs_of
from incident.delivery.codes import code_mac, read_code
from incident.delivery.ledger import Due, Settled, recount, write_intent, write_outcomes
from incident.delivery.receipts import (
    GoOn,
    NewReceipt,
    VerifiedBy,
    led_by,
    put_receipts,
    receipt_id,
    roots_of_ended,
)
from incident.delivery.states import (
    IN_PROGRESS,
    PHONE,
    SETTLE_JOB,
    DeliveryState,
    Rank,
    Why,
)
from incident.durable import put_job
from incident.store.change import Change, open_row
from incident.store.store import Store
from incident.store.tables import Attempt, Batch, CallList, CallTask, Delivery, Receipt
from notifiers.outcome import Outcome, Result, Stage

TAKEN = "calls.results"
_TOGETHER = 500


class CallResult(StrEnum):
    """What became of a person who was to be called; a closed list, which the script explains."""

    TOLD = "told"
    NO_ANSWER = "no_answer"
    VOICEMAIL = "voicemail"
    WRONG_PERSON = "wrong_person"
    BAD_NUMBER = "bad_number"
    REFUSED = "refused"
    PASSED_ON = "passed_on"


_ENDINGS: Mapping[CallResult, tuple[Result, Why]] = {
    CallResult.TOLD: (Result.accepted, Why.NONE),
    CallResult.NO_ANSWER: (Result.temporary, Why.NO_ANSWER),
    CallResult.VOICEMAIL: (Result.temporary, Why.NO_ANSWER),
    CallResult.WRONG_PERSON: (Result.permanent, Why.BAD_ADDRESS),
    CallResult.BAD_NUMBER: (Result.permanent, Why.BAD_ADDRESS),
    CallResult.REFUSED: (Result.permanent, Why.REFUSED),
    CallResult.PASSED_ON: (Result.permanent, Why.PASSED_ON),
}


@dataclass(frozen=True)
class CallReport:
    """One result. `code` is the verification code of the person's notice, `number` that of the list, where it is said;
    `where` is the line that said so."""

    code: str
    result: CallResult
    number: int | None = None
    called_at: datetime | None = None
    by: str = ""
    note: str = ""
    where: str = ""


class Unfit(StrEnum):
    """Why a report cannot be taken; nothing of a file is taken then."""

    NO_CODE = "this is no verification code"
    UNKNOWN_CODE = "no notice of this incident carries that code"
    NEVER_LISTED = "this person was on no call list"
    TOLD_BEFORE = "they were reported as told before, which stands"
    BEING_TOLD = "they are being told by another means at this moment; report it again in some minutes"
    TWICE = "another line of the file says something else of the same person"


@dataclass(frozen=True)
class Problem:
    where: str
    what: Unfit


@dataclass(frozen=True)
class TakenResults:
    """How many reports were new, by result, how many were known, and how many came too late to change anything."""

    new: Mapping[CallResult, int]
    known: int
    late: int
    problems: tuple[Problem, ...] = ()


class _Follows(StrEnum):
    """What a report leads to."""

    SETTLE = "settle"
    """It ends the open attempt."""
    ANOTHER = "another"
    """It is a further call, which the ledger does not have yet."""
    BESIDE = "beside"
    """They were told by a call after all, and stand elsewhere by now."""
    RECEIPT = "receipt"
    """It settles an attempt of which nobody knew."""
    KNOWN = "known"
    LATE = "late"


def follows(
    report: CallResult, *, open: bool, last: CallResult | None, doubtful: bool, row: Delivery
) -> _Follows | Unfit:
    """What a report of a task leads to. Pure.

    `open`: the task waits for a result. `last` is what was reported of it before, `doubtful` that the list was closed
    without a result; `last` is then that they were told after all, where that was said since. `row` is the delivery as it
    stands now.
    """
    told = report is CallResult.TOLD
    if open:
        return _Follows.SETTLE
    if doubtful:
        if told and last is CallResult.TOLD:
            return _Follows.KNOWN
        return _Follows.RECEIPT if told else _Follows.LATE
    if report is last:
        return _Follows.KNOWN
    if row.state in IN_PROGRESS:
        return Unfit.BEING_TOLD if told else _Follows.LATE
    if last is CallResult.TOLD:
        return Unfit.TOLD_BEFORE
    if row.channel == PHONE and row.state == DeliveryState.UNREACHABLE:
        return _Follows.ANOTHER
    return _Follows.BESIDE if told else _Follows.LATE


@dataclass(frozen=True)
class _Task:
    """A person's task, with the delivery and all who share its message."""

    due: Due
    row: Delivery
    list_id: str
    follows: _Follows


def take_results(
    change: Change, store: Store, incident_id: str, reports: Sequence[CallReport], *, go_on: GoOn
) -> TakenResults:
    """Take what was reported, or nothing of it where some of it does not fit: then `problems` says what.

    Who was not told goes on to another means in the same change, as `go_on` has it.
    """
    found: list[tuple[CallReport, _Task]] = []
    problems: list[Problem] = []
    for start in range(0, len(reports), _TOGETHER):
        chunk = reports[start : start + _TOGETHER]
        for report, task in zip(chunk, _tasks(change, store, incident_id, chunk), strict=True):
            if isinstance(task, Unfit):
                problems.append(Problem(report.where, task))
            else:
                found.append((report, task))
    problems += _said_differently(found)
    if problems:
        return TakenResults({}, 0, 0, tuple(problems))
    once = {task.due.id: (report, task) for report, task in found}
    new = [each for each in once.values() if each[1].follows not in (_Follows.KNOWN, _Follows.LATE)]
    _write(change, incident_id, new, go_on=go_on)
    counted = Counter(report.result for report, _ in new)
    late = sum(task.follows is _Follows.LATE for _, task in once.values())
    change.note(results={str(result): count for result, count in sorted(counted.items())}, late=late)
    return TakenResults(dict(counted), len(reports) - len(new) - late, late)


def _said_differently(found: Sequence[tuple[CallReport, _Task]]) -> list[Problem]:
    said: dict[str, CallResult] = {}
    return [
        Problem(report.where, Unfit.TWICE)
        for report, task in found
        if said.setdefault(task.due.id, report.result) is not report.result
    ]


def _tasks(
    change: Change, store: Store, incident_id: str, reports: Sequence[CallReport]
) -> list[_Task | Unfit]:
    session, key = change.session, store.key(incident_id)
    plain = [read_code(report.code) for report in reports]
    macs = {code: code_mac(key, code) for code in plain if code}
    rows = session.execute(
        sa.select(
            col(Delivery.code_mac), col(Delivery.id), col(Delivery.leader_id), col(Delivery.batch_id)
        ).where(col(Delivery.incident_id) == incident_id, col(Delivery.code_mac).in_(list(macs.values())))
    ).all()
    hold_jobs_of(session, sorted({batch_id for *_, batch_id in rows}))
    leaders = {mac: leader_id or delivery_id for mac, delivery_id, leader_id, _ in rows}
    stands = _standing(session, sorted(set(leaders.values())))
    called = _calls(session, list(stands))
    answers: list[_Task | Unfit] = []
    for report, code in zip(reports, plain, strict=True):
        if code is None:
            answers.append(Unfit.NO_CODE)
        elif macs[code] not in leaders:
            answers.append(Unfit.UNKNOWN_CODE)
        elif (leader := leaders[macs[code]]) not in called:
            answers.append(Unfit.NEVER_LISTED)
        else:
            answers.append(_answered(report, *stands[leader], called[leader], key=key))
    return answers


def _answered(report: CallReport, due: Due, row: Delivery, called: _Called, *, key: bytes) -> _Task | Unfit:
    if report.number is not None and report.number != called.number:
        if report.number not in called.before:
            return Unfit.NEVER_LISTED
        if report.result is not CallResult.TOLD:
            # Of a list before the last one: where it says what was said then, or anything else, it changes nothing.
            known = _reported(called.before[report.number], key=key) is report.result
            return _Task(due, row, called.list_id, _Follows.KNOWN if known else _Follows.LATE)
    found = follows(
        report.result,
        open=called.last.outcome_at is None,
        last=called.reported(key),
        doubtful=called.last.result == Result.ambiguous,
        row=row,
    )
    return found if isinstance(found, Unfit) else _Task(due, row, called.list_id, found)


def _reported(attempt: Attempt, *, key: bytes) -> CallResult | None:
    """What was reported of an attempt: the first word of its own."""
    if not attempt.sealed or attempt.outcome_at is None:
        return None
    word = str(open_row(attempt, key=key)["text"]).partition(" ")[0]
    return CallResult(word) if word in set(CallResult) else None


def _standing(session: Session, leaders: Sequence[str]) -> dict[str, tuple[Due, Delivery]]:
    rows = list(
        session.exec(
            select(Delivery)
            .where(col(Delivery.id).in_(leaders) | led_by(leaders))
            .order_by(col(Delivery.id))
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()
    )
    for row in rows:
        session.expunge(row)
    by_id = {row.id: row for row in rows}
    return {due.id: (due, by_id[due.id]) for due in due_of(rows)}


@dataclass(frozen=True)
class _Called:
    """The calls to somebody: the last list they were on, the last call on record since, and those of lists before."""

    list_id: str
    number: int
    last: Attempt
    before: Mapping[int, Attempt]
    told: bool

    def reported(self, key: bytes) -> CallResult | None:
        """What was reported of the last call; of one that was closed without a result, that it told them after all."""
        return _reported(self.last, key=key) or (CallResult.TOLD if self.told else None)


def _calls(session: Session, deliveries: Sequence[str]) -> dict[str, _Called]:
    attempts: dict[str, dict[int, Attempt]] = defaultdict(dict)
    for attempt in session.exec(
        select(Attempt)
        .where(col(Attempt.delivery_id).in_(deliveries), Attempt.channel == PHONE)
        .order_by(col(Attempt.n))
        .execution_options(populate_existing=True)
    ).all():
        attempts[attempt.delivery_id][attempt.n] = attempt
    tasks: dict[str, list[Any]] = defaultdict(list)
    for row in session.execute(
        sa.select(col(CallTask.delivery_id), col(CallTask.n), col(CallList.id), col(CallList.number))
        .join(CallList, col(CallList.id) == col(CallTask.list_id))
        .where(col(CallTask.delivery_id).in_(deliveries))
        .order_by(col(CallTask.n))
    ):
        tasks[row.delivery_id].append(row)
    receipts = {each: receipt_id(PHONE, _told(each)) for each in tasks}
    told = set(session.exec(select(Receipt.id).where(col(Receipt.id).in_(list(receipts.values())))).all())
    found = {}
    for delivery_id, theirs in tasks.items():
        *earlier, newest = theirs
        calls = attempts[delivery_id]
        found[delivery_id] = _Called(
            newest.id,
            newest.number,
            calls[max(calls)],
            {task.number: calls[task.n] for task in earlier},
            receipts[delivery_id] in told,
        )
    return found


@dataclass(frozen=True)
class LastCall:
    """The last call to somebody: its list, where the person stands, and what was reported, empty without a report."""

    number: int
    state: str
    waits: bool
    result: str


def last_call(session: Session, delivery_id: str, *, key: bytes) -> LastCall | None:
    """The last call to the person of a delivery (by its message's id); None for who was on no list."""
    called = _calls(session, [delivery_id]).get(delivery_id)
    if called is None:
        return None
    state = session.get_one(Delivery, delivery_id).state
    waits = called.last.outcome_at is None
    return LastCall(called.number, state, waits, called.reported(key) or "")


# -- writing ----------------------------------------------------------------------------------------------


def _write(change: Change, incident_id: str, new: Sequence[tuple[CallReport, _Task]], *, go_on: GoOn) -> None:
    by_batch: dict[str, list[tuple[CallReport, _Task]]] = defaultdict(list)
    for report, task in new:
        if task.follows is _Follows.BESIDE:
            _add_attempt_beside(change, report, task)
        elif task.follows in (_Follows.SETTLE, _Follows.ANOTHER):
            by_batch[task.row.batch_id].append((report, task))
    for batch_id, reports in sorted(by_batch.items()):
        batch = change.session.get_one(Batch, batch_id)
        settled = [_settled(report, task) for report, task in reports]
        again = [each.due for each, (_, task) in zip(settled, reports, strict=True) if _is_another(task)]
        if again:
            write_intent(
                change.session, again, incident_id=incident_id, job_attempt=1, now=change.at, channel=PHONE
            )
            recount(change.session, batch_id)
        write_outcomes(change.session, batch, settled, key=change.key, now=change.at)
    told = [_receipt(report, task) for report, task in new if report.result is CallResult.TOLD]
    put_receipts(change, incident_id, told)
    ids = sorted({task.due.id for _, task in new})
    go_on(change, ids)
    if roots := roots_of_ended(change.session, ids):
        change.note(ledger_roots=roots)
    close_what_is_done(change, {task.list_id for _, task in new})
    for campaign_id in _campaigns(change.session, sorted(by_batch)):
        put_job(change.session, SETTLE_JOB, campaign_id, incident_id=incident_id)


def _is_another(task: _Task) -> bool:
    return task.follows is _Follows.ANOTHER


def _settled(report: CallReport, task: _Task) -> Settled:
    result, why = _ENDINGS[report.result]
    state = DeliveryState.ACCEPTED if result is Result.accepted else DeliveryState.UNREACHABLE
    # The list's attempt is counted already; a further one is counted by its own intent.
    due = task.due if _is_another(task) else replace(task.due, attempts=task.due.attempts - 1)
    strikes = due.strikes if result is Result.accepted else due.strikes + 1
    return Settled(due, _outcome(report, result), state, why, strikes, None)


def _outcome(report: CallReport, result: Result) -> Outcome:
    return Outcome(
        result=result,
        stage=Stage.reply,
        code=None,
        enhanced=None,
        text=_in_words(report),
        peer="call centre",
        tls=False,
    )


def _in_words(report: CallReport) -> str:
    """The report as it is kept, sealed: the result first."""
    called = report.called_at.astimezone(UTC).isoformat(timespec="minutes") if report.called_at else ""
    return " ".join(part for part in (report.result, called, report.by, report.note) if part)


def _told(delivery_id: str) -> str:
    """What the receipt says of whoever was told: once for a delivery."""
    return f"call centre {delivery_id} told"


def _receipt(report: CallReport, task: _Task) -> NewReceipt:
    words = _in_words(report)
    return NewReceipt(
        delivery_id=task.due.id,
        channel=PHONE,
        event=_told(task.due.id),
        kind="told",
        rank=Rank.ACKNOWLEDGED,
        why=Why.NONE,
        status=None,
        verified_by=VerifiedBy.CODE,
        raw_sha256=hashlib.sha256(words.encode()).hexdigest(),
        words={"text": words},
    )


def _add_attempt_beside(change: Change, report: CallReport, task: _Task) -> None:
    """Keep a call by which somebody was told who stands by another means now; the receipt says where they stand."""
    write_intent(
        change.session,
        [task.due],
        incident_id=task.row.incident_id,
        job_attempt=1,
        now=change.at,
        channel=PHONE,
    )
    state, why = DeliveryState(task.row.state), Why(task.row.reason)
    settled = Settled(task.due, _outcome(report, Result.accepted), state, why, task.due.strikes, None)
    batch = change.session.get_one(Batch, task.row.batch_id)
    write_outcomes(change.session, batch, [settled], key=change.key, now=change.at)
    recount(change.session, batch.id)


def _campaigns(session: Session, batches: Sequence[str]) -> list[str]:
    found = select(Batch.campaign_id).where(col(Batch.id).in_(batches))
    return sorted(session.exec(found.distinct()).all())
