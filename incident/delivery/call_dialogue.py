"""What is said next in a call by machine.

First it is asked who picked up. What is theirs is said only to whoever says that they are the person, and as long as it is
right to tell them: not under a hold or a brake, and not once they were told otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import Session

from incident.delivery.call_message import Call, call_paper, compose_call
from incident.delivery.call_receipts import AGAIN_KEY, CONFIRM_KEY, HEAR_KEY, WRONG_PERSON_KEY, call_part
from incident.delivery.leaving_batch import is_kept_back
from incident.delivery.states import PHONE, CampaignState, DeliveryState, Why
from incident.notice.release import version_by_id
from incident.record.person import person_from_content
from incident.store.change import open_row
from incident.store.store import Store
from incident.store.tables import Batch, Campaign, Delivery, Person
from notifiers.twilio.call_callbacks import AnsweredBy, CallEvent, Step

MOST_GREETINGS = 3
"""So often it is asked who is there: once, and twice more where another key is pressed."""
MOST_TEXTS = 4
"""So often the notice is said: once, and three times more on demand."""


class Part(StrEnum):
    """A part of a call, as `Call` has them."""

    GREETING = "greeting"
    TEXT = "text"
    NOT_HEARD = "not_heard"
    MACHINE = "machine"
    THANKS = "thanks"
    WRONG_PERSON = "wrong_person"


ONLY_WHO_IS_TO_BE_TOLD = frozenset({Part.GREETING, Part.TEXT, Part.MACHINE})
"""The parts that tell somebody, or begin to."""


_QUESTION = 2
"""So many lines at the end of the notice ask for the key that confirms it, and for that to hear it again."""


def parted(part: Part, lines: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines that are heard whatever is pressed, and those during which a key counts. Pure.

    Whoever presses the key for the notice twice has not confirmed it: a key counts once all of it was said.
    """
    return (lines[:-_QUESTION], lines[-_QUESTION:]) if part is Part.TEXT else ((), lines)


@dataclass(frozen=True)
class Saying:
    """What is said. A key that is pressed then leads to the step `asks` of this `round`; None: the call ends."""

    part: Part
    asks: Step | None = None
    round: int = 0


def saying_at(step: Step, round: int, event: CallEvent) -> Saying | None:
    """What is said at a step; None where nothing is. Pure. `round` counts how often the part before was said again."""
    if step is Step.answer:
        return _to_who_answers(event.answered_by)
    if step is Step.hear:
        return _to_who_was_greeted(event.digit, round)
    if step is Step.confirm:
        return _to_who_heard(event.digit, round)
    return None


def _to_who_answers(answered_by: AnsweredBy) -> Saying | None:
    if answered_by is AnsweredBy.fax:
        return None
    if answered_by is AnsweredBy.machine:
        return Saying(Part.MACHINE)
    return Saying(Part.GREETING, Step.hear)


def _to_who_was_greeted(digit: str, round: int) -> Saying:
    if digit == HEAR_KEY:
        return Saying(Part.TEXT, Step.confirm)
    if digit == WRONG_PERSON_KEY:
        return Saying(Part.WRONG_PERSON)
    if round + 1 < MOST_GREETINGS:
        return Saying(Part.GREETING, Step.hear, round + 1)
    return Saying(Part.NOT_HEARD)


def _to_who_heard(digit: str, round: int) -> Saying:
    if digit == CONFIRM_KEY:
        return Saying(Part.THANKS)
    if digit == AGAIN_KEY and round + 1 < MOST_TEXTS:
        return Saying(Part.TEXT, Step.confirm, round + 1)
    return Saying(Part.NOT_HEARD)


@dataclass(frozen=True)
class Script:
    """The call of an attempt, and whether its person is still to be told by it."""

    call: Call
    still_to_be_told: bool

    def allows(self, part: Part) -> bool:
        return self.still_to_be_told or part not in ONLY_WHO_IS_TO_BE_TOLD

    def lines(self, part: Part) -> tuple[str, ...]:
        found: tuple[str, ...] = getattr(self.call, part.value)
        return found


def script_of(store: Store, own_id: str, *, peer: str) -> Script | None:
    """What may be said in the call of this attempt; None where it is none of this carrier's calls.

    Raises `TocsinError` where it cannot be made, as after the incident's key was destroyed.
    """
    with store.read() as session:
        part = call_part(session, own_id, peer=peer)
        delivery = session.get(Delivery, part.delivery_id) if part is not None else None
        if part is None or delivery is None:
            return None
        key = store.key(delivery.incident_id)
        batch = session.get_one(Batch, delivery.batch_id)
        campaign = session.get_one(Campaign, batch.campaign_id)
        person = person_from_content(open_row(session.get_one(Person, delivery.person_id), key=key))
        version = version_by_id(session, store, campaign.notice_id)
        earlier = (
            {delivery.update_of: version_by_id(session, store, delivery.update_of).frozen}
            if delivery.update_of
            else {}
        )
        paper = call_paper(version.frozen, key=key, earlier=earlier)
        call = compose_call(paper, person, delivery_id=delivery.id, update_of=delivery.update_of)
        return Script(call, _still_to_be_told(session, delivery, batch, campaign, n=part.n))


def _still_to_be_told(
    session: Session, delivery: Delivery, batch: Batch, campaign: Campaign, *, n: int
) -> bool:
    if delivery.channel != PHONE or delivery.attempts != n:
        return False  # they went on to another means
    if delivery.state == DeliveryState.ACCEPTED or campaign.state == CampaignState.REPLACED:
        return False
    # One of which it was said already that it ended, as callbacks may come in any order.
    if delivery.state == DeliveryState.UNREACHABLE and delivery.reason != Why.NO_ANSWER:
        return False
    return not is_kept_back(session, batch)
