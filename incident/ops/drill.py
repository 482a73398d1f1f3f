"""The drill: the whole job on made-up data, with the same code as on the worst day.

A workspace born as a drill, an alert over HTTP, a playbook with its human gates, signed releases, real SMTP to a mail
catcher on loopback, the public notice, the authorities' reports, verification, and a report of the rehearsal.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from incident.delivery.status import Account, account, campaigns_of, progress
from incident.durable import open_jobs
from incident.duties.evaluating import stored_duties
from incident.duties.view import DutyView, view_duties
from incident.errors import Refused, TocsinError
from incident.law.categories import category_catalogue, category_names
from incident.notice.findings import refusals
from incident.notice.release import assemble, release
from incident.ops.drill_estate import ALERT, ContainmentService, facts_text, settings_text, write_people
from incident.ops.drill_first_hour import ask, decide_to_tell, hand_out, keep_silence, lift
from incident.ops.drill_papers import write_drill_report, write_reports
from incident.ops.founding import found_workspace
from incident.ops.house import evaluate
from incident.ops.mail_catcher import MailCatcher
from incident.ops.worker import Worker
from incident.proof.verify import heads_document, verify
from incident.record.decisions import Signer
from incident.record.dossier import dossier_in, load_dossier
from incident.record.facts import in_language, read_facts_file
from incident.record.incidents import list_incidents, log_entry, state_facts
from incident.record.operators import DEFAULT_ROLES, add_operator
from incident.record.people import import_people
from incident.record.people_file import Defaults
from incident.record.signing import OpenKey
from incident.record.sshsig import new_private_key, private_text, public_line
from incident.record.summons import answer_summons
from incident.response import events as e
from incident.response.deciding import answer_question, decide_step
from incident.response.housework import House
from incident.response.runner import RUNNING, poke_runs, questions, run_named, runs_of, short_name
from incident.settings import Born
from incident.store.opening import open_store
from incident.store.tables import Run

if TYPE_CHECKING:
    from incident.ops.worker import WorksOn

OPERATORS = ("anna", "bo")
_PATIENCE_SECONDS = 120.0
_SILENCE_SECONDS = 1.0


class Screen(Protocol):
    """What a drill shows while it runs."""

    def section(self, title: str) -> None: ...
    def line(self, text: str) -> None: ...
    def duties(self, views: Sequence[DutyView], house: House) -> None: ...
    def sending(self, progress: Callable[[], tuple[int, int]], done: Callable[[], bool]) -> None: ...


@dataclass
class DrillResult:
    """What a drill produced. `failed` names every check that did not hold."""

    incident_id: str
    workspace: Path
    files: dict[str, Path] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


ServeHooks = Callable[[House, str], AbstractContextManager[str]]
"""Serves the alert intake on loopback with a given token; the context's value is its base URL."""


def rehearse(
    folder: Path, *, people: int, screen: Screen, clock: Callable[[], datetime], serve_hooks: ServeHooks
) -> DrillResult:
    """Run the whole job in a new workspace. Raises `WorkspaceError` for a folder that is in use."""
    started = time.monotonic()
    with ExitStack() as stack:
        containment = stack.enter_context(ContainmentService())
        catcher = stack.enter_context(MailCatcher(folder / "caught-mail"))
        workspace = found_workspace(
            folder,
            name="drill",
            countries=["cn", "eu"],
            zone="Asia/Shanghai",
            born=Born.DRILL,
            now=clock(),
            settings_text=settings_text(mail_port=catcher.port, containment_port=containment.port),
        )
        settings = workspace.settings()
        house = House(workspace, settings, open_store(workspace, settings), clock)
        stack.callback(house.store.close)
        drill = _Drill(house, screen, containment, catcher, people, serve_hooks)
        with drill.worker():
            result = drill.run()
        result.files["mail"] = catcher.folder
        result.files["drill report"] = write_drill_report(
            house,
            result.incident_id,
            people=people,
            failed=result.failed,
            seconds=time.monotonic() - started,
        )
        result.files["record (SQLite)"] = house.workspace.root / "incident.db"
    return result


