"""A workspace in which everything has happened that leaves a row, and the check of it with and without damage.

Eight incidents: one whose notice is being sent, as a worker that was killed leaves it, while a run waits for the end;
one that is told and reported; one whose notice went out in a second version, as an update to whom the first had
reached; one whose people need not be told, which was signed; one of whose waves the first is out; one whose people are told by SMS;
one whose people are called from lists; one whose data was destroyed. Alerts were mapped, ignored, and have just come in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from incident.carrier_settings import SmsSettings
from incident.delivery import batching
from incident.delivery.ledger import Due, due_deliveries, write_intent
from incident.delivery.receipts import COMPLAINT, NewReceipt, VerifiedBy, put_receipts
from incident.delivery.states import BATCH_JOB, Rank, Why
from incident.durable.jobs import claim
from incident.duties.evaluating import rules_in_use
from incident.duties.reminding import tell
from incident.duties.reviews import approve_regime
from incident.hooks.receiving import StoreIntake
from incident.ops.check import SURVEYS, Checked, check, check_moment
from incident.ops.checks.base import State, Survey
from incident.ops.drill_estate import facts_text
from incident.ops.meeting import hand_in
from incident.ops.orders import Silence
from incident.ops.retention import destroy
from incident.record.contacts import ContactKind, WaysToReach, add_contact, remove_contact
from incident.record.dossier import load_dossier
from incident.record.evidence import add_evidence
from incident.record.facts import read_facts_file
from incident.record.holds import Cover
from incident.record.incidents import close_incident
from incident.record.instructions import OrderEffect
from incident.record.operators import Role, operator_named
from incident.record.reaches import put_reach
from incident.record.tasks import TaskState, add_task, end_task
from incident.report.versions import fill_report, keep_version, report_duties
from incident.response.housework import House
from incident.response.runner import cancel_run, run_named
from incident.settings import Fallback, Means, Reminders, WaveSettings
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.moment import Moment
from incident.store.tables import Attempt, Batch
from tests.support.breaches import Affected, Breach, make_breach, some_people
from tests.support.called_people import live_by_phone
from tests.support.chat_desks import ChatDesk, chat_desk
from tests.support.deciding import decide_question, write_note
from tests.support.faulty_centre import SILENCE, USUAL, Answer, Receipt, Talk, faulty_centre
from tests.support.holds import accept, hold, lift, order
from tests.support.message_centre import Status
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay, recording_relay
from tests.support.runs import Running, start
from tests.support.services import CalledService
from tests.support.sms_sendings import centre_settings, number, work_until
from tests.support.waiving import PEOPLE as TELLING
from tests.support.waiving import may_be_waived, waived_by, withdrawn
from tests.support.workspaces import make_signer, open_one

REFUSED, LATER = "p00002@example.org", ("p00003@example.org", "p00004@example.org")
CHILDREN = [
    Affected("K1", "Cleo", "cleo@example.org", born="2015-03-01", guardian_email="cora@example.org"),
    Affected("K2", "Dan", born="2015-03-01", guardian_email="dora@example.org"),
    Affected("K3", "Eve", "eve@example.org", born="2015-03-01", guardian_phone="13800000001"),
]
SIBLINGS = [
    Affected(f"S{number}", born="2015-03-01", guardian_email="rosa@example.org") for number in (1, 2, 3)
]
PEOPLE = [*some_people(9), Affected("N1", "Bert"), *CHILDREN]
_A_BATCH = 4
TEXTED = [
    *(Affected(f"T{at}", phone=number(20 + at)) for at in range(6)),
    Affected("T6", email=REFUSED, phone=number(26)),
]
_PARTS = 3  # of the SMS to each of them
_TAKEN = (USUAL,) * _PARTS
CENTRE = (
    Talk(
        submits=(
            *((*USUAL, Receipt()) for _ in range(_PARTS)),
            *_TAKEN,
            *(USUAL, (Answer(Status.INVALID_DESTINATION),)),
            *(USUAL, USUAL, (*USUAL, Receipt("UNDELIV"))),
            *(USUAL, SILENCE),
            *(USUAL, USUAL, SILENCE),
        )
    ),
    # Where a centre that does not answer is left, the next connection leaves the next one in doubt.
    Talk(submits=(USUAL, USUAL, SILENCE)),
    Talk(),
)
"""What a centre does with seven messages, one after the other."""


@dataclass(frozen=True)
class LivedIn:
    """The workspace with its incidents. `running` waits in the first for the end of the sending."""

    sending: Breach
    running: Running
    told: Breach
    waived: str
    destroyed: str
    updated: Breach
    waved: Breach
    texted: Breach
    called: Breach

    @property
    def house(self) -> House:
        return self.sending.house


def lived_in(tmp_path: Path, *, on: PostgresServer | None = None) -> LivedIn:
    """Live through it all."""
    with CalledService() as service, recording_relay() as relay, chat_desk() as desk, _small_batches():
        relay.at_rcpt = _answers
        sending = make_breach(
            tmp_path, people=PEOPLE, relay_port=relay.port, measures=(), on=on, reminders={}
        )
        _people_to_call(sending, desk)
        _add_tasks(sending, "write to the host")
        sending.signers["lex"] = make_signer(sending.made, "lex", roles=[Role.COUNSEL])
        running = _send_by_playbook(sending, service)
        told = _told(_another(sending), relay)
        gone = _destroyed(_another(sending))
        waived = _waived(sending)
        updated = _updated(sending, relay)
        waved = _waved(sending)
        _approved(sending)
        _reminded(told)
        _alerts(sending)
        texted = _texted(sending, tmp_path)
        called = live_by_phone(sending)
        sending.made.clock.move(minutes=2)
        _killed_in_the_middle(sending)
        _post(sending, {"title": "it has just come in"}, delivery="new")
    return LivedIn(sending, running, told, waived, gone, updated, waved, texted, called)


def _reminded(breach: Breach) -> None:
    """Somebody was told that a deadline is near, two hours before it."""
    made = breach.made
    settings = made.settings.model_copy(update={"reminders": Reminders(before_minutes=[130])})
    with made.store.write(breach.id, kind="duties.reminded", actor="engine", now=made.clock()) as change:
        tell(change, made.store, settings, breach.id)


def _approved(breach: Breach) -> None:
    """A regime was approved, and approved again."""
    made, rules = breach.made, rules_in_use(breach.made.workspace)
    for days in (30, 60):
        approve_regime(
            made.store,
            "eu-gdpr",
            rules.files["eu-gdpr"],
            until=made.clock().date() + timedelta(days=days),
            signer=breach.signers["lex"],
            drill=False,
            now=made.clock(),
            today=made.clock().date(),
        )


def _people_to_call(breach: Breach, desk: ChatDesk) -> None:
    """Two of whom one stands in for the other; contacts outside, of which one was taken off the list."""
    made = breach.made
    for key in ("provincial_cac", "public_security", "old_office"):
        ways = WaysToReach("Office", phone="12387")
        add_contact(
            made.store, ContactKind.AUTHORITY, key, ways, countries=["cn"], actor="ana", now=made.clock()
        )
    remove_contact(made.store, "old_office", actor="ana", now=made.clock())
    with made.store.write(WORKSPACE_CHAIN, kind="operator.reach", actor="ana", now=made.clock()) as change:
        for name, deputy in (("bo", "cy"), ("cy", None)):
            operator = operator_named(change.session, name)
            put_reach(change, made.store, operator, urls=[desk.url(f"/{name}")], deputy=deputy)


def _answers(address: str) -> str | None:
    if address == REFUSED:
        return "550 5.1.1 unknown"
    return "451 4.3.0 later" if address in LATER else None


@contextmanager
def _small_batches() -> Iterator[None]:
    """Several batches for a few people, so that what goes wrong between them can go wrong."""
    before, batching.BATCH_SIZE = batching.BATCH_SIZE, _A_BATCH
    try:
        yield
    finally:
        batching.BATCH_SIZE = before


def _send_by_playbook(breach: Breach, service: CalledService) -> Running:
    running = start(breach, url=service.url)
    running.work()
    running.answer("preserve-evidence", note="copied the access logs")
    running.answer("verify-scope", note="13 people")
    running.work()
    for name in ("bo", "cy"):
        running.decide("approve-release", name)
    breach.release()
    running.work()
    return running


def _another(breach: Breach) -> Breach:
    """One more incident in the same workspace."""
    made = breach.made
    facts = facts_text(now=made.clock(), zone=made.settings.zone, people=2)
    known = read_facts_file(facts, name="facts.yaml", zone=made.settings.zone, known_at=made.clock())
    other = replace(breach, id=open_one(made, facts=known))
    other.log("closed it at the gateway", "contain.disable-endpoint")
    other.state(discovered_at="2026-11-23 15:00")
    other.people([*some_people(2), Affected("X", email="no address")], keep_problems=True)
    file = made.workspace.root / "evidence.txt"
    file.write_text("203.0.113.66 asked for everybody")
    add_evidence(
        made.store,
        other.id,
        file,
        blobs=made.workspace.blobs,
        by="ana",
        note="",
        actor="ana",
        now=made.clock(),
    )
    file.unlink()
    _add_tasks(other, "call the host", "read the contract")
    _end_task(other, "T1", TaskState.DONE)
    _end_task(other, "T2", TaskState.DROPPED)
    _decided(other)
    return other


def _add_tasks(breach: Breach, *titles: str) -> None:
    store = breach.made.store
    with store.write(breach.id, kind="task.added", actor="ana", now=breach.made.clock()) as change:
        for title in titles:
            add_task(store, change, breach.id, title, owner="bo", due_at=None)


def _end_task(breach: Breach, label: str, state: TaskState) -> None:
    store = breach.made.store
    with store.write(breach.id, kind=f"task.{state}", actor="bo", now=breach.made.clock()) as change:
        end_task(store, change, breach.id, label, state=state, result="that was enough")


def _decided(breach: Breach) -> None:
    """Three questions, of which one was decided anew, and two notes for counsel."""
    for name, replaces in (("bo", None), ("cy", "D1"), ("bo", None)):
        decide_question(breach.made, breach.id, breach.signers[name], replaces=replaces)
    for note in ("settle it", "or do not"):
        write_note(breach.made, breach.id, breach.signers["lex"], note)


def _told(breach: Breach, relay: RecordingRelay) -> Breach:
    relay.at_rcpt = lambda address: None
    breach.release()
    breach.open_sending()
    breach.work()
    relay.at_rcpt = _answers
    _came_back(breach)
    made = breach.made
    owed = report_duties(breach.house.findings(load_dossier(made.store, breach.id)), standing_only=True)
    with made.store.write(breach.id, kind="report.prepared", actor="ana", now=made.clock()) as change:
        dossier = load_dossier(made.store, breach.id)
        filled = fill_report(owed[0], dossier, made.workspace, made.settings, now=change.at)
        keep_version(change, made.store, breach.id, filled)
    with made.store.write(breach.id, kind="report.submitted", actor="ana", now=made.clock()) as change:
        hand_in(breach.house, change, breach.id, owed[0].duty.id, at=change.at, how="by fax", reference="7")
    _runs_that_wait_and_end(breach)
    _silence_and_orders(breach)
    return breach


def _came_back(breach: Breach) -> None:
    """After the end one of them complained, and the message to another was late."""
    complained, late = sorted(each.id for each in breach.deliveries() if each.state == "accepted")[:2]
    made = breach.made
    receipts = [
        NewReceipt(
            delivery_id, "email", kind, kind, rank, Why.NONE, None, VerifiedBy.RETURN_PATH, "0" * 64, {}
        )
        for delivery_id, kind, rank in (
            (complained, COMPLAINT, Rank.DELIVERED),
            (late, "delayed", Rank.NOTHING),
        )
    ]
    with made.store.write(breach.id, kind="receipts.taken", actor="engine", now=made.clock()) as change:
        put_receipts(change, breach.id, receipts)


def _silence_and_orders(breach: Breach) -> None:
    """One hold was accepted and lifted, one stands by an order; one order is to be carried out."""
    accept(breach, hold(breach, Cover.PEOPLE, Cover.CALENDAR))
    lift(breach, "H1")
    silence = Silence("police", (Cover.PUBLIC, Cover.SELFCHECK), breach.made.clock() + timedelta(hours=48))
    order(breach, OrderEffect.HOLD, from_="police", silence=silence)
    due = breach.made.clock() + timedelta(hours=30)
    order(breach, OrderEffect.REQUIRE, text="hand over the access logs", due_at=due)


def _runs_that_wait_and_end(breach: Breach) -> None:
    made = breach.made
    waits, ended = start(breach), start(breach)
    breach.work()
    assert waits.waiting() == ended.waiting() == {"cut-off-by-hand"}
    with made.store.write(breach.id, kind="run.cancelled", actor="ana", now=made.clock()) as change:
        cancel_run(change, made.store, run_named(change.session, ended.id), by="ana", reason="stop")


def _destroyed(breach: Breach) -> str:
    made = breach.made
    with made.store.write(breach.id, kind="incident.closed", actor="ana", now=made.clock()) as change:
        close_incident(change, breach.id, reason="a rehearsal")
    destroy(breach.house, breach.id, signer=breach.signers["bo"], reason="its time is up")
    return breach.id


def _waived(breach: Breach) -> str:
    """People need not be told: waived, taken back, waived again."""
    made = breach.made
    known = read_facts_file(
        facts_text(now=made.clock(), zone=made.settings.zone, people=2),
        name="facts.yaml",
        zone=made.settings.zone,
        known_at=made.clock(),
    )
    other = replace(breach, id=open_one(made, facts=known))
    may_be_waived(other)
    waived_by(other, breach.signers["lex"])
    withdrawn(other, TELLING)
    waived_by(other, breach.signers["bo"])
    return other.id


def _updated(breach: Breach, relay: RecordingRelay) -> Breach:
    """One was told by the first version, one by the second only, and three in one message of each."""
    made = breach.made
    facts = facts_text(now=made.clock(), zone=made.settings.zone, people=2)
    known = read_facts_file(facts, name="facts.yaml", zone=made.settings.zone, known_at=made.clock())
    other = replace(breach, id=open_one(made, facts=known))
    other.log("closed it at the gateway", "contain.disable-endpoint")
    other.state(discovered_at="2026-11-23 15:00")
    other.people([*some_people(2), *SIBLINGS])
    relay.at_rcpt = lambda address: "451 4.3.0 later" if address == REFUSED else None
    other.release()
    other.open_sending()
    other.work()
    made.clock.move(seconds=1)
    other.log("closed another one", "contain.lock-account")
    other.release()
    relay.at_rcpt = lambda address: None
    other.open_sending()
    other.work()
    relay.at_rcpt = _answers
    return other


def _waved(breach: Breach) -> Breach:
    """One was told as a canary, and four wait for a later wave."""
    made = breach.made
    facts = facts_text(now=made.clock(), zone=made.settings.zone, people=2)
    known = read_facts_file(facts, name="facts.yaml", zone=made.settings.zone, known_at=made.clock())
    canary = made.settings.model_copy(update={"waves": WaveSettings(canary=1)})
    other = replace(breach, id=open_one(made, facts=known), made=replace(made, settings=canary))
    other.log("closed it at the gateway", "contain.disable-endpoint")
    other.state(discovered_at="2026-11-23 15:00")
    other.people(some_people(5))
    other.release()
    other.open_sending()
    other.work()
    return other


def _texted(breach: Breach, folder: Path) -> Breach:
    """By SMS: delivered, taken, refused in the middle, undelivered, broken off, in doubt, and one after a refused e-mail."""
    made = breach.made
    facts = facts_text(now=made.clock(), zone=made.settings.zone, people=2)
    known = read_facts_file(facts, name="facts.yaml", zone=made.settings.zone, known_at=made.clock())
    with faulty_centre(*CENTRE) as centre:
        settings = made.settings.model_copy(
            update={
                "sms": SmsSettings.model_validate(centre_settings(centre.port, folder / "smsc", window=1)),
                "fallback": Fallback(means=[Means.EMAIL, Means.SMS, Means.LETTER]),
            }
        )
        house = House(made.workspace, settings, made.store, made.clock)
        other = replace(
            breach, id=open_one(made, facts=known), made=replace(made, settings=settings), house=house
        )
        other.log("closed it at the gateway", "contain.disable-endpoint")
        other.state(discovered_at="2026-11-23 15:00")
        other.people(TEXTED)
        other.release()
        other.open_sending()
        work_until(other, lambda: _all_was_said(other))
    return other


def _all_was_said(breach: Breach) -> bool:
    account = breach.account()
    with breach.made.store.read() as session:
        tried = session.exec(select(Attempt).where(Attempt.incident_id == breach.id)).all()
    settled = len(tried) == len(TEXTED) + 1 and all(each.outcome_at for each in tried)
    return settled and (account.delivered, account.returned) == (1, 1)


def _alerts(breach: Breach) -> None:
    for title in ("too many look-ups", "the same again"):
        _post(breach, {"title": title, "host": "crm-1"}, delivery=title)
    _post(breach, [], delivery="nothing in it")
    breach.work()


def _post(breach: Breach, body: Any, *, delivery: str) -> None:
    StoreIntake(breach.made.store).receive(
        source_id="generic",
        delivery_id=delivery,
        body=json.dumps(body).encode(),
        headers={},
        received_at=breach.made.clock(),
    )


def _killed_in_the_middle(breach: Breach) -> None:
    """One of the two whom the relay put off, as a killed worker leaves them: claimed, with an intent, and no more."""
    store, now = breach.made.store, breach.made.clock()
    with store.transaction() as session:
        session.connection().execute(text("UPDATE job SET next_at = 0 WHERE state = 'open'"))
        batches = session.exec(
            select(Batch).where(Batch.incident_id == breach.id).order_by(col(Batch.id))
        ).all()
        batch, due = next((each, due) for each in batches if (due := _due(session, each, now=now)))
        claimed = claim(session, BATCH_JOB, batch.id)
        assert claimed is not None
        write_intent(session, due, incident_id=breach.id, job_attempt=claimed.attempt, now=now)


def _due(session: Session, batch: Batch, *, now: datetime) -> list[Due]:
    return due_deliveries(session, batch.id, now=now, limit=1)


# -- looking at it -----------------------------------------------------------------------------------


def broken(result: Checked) -> dict[str, list[str]]:
    """What a check found broken: by invariant, where and what."""
    return {
        each.invariant.name: [f"{fault.where}: {fault.what}" for fault in each.faults]
        for each in result.verdicts
        if each.state is State.BROKEN
    }


def untold(result: Checked) -> dict[str, tuple[str, ...]]:
    """What a check could not tell."""
    return {each.invariant.name: each.untold for each in result.verdicts if each.untold}


def must_hold(house: House) -> Checked:
    """Check that everything holds and can be told."""
    result = check(house)
    assert broken(result) == {}
    assert untold(result) == {}
    return result


@contextmanager
def with_damage(
    house: House,
    *statements: str | tuple[str, dict[str, Any]],
    incident_id: str | None = None,
    surveys: Sequence[Survey] = SURVEYS,
) -> Iterator[Checked]:
    """The check of a store that somebody changed behind its back; afterwards it is as before."""
    with Session(house.store.engine, expire_on_commit=False) as session:
        for statement in statements:
            said, values = (statement, {}) if isinstance(statement, str) else statement
            changed = session.connection().execute(text(said), values).rowcount
            assert changed, f"this changes nothing: {said}"
        moment = Moment(house.store, session)
        yield check_moment(house, moment, incident_id=incident_id, surveys=surveys)
        session.rollback()
