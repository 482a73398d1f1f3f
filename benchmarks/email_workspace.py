"""A drill-born workspace with a released notice and its campaign opened: only the sending is left to do."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import func, select

from benchmarks.email_senders import Letter, Reader
from incident.delivery.campaign import open_campaign
from incident.delivery.message import compose, stationery
from incident.delivery.states import PUBLISH_JOB, CampaignState, DeliveryState
from incident.delivery.status import account, campaigns_of
from incident.durable import Runner
from incident.law.categories import category_catalogue, category_names
from incident.notice.frozen import FrozenNotice
from incident.notice.release import must_be_released, release
from incident.ops.drill_estate import facts_text, settings_text, write_people
from incident.ops.founding import found_workspace
from incident.ops.house import evaluate
from incident.ops.worker import Worker
from incident.record.decisions import Signer
from incident.record.dossier import dossier_in
from incident.record.facts import read_facts_file
from incident.record.incidents import Origin, log_entry, open_incident
from incident.record.operators import DEFAULT_ROLES, add_operator
from incident.record.people import import_people
from incident.record.people_file import Defaults
from incident.record.person import person_from_content
from incident.record.signing import OpenKey
from incident.record.sshsig import new_private_key, public_line
from incident.response.housework import House
from incident.settings import Born
from incident.store.change import Change, open_row
from incident.store.opening import open_store
from incident.store.tables import Attempt, Campaign, Delivery, Person
from notifiers.email.message import SLOT
from notifiers.outcome import Result

# What is measured is sending: no wave waits, and nobody looks on.
_AT_ONCE = "canary = 0\nstop_percent = 0\nstop_complaints_percent = 0\nstop_reports = 0"
_NOBODY = 9  # the discard port: no playbook runs here
_ACTOR = "benchmark"
PEOPLE = "people.csv"


@dataclass(frozen=True)
class Prepared:
    """A workspace ready to send, and the notice for those who send it by other means."""

    house: House
    incident_id: str
    notice: FrozenNotice

    @property
    def letters(self) -> dict[str, Letter]:
        def plain(part: str) -> str:
            return SLOT.sub(lambda mark: f"%{mark[1]}%", part)

        return {
            language: Letter(mail.subject, plain(mail.text), plain(mail.html))
            for language, mail in self.notice.emails.items()
        }


Watch = Callable[[str], AbstractContextManager[None]]
"""What is entered around each step that grows with the list, by its name."""


def prepare(
    folder: Path,
    *,
    people: int,
    port: int,
    store: str | None = None,
    more_settings: str = "",
    write_list: Callable[[Path, int], None] = lambda file, count: write_people(file, count=count),
    watch: Watch = lambda step: nullcontext(),
) -> Prepared:
    """Everything up to the sending, by the functions that the drill and the command line use.

    The record is in SQLite, or in the empty database that the URL `store` names. `more_settings` are tables in TOML.
    `watch` sees `import` and `open`.
    """
    now = datetime.now(UTC)
    workspace = found_workspace(
        folder,
        name="benchmark",
        countries=["cn", "eu"],
        zone="Asia/Shanghai",
        born=Born.DRILL,
        now=now,
        settings_text=settings_text(mail_port=port, containment_port=_NOBODY, waves=_AT_ONCE)
        + _store_table(store)
        + more_settings,
    )
    settings = workspace.settings()
    house = House(workspace, settings, open_store(workspace, settings), lambda: datetime.now(UTC))
    incident_id = open_incident(
        house.store,
        "Benchmark",
        facts=read_facts_file(
            facts_text(now=now, zone=settings.zone, people=people),
            name="facts",
            zone=settings.zone,
            known_at=now,
            categories=category_names(),
        ),
        told_by=_ACTOR,
        origin=Origin.PERSON,
        actor=_ACTOR,
        now=now,
        zone=settings.zone,
        then=lambda change, incident: _log_a_measure(house, change, incident, now),
    )
    file = house.workspace.root / PEOPLE
    write_list(file, people)
    with watch("import"):
        _import_people(house, incident_id, file, now)
    with watch("open"):
        notice = _release_and_open(house, incident_id)
    _publish(house, incident_id)
    return Prepared(house, incident_id, notice)


def _store_table(url: str | None) -> str:
    return f"\n[store]\nurl = {json.dumps(url)}\n" if url else ""


def _log_a_measure(house: House, change: Change, incident_id: str, now: datetime) -> None:
    for action in ("contain.disable-endpoint", "analyse.review-access-logs"):
        log_entry(house.store, change, incident_id, "done", at=now, by=_ACTOR, action=action)
    evaluate(house, change, incident_id)


def _import_people(house: House, incident_id: str, file: Path, now: datetime) -> None:
    known = {name: name for name in category_catalogue()}
    for name, category in category_catalogue().items():
        known.update({title.lower(): name for title in category.title.values()})
    import_people(
        house.store,
        incident_id,
        file,
        encoding="utf-8",
        defaults=Defaults("zh-Hans", "cn", (), known),
        keep_problems=False,
        dry_run=False,
        actor=_ACTOR,
        now=now,
        today=now.date(),
    )


def _release_and_open(house: House, incident_id: str) -> FrozenNotice:
    store = house.store
    for name in ("anna", "bo"):
        key = new_private_key()
        add_operator(
            store,
            name,
            public_line(key),
            roles=DEFAULT_ROLES,
            simulated=True,
            actor=_ACTOR,
            now=house.clock(),
        )
        with store.write(incident_id, kind="notice.signed", actor=name, now=house.clock()) as change:
            held = dossier_in(change.session, store, incident_id)
            signer = Signer(name, OpenKey(key))
            release(
                change,
                store,
                held,
                house.bench(held),
                expected_hash=None,
                signer=signer,
                reason="benchmark",
                drill=True,
            )
    with store.write(incident_id, kind="campaign.opened", actor=_ACTOR, now=house.clock()) as change:
        version, _ = must_be_released(change.session, store, incident_id, settings=house.settings, drill=True)
        open_campaign(change, store, version, house.settings)
    return version.frozen


def _publish(house: House, incident_id: str) -> None:
    """Do the publishing beforehand, so that what is measured is the sending."""

    def published() -> bool:
        with house.store.read() as session:
            return bool(account(session, campaigns_of(session, incident_id)[0]).public_pages)

    Runner(house.store, {PUBLISH_JOB: Worker(house).handlers(None)[PUBLISH_JOB]}).work(until=published)


def readers(prepared: Prepared) -> list[Reader]:
    """The people of the workspace's list who have an address, as those see them who keep no secrets."""
    with (prepared.house.workspace.root / PEOPLE).open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["邮箱"]]
    return [
        Reader(row["姓名"], row["邮箱"], "en" if row["语言"] == "en" else "zh-Hans", f"{number:012d}")
        for number, row in enumerate(rows)
    ]


