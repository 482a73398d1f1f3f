"""A later version: who was told gets it as an update, who was not as a first notice, and nobody is lost or told both."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

from sqlmodel import select

from incident.delivery.campaign import people_told
from incident.delivery.ledger import due_deliveries, judge, write_intent, write_outcomes
from incident.delivery.pausing import pause_campaign
from incident.delivery.states import BATCH_JOB, CampaignState, DeliveryState, Why
from incident.delivery.status import check_code, deliveries
from incident.durable.jobs import claim
from incident.duties.evaluating import stored_duties
from incident.law.regimes import DutyKind
from incident.ops.orders import already_out
from incident.proof.verify import verify
from incident.store.tables import Batch
from notifiers.outcome import Outcome, Result, Stage
from tests.support.breaches import Affected, Breach, make_breach, some_people
from tests.support.commands import run
from tests.support.lived_in import must_hold
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay, code_in, parsed, part_of, recording_relay
from tests.support.versions import accounts, next_version
from tests.support.workspaces import run_sql

MARK = "Update to our notice of 23 November 2026: "
MARK_ZH = "对2026年11月23日告知书的更新："
LATER = "451 4.3.0 later"


def sent(
    tmp_path: Path, relay: RecordingRelay, people: list[Affected], on: PostgresServer | None = None
) -> Breach:
    """The first version, sent as far as the relay lets it."""
    breach = make_breach(tmp_path, people=people, relay_port=relay.port, on=on)
    breach.release()
    breach.open_sending()
    breach.work()
    return breach


def subjects(relay: RecordingRelay, address: str) -> list[str]:
    return [str(parsed(mail.raw)["Subject"]) for mail in relay.mails_to(address)]


def waiting(breach: Breach) -> int:
    return sum(row.waits for row in breach.deliveries())


def test_who_was_told_gets_the_later_version_as_an_update_and_who_was_not_as_a_first_notice(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: LATER if address.startswith("p00003") else None
        breach = sent(tmp_path, relay, some_people(3), store_on)
        assert accounts(breach)[0].in_progress == 1
        next_version(breach)
        must_hold(breach.house)
        relay.at_rcpt = lambda address: None
        breach.work()
    first, second = subjects(relay, "p00001@example.org")
    assert second == f"{MARK}{first}"
    # The second reads Chinese.
    assert subjects(relay, "p00002@example.org")[1].startswith(MARK_ZH)
    assert subjects(relay, "p00003@example.org") == [first]
    old, new = accounts(breach)
    assert (old.accepted, old.unreachable, old.state) == (2, {Why.REPLACED: 1}, CampaignState.ENDED)
    assert (new.accepted, new.updates, new.state) == (3, 2, CampaignState.ENDED)
    assert old.adds_up and new.adds_up
    must_hold(breach.house)
    assert verify(breach.made.store).sound


def test_an_update_says_so_in_its_first_line_and_above_its_heading_and_nothing_else_differs(
    tmp_path: Path,
) -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: LATER if address.startswith("p00005") else None
        breach = sent(tmp_path, relay, some_people(5))
        next_version(breach)
        relay.at_rcpt = lambda address: None
        breach.work()
    update = relay.mails_to("p00001@example.org")[1].message
    first = relay.mails_to("p00005@example.org")[0].message
    opening = "This is an update to our notice of 23 November 2026. It replaces that notice."
    for part in ("plain", "html"):
        said, plain = part_of(update, part), part_of(first, part)
        code, name = code_in(part_of(update, "plain")), "Person 1"
        others = code_in(part_of(first, "plain"))
        without = re.sub(rf"(<p [^>]*><strong>)?{opening}(</strong></p>)?\s+", "", said, count=1)
        assert without != said and "earlier_day" not in said
        assert without.replace(code, others).replace(name, "Person 5") == plain
    html = part_of(update, "html")
    assert html.index(opening) < html.index("<h1")
    assert part_of(update, "plain").startswith(f"{opening}\r\n\r\n")


def test_who_may_have_been_told_gets_an_update(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(2), relay_port=relay.port)
        breach.release()
        breach.open_sending()
        killed_while_sending(breach, 1)
        next_version(breach)
        breach.work()
        breach.later()
        breach.work()
    assert Counter(row.update_of is not None for row in breach.deliveries()) == {False: 3, True: 1}
    assert Counter(
        "Update" in str(mail.message["Subject"]) or "更新" in str(mail.message["Subject"])
        for mail in relay.taken
    ) == {
        True: 1,
        False: 1,
    }
    old, new = accounts(breach)
    assert (old.accepted, old.unreachable, old.doubled_at_most) == (0, {Why.REPLACED: 2}, 1)
    assert (new.accepted, new.updates) == (2, 1)
    must_hold(breach.house)


def killed_while_sending(breach: Breach, count: int) -> None:
    """A worker wrote the intent for so many, and was killed."""
    store, now = breach.made.store, breach.made.clock()
    with store.transaction() as session:
        [batch] = session.exec(select(Batch)).all()
        claimed = claim(session, BATCH_JOB, batch.id)
        assert claimed is not None
        due = due_deliveries(session, batch.id, now=now, limit=count)
        write_intent(session, due, incident_id=breach.id, job_attempt=claimed.attempt, now=now)
    # As if it had not been heard of for long.
    run_sql(store, "UPDATE job SET beat_at = 0, next_at = 0 WHERE kind = 'delivery.batch'")


def test_nobody_is_sent_the_later_version_while_the_earlier_one_is_with_the_relay(tmp_path: Path) -> None:
    """The earlier version's worker lives, and its outcome comes after the later version has opened."""
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(3), relay_port=relay.port)
        breach.release()
        breach.open_sending()
        store, now = breach.made.store, breach.made.clock()
        with store.transaction() as session:
            [batch] = session.exec(select(Batch)).all()
            claimed = claim(session, BATCH_JOB, batch.id)
            assert claimed is not None
            under_way = due_deliveries(session, batch.id, now=now, limit=2)
            write_intent(session, under_way, incident_id=breach.id, job_attempt=claimed.attempt, now=now)
        campaign_id = next_version(breach)
        with store.read() as session:
            [later] = session.exec(select(Batch).where(Batch.campaign_id == campaign_id)).all()
            assert due_deliveries(session, later.id, now=breach.made.clock(), limit=20) == []
        must_hold(breach.house)
        assert [each.in_progress for each in accounts(breach)] == [3, 3]
        accepted = Outcome(Result.accepted, Stage.reply, 250, "2.0.0", "ok", "relay:25", tls=False)
        refused = Outcome(Result.temporary, Stage.rcpt, 451, "4.3.0", "later", "relay:25", tls=False)
        settled = [judge(due, one, now=now) for due, one in zip(under_way, (accepted, refused), strict=True)]
        with store.transaction() as session:
            write_outcomes(session, batch, settled, key=store.key(breach.id), now=now)
        run_sql(store, "UPDATE job SET beat_at = 0, next_at = 0 WHERE kind = 'delivery.batch'")
        breach.work()
        breach.later()
        breach.work()
    told = under_way[0].person_id
    rows = [row for row in breach.deliveries() if row.batch_id == later.id]
    assert {row.person_id for row in rows if row.update_of} == {told}
    assert len(relay.taken) == 3
    old, new = accounts(breach)
    assert (old.accepted, old.unreachable) == (1, {Why.REPLACED: 2})
    assert (new.accepted, new.updates) == (3, 1)
    must_hold(breach.house)


