"""Questions to a gateway: receipts of one message, and how the account stands. Pure but for the asking, which is passed
in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from notifiers.errors import Unanswered
from notifiers.sms.receipt import SmsReceipt
from notifiers.sms_gateway.definition import Credits, Operation, Packages, Question, Receipt, Reply, picked
from notifiers.sms_gateway.gateway import Gateway, Template
from notifiers.sms_gateway.replies import receipt_in, records_in, word_of
from notifiers.sms_gateway.requests import SlotValue
from notifiers.sms_gateway.standing import (
    Problem,
    ProblemKind,
    SignatureStanding,
    Standing,
    TemplateStanding,
    problem_of_signature,
    problem_of_template,
)
from notifiers.sms_gateway.terms import Approval, Slot

_CLOCKS_DIFFER = timedelta(minutes=10)
"""A message may be filed under the provider's own time, some minutes from ours, and so under another day."""
_UNTIL_SETTLED = timedelta(days=3)
"""After the send; a phone that was off longer gets the message no more."""
_MOST_PAGES = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """One question."""

    operation: Operation
    reply: Reply
    slots: dict[Slot, SlotValue]


Ask = Callable[[Asked], Awaitable[object]]
"""Gives the document that answers. Raises Unanswered."""


async def receipts_of(
    gateway: Gateway,
    ask: Ask,
    *,
    number: str,
    at: datetime,
    reference: str,
    own_id: str,
    now: datetime,
) -> list[SmsReceipt]:
    """As `GatewayClient.receipts_of`."""
    operation = gateway.definition.receipt
    if operation is None or now - at > timedelta(days=operation.days_back):
        return []
    slots: dict[Slot, SlotValue] = {
        Slot.number: gateway.number_of(number),
        Slot.reference: reference,
        Slot.own_id: own_id,
        Slot.since: int(max(at - _CLOCKS_DIFFER, now - timedelta(days=operation.days_back)).timestamp()),
        Slot.until: int(max(min(now, at + _UNTIL_SETTLED), at).timestamp()),
    }
    found: list[SmsReceipt] = []
    for day in _days(gateway, operation, at):
        async for record in _records(operation, {**slots, Slot.day: day}, ask):
            receipt = receipt_in(record, operation.records, gateway.definition)
            if Slot.reference in operation.slots and not receipt.message_id:
                # Asked by its reference, some providers do not repeat it.
                receipt = replace(receipt, message_id=reference)
            if _can_be(receipt, operation, number=number, reference=reference, own_id=own_id):
                found.append(receipt)
    return list(dict.fromkeys(found))


def _days(gateway: Gateway, operation: Receipt, at: datetime) -> list[str]:
    if Slot.day not in operation.slots:
        return [""]
    moments = (at - _CLOCKS_DIFFER, at, at + _CLOCKS_DIFFER)
    return sorted({moment.astimezone(gateway.definition.zone).strftime("%Y%m%d") for moment in moments})


async def _records(operation: Receipt, slots: dict[Slot, SlotValue], ask: Ask) -> AsyncIterator[object]:
    for page in range(_MOST_PAGES):
        offset = page * (operation.page_size or 0)
        asked = Asked(operation, operation.reply, {**slots, Slot.page: page + 1, Slot.offset: offset})
        records = records_in(await ask(asked), operation.records) or []
        for record in records:
            yield record
        paged = operation.slots & {Slot.page, Slot.offset}
        if not paged or operation.page_size is None or len(records) < operation.page_size:
            return


def _can_be(receipt: SmsReceipt, operation: Receipt, *, number: str, reference: str, own_id: str) -> bool:
    """Whether a record can be of this message: it names no other number, reference or own id."""
    if receipt.number and receipt.number != number.removeprefix("+"):
        return False
    if reference and receipt.message_id and receipt.message_id != reference:
        return False
    if own_id and not receipt.own_id and not receipt.message_id and operation.records.always_own_id:
        return False
    return not (own_id and receipt.own_id) or receipt.own_id == own_id


async def standing_of(gateway: Gateway, ask: Ask, *, now: datetime) -> Standing:
    """As `GatewayClient.standing`."""
    problems: list[Problem] = []
    templates = []
    if gateway.definition.templates is not None:
        for ours in gateway.templates:
            theirs = await _template(gateway.definition.templates, ours, ask, problems)
            templates.append(theirs)
    signature = None
    if gateway.definition.signature is not None and gateway.signature:
        signature = await _signature(gateway.definition.signature, gateway.signature, ask, problems)
    left = None
    if gateway.definition.credits is not None:
        left = await _credits(gateway, gateway.definition.credits, ask, problems, now)
    return Standing(tuple(templates), signature, left, tuple(problems))