class _Drill:
    """One rehearsal, step by step."""

    def __init__(
        self,
        house: House,
        screen: Screen,
        containment: ContainmentService,
        catcher: MailCatcher,
        people: int,
        serve_hooks: ServeHooks,
    ) -> None:
        self.house = house
        self.screen = screen
        self.containment = containment
        self.catcher = catcher
        self.people = people
        self.serve_hooks = serve_hooks
        self.signers: list[Signer] = []
        self.failures: list[BaseException] = []

    def run(self) -> DrillResult:
        self._add_operators()
        self.screen.section("1. An alert comes in")
        incident_id = self._post_alert()
        result = DrillResult(incident_id, self.house.workspace.root)
        self.screen.section("2. What is owed, as far as the alert tells")
        self._show_duties(incident_id)
        ask(self.house, incident_id, self.screen)
        self.screen.section("3. People find out what happened")
        self._record_findings(result)
        self._show_duties(incident_id)
        self.screen.section("4. The playbook acts, and waits where people must decide")
        self._answer_questions(incident_id)
        self.screen.section("5. The police ask for silence")
        hold = keep_silence(self.house, incident_id, self.signers[0], self.screen)
        decide_to_tell(self.house, incident_id, self.signers[0], self.screen)
        self.screen.section("6. Two people read and release the notice, which waits")
        self._release(incident_id)
        self._approve_release(incident_id)
        self._must_be_silent(result)
        self.screen.section("7. The silence ends, and everyone concerned is told")
        lift(self.house, incident_id, hold, self.signers[1], self.screen)
        self._watch_sending(incident_id)
        self._account(result)
        self.screen.section("8. The authorities' reports, the briefs and the handover")
        result.files |= write_reports(self.house, incident_id, by=OPERATORS[0], screen=self.screen)
        self._hand_out(result)
        self.screen.section("9. Proof")
        self._verify(result)
        return result

    # -- the steps ---------------------------------------------------------------------------------

    def _add_operators(self) -> None:
        house = self.house
        house.workspace.signing_keys.mkdir(mode=0o700)
        paths: dict[str, str] = {}
        for name in OPERATORS:
            key = new_private_key()
            path = house.workspace.signing_keys / name
            path.write_text(private_text(key), encoding="ascii")
            path.chmod(0o600)
            paths[name] = str(path)
            add_operator(
                house.store,
                name,
                public_line(key),
                roles=DEFAULT_ROLES,
                simulated=True,
                actor="drill",
                now=house.clock(),
            )
            self.signers.append(Signer(name, OpenKey(key)))
        (house.workspace.root / "signing-keys.json").write_text(
            json.dumps(paths, indent=2) + "\n", encoding="utf-8"
        )

    def _post_alert(self) -> str:
        import httpx

        now = self.house.clock()
        alert = json.dumps(
            {**ALERT, "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}, ensure_ascii=False
        )
        token = secrets.token_urlsafe(32)
        with self.serve_hooks(self.house, token) as url:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            answer = httpx.post(
                f"{url}/hooks/wazuh", content=alert.encode(), headers=headers, trust_env=False
            )
        self.screen.line(f"POST /hooks/wazuh → {answer.status_code} {answer.text}")
        if answer.status_code != 202:
            raise Refused(
                "the alert was not taken", where="hooks", next_step="this is a fault of the drill itself"
            )
        self._settle("the alert is mapped", lambda: bool(list_incidents(self.house.store)))
        self._idle()
        incident_id = list_incidents(self.house.store)[0].id
        dossier = load_dossier(self.house.store, incident_id)
        self.screen.line(f"{incident_id} opened: {dossier.title}")
        self._take_over(incident_id)
        return incident_id

    def _take_over(self, incident_id: str) -> None:
        """Somebody answers the call that an alert makes, as `incident ack` does."""
        store, name = self.house.store, OPERATORS[0]
        with store.write(incident_id, kind="summons.answered", actor=name, now=self.house.clock()) as change:
            answered = answer_summons(change, incident_id)
        self.screen.line(f"{name} is on it: {len(answered)} calls answered")

    def _record_findings(self, result: DrillResult) -> None:
        house, store = self.house, self.house.store
        zone, now = house.settings.zone, house.clock()
        facts = house.workspace.root / "facts.yaml"
        facts.write_text(facts_text(now=now, zone=zone, people=self.people), encoding="utf-8")
        stated = read_facts_file(
            facts.read_bytes(), name=facts.name, zone=zone, known_at=now, categories=category_names()
        )
        with store.write(result.incident_id, kind="facts.set", actor=OPERATORS[0], now=now) as change:
            state_facts(store, change, result.incident_id, stated)
            changes = evaluate(house, change, result.incident_id)
        self.screen.line(f"{len(stated)} facts recorded; {len(changes)} changes in what is owed")
        people = house.workspace.root / "affected-people.csv"
        write_people(people, count=self.people)
        known = {name: name for name in category_catalogue()}
        for name, category in category_catalogue().items():
            known.update({title.lower(): name for title in category.title.values()})
        imported = import_people(
            store,
            result.incident_id,
            people,
            encoding="utf-8",
            defaults=Defaults("zh-Hans", "cn", (), known),
            keep_problems=False,
            dry_run=False,
            actor=OPERATORS[0],
            now=house.clock(),
            today=now.astimezone(zone).date(),
        )
        self.screen.line(f"{imported.counts.added} people imported in two languages")
        with store.write(
            result.incident_id, kind="log.entered", actor=OPERATORS[0], now=house.clock()
        ) as change:
            log_entry(
                store,
                change,
                result.incident_id,
                "核对查询接口的访问日志，找出被查询的号码",
                at=now - timedelta(minutes=4),
                by="赵工",
                action="analyse.review-access-logs",
            )
        self.screen.line("a measure that a person took is logged: analyse.review-access-logs")
        result.files["facts"] = facts
        result.files["people"] = people

    def _answer_questions(self, incident_id: str) -> None:
        self._idle()
        run = self._run(incident_id)
        for call in self.containment.asked:
            self.screen.line(
                f"the containment service was asked: {call.get('action')} {call.get('endpoint')}"
            )
        while True:
            asked = [each for each in self._questions(run.id) if isinstance(each.effect, e.AskPerson)]
            if not asked:
                return
            step = short_name(self.house.store, run, asked[0].row.step)
            title = asked[0].effect.title if isinstance(asked[0].effect, e.AskPerson) else {}
            answer_question(
                self.house, run.id, step, success=True, by=OPERATORS[0], values={}, note="演练：已完成"
            )
            self.screen.line(f"{step}: {in_language(title, 'en')} – done by {OPERATORS[0]}")
            self._idle()

    def _release(self, incident_id: str) -> None:
        house, store = self.house, self.house.store
        dossier = load_dossier(store, incident_id)
        _, findings = assemble(dossier, house.bench(dossier), written_at=house.clock())
        self.screen.line(
            f"notice check: {len(refusals(findings))} elements missing, {len(findings)} findings"
        )
        for signer in self.signers:
            with store.write(
                incident_id, kind="notice.signed", actor=signer.name, now=house.clock()
            ) as change:
                held = dossier_in(change.session, store, incident_id)
                signed = release(
                    change,
                    store,
                    held,
                    house.bench(held),
                    expected_hash=None,
                    signer=signer,
                    reason="演练",
                    drill=True,
                )
                poke_runs(change.session, incident_id)
            state = "released" if signed.released else "one more must sign"
            self.screen.line(f"version {signed.version.row.version} signed by {signer.name}: {state}")

    def _approve_release(self, incident_id: str) -> None:
        run = self._run(incident_id)
        for asked in self._questions(run.id):
            step = short_name(self.house.store, run, asked.row.step)
            for signer in self.signers:
                missing = decide_step(self.house, run.id, step, signer=signer, yes=True, reason="演练")
                self.screen.line(f"{step}: approved by {signer.name}{'' if missing else ', the run goes on'}")

    def _must_be_silent(self, result: DrillResult) -> None:
        """Give the worker time to run into the hold, and see that nothing has left."""
        time.sleep(_SILENCE_SECONDS)
        self._raise_failure()
        if self.catcher.caught or self._campaign_id(result.incident_id) is not None:
            result.failed.append("nothing leaves under a hold")
        self.screen.line(f"released and approved, and held back: {self.catcher.caught} messages left")

    def _hand_out(self, result: DrillResult) -> None:
        folder = self.house.workspace.reports / result.incident_id

        def write(name: str, content: str) -> Path:
            file = folder / name
            file.write_text(content, encoding="utf-8")
            return file

        first, second = OPERATORS
        result.files |= hand_out(self.house, result.incident_id, by=first, to=second, write=write)
        self.screen.line(f"briefs for five audiences, and a handover from {first} to {second}")

    def _watch_sending(self, incident_id: str) -> None:
        self._settle("the campaign is opened", lambda: self._campaign_id(incident_id) is not None)
        campaign_id = self._campaign_id(incident_id)
        assert campaign_id is not None  # noqa: S101 - awaited above

        def shown() -> tuple[int, int]:
            with self.house.store.read() as session:
                return progress(session, campaign_id)

        def over() -> bool:
            self._raise_failure()
            return self._is_idle() and self._run(incident_id).state != RUNNING

        self.screen.sending(shown, over)

    def _account(self, result: DrillResult) -> None:
        with self.house.store.read() as session:
            found = account(session, campaigns_of(session, result.incident_id)[0])
        unreachable = ", ".join(f"{count} {why}" for why, count in found.unreachable.items()) or "none"
        self.screen.line(
            f"expected {found.expected} = accepted {found.accepted} + in progress {found.in_progress} "
            f"+ unreachable {found.unreachable_total} ({unreachable})"
        )
        self.screen.line(f"the mail catcher holds {self.catcher.caught} messages")
        self._check_account(found, result)
        for page in found.public_pages:
            result.files[f"public notice ({page.language})"] = self.house.workspace.public / page.file

    def _check_account(self, found: Account, result: DrillResult) -> None:
        copies = self._guardian_copies(result.incident_id)
        checks: Mapping[str, bool] = {
            "the account adds up": found.adds_up,
            "nobody is left in progress": found.in_progress == 0,
            "the catcher holds one message for each accepted": self.catcher.caught == found.accepted + copies,
            "the public notice is published": len(found.public_pages) == 2,
            "the run ended well": self._run(result.incident_id).state == e.Outcome.succeeded,
            "the leak was closed by the service": len(self.containment.asked) == 1,
        }
        result.failed += [name for name, holds in checks.items() if not holds]

    def _guardian_copies(self, incident_id: str) -> int:
        from sqlmodel import col, func, select

        from incident.store.tables import Delivery

        with self.house.store.read() as session:
            return session.exec(
                select(func.count())
                .select_from(Delivery)
                .where(Delivery.incident_id == incident_id, col(Delivery.principal).is_(False))
            ).one()

    def _verify(self, result: DrillResult) -> None:
        found = verify(self.house.store)
        heads = self.house.workspace.root / "heads.json"
        document = heads_document(self.house.store, at=self.house.clock().isoformat())
        heads.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        result.files["heads of the chains"] = heads
        for chain in found.chains:
            self.screen.line(f"chain {chain.chain}: {chain.entries} entries, head {chain.head[:16]}")
        self.screen.line("the record is sound" if found.sound else "the record is NOT sound")
        result.failed += [f"{each.chain}/{each.seq}: {each.fault}: {each.detail}" for each in found.findings]

    # -- helpers -----------------------------------------------------------------------------------

    @contextmanager
    def worker(self) -> Iterator[None]:
        """A worker on a thread, as `incident worker` would be in another terminal."""
        runners: list[WorksOn] = []
        begun = threading.Event()

        def told(run_id: str, effect: e.Effect, result: str) -> None:
            title = in_language(effect.title, "en") if hasattr(effect, "title") else effect.kind
            self.screen.line(f"{run_id}: {title} – {result or 'done'}")

        def hold(runner: WorksOn) -> None:
            runners.append(runner)
            begun.set()

        def work() -> None:
            try:
                Worker(self.house, on_step=told).work_forever(until_stopped=hold)
            except BaseException as error:
                self.failures.append(error)
                begun.set()

        thread = threading.Thread(target=work, name="drill worker", daemon=True)
        thread.start()
        begun.wait()
        try:
            yield
        finally:
            for runner in runners:
                runner.stop()
            thread.join()
        self._raise_failure()

    def _show_duties(self, incident_id: str) -> None:
        house = self.house
        dossier = load_dossier(house.store, incident_id)
        with house.store.read() as session:
            stored = {row.duty_id: row for row in stored_duties(session, incident_id)}
        views = view_duties(house.findings(dossier), stored, house.settings, now=house.clock())
        self.screen.duties([view for view in views if view.is_open], house)

    def _run(self, incident_id: str) -> Run:
        with self.house.store.read() as session:
            return runs_of(session, incident_id)[0]

    def _questions(self, run_id: str) -> list:  # type: ignore[type-arg]
        with self.house.store.read() as session:
            return questions(session, self.house.store, run_named(session, run_id))

    def _campaign_id(self, incident_id: str) -> str | None:
        with self.house.store.read() as session:
            found = campaigns_of(session, incident_id)
        return found[0].id if found else None

    def _is_idle(self) -> bool:
        with self.house.store.read() as session:
            return open_jobs(session) == 0

    def _idle(self) -> None:
        self._settle("the worker has done what is due", self._is_idle)

    def _raise_failure(self) -> None:
        if self.failures:
            raise self.failures[0]

    def _settle(self, what: str, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while not holds():
            self._raise_failure()
            if time.monotonic() > until:
                raise TocsinError(f"waited {_PATIENCE_SECONDS:.0f} s in vain until {what}")
            time.sleep(0.05)
