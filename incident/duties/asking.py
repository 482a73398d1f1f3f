"""The open questions of a record: in order, numbered as people see them, with who said that nobody knows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from incident.duties.evaluating import Rules, findings_for
from incident.duties.orders import reopened_by
from incident.errors import NotFound, Refused
from incident.law.questions import Question, open_questions
from incident.record.dossier import Dossier, dossier_in
from incident.record.facts import Certainty, Fact, Field, field_named, show_value
from incident.record.incidents import must_have_happened, state_facts
from incident.settings import Settings
from incident.store.change import Change
from incident.store.store import Store

AHEAD = frozenset({"next_update_at"})
"""Times that lie ahead; every other time of the record has happened."""


@dataclass(frozen=True)
class AskedQuestion:
    """A question with its number. `asked_of` and `asked_at`: who last said that they do not know, and when."""

    number: int
    question: Question
    asked_of: str | None
    asked_at: datetime | None
    sure: Certainty | None
    """How sure what is known so far is; None where nothing is known."""

    @property
    def name(self) -> str:
        return self.question.field.name

    @property
    def nobody_knows(self) -> bool:
        return self.question.nobody_knows


def questions_of(
    dossier: Dossier, settings: Settings, rules: Rules, *, met: Collection[str], now: datetime
) -> list[AskedQuestion]:
    """What is open in the record, in the order of what it decides (`incident.law.questions`).

    `met`: the ids of the duties that were met.
    """
    unknown = {name: stated for name, stated in dossier.current.items() if stated.fact.value is None}
    found = open_questions(
        rules.regimes,
        dossier.sheet,
        scope_countries=settings.scope.countries,
        now=now,
        organisations=settings.scope.organisation or (),
        evaluated=lambda sheet, regimes: findings_for(
            sheet,
            settings,
            replace(rules, regimes=tuple(regimes)),
            now=now,
            orders=dossier.instructions,
            met=dossier.met,
        ),
        met=met,
        reopened=reopened_by(dossier.instructions),
        nobody_knows=unknown,
    )
    asked = []
    for number, question in enumerate(found, start=1):
        stated, known = unknown.get(question.field.name), dossier.current.get(question.field.name)
        asked.append(
            AskedQuestion(
                number,
                question,
                asked_of=(stated.fact.said_by or stated.recorded_by) if stated else None,
                asked_at=stated.recorded_at if stated else None,
                sure=known.fact.sure if known and not stated else None,
            )
        )
    return asked


def asked_for(name: str, questions: Sequence[AskedQuestion]) -> Field:
    """The field of a question: by its number in the list, or by its own name, also when it is not open.

    Raises `NotFound` for a number that is not in the list, `BadInput` for a name that is no field.
    """
    if not name.isdecimal():
        return field_named(name)
    for each in questions:
        if each.number == int(name):
            return each.question.field
    raise NotFound(
        f"there is no question {name}; {len(questions)} are open",
        next_step="`incident ask ID --all` lists them; a question can be named by its field too",
    )


def answer_question(store: Store, change: Change, incident_id: str, fact: Fact, *, zone: tzinfo) -> None:
    """Record an answer within a change, as `state_facts` does.

    Raises `Refused` for a time that is still to come, and for “I don't know” where somebody else did know: what one
    person does not know does not undo what another said.
    """
    if isinstance(fact.value, datetime) and fact.field not in AHEAD:
        must_have_happened(fact.value, now=change.at)
    known = dossier_in(change.session, store, incident_id).current.get(fact.field)
    if fact.value is None and known is not None and known.fact.value is not None:
        shown = show_value(field_named(fact.field), known.fact.value, language="en", zone=zone)
        raise Refused(
            f"{fact.field} is known: {shown}, said by {known.fact.said_by or known.recorded_by}",
            next_step=f"to withdraw it: `incident set {incident_id} {fact.field}=unknown`",
        )
    state_facts(store, change, incident_id, [fact])