def test_a_third_version_updates_whichever_notice_each_person_has(tmp_path: Path) -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: LATER if address.startswith("p00003") else None
        breach = sent(tmp_path, relay, some_people(3))
        relay.at_rcpt = lambda address: LATER if address.startswith("p00001") else None
        next_version(breach)
        breach.work()
        relay.at_rcpt = lambda address: None
        next_version(breach)
        breach.work()
    assert subjects(relay, "p00001@example.org")[1].startswith("Update to our notice of 23 November 2026: ")
    assert len(subjects(relay, "p00001@example.org")) == 2
    assert subjects(relay, "p00003@example.org")[1].startswith("Update to our notice of 24 November 2026: ")
    assert [each.state for each in accounts(breach)] == [CampaignState.ENDED] * 3
    must_hold(breach.house)


def test_a_version_that_is_replaced_before_anything_left_is_no_notice_that_anybody_has(
    tmp_path: Path,
) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(4), relay_port=relay.port)
        breach.release()
        breach.open_sending()
        next_version(breach)
        next_version(breach)
        must_hold(breach.house)
        breach.work()
        breach.later()
        breach.work()
    assert len(relay.taken) == 4
    assert not [row for row in breach.deliveries() if row.update_of]
    assert [each.accepted for each in accounts(breach)] == [0, 0, 4]
    assert all(each.adds_up and each.state == CampaignState.ENDED for each in accounts(breach))


def test_who_could_not_be_reached_is_tried_again_with_a_first_notice(tmp_path: Path) -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: "550 5.1.1 unknown" if address.startswith("p00001") else None
        breach = sent(tmp_path, relay, some_people(2))
        relay.at_rcpt = lambda address: None
        next_version(breach)
        breach.work()
    [only] = subjects(relay, "p00001@example.org")
    assert "Update" not in only
    assert list(deliveries(breach.made.store, breach.id, unreached=True)) == []