async def _template(
    question: Question, ours: Template, ask: Ask, problems: list[Problem]
) -> TemplateStanding:
    slots: dict[Slot, SlotValue] = {Slot.template: ours.id}
    if Slot.template_integer in question.slots:
        slots[Slot.template_integer] = int(ours.id)
    try:
        row = await _row(question, ours.id, slots, ask)
    except Unanswered as silent:
        problems.append(_unanswered(ours.id, silent))
        return TemplateStanding(ours.id, Approval.unknown, reason=_told(silent))
    listing = question.listing
    text = picked(listing.text, row) if listing.text else None
    theirs = TemplateStanding(
        ours.id, _state(question, row), text if isinstance(text, str) else None, _reason(question, row)
    )
    problem = problem_of_template(ours, theirs)
    problems += [problem] if problem else []
    return theirs


async def _signature(question: Question, name: str, ask: Ask, problems: list[Problem]) -> SignatureStanding:
    try:
        row = await _row(question, name, {Slot.signature: name}, ask)
    except Unanswered as silent:
        problems.append(_unanswered(name, silent))
        return SignatureStanding(name, Approval.unknown, _told(silent))
    theirs = SignatureStanding(name, _state(question, row), _reason(question, row))
    problem = problem_of_signature(theirs)
    problems += [problem] if problem else []
    return theirs


async def _row(question: Question, key: str, slots: dict[Slot, SlotValue], ask: Ask) -> object | None:
    """The row of this key, page by page; None where the provider does not have it."""
    for page in range(_MOST_PAGES):
        offset = page * (question.page_size or 0)
        asked = Asked(question, question.reply, {**slots, Slot.page: page + 1, Slot.offset: offset})
        rows = _list(question.listing.list, await ask(asked))
        for row in rows:
            if word_of(picked(question.listing.key, row)) == key:
                return row
        paged = question.slots & {Slot.page, Slot.offset}
        if not paged or question.page_size is None or len(rows) < question.page_size:
            return None
    return None


async def _credits(
    gateway: Gateway, question: Credits, ask: Ask, problems: list[Problem], now: datetime
) -> int | None:
    local = now.astimezone(gateway.definition.zone)
    slots: dict[Slot, SlotValue] = {
        Slot.since_hour: (local - timedelta(days=question.days_back)).strftime("%Y%m%d%H"),
        Slot.until_hour: (local - timedelta(hours=1)).strftime("%Y%m%d%H"),
    }
    left = 0
    try:
        for page in range(_MOST_PAGES):
            asked = Asked(question, question.reply, {**slots, Slot.offset: page * question.page_size})
            rows = _list(question.packages.list, await ask(asked))
            left += sum(_left(row, question.packages, now) for row in rows)
            if len(rows) < question.page_size or Slot.offset not in question.slots:
                break
    except Unanswered as silent:
        problems.append(_unanswered("credits", silent))
        return None
    if left <= 0:
        problems.append(Problem(ProblemKind.no_credits, "credits"))
    return left


def _left(row: object, packages: Packages, now: datetime) -> int:
    amount, used, expires_at = (
        picked(path, row) for path in (packages.amount, packages.used, packages.expires_at)
    )
    if not all(isinstance(value, int) for value in (amount, used, expires_at)):
        return 0
    return max(amount - used, 0) if expires_at > now.timestamp() else 0


def _list(path: str, document: object) -> list[object]:
    found = picked(path, document)
    return found if isinstance(found, list) else []


def _state(question: Question, row: object | None) -> Approval:
    if row is None:
        return Approval.unknown
    return question.listing.states.get(word_of(picked(question.listing.state, row)), Approval.unknown)


def _reason(question: Question, row: object | None) -> str:
    if row is None:
        return "the provider does not have it"
    return word_of(picked(question.listing.reason, row)) if question.listing.reason else ""


def _unanswered(subject: str, silent: Unanswered) -> Problem:
    return Problem(ProblemKind.unanswered, subject, _told(silent))


def _told(silent: Unanswered) -> str:
    return ": ".join(part for part in (silent.code, silent.text) if part)
