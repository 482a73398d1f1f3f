"""What an agent of the call centre needs for each call, made from what was released and the person's record.

A task is a pure function of the frozen version, the people of the delivery and its code, so that a list can be written
again as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from incident.delivery.call_lists import due_of
from incident.delivery.codes import code_of
from incident.delivery.ledger import Due
from incident.delivery.receipts import led_by
from incident.delivery.states import Addressee, DeliveryState
from incident.errors import NotFound, Unreadable
from incident.notice.audience import Audience
from incident.notice.audience_words import MessageWords, kinds_told, language_for
from incident.notice.channels import FIRST_STEP, CallScript, fill, first_step, one_line
from incident.notice.frozen import FrozenNotice
from incident.notice.release import version_by_id
from incident.notice.render import CHILD_NAME, CODE, DATA_TYPES_OF_PERSON, PERSON_NAME
from incident.record.person import PersonRow, person_from_content
from incident.settings import own_language
from incident.store.change import open_row
from incident.store.store import Store
from incident.store.tables import CallList, CallTask, Campaign, Delivery, Person

_TOGETHER = 500
_GUARDIAN = {"zh-Hans": "家长或者监护人", "zh-Hant": "家長或者監護人", "en": "the parent or guardian"}


@dataclass(frozen=True)
class AgentTask:
    """One call. Whom to `ask_for` is the person, or the guardian of those whom it is `about`. Shows personal data.

    `information` are the kinds of data concerned, `step` the first thing to do, in the `language` of the script.
    """

    code: str
    phones: tuple[str, ...]
    ask_for: str
    about: str
    information: str
    step: str
    language: str


@dataclass(frozen=True)
class ScriptPaper:
    """The scripts of a released version by language, and what a task needs of it."""

    scripts: Mapping[str, CallScript]
    words: Mapping[str, MessageWords]
    category_titles: Mapping[str, Mapping[str, str]]
    everyones_categories: Mapping[str, str]
    key: bytes = field(repr=False)


def script_paper(frozen: FrozenNotice, *, key: bytes) -> ScriptPaper:
    """What the calls of a version go by; a language without a script reads another one."""
    scripts = {
        language: each.call_centre
        for language, each in frozen.channels.items()
        if each.call_centre is not None
    }
    return ScriptPaper(
        scripts=scripts,
        words={language: frozen.words[language] for language in scripts},
        category_titles=frozen.category_titles,
        everyones_categories={
            language: frozen.words[language].listed(frozen.contents[language].data_types or ())
            for language in scripts
        },
        key=key,
    )


def task_for(
    paper: ScriptPaper, people: Sequence[PersonRow], *, delivery_id: str, to_guardian: bool
) -> AgentTask:
    """The call about one person, or about minors of one guardian. Pure.

    Numbers of a guardian come first where one is asked for; a minor without a guardian's number is called on their own,
    where a guardian is asked for all the same.
    """
    language = language_for(people[0].language, list(paper.scripts))
    words = paper.words[language]
    names = [one_line(each.contact.name) for each in people]
    kinds = [kinds_told(each.categories, paper.category_titles, language) for each in people]
    told = [words.listed(each) if each else paper.everyones_categories[language] for each in kinds]
    guardian = next((one_line(each.guardian.name) for each in people if each.guardian.name), "")
    if to_guardian:
        ask_for = guardian or _GUARDIAN.get(language, _GUARDIAN[own_language(language)])
        about = words.joined([name or words.nameless for name in names])
    else:
        ask_for = names[0] or words.unnamed[Audience.PERSON]
        about = ""
    cases = [words.case(name, listed) for name, listed in zip(names, told, strict=True)]
    everything = tuple(dict.fromkeys(kind for each in kinds for kind in each))
    return AgentTask(
        code=code_of(paper.key, delivery_id),
        phones=_phones(people, to_guardian=to_guardian),
        ask_for=ask_for,
        about=about,
        information=told[0] if len(people) == 1 else "; ".join(cases),
        step=first_step(paper.scripts[language].steps, everything),
        language=language,
    )


def _phones(people: Sequence[PersonRow], *, to_guardian: bool) -> tuple[str, ...]:
    guardians = [each.guardian.phone for each in people if each.guardian.phone] if to_guardian else []
    own = [phone for each in people for phone in each.phones]
    return tuple(dict.fromkeys(guardians or own))


def script_with_columns(script: CallScript) -> str:
    """The script with the names of the list's columns where a person's own words go."""
    return fill(
        script.text,
        {
            PERSON_NAME: "[ask_for]",
            CHILD_NAME: "[about]",
            DATA_TYPES_OF_PERSON: "[information]",
            FIRST_STEP: "[step]",
            CODE: "[code]",
        },
    )


def script_for(paper: ScriptPaper, task: AgentTask) -> str:
    """The script with a task's own words."""
    return fill(
        paper.scripts[task.language].text,
        {
            PERSON_NAME: task.ask_for,
            CHILD_NAME: task.about,
            DATA_TYPES_OF_PERSON: task.information,
            FIRST_STEP: task.step,
            CODE: task.code,
        },
    )


# -- reading ----------------------------------------------------------------------------------------------


def paper_of(session: Session, store: Store, row: CallList) -> ScriptPaper:
    """What the calls of a list go by. Raises `KeyDestroyed` or `KeyMissing`."""
    campaign = session.get_one(Campaign, row.campaign_id)
    version = version_by_id(session, store, campaign.notice_id)
    return script_paper(version.frozen, key=store.key(row.incident_id))


def open_tasks_of(session: Session, row: CallList, paper: ScriptPaper) -> Iterator[AgentTask]:
    """The tasks of a list that wait for a result, in their order. One whose record is damaged is left out."""
    last = ""
    while True:
        ids = session.exec(
            select(CallTask.delivery_id)
            .join(
                Delivery,
                (col(Delivery.id) == col(CallTask.delivery_id)) & (col(Delivery.attempts) == col(CallTask.n)),
            )
            .where(
                CallTask.list_id == row.id,
                CallTask.delivery_id > last,
                Delivery.state == DeliveryState.SENDING,
            )
            .order_by(col(CallTask.delivery_id))
            .limit(_TOGETHER)
        ).all()
        if not ids:
            return
        yield from _tasks(session, ids, paper)
        last = ids[-1]


def task_of(session: Session, delivery_id: str, paper: ScriptPaper) -> AgentTask:
    """The task of one delivery. Raises `NotFound` where its record is damaged."""
    found = next(_tasks(session, [delivery_id], paper), None)
    if found is None:
        raise NotFound("the record of this person is damaged", where=delivery_id, next_step="incident check")
    return found


def _tasks(session: Session, leaders: Sequence[str], paper: ScriptPaper) -> Iterator[AgentTask]:
    rows = session.exec(
        select(Delivery).where(col(Delivery.id).in_(leaders) | led_by(leaders)).order_by(col(Delivery.id))
    ).all()
    addressees = {row.id: row.addressee for row in rows}
    for due in due_of(rows):
        people = _people(session, due, paper.key)
        if people is None:
            continue
        minor = all(person.minor for person, _ in people)
        yield task_for(
            paper,
            [row for _, row in people],
            delivery_id=due.id,
            to_guardian=minor or addressees[due.id] == Addressee.GUARDIAN,
        )


def _people(session: Session, due: Due, key: bytes) -> list[tuple[Person, PersonRow]] | None:
    found = []
    for person_id in due.people:
        person = session.get(Person, person_id)
        if person is None:
            return None
        try:
            found.append((person, person_from_content(open_row(person, key=key))))
        except Unreadable:
            return None
    return found
