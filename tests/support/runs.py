"""A run of a playbook on a breach: starting it, working on it, and people who answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from incident.hosts import host_rule
from incident.ops.house import start_playbook
from incident.response import events as e
from incident.response.commands.going_out import GoingOut
from incident.response.deciding import answer_outcome, answer_question, decide_step
from incident.response.runner import questions, run_named, short_name
from incident.store.tables import Run
from incident.workspace import find_data
from tests.support.breaches import Breach

PLAYBOOK = "personal-data-breach"
CAREFUL = "careful"
ENDPOINT = "/api/v2/members/search"
LOOPBACK = GoingOut(hosts=(host_rule("127.0.0.1"), host_rule("localhost")))


@dataclass(frozen=True)
class Running:
    """One run on a breach."""

    breach: Breach
    id: str

    @property
    def row(self) -> Run:
        with self.breach.made.store.read() as session:
            return run_named(session, self.id)

    def waiting(self) -> set[str]:
        """The steps that wait for people, by their short names."""
        store = self.breach.made.store
        with store.read() as session:
            run = run_named(session, self.id)
            return {short_name(store, run, each.row.step) for each in questions(session, store, run)}

    def waits_about_calls(self) -> dict[str, e.AskOutcome]:
        """The questions whether a call was carried out, by the steps' short names."""
        store = self.breach.made.store
        with store.read() as session:
            run = run_named(session, self.id)
            return {
                short_name(store, run, each.row.step): each.effect
                for each in questions(session, store, run)
                if isinstance(each.effect, e.AskOutcome)
            }

    def found_out(
        self, step: str, outcome: e.CallOutcome, *, note: str = "", values: Mapping[str, str] | None = None
    ) -> None:
        """Say what came of a call whose outcome nobody knew."""
        answer_outcome(self.breach.house, self.id, step, outcome, by="ana", values=values or {}, note=note)

    def answer(
        self, step: str, *, success: bool = True, values: Mapping[str, str] | None = None, note: str = ""
    ) -> None:
        answer_question(
            self.breach.house, self.id, step, success=success, by="ana", values=values or {}, note=note
        )

    def decide(self, step: str, name: str, *, yes: bool = True) -> int:
        signer = self.breach.signers[name]
        return decide_step(self.breach.house, self.id, step, signer=signer, yes=yes, reason="read it")

    def work(self) -> None:
        self.breach.work()


def install(root: Path, name: str, text: str) -> None:
    """Give a workspace a playbook of its own."""
    folder = root / "playbooks"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def install_careful(root: Path) -> None:
    """Give a workspace the shipped playbook under another name, in which no call is declared repeatable."""
    text = find_data(None, "playbooks", f"{PLAYBOOK}.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines(keepends=True) if "repeatable:" not in line]
    assert len(lines) < len(text.splitlines()), "it declares nothing repeatable any more"
    install(root, CAREFUL, "".join(lines))


def start(
    breach: Breach,
    *,
    url: str = "",
    name: str = PLAYBOOK,
    by: str = "ana",
    given: Mapping[str, str] | None = None,
) -> Running:
    """Start the shipped playbook, or another; with `url` the containment service closes the interface."""
    given = given or ({"__containment_url__": url, "__endpoint__": ENDPOINT} if url else {})
    store = breach.made.store
    with store.write(breach.id, kind="run.started", actor=by, now=breach.made.clock()) as change:
        return Running(breach, start_playbook(breach.house, change, breach.id, name, given))