def example(prepared: Prepared) -> bytes:
    """One whole message as Tocsin makes it."""
    house = prepared.house
    with house.store.read() as session:
        due = session.exec(select(Delivery).where(Delivery.state == DeliveryState.PENDING)).first()
        assert due is not None
        person = session.exec(select(Person).where(Person.id == due.person_id)).one()
    key = house.store.key(prepared.incident_id)
    envelope = compose(
        stationery(prepared.notice, key=key),
        person_from_content(open_row(person, key=key)),
        delivery_id=due.id,
        addressee=due.addressee,
        first_intent_at=house.clock(),
    )
    return envelope.data


@dataclass(frozen=True)
class Ledger:
    """What the ledger says was sent: deliveries accepted, and attempts with that outcome."""

    accepted: int
    attempts: int
    adds_up: bool


def ledger(prepared: Prepared) -> Ledger:
    """The ledger's account after the campaign."""
    with prepared.house.store.read() as session:
        accepted = session.exec(select(func.count()).where(Delivery.state == DeliveryState.ACCEPTED)).one()
        attempts = session.exec(select(func.count()).where(Attempt.result == Result.accepted)).one()
        told = account(session, campaigns_of(session, prepared.incident_id)[0])
    return Ledger(accepted, attempts, told.adds_up and told.in_progress == 0)


def has_ended(prepared: Prepared) -> bool:
    """Whether the campaign has ended; asked often, so it counts nobody."""
    with prepared.house.store.read() as session:
        return set(session.exec(select(Campaign.state)).all()) == {CampaignState.ENDED}
