"""The doctor's look at Twilio: how the account stands, what its balance is enough for, and how receipts come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from incident.carrier_settings import TwilioSettings
from incident.delivery.twilio_room import Twilio, twilio_from
from incident.delivery.twilio_standing import TRIAL, in_the_way, standing_of
from incident.errors import TocsinError
from incident.ops.doctor_gateway import longest_list
from incident.ops.doctor_sms import typical_segments
from incident.ops.examined import Examined, State, unusable
from incident.response.housework import House
from notifiers.twilio.standing import Standing

_CARRIER, _CREDITS, _RECEIPTS = "SMS carrier", "SMS credits", "SMS receipts"
_TOP_UP = "top it up for as many people as may have to be told, or let it recharge itself"


def examine_twilio(house: House, declared: TwilioSettings, faults: Sequence[Examined]) -> Iterator[Examined]:
    """`faults` were found before; with one of them Twilio is not asked."""
    if faults:
        yield from faults
        return
    try:
        twilio = twilio_from(declared, root=house.workspace.root)
        standing = standing_of(twilio)
    except TocsinError as error:
        yield unusable(_CARRIER, error)
        return
    yield from _account(twilio, declared, standing)
    yield from _balance(house, standing)
    yield from _callbacks(declared)


def _account(twilio: Twilio, declared: TwilioSettings, standing: Standing) -> Iterator[Examined]:
    problems = list(in_the_way(standing))
    for each in problems:
        state = State.WARN if each is TRIAL else State.FAIL
        yield Examined(_CARRIER, state, each.told, each.next_step)
    if problems:
        return
    account = (
        f"the account is {standing.account}" if standing.account else "this key may not ask of the account"
    )
    senders = "senders not told" if standing.senders is None else f"{standing.senders} senders"
    where = f"{twilio.peer}, {declared.processor}, {declared.country}"
    yield Examined(_CARRIER, State.OK, f"{where}: {account}, {senders}")


def _balance(house: House, standing: Standing) -> Iterator[Examined]:
    """What is left, against what it costs to tell the longest list that is on record, where the price is known in the
    account's currency."""
    if standing.balance is None:
        return
    has = f"{standing.balance} {standing.currency or ''}".strip()
    if standing.balance <= 0:
        yield Examined(_CREDITS, State.FAIL, f"the balance is {has}: nothing is sent", _TOP_UP)
        return
    people, each = longest_list(house), _cost_of_one(house, standing)
    if each is None:
        step = f"set [sms] price and currency as Twilio asks them ({standing.currency}), so that this can be told"
        yield Examined(_CREDITS, State.OK, f"the balance is {has}; for how many people is not known", step)
    elif standing.balance_below(people * each):
        finding = f"the balance is {has}, and to tell a list on record of {people:,} people costs about {people * each}"
        yield Examined(_CREDITS, State.WARN, finding, _TOP_UP)
    else:
        yield Examined(
            _CREDITS, State.OK, f"the balance is {has}, enough for about {standing.balance // each:,}"
        )


def _cost_of_one(house: House, standing: Standing) -> Decimal | None:
    """A message in the language that needs the most segments; None where the price is not known in this currency."""
    sms = house.settings.sms
    if not sms.price or sms.currency.upper() != (standing.currency or "").upper():
        return None
    return sms.price * max(_segments(house), default=1)


def _segments(house: House) -> Iterator[int]:
    for language in house.settings.workspace.languages:
        try:
            yield typical_segments(house, language) or 1
        except TocsinError:
            continue  # said of the texts already


def _callbacks(declared: TwilioSettings) -> Iterator[Examined]:
    if declared.callback_url:
        yield Examined(
            _RECEIPTS, State.OK, f"Twilio posts them below {declared.callback_url}, and is asked beside"
        )
        return
    finding = (
        "no callback_url: whether an SMS arrived is told by asking alone, and one whose answer is lost stays in doubt "
        "and is sent once more"
    )
    step = "set callback_url under [sms.twilio] to the public https address of `incident serve hooks`"
    yield Examined(_RECEIPTS, State.WARN, finding, step)
