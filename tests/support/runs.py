"""A run of a playbook on a breach: starting it, working on it, and people who answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from incident.ops.house import start_playbook
from incident.response.deciding import answer_question, decide_step
from incident.response.runner import questions, run_named, short_name
from incident.store.tables import Run
from tests.support.breaches import Breach

PLAYBOOK = "personal-data-breach"
ENDPOINT = "/api/v2/members/search"


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


def start(breach: Breach, *, url: str = "", name: str = PLAYBOOK, by: str = "ana") -> Running:
    """Start the shipped playbook; with `url` the containment service closes the interface."""
    given = {"__containment_url__": url, "__endpoint__": ENDPOINT} if url else {}
    store = breach.made.store
    with store.write(breach.id, kind="run.started", actor=by, now=breach.made.clock()) as change:
        return Running(breach, start_playbook(breach.house, change, breach.id, name, given))
