"""One mailbox, one message: a guardian's for all their children, a household's for all who live there, nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from incident.delivery import batching
from incident.delivery.states import Addressee, CampaignState, DeliveryState, Why
from incident.delivery.status import check_code, deliveries
from incident.proof.verify import verify
from incident.record.people_sharing import MOST_IN_A_MESSAGE
from incident.store.tables import Attempt, Delivery, Person
from tests.support.breaches import Affected, Breach, make_breach, some_people
from tests.support.lived_in import broken, must_hold, with_damage
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay, code_in, part_of, recording_relay
from tests.support.workspaces import run_sql

CORA = "cora@example.org"


def child(reference: str, name: str, *, guardian: str = CORA, **more: str) -> Affected:
    parts = {"born": "2015-03-01", "guardian_name": "Cora", "guardian_email": guardian, **more}
    return Affected(reference, name, **parts)


THREE = [
    child("A", "Cleo", data="phone_number"),
    child("B", "Dan", data="phone_number;location", guardian="Cora@example.org"),
    child("C", "Eve", data="name"),
]


def sent(
    tmp_path: Path, relay: RecordingRelay, people: list[Affected], on: PostgresServer | None = None
) -> Breach:
    breach = make_breach(tmp_path, people=people, relay_port=relay.port, on=on)
    breach.release()
    breach.open_sending()
    breach.work()
    return breach


def attempts(breach: Breach) -> list[Attempt]:
    with breach.made.store.read() as session:
        return list(session.exec(select(Attempt)).all())


def test_a_parent_of_three_gets_one_message_that_names_all_three_cases(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    with recording_relay() as relay:
        breach = sent(tmp_path, relay, [*THREE, Affected("N", "Ann", "ann@example.org")], store_on)
    [mail] = [mail for mail in relay.taken if mail.to.casefold() == CORA]
    text, html = part_of(mail.message, "plain"), part_of(mail.message, "html")
    cases = ["Cleo: phone number", "Dan: phone number, location", "Eve: name"]
    lines = [line.removeprefix("- ").removesuffix(".") for line in text.splitlines() if line.startswith("- ")]
    assert sorted(set(lines) & set(cases)) == sorted(cases)
    assert sum(line.startswith(("Cleo", "Dan", "Eve")) for line in lines) == len(cases)
    assert all(html.count(case) == 1 for case in cases)
    assert text.count("Cora") == 1
    account = breach.account()
    assert (account.expected, account.accepted, account.state) == (4, 4, CampaignState.ENDED)
    assert len(attempts(breach)) == len(relay.taken) == 2
    assert must_hold(breach.house) and verify(breach.made.store).sound


def test_one_code_stands_in_the_message_and_says_nothing_of_the_children(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = sent(tmp_path, relay, THREE)
    answer = check_code(breach.made.store, breach.id, code_in(part_of(relay.taken[0].message, "plain")))
    assert answer is not None and answer.state == DeliveryState.ACCEPTED and answer.sent_at is not None
    assert not any(name in repr(answer) for name in ("Cleo", "Dan", "Eve", "Cora"))


def test_what_becomes_of_the_message_becomes_of_everybody_in_it(tmp_path: Path) -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: "451 4.3.0 later"
        breach = sent(tmp_path, relay, THREE)
        assert {(row.state, row.attempts, row.strikes) for row in breach.deliveries()} == {("pending", 1, 1)}
        must_hold(breach.house)
        relay.at_rcpt = lambda address: "550 5.1.1 unknown"
        breach.later(minutes=5)
        breach.work()
    assert breach.account().unreachable == {Why.REFUSED: 3}
    lines = list(deliveries(breach.made.store, breach.id, unreached=True))
    assert {line.reference for line in lines} == {"A", "B", "C"}
    assert {(line.attempts, line.last_code) for line in lines} == {(2, 550)}
    must_hold(breach.house)


def test_a_batch_holds_all_of_a_message_however_the_list_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 2)
    families = [
        child(f"{family}{n}", f"Child {family}{n}", guardian=f"g{family}@example.org")
        for n in range(4)
        for family in range(4)
    ]
    with recording_relay() as relay:
        breach = sent(tmp_path, relay, [*families, *some_people(5)])
    assert sorted(mail.to for mail in relay.taken if mail.to.startswith("g")) == [
        f"g{n}@example.org" for n in range(4)
    ]
    assert breach.account().accepted == breach.account().expected == 21
    must_hold(breach.house)


def test_a_child_s_own_message_is_their_own_unless_it_would_go_to_the_guardian_s_address(
    tmp_path: Path,
) -> None:
    people = [child("A", "Cleo", email="cleo@example.org"), child("B", "Dan", email=CORA)]
    with recording_relay() as relay:
        breach = sent(tmp_path, relay, people)
    assert sorted(mail.to for mail in relay.taken) == ["cleo@example.org", CORA]
    assert breach.account().accepted == 2
    must_hold(breach.house)


def test_each_language_has_a_message_of_its_own(tmp_path: Path) -> None:
    people = [*THREE, child("D", "小明", language="zh-Hans"), child("E", "小红", language="zh-Hans")]
    with recording_relay() as relay:
        sent(tmp_path, relay, people)
    texts = [part_of(mail.message, "plain") for mail in relay.taken]
    assert len(texts) == 2
    [chinese] = [text for text in texts if "小明" in text]
    assert "小明：手机号码" in chinese and "小红：手机号码" in chinese and "Cleo" not in chinese


def test_grown_ups_who_share_an_address_are_written_to_one_by_one(tmp_path: Path) -> None:
    both = [Affected("A", "Ann", "us@example.org"), Affected("B", "Bob", "us@example.org")]
    with recording_relay() as relay:
        sent(tmp_path, relay, both)
    texts = [part_of(mail.message, "plain") for mail in relay.taken]
    assert sorted(("Ann" in text, "Bob" in text) for text in texts) == [(False, True), (True, False)]


def test_a_household_that_the_list_names_gets_one_message_to_nobody_in_particular(tmp_path: Path) -> None:
    people = [
        Affected("A", "Ann", "us@example.org", household="yes"),
        Affected("B", "Bob", "us@example.org", household="是"),
        Affected("C", "Col", "us@example.org"),
    ]
    with recording_relay() as relay:
        breach = sent(tmp_path, relay, people)
    texts = sorted((part_of(mail.message, "plain") for mail in relay.taken), key=lambda text: "Col" in text)
    assert len(texts) == 2
    assert "- Ann: phone number" in texts[0] and "- Bob: phone number" in texts[0]
    assert "Dear Ann" not in texts[0] and "Dear Bob" not in texts[0] and "Dear Col" in texts[1]
    must_hold(breach.house)


def test_whoever_is_not_written_to_is_named_in_no_message(tmp_path: Path) -> None:
    people = [*THREE[:2], child("X", "Xia", deceased="yes"), child("Y", "Yan", safe_contact="not the mother")]
    with recording_relay() as relay:
        breach = sent(tmp_path, relay, people)
    [mail] = relay.taken
    assert "Xia" not in part_of(mail.message, "plain") and "Yan" not in part_of(mail.message, "plain")
    assert breach.account().unreachable == {Why.DECEASED: 1, Why.SAFE_CONTACT: 1}
    must_hold(breach.house)


def test_an_address_that_too_many_name_is_no_parent_s(tmp_path: Path) -> None:
    people = [child(f"A{n}", f"Child {n}") for n in range(MOST_IN_A_MESSAGE + 1)]
    with recording_relay() as relay:
        sent(tmp_path, relay, people)
    assert len(relay.taken) == len(people)


def test_with_a_damaged_record_among_them_nobody_counts_as_told(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=[*THREE, *some_people(1)], relay_port=relay.port)
        breach.release()
        breach.open_sending()
        with breach.made.store.read() as session:
            one = session.exec(
                select(Delivery.person_id).where(Delivery.addressee == Addressee.GUARDIAN)
            ).first()
            other = session.exec(select(Person.sealed).where(Person.id != one)).first()
        run_sql(breach.made.store, "UPDATE person SET sealed = :other WHERE id = :one", other=other, one=one)
        breach.work()
    assert [mail.to for mail in relay.taken] == ["p00001@example.org"]
    assert (breach.account().accepted, breach.account().unreachable) == (1, {Why.DAMAGED: 3})


def test_a_later_version_goes_to_the_same_mailbox_as_one_update(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = sent(tmp_path, relay, THREE)
        breach.made.clock.move(days=1)
        breach.log("closed one more", "contain.disable-endpoint")
        breach.release()
        breach.open_sending()
        must_hold(breach.house)
        breach.work()
    first, second = relay.taken
    assert (
        str(second.message["Subject"])
        == f"Update to our notice of 23 November 2026: {first.message['Subject']}"
    )
    assert breach.account().updates == 3 and breach.account().accepted == 3
    must_hold(breach.house)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE delivery SET leader_id = NULL WHERE leader_id IS NOT NULL",
        "UPDATE delivery SET leader_id = 'none' WHERE leader_id IS NOT NULL",
        "UPDATE delivery SET shared = 0 WHERE shared > 0",
        "UPDATE delivery SET attempts = 2 WHERE leader_id IS NOT NULL",
        "UPDATE delivery SET state = 'unreachable', reason = 'refused' WHERE leader_id IS NOT NULL",
    ],
)
def test_who_was_parted_from_their_message_is_found(tmp_path: Path, statement: str) -> None:
    with recording_relay() as relay:
        breach = sent(tmp_path, relay, THREE)
    with with_damage(breach.house, statement) as result:
        assert "ledger.shared" in broken(result)