def test_guardian_and_child_each_get_what_they_lack(tmp_path: Path) -> None:
    child = Affected(
        "C",
        "Cleo",
        "cleo@example.org",
        born="2015-03-01",
        guardian_name="Cora",
        guardian_email="cora@example.org",
    )
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: LATER if address.startswith("cleo") else None
        breach = sent(tmp_path, relay, [child])
        relay.at_rcpt = lambda address: None
        next_version(breach)
        breach.work()
    assert [MARK in each for each in subjects(relay, "cora@example.org")] == [False, True]
    assert [MARK in each for each in subjects(relay, "cleo@example.org")] == [False]
    assert [each.expected for each in accounts(breach)] == [1, 1]
    must_hold(breach.house)


def test_a_paused_sending_is_replaced_too_and_stays_still(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(3), relay_port=relay.port)
        breach.release()
        breach.open_sending()
        store, now = breach.made.store, breach.made.clock()
        with store.write(breach.id, kind="campaign.paused", actor="ana", now=now) as change:
            pause_campaign(change, breach.id)
        next_version(breach)
        must_hold(breach.house)
        breach.work()
        breach.later()
        breach.work()
    assert len(relay.taken) == 3
    assert [each.state for each in accounts(breach)] == [CampaignState.ENDED] * 2
    must_hold(breach.house)


def test_the_duty_is_met_by_the_last_version_and_counts_who_was_told_by_any(tmp_path: Path) -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: LATER if address.startswith("p00003") else None
        breach = sent(tmp_path, relay, [*some_people(3), Affected("N")])
        relay.at_rcpt = lambda address: "550 5.1.1 unknown" if address.startswith("p00001") else None
        next_version(breach)
        breach.work()
    store = breach.made.store
    with store.read() as session:
        duties = [row for row in stored_duties(session, breach.id) if row.kind == DutyKind.notify_people]
        assert people_told(session, breach.id) == already_out(session, breach.id).people == 3
    said = {store.open(row, incident_id=breach.id)["met_by"] for row in duties}
    assert said == {"notice handed over for 3 of 4 people; 1 could not be reached by e-mail"}


def test_codes_of_both_versions_stay_ours(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = sent(tmp_path, relay, some_people(1))
        next_version(breach)
        breach.work()
    codes = [code_in(part_of(mail.message, "plain")) for mail in relay.taken]
    assert len(set(codes)) == 2
    for code in codes:
        answer = check_code(breach.made.store, breach.id, code)
        assert answer is not None and answer.state == DeliveryState.ACCEPTED


def test_the_list_names_the_version_and_whether_it_was_an_update(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = sent(tmp_path, relay, some_people(1))
        next_version(breach)
        breach.work()
    lines = deliveries(breach.made.store, breach.id, unreached=False)
    assert sorted((line.version, line.update) for line in lines) == [(1, False), (2, True)]


def test_a_copy_of_an_update_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = sent(tmp_path, relay, some_people(1))
        next_version(breach)
        breach.work()
        for statement in (
            "UPDATE delivery SET state = 'sending', settled_at = NULL WHERE update_of IS NOT NULL",
            "UPDATE attempt SET outcome_at = NULL WHERE delivery_id IN (SELECT id FROM delivery WHERE update_of IS NOT NULL)",
            "UPDATE campaign SET state = 'sending', ended_at = NULL WHERE opened_at = (SELECT max(opened_at) FROM campaign)",
            "UPDATE job SET state = 'open', next_at = 0 WHERE kind = 'delivery.batch'",
        ):
            run_sql(breach.made.store, statement)
        breach.work()
    assert len(relay.taken) == 3
    assert relay.taken[1].raw == relay.taken[2].raw


def test_the_terminal_tells_who_got_an_update_and_who_was_left_to_the_later_version(tmp_path: Path) -> None:
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: LATER if address.startswith("p00003") else None
        breach = sent(tmp_path, relay, some_people(3))
        relay.at_rcpt = lambda address: "550 5.1.1 unknown" if address.startswith("p00001") else None
        next_version(breach)
        breach.work()
    breach.made.store.close()
    root = breach.made.workspace.root
    shown = run("--workspace", root, "notice", "status", breach.id)
    assert "not sent: told by a later version instead" in shown.out or "改由后续版本告知" in shown.out
    newest, oldest = run("--workspace", root, "--json", "notice", "status", breach.id).document["campaigns"]
    assert (newest["updates"], newest["accepted"], newest["unreachable"]) == (2, 2, {"refused": 1})
    assert (oldest["updates"], oldest["unreachable"]) == (0, {"replaced": 1})
    listed = run("--workspace", root, "deliveries", breach.id, "--format", "csv").out.splitlines()
    assert Counter(row["Version"] for row in csv.DictReader(listed)) == {"1": 3, "2": 1, "2, update": 2}
    unreached = run("--workspace", root, "deliveries", breach.id, "--unreached", "--format", "csv").out
    assert len(unreached.splitlines()) == 2
