"""A breach with everything that a release, a sending and a report need: facts, a measure, people, signers."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel import select

from incident.delivery.campaign import open_campaign
from incident.delivery.status import Account, account, campaigns_of
from incident.durable import Patience, open_jobs
from incident.law.categories import category_catalogue
from incident.law.regimes import DutyKind
from incident.notice.editing import edit_notice
from incident.notice.release import ReleaseResult, release
from incident.ops.drill_estate import facts_text
from incident.ops.house import evaluate
from incident.ops.worker import Worker
from incident.record.decisions import Signer
from incident.record.dossier import dossier_in
from incident.record.edits import EditKind
from incident.record.facts import Certainty, Fact, field_named, parse_value, read_facts_file
from incident.record.incidents import log_entry, state_facts
from incident.record.people import import_people
from incident.record.people_file import Defaults
from incident.response.housework import House
from incident.response.runner import poke_runs
from incident.store.tables import Delivery, DutyRow
from tests.support.postgres import PostgresServer
from tests.support.workspaces import Made, make_signer, make_workspace, open_one, run_sql

ORGANISATION = {
    "name": {"zh-Hans": "示例移动", "en": "Example Mobile"},
    "phone": "020-10000",
    "email": "privacy@example.com",
    "website": "www.example.com",
    "address": {"zh-Hans": "示例路11号", "en": "11 Example Road"},
    "protection_officer": {"name": {"zh-Hans": "陈静", "en": "Chen Jing"}, "contact": "020-10001"},
}
NO_REMINDERS = {"before_minutes": [], "after_times": 0}
"""Most tests ask who is called for something else. `make_breach(..., reminders={})` has them as they are by default."""
AT_ONCE = {"canary": 0, "stop_percent": 0, "stop_complaints_percent": 0, "stop_reports": 0}
"""No waves, and nothing stops by itself. `make_breach(..., waves={"watch_minutes": 0})` has the rest as it is by default."""
QUICK = Patience(poll=0.01, retry=0.0)


@dataclass(frozen=True)
class Affected:
    """One row of the list of affected people."""

    reference: str
    name: str = "Ann"
    email: str = ""
    language: str = "en"
    data: str = "phone_number"
    born: str = ""
    guardian_name: str = ""
    guardian_email: str = ""
    guardian_phone: str = ""
    phone: str = ""
    kind: str = ""
    age_class: str = ""
    held_since: str = ""
    deceased: str = ""
    safe_contact: str = ""
    household: str = ""
    address: str = ""


def some_people(count: int) -> list[Affected]:
    """People with an address, in two languages, with different kinds of data taken."""
    return [
        Affected(
            f"C{number:05d}",
            name=f"Person {number}",
            email=f"p{number:05d}@example.org",
            language="en" if number % 2 else "zh-Hans",
            data="phone_number;location" if number % 3 == 0 else "phone_number",
        )
        for number in range(1, count + 1)
    ]


@dataclass(frozen=True)
class Breach:
    """An incident in a workspace, ready to be told about."""

    made: Made
    house: House
    id: str
    signers: dict[str, Signer] = field(default_factory=dict)

    def state(self, **values: Any) -> None:
        """State facts and evaluate the duties, as `incident set` does."""
        facts = [
            Fact(
                name,
                parse_value(field_named(name), value, zone=self.made.settings.zone),
                "ana",
                "access log",
                Certainty.confirmed,
                self.made.clock(),
            )
            for name, value in values.items()
        ]
        store = self.made.store
        with store.write(self.id, kind="facts.stated", actor="ana", now=self.made.clock()) as change:
            state_facts(store, change, self.id, facts)
            evaluate(self.house, change, self.id)

    def log(self, text: str, action: str | None = None) -> None:
        store, now = self.made.store, self.made.clock()
        with store.write(self.id, kind="log.added", actor="ana", now=now) as change:
            log_entry(store, change, self.id, text, at=now, by="ana", action=action)

    def edit(self, place: str, language: str, text: str = "", *, kind: EditKind = EditKind.WORDS) -> None:
        """Write a part of the notice, as `incident notice edit` does."""
        store, languages = self.made.store, self.made.settings.workspace.languages
        with store.write(self.id, kind="notice.edited", actor="wang.fang", now=self.made.clock()) as change:
            dossier = dossier_in(change.session, store, self.id)
            edit_notice(
                change, store, dossier,
                place=place, language=language, languages=languages, kind=kind, text=text,
            )  # fmt: skip

    def people(self, people: Sequence[Affected], *, keep_problems: bool = False) -> None:
        """Import these people."""
        file = self.made.workspace.root / "people.csv"
        with file.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            names = ("reference", "name", "email", "language", "data", "birth_date")
            more = (
                "phone",
                "kind",
                "age_class",
                "held_since",
                "deceased",
                "safe_contact",
                "household",
                "address",
            )
            writer.writerow([*names, "guardian_name", "guardian_email", "guardian_phone", *more])
            writer.writerows([list(vars(person).values()) for person in people])
        titles = {
            word: key for key, each in category_catalogue().items() for word in (key, *each.title.values())
        }
        now = self.made.clock()
        import_people(
            self.made.store,
            self.id,
            file,
            encoding="utf-8",
            defaults=Defaults("zh-Hans", "cn", (), titles),
            keep_problems=keep_problems,
            dry_run=False,
            actor="ana",
            now=now,
            today=now.date(),
        )
        file.unlink()

    def sign(self, name: str, *, expected_hash: str | None = None, drill: bool = False) -> ReleaseResult:
        """Sign the release of the notice, as `incident notice release` does."""
        store = self.made.store
        with store.write(self.id, kind="notice.signed", actor=name, now=self.made.clock()) as change:
            dossier = dossier_in(change.session, store, self.id)
            result = release(
                change,
                store,
                dossier,
                self.house.bench(dossier),
                expected_hash=expected_hash,
                signer=self.signers[name],
                reason="read and checked",
                drill=drill,
            )
            if result.released:
                poke_runs(change.session, self.id)
            return result

    def release(self) -> ReleaseResult:
        self.sign("bo")
        return self.sign("cy")

    def open_sending(self) -> str:
        """Open the campaign of the released notice; returns its id."""
        from incident.notice.release import must_be_released

        store = self.made.store
        with store.write(self.id, kind="campaign.opened", actor="ana", now=self.made.clock()) as change:
            version, _ = must_be_released(
                change.session, store, self.id, settings=self.made.settings, drill=self.house.drill
            )
            return open_campaign(change, store, version, self.made.settings).campaign.id

    def must_tell_people_within(self, time: timedelta) -> None:
        """Let the first duty to tell people end so much later than now."""
        with self.made.store.transaction() as session:
            row = session.exec(select(DutyRow).where(DutyRow.kind == DutyKind.notify_people)).first()
            assert row is not None
            row.due_at = self.made.clock() + time
            session.add(row)

    def work(self, *, until: Callable[[], bool] | None = None) -> None:
        """Be the worker until no job is due."""

        def idle() -> bool:
            with self.made.store.read() as session:
                return open_jobs(session) == 0

        Worker(self.house, patience=QUICK).work_until(until or idle)

    def later(self, **by: float) -> None:
        """Move the clock, and let every job that waits for a time look again."""
        self.made.clock.move(**by)
        run_sql(self.made.store, "UPDATE job SET next_at = 0 WHERE state = 'open'")

    def account(self) -> Account:
        """The account of the newest campaign."""
        with self.made.store.read() as session:
            return account(session, campaigns_of(session, self.id)[0])

    def deliveries(self) -> list[Delivery]:
        with self.made.store.read() as session:
            return list(session.exec(select(Delivery).where(Delivery.incident_id == self.id)).all())


def make_breach(
    tmp_path: Path,
    *,
    people: Sequence[Affected] = (),
    relay_port: int = 25,
    born: str = "live",
    mail: Mapping[str, Any] | None = None,
    measures: Sequence[str] = ("contain.disable-endpoint",),
    simulated: bool = False,
    on: PostgresServer | None = None,
    **settings: Mapping[str, Any],
) -> Breach:
    """A breach whose notice may be released as it stands. The approvers are bo, cy and di.

    The store lies where `make_workspace` puts it.
    """
    relay = {
        "host": "127.0.0.1",
        "port": relay_port,
        "tls": "none",
        "from_address": "notice@example.com",
        "from_name": {"zh-Hans": "示例移动", "en": "Example Mobile"},
        "processor": "our own relay",
        "country": "cn",
        **(mail or {}),
    }
    tables: dict[str, Mapping[str, Any]] = {
        "organisation": ORGANISATION,
        "scope": {"countries": ["cn", "eu"]},
        "mail": relay,
        "reminders": NO_REMINDERS,
        "waves": AT_ONCE,
        "playbooks": {"hosts": ["127.0.0.1", "localhost"]},
        **settings,
    }
    made = make_workspace(tmp_path, born=born, on=on, **tables)
    house = House(made.workspace, made.settings, made.store, made.clock)
    text = facts_text(now=made.clock(), zone=made.settings.zone, people=max(len(people), 1))
    facts = read_facts_file(text, name="facts.yaml", zone=made.settings.zone, known_at=made.clock())
    breach = Breach(made, house, open_one(made, facts=facts))
    for name in ("bo", "cy", "di"):
        breach.signers[name] = make_signer(made, name, simulated=simulated)
    for action in measures:
        breach.log("closed it at the gateway", action)
    breach.state(discovered_at="2026-11-23 15:00")
    if people:
        breach.people(people)
    return breach
