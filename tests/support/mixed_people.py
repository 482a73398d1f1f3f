"""Lists of people by all means there are, and whom a relay, a centre and the ledger say were told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlmodel import select

from incident.delivery.next_means import may_be_told_alone
from incident.delivery.sms_rules import MOST_DOUBTS
from incident.delivery.states import EMAIL, IN_PROGRESS, SMS, CampaignState, DeliveryState, Rank
from incident.record.person import person_from_content
from incident.store.change import open_row
from incident.store.tables import Attempt, Delivery, Person
from notifiers.outcome import Result
from tests.support.breaches import Affected, Breach, some_people
from tests.support.message_centre import Act, Answer, Status, refused
from tests.support.relays import RecordingRelay
from tests.support.sms_sendings import number

UNKNOWN_HERE = "nowhere.example"
UNDELIVERED = "31"
CENTRE_ANSWERS = {
    "13": refused(Status.INVALID_DESTINATION),
    "58": refused(Status.THROTTLED, times=1),
    "14": refused(Status.QUEUE_FULL, times=1),
    "97": Answer(Act.SILENT, times=1),
    "00": Answer(Act.SILENT),
    "98": Answer(Act.CLOSE_BEFORE, times=1),
    "99": Answer(Act.CLOSE_AFTER, times=1),
}
"""Refused for ever, or for now; taken without an answer, once or always; cut off before and after."""
_SPECIAL = (*CENTRE_ANSWERS, UNDELIVERED)
_A_SPECIAL_ONE_IN = 23  # no divisor of the twenty kinds of people below, so that it meets all of them


def at_rcpt(address: str) -> str | None:
    """What the relay says: some addresses are refused."""
    return "550 5.1.1 unknown" if address.endswith(UNKNOWN_HERE) else None


def mixed_people(count: int) -> list[Affected]:
    """By e-mail alone, by SMS alone, by both, through guardians, as a household, as an organisation: all mixed."""
    return [_one(at, each) for at, each in enumerate(some_people(count))]


def _one(at: int, person: Affected) -> Affected:
    phone = number(1000 * at + _ending(at))
    match at % 20:
        case 0 | 1 | 2 | 3 | 4 | 5:
            return person
        case 6 | 7 | 8 | 9 | 10 | 11 | 12:
            return replace(person, email="", phone=phone)
        case 13 | 14:
            return replace(person, phone=phone)
        case 15 | 16:
            return replace(person, email=f"p{at}@{UNKNOWN_HERE}", phone=phone)
        case 17:
            return replace(person, born="2015-03-01", guardian_email=f"g{at}@example.org", phone=phone)
        case 18:
            return replace(person, email=f"home{at // 40}@example.org", household="yes", phone=phone)
        case _:
            return replace(person, kind="organisation", phone=phone)


def _ending(at: int) -> int:
    """Mostly a number that nothing happens to."""
    which, is_plain = divmod(at, _A_SPECIAL_ONE_IN)
    return 60 if is_plain else int(_SPECIAL[which % len(_SPECIAL)])


@dataclass(frozen=True)
class Told:
    """One delivery with its person's first number, as the centre writes it, and its attempts.

    `may_go_on`: its message is to one person alone, for whom an SMS has words.
    """

    row: Delivery
    phone: str
    email: str
    may_go_on: bool
    attempts: tuple[tuple[str, Result | None], ...]

    def doubts(self, channel: str) -> int:
        return self.attempts.count((channel, Result.ambiguous))


def told_by(breach: Breach) -> list[Told]:
    """Every delivery of a breach."""
    store, found = breach.made.store, []
    with store.read() as session:
        attempts: dict[str, list[tuple[str, Result | None]]] = {}
        for each in session.exec(select(Attempt).order_by(Attempt.delivery_id, Attempt.n)).all():  # type: ignore[arg-type]
            result = Result(each.result) if each.result else None
            attempts.setdefault(each.delivery_id, []).append((each.channel, result))
        for row in session.exec(select(Delivery).where(Delivery.incident_id == breach.id)).all():
            person = session.get_one(Person, row.person_id)
            known = person_from_content(open_row(person, key=store.key(breach.id)))
            phone = known.phones[0].lstrip("+") if known.phones else ""
            tries = attempts.get(row.leader_id or row.id, [])
            alone = row.principal and row.addressee == "person" and row.leader_id is None and not row.shared
            may_go_on = alone and bool(phone) and may_be_told_alone(person)
            found.append(Told(row, phone, known.contact.email or "", may_go_on, tuple(tries)))
    return found


def doubts_by_sms(breach: Breach) -> int:
    return sum(each.doubts(SMS) for each in told_by(breach))


class Phones(Protocol):
    """What carried SMS in a test."""

    def copies(self) -> Mapping[str, int]:
        """How many whole messages each number has, in digits with the country code."""


def assert_everybody_is_accounted_for(
    breach: Breach, people: Sequence[Affected], centre: Phones, relay: RecordingRelay
) -> Counter[str]:
    """All are told or unreachable with a reason, whoever counts as told was, and no number holds a third copy.

    Returns how many stand where, by their means.
    """
    account, told = breach.account(), told_by(breach)
    assert account.adds_up
    assert (account.state, account.in_progress) == (CampaignState.ENDED, 0)
    assert account.expected == len(people) == account.accepted + account.unreachable_total
    copies = centre.copies()
    assert max(copies.values()) <= MOST_DOUBTS
    by_mail = {mail.to for mail in relay.taken}
    for each in told:
        row, has_text = each.row, copies.get(each.phone, 0) > 0
        assert DeliveryState(row.state) not in IN_PROGRESS
        assert (row.reason != "") == (row.state == DeliveryState.UNREACHABLE)
        if row.state != DeliveryState.ACCEPTED:
            continue
        if row.channel == SMS:
            assert has_text, f"{row.id} counts as told by SMS, and the centre has no whole text"
        elif row.addressee == "person":
            assert each.email in by_mail or (has_text and row.rank >= Rank.DELIVERED)
    more = {phone: count - 1 for phone, count in copies.items() if count > 1}
    doubts = {each.phone: each.doubts(SMS) for each in told if each.phone and each.doubts(SMS)}
    assert [phone for phone, count in more.items() if count > doubts.get(phone, 0)] == []
    not_by_sms = {
        each.phone.lstrip("+") for each in people if each.phone and (each.born or each.kind == "organisation")
    }
    assert not_by_sms.isdisjoint(copies), "told in words that are not meant for them"
    never_there = {each.email for each in people if each.email.endswith(UNKNOWN_HERE)}
    assert never_there.isdisjoint(by_mail)
    return Counter(f"{each.row.channel or EMAIL} {each.row.state} {each.row.reason}".strip() for each in told)
