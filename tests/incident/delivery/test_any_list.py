"""Random lists and random relays, over two versions: one message a mailbox, each person named once, sums that hold."""

from __future__ import annotations

import itertools
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.delivery import batching
from incident.delivery.states import CampaignState, DeliveryState, Why
from incident.ops.check import check
from tests.support.breaches import Affected, Breach, make_breach
from tests.support.lived_in import broken
from tests.support.quick_disk import quick_folder
from tests.support.relays import Mail, part_of, recording_relay
from tests.support.versions import accounts, next_version

GUARDIANS = [f"guardian{number}@example.org" for number in range(4)]
ANSWERS = {
    "taken": None,
    "later": "451 4.3.0 later",
    "refused": "550 5.1.1 unknown",
    "policy": "550 5.7.1 no",
}
MARKS = ("Update to our notice of", "告知书的更新")
ROUNDS = 6


@dataclass(frozen=True)
class Drawn:
    """Somebody on a list: whose ward they are, their own address, their household's, and their language."""

    guardian: str
    own: bool
    household: bool
    language: str
    spared: bool


def drawn() -> st.SearchStrategy[Drawn]:
    return st.builds(
        Drawn,
        st.sampled_from(["", *GUARDIANS]),
        st.booleans(),
        st.sampled_from([False, False, True]),
        st.sampled_from(["en", "en", "zh-Hans"]),
        st.sampled_from([False, False, False, True]),
    )


def on_the_list(number: int, one: Drawn) -> Affected:
    own = "home@example.org" if one.household else f"own{number}@example.org" if one.own else ""
    return Affected(
        f"R{number}",
        f"Xname{number}x",
        own,
        language=one.language,
        born="2015-03-01" if one.guardian else "1980-01-01",
        guardian_name="Gee" if one.guardian else "",
        guardian_email=one.guardian,
        household="yes" if one.household else "",
        safe_contact="by hand" if one.spared else "",
    )


@given(
    st.lists(drawn(), min_size=2, max_size=12),
    st.dictionaries(
        st.sampled_from([*GUARDIANS, "home@example.org"]),
        st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=3),
    ),
    st.integers(1, 5),
    st.integers(0, ROUNDS),
)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_mailbox_gets_one_message_a_version_that_names_each_of_its_people_once(
    people: list[Drawn], answers: dict[str, list[str]], batch_size: int, rounds_before: int
) -> None:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as folder, recording_relay() as relay:
        before, batching.BATCH_SIZE = batching.BATCH_SIZE, batch_size
        try:
            scripts = {address: itertools.cycle(each) for address, each in answers.items()}
            relay.at_rcpt = lambda address: ANSWERS[next(scripts[address])] if address in scripts else None
            listed = [on_the_list(number, one) for number, one in enumerate(people)]
            breach = make_breach(Path(folder), people=listed, relay_port=relay.port)
            breach.release()
            breach.open_sending()
            go_on(breach, rounds_before)
            first = list(relay.taken)
            next_version(breach)
            must_add_up(breach)
            go_on(breach, ROUNDS)
        finally:
            batching.BATCH_SIZE = before
    assert {each.state for each in accounts(breach)} == {CampaignState.ENDED}
    second = relay.taken[len(first) :]
    told = {message_of(mail) for mail in first}
    for mails in (first, second):
        must_name_each_once(mails, people)
    # Whoever has the first version gets the second as an update of it, and nobody else does.
    assert {is_update(mail) == (message_of(mail) in told) for mail in second} <= {True}
    assert not any(is_update(mail) for mail in first)
    must_name_everyone_who_was_told(breach, second, people)


def go_on(breach: Breach, rounds: int) -> None:
    """Work, and look at the sums after each round; an hour passes between two."""
    for _ in range(rounds):
        breach.later(hours=2)
        breach.work()
        assert all(each.adds_up for each in accounts(breach))
    must_add_up(breach)


def must_add_up(breach: Breach) -> None:
    assert all(each.adds_up for each in accounts(breach))
    assert broken(check(breach.house, pause=0.0)) == {}


def said(mail: Mail) -> frozenset[str]:
    """Whom a message has a line for."""
    return frozenset(lines_of(mail))


def message_of(mail: Mail) -> tuple[str, str, frozenset[str]]:
    """Which message it is: children of one guardian who read another language are told in another one."""
    return mail.to, str(mail.message["Content-Language"]), said(mail)


def lines_of(mail: Mail) -> list[str]:
    return re.findall(r"^- (Xname\d+x)[:：]", part_of(mail.message, "plain"), re.MULTILINE)


def is_update(mail: Mail) -> bool:
    return any(mark in str(mail.message["Subject"]) for mark in MARKS)


def shares(people: Sequence[Drawn]) -> dict[tuple[str, str], frozenset[str]]:
    """By mailbox and language, whom one message names: those of two and more who share it."""
    boxes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for number, one in enumerate(people):
        if one.spared:
            continue
        if one.guardian:
            boxes[one.guardian, one.language].add(f"Xname{number}x")
        if one.household:
            boxes["home@example.org", one.language].add(f"Xname{number}x")
    return {box: frozenset(names) for box, names in boxes.items()}


def must_name_each_once(mails: Sequence[Mail], people: Sequence[Drawn]) -> None:
    """Of each shared mailbox and language there is at most one message, and it names all of its people once."""
    boxes = shares(people)
    seen: Counter[tuple[str, str]] = Counter()
    for mail in mails:
        language = str(mail.message["Content-Language"])
        names = boxes.get((mail.to, language))
        if names is None:
            assert mail.to.startswith("own") and said(mail) == frozenset()
            continue
        seen[mail.to, language] += 1
        text = part_of(mail.message, "plain")
        if len(names) > 1:
            assert sorted(lines_of(mail)) == sorted(names)
        spared = {f"Xname{number}x" for number, one in enumerate(people) if one.spared}
        assert not any(name in text for name in spared)
    assert set(seen.values()) <= {1}


def must_name_everyone_who_was_told(breach: Breach, mails: Sequence[Mail], people: Sequence[Drawn]) -> None:
    """Who counts as accepted in the second version is in a message that the relay took, and the other way round."""
    newest = accounts(breach)[-1]
    by_hand = sum(one.spared for one in people)
    nowhere = sum(not one.spared and not one.guardian and not one.own and not one.household for one in people)
    assert newest.unreachable.get(Why.SAFE_CONTACT, 0) == by_hand
    assert newest.unreachable.get(Why.NO_EMAIL, 0) == nowhere
    boxes = shares(people)
    guardians = sum(
        len(boxes[mail.to, str(mail.message["Content-Language"])]) for mail in mails if mail.to in GUARDIANS
    )
    accepted = [row for row in breach.deliveries() if row.state == DeliveryState.ACCEPTED]
    of_newest = [row for row in accepted if row.batch_id.startswith(newest.campaign_id)]
    assert sum(row.addressee == "guardian" for row in of_newest) == guardians
