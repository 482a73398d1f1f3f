"""Opening a campaign: everybody has a row, nobody is counted twice, and it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlmodel import select

from incident.delivery import batching
from incident.delivery.batching import BATCH_SIZE
from incident.delivery.campaign import end_campaign, is_settled
from incident.delivery.codes import code_of
from incident.delivery.states import PUBLISH_JOB, Addressee, CampaignState, DeliveryState, Why
from incident.delivery.status import CodeAnswer, check_code, deliveries, progress
from incident.durable import JobState
from incident.duties.evaluating import MET, stored_duties
from incident.duties.reminding import DUTIES_JOB
from incident.errors import BadInput, Refused
from incident.law.regimes import DutyKind
from incident.ops.check import check
from incident.record.incidents import close_incident
from incident.store.tables import Batch, Campaign, Job
from tests.support.breaches import Affected, Breach, make_breach, some_people
from tests.support.lived_in import must_hold
from tests.support.relays import code_in, parsed, part_of, recording_relay
from tests.support.workspaces import all_rows, run_sql

ANN = Affected("A", email="ann@example.org")
NO_MAIL = Affected("B", name="Bert")
CHILD = Affected(
    "C",
    name="Cleo",
    email="cleo@example.org",
    born="2015-03-01",
    guardian_name="Cora",
    guardian_email="cora@example.org",
)
CHILD_WITHOUT_MAIL = Affected(
    "D", name="Dan", born="2015-03-01", guardian_name="Dora", guardian_email="dora@example.org"
)
CHILD_ALONE = Affected("E", name="Eve", email="eve@example.org", born="2015-03-01")
CHILD_WITH_A_PHONE_ONLY_GUARDIAN = Affected(
    "F",
    name="Finn",
    email="finn@example.org",
    born="2015-03-01",
    guardian_name="Fay",
    guardian_phone="13800000001",
)
ALL = [ANN, NO_MAIL, CHILD, CHILD_WITHOUT_MAIL, CHILD_ALONE, CHILD_WITH_A_PHONE_ONLY_GUARDIAN]


def released(tmp_path: Path, people: list[Affected], **parts: int) -> Breach:
    breach = make_breach(tmp_path, people=people, relay_port=parts.get("port", 25))
    breach.release()
    return breach


def test_everybody_has_a_row_also_those_without_an_address(tmp_path: Path) -> None:
    breach = released(tmp_path, ALL)
    breach.open_sending()
    account = breach.account()
    assert account.expected == len(ALL) == sum(row.principal for row in breach.deliveries())
    assert account.adds_up
    assert account.unreachable == {Why.NO_EMAIL: 1}
    assert account.in_progress == 5


def test_a_minor_is_told_with_the_guardian_and_counted_once(tmp_path: Path) -> None:
    breach = released(tmp_path, [CHILD, CHILD_WITHOUT_MAIL, CHILD_ALONE])
    breach.open_sending()
    found = Counter((row.addressee, row.principal) for row in breach.deliveries())
    assert found == {
        (Addressee.GUARDIAN, True): 2,
        (Addressee.PERSON, False): 1,
        (Addressee.PERSON, True): 1,
    }
    assert breach.account().expected == 3


def test_minors_whose_guardian_gets_no_message_are_on_a_list(tmp_path: Path) -> None:
    breach = released(tmp_path, ALL)
    breach.open_sending()
    assert breach.account().minors_without_guardian == 2  # Eve, and Finn whose guardian has a phone only


def test_guardian_and_minor_each_get_a_message_of_their_own(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = released(tmp_path, [CHILD], port=relay.port)
        breach.open_sending()
        breach.work()
    to_guardian, to_child = (
        part_of(relay.mails_to(f"{name}@example.org")[0].message, "plain") for name in ("cora", "cleo")
    )
    assert "Cora" in to_guardian and "Cleo" in to_child
    account = breach.account()
    assert (account.expected, account.accepted, account.state) == (1, 1, CampaignState.ENDED)


def test_a_campaign_waits_for_the_minor_s_own_message_too(tmp_path: Path) -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: "450 4.2.0 later" if address.startswith("cleo") else None
        breach = released(tmp_path, [CHILD], port=relay.port)
        campaign_id = breach.open_sending()
        breach.work()
        assert breach.account().accepted == 1
        with breach.made.store.read() as session:
            assert not is_settled(session, campaign_id)
        relay.at_rcpt = lambda address: None
        breach.later(minutes=5)
        breach.work()
    assert breach.account().state == CampaignState.ENDED


def test_whether_a_campaign_is_settled_costs_the_same_with_any_number_of_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked whenever a batch ends: a look at each batch would make a long list take the square of its time."""
    asked: list[int] = []
    for batches in (2, 20):
        monkeypatch.setattr(batching, "BATCH_SIZE", 40 // batches)
        breach = released(tmp_path / str(batches), some_people(40))
        campaign_id = breach.open_sending()
        run_sql(breach.made.store, "UPDATE batch SET pending = 0")
        with breach.made.store.read() as session, counted_statements(breach.made.store.engine) as statements:
            assert not is_settled(session, campaign_id)
        asked.append(len(statements))
    assert asked[0] == asked[1] <= 4


@contextmanager
def counted_statements(engine: Engine) -> Iterator[list[str]]:
    statements: list[str] = []

    def count(*told: Any) -> None:
        statements.append(told[2])

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", count)


def test_an_age_class_counts_like_a_date_of_birth(tmp_path: Path) -> None:
    def child(reference: str, age_class: str) -> Affected:
        return Affected(
            reference,
            email=f"{reference}@example.org",
            age_class=age_class,
            guardian_email=f"parent-{reference}@example.org",
        )

    breach = released(tmp_path, [child("a", "under 14"), child("b", "under 18"), child("c", "adult")])
    breach.open_sending()
    found = Counter((row.addressee, row.principal) for row in breach.deliveries())
    assert found == {
        (Addressee.GUARDIAN, True): 2,
        (Addressee.PERSON, False): 2,
        (Addressee.PERSON, True): 1,
    }


DEAD = Affected("X", email="late@example.org", deceased="yes")
DEAD_CHILD = Affected(
    "Y",
    email="child@example.org",
    born="2015-03-01",
    guardian_email="parent@example.org",
    deceased="yes",
)
COMPANY = Affected("Z", email="office@example.org", kind="organisation")


def test_an_organisation_gets_words_of_its_own(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = released(tmp_path, [ANN, COMPANY], port=relay.port)
        breach.open_sending()
        breach.work()
    texts = {mail.to: text_of(mail.raw) for mail in relay.taken}
    assert "your organisation" in texts["office@example.org"]
    assert "your organisation" not in texts["ann@example.org"]
    assert breach.account().accepted == 2
    must_hold(breach.house)


def text_of(raw: bytes) -> str:
    body = parsed(raw).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_the_dead_and_organisations_without_words_are_exceptions_on_a_list_and_get_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a version of before there were words for organisations.
    monkeypatch.setattr("incident.notice.release.FURTHER", ())
    with recording_relay() as relay:
        breach = released(tmp_path, [ANN, NO_MAIL, DEAD, DEAD_CHILD, COMPANY], port=relay.port)
        breach.open_sending()
        breach.work()
    assert [mail.to for mail in relay.taken] == ["ann@example.org"]
    account = breach.account()
    assert (account.expected, account.accepted, account.state) == (5, 1, CampaignState.ENDED)
    assert account.adds_up
    assert account.unreachable == {Why.NO_EMAIL: 1, Why.DECEASED: 2, Why.ORGANISATION: 1}
    listed = {
        line.reference: line.reason for line in deliveries(breach.made.store, breach.id, unreached=True)
    }
    assert listed == {
        "B": Why.NO_EMAIL,
        "X": Why.DECEASED,
        "Y": Why.DECEASED,
        "Z": Why.ORGANISATION,
    }


IN_DANGER = Affected("S", email="shared@example.org", safe_contact="call at work, never write home")
CHILD_IN_DANGER = Affected(
    "T", born="2015-03-01", guardian_email="parent@example.org", safe_contact="not the father"
)


def test_who_may_be_in_danger_gets_no_message_and_is_a_person_s_to_tell(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = released(tmp_path, [ANN, IN_DANGER, CHILD_IN_DANGER, DEAD], port=relay.port)
        breach.open_sending()
        breach.work()
    assert [mail.to for mail in relay.taken] == ["ann@example.org"]
    account = breach.account()
    assert account.unreachable == {Why.SAFE_CONTACT: 2, Why.DECEASED: 1}
    assert (account.expected, account.adds_up, account.state) == (4, True, CampaignState.ENDED)
    with breach.made.store.read() as session:
        duties = [row for row in stored_duties(session, breach.id) if row.kind == DutyKind.notify_people]
    said = {breach.made.store.open(row, incident_id=breach.id)["met_by"] for row in duties}
    assert said == {
        "notice handed over for 1 of 4 people;"
        " 2 to be told by hand, as the list says how to contact them safely;"
        " 1 not written to (deceased, or organisations)"
    }
    must_hold(breach.house)


def test_what_meets_the_duty_says_how_many_were_not_written_to(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = released(tmp_path, [ANN, NO_MAIL, DEAD, COMPANY], port=relay.port)
        breach.open_sending()
        breach.work()
    with breach.made.store.read() as session:
        duties = [row for row in stored_duties(session, breach.id) if row.kind == DutyKind.notify_people]
    said = {breach.made.store.open(row, incident_id=breach.id)["met_by"] for row in duties}
    assert said == {
        "notice handed over for 2 of 4 people; 1 could not be reached by e-mail;"
        " 1 not written to (deceased, or organisations)"
    }


NEW_HOLDER = Affected("N", phone="13800138000", held_since="2026-11-21")
OLD_HOLDER = Affected("O", phone="13900139000", held_since="2019-01-01")
NEW_HOLDER_WITH_MAIL = Affected("M", email="m@example.org", phone="13700137000", held_since="2026-11-21")
HOLDERS = [NEW_HOLDER, OLD_HOLDER, NEW_HOLDER_WITH_MAIL]


def test_a_number_that_came_to_a_person_after_the_leak_is_named_as_the_reason(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=HOLDERS, relay_port=25)
    breach.state(ended_at="2026-11-20 23:00")
    breach.release()
    breach.open_sending()
    account = breach.account()
    assert account.unreachable == {Why.NO_EMAIL: 1, Why.RECYCLED_NUMBER: 1}
    assert (account.in_progress, account.adds_up) == (1, True)


def test_no_number_counts_as_recycled_while_nobody_knows_when_the_leak_stopped(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=HOLDERS, relay_port=25)
    breach.state(ended_at="unknown")
    breach.release()
    breach.open_sending()
    assert breach.account().unreachable == {Why.NO_EMAIL: 2}


def test_the_check_holds_with_everyone_who_is_not_written_to(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=[*ALL, DEAD, DEAD_CHILD, COMPANY, *HOLDERS], relay_port=25)
    breach.state(ended_at="2026-11-20 23:00")
    breach.release()
    breach.open_sending()
    assert check(breach.house).holds


def test_opening_twice_is_one_campaign(tmp_path: Path) -> None:
    breach = released(tmp_path, some_people(7))
    first = breach.open_sending()
    rows = all_rows(breach.made.store)
    assert breach.open_sending() == first
    again = all_rows(breach.made.store)
    assert {name: again[name] for name in ("campaign", "batch", "delivery", "job")} == {
        name: rows[name] for name in ("campaign", "batch", "delivery", "job")
    }


def test_a_long_list_is_cut_into_batches_and_nobody_falls_between_them(tmp_path: Path) -> None:
    breach = released(tmp_path, some_people(BATCH_SIZE * 2 + 1))
    campaign_id = breach.open_sending()
    with breach.made.store.read() as session:
        batches = session.exec(select(Batch).where(Batch.campaign_id == campaign_id)).all()
        assert sorted(batch.pending for batch in batches) == [1, BATCH_SIZE, BATCH_SIZE]
        assert session.get(Job, (PUBLISH_JOB, breach_notice(breach))) is not None
        assert progress(session, campaign_id) == (0, BATCH_SIZE * 2 + 1)
    assert len({row.person_id for row in breach.deliveries()}) == BATCH_SIZE * 2 + 1


def breach_notice(breach: Breach) -> str:
    with breach.made.store.read() as session:
        return session.exec(select(Campaign.notice_id)).one()


def test_an_empty_list_opens_nothing(tmp_path: Path) -> None:
    breach = released(tmp_path, [])
    before = all_rows(breach.made.store)
    with pytest.raises(Refused, match="empty") as refused:
        breach.open_sending()
    assert "people import" in (refused.value.next_step or "")
    assert all_rows(breach.made.store) == before


def test_a_closed_incident_sends_nothing(tmp_path: Path) -> None:
    breach = released(tmp_path, some_people(2))
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind="incident.closed", actor="ana", now=now) as change:
        close_incident(change, breach.id, reason="over")
    with pytest.raises(Refused, match="closed"):
        breach.open_sending()


def test_a_sender_that_is_no_address_is_refused_before_anything_opens(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=some_people(2), mail={"from_address": "not an address"})
    breach.release()
    before = all_rows(breach.made.store)
    with pytest.raises(Refused, match="no usable sender"):
        breach.open_sending()
    assert all_rows(breach.made.store) == before


def test_a_campaign_cannot_be_ended_while_somebody_is_in_progress(tmp_path: Path) -> None:
    breach = released(tmp_path, some_people(2))
    campaign_id = breach.open_sending()
    store = breach.made.store
    with (
        pytest.raises(Refused, match="in progress"),
        store.write(breach.id, kind="campaign.ended", actor="engine", now=breach.made.clock()) as change,
    ):
        end_campaign(change, store, campaign_id)


def test_when_it_ends_the_duties_to_tell_people_are_met_and_the_others_stand(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = released(tmp_path, [ANN, NO_MAIL], port=relay.port)
        breach.open_sending()
        breach.work()
    store = breach.made.store
    with store.read() as session:
        rows = list(stored_duties(session, breach.id))
    told = [row for row in rows if row.kind == DutyKind.notify_people and row.state == MET]
    assert told and not [row for row in rows if row.kind != DutyKind.notify_people and row.state == MET]
    said = store.open(told[0], incident_id=breach.id)["met_by"]
    assert said == "notice handed over for 1 of 2 people; 1 could not be reached by e-mail"


def test_a_campaign_that_reached_nobody_meets_no_duty(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = released(tmp_path, [NO_MAIL], port=relay.port)
        breach.open_sending()
        breach.work()
    assert breach.account().state == CampaignState.ENDED
    with breach.made.store.read() as session:
        assert not [row for row in stored_duties(session, breach.id) if row.state == MET]


def test_every_job_of_an_ended_campaign_is_done(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = released(tmp_path, some_people(25), port=relay.port)
        breach.open_sending()
        breach.work()
    with breach.made.store.read() as session:
        # The one that watches the duties goes on for as long as the incident is open.
        jobs = session.exec(select(Job).where(Job.kind != DUTIES_JOB)).all()
        assert {job.state for job in jobs} == {JobState.DONE}
    account = breach.account()
    assert account.public_pages and account.waiting_until is None


def test_a_code_says_that_we_sent_a_notice_and_nothing_of_the_person(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = released(tmp_path, some_people(2), port=relay.port)
        breach.open_sending()
        breach.work()
    text = part_of(relay.mails_to("p00001@example.org")[0].message, "plain")
    answer = check_code(breach.made.store, breach.id, f" {code_in(text).lower()} ")
    now = breach.made.clock()
    assert answer == CodeAnswer(breach.id, "email", DeliveryState.ACCEPTED, now, {"email": now})
    assert "p00001" not in repr(answer) and "Person" not in repr(answer)


def test_a_code_of_nobody_and_one_that_is_misheard_are_told_apart(tmp_path: Path) -> None:
    breach = released(tmp_path, some_people(1))
    breach.open_sending()
    assert check_code(breach.made.store, breach.id, code_of(b"x" * 32, "another house")) is None
    with pytest.raises(BadInput, match="no verification code"):
        check_code(breach.made.store, breach.id, "1234-5678-901")


def test_the_list_of_deliveries_shows_the_other_side_s_words(tmp_path: Path) -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: (
            "550 5.1.1 <p00002@example.org> unknown" if "p00002" in address else None
        )
        breach = released(tmp_path, some_people(3), port=relay.port)
        breach.open_sending()
        breach.work()
    lines = {line.reference: line for line in deliveries(breach.made.store, breach.id, unreached=False)}
    assert lines["C00001"].last_words.startswith("2.0.0 Ok: queued as")
    assert [line.reference for line in deliveries(breach.made.store, breach.id, unreached=True)] == ["C00002"]
    assert (lines["C00002"].last_code, lines["C00002"].reason) == (550, Why.REFUSED)
