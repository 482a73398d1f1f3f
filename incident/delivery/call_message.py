"""One person's call: a pure function of what was released, the person's version and the delivery row.

The call is placed without any of it. What is said is made once somebody answers, from the same values, so that nothing of
a person is with the carrier before they have said who they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from incident.delivery.codes import code_of
from incident.delivery.message import CannotBeAddressed
from incident.notice.audience import Audience
from incident.notice.audience_words import MessageWords, kinds_told, language_for
from incident.notice.channels import VoiceScript, one_line, person_values
from incident.notice.frozen import FrozenNotice
from incident.notice.updating import call_marked_as_update
from incident.record.person import PersonRow


@dataclass(frozen=True)
class CallPaper:
    """The calls of a released notice made ready, by language, and what their slots need.

    `updates` are its scripts as an update, by the notice that somebody has.
    """

    scripts: Mapping[str, VoiceScript]
    updates: Mapping[str, Mapping[str, VoiceScript]]
    words: Mapping[str, MessageWords]
    category_titles: Mapping[str, Mapping[str, str]]
    everyones_categories: Mapping[str, str]
    key: bytes


@dataclass(frozen=True)
class Call:
    """Whom a call goes to, and the lines of each of its parts. `asks_for` is the name it asks for, empty where the list has
    none, or one without a letter: then it would ask anybody."""

    number: str
    language: str
    asks_for: str
    greeting: tuple[str, ...]
    text: tuple[str, ...]
    not_heard: tuple[str, ...]
    machine: tuple[str, ...]
    thanks: tuple[str, ...]
    wrong_person: tuple[str, ...]


def scripts_of(frozen: FrozenNotice) -> dict[str, VoiceScript]:
    """The scripts of a version that a machine may call with, by language."""
    return {
        language: each.voice
        for language, each in frozen.channels.items()
        if each.voice is not None and each.voice.can_be_asked
    }


def call_paper(
    frozen: FrozenNotice, *, key: bytes, earlier: Mapping[str, FrozenNotice] | None = None
) -> CallPaper:
    """What the calls of a version are made from, also as updates of the `earlier` notices (by id); who reads a language
    without a script is called in another one."""
    scripts = scripts_of(frozen)
    return CallPaper(
        scripts=scripts,
        updates={
            notice_id: {
                language: _as_update(frozen, script, language, each) for language, script in scripts.items()
            }
            for notice_id, each in (earlier or {}).items()
        },
        words={language: frozen.words[language] for language in scripts},
        category_titles=frozen.category_titles,
        everyones_categories={
            language: frozen.words[language].listed(frozen.contents[language].data_types or ())
            for language in scripts
        },
        key=key,
    )


def _as_update(
    frozen: FrozenNotice, script: VoiceScript, language: str, earlier: FrozenNotice
) -> VoiceScript:
    """The script marked as an update; a version that was frozen before there were such marks is said as it is."""
    mark = frozen.updates.get(language)
    if mark is None:
        return script
    content = earlier.contents.get(language) or next(iter(earlier.contents.values()))
    return replace(script, text=call_marked_as_update(script.text, mark, content.written_on))


def compose_call(
    paper: CallPaper, person: PersonRow, *, delivery_id: str, update_of: str | None = None
) -> Call:
    """The call of one delivery, to the person's first number; made again it is the same.

    Raises `CannotBeAddressed` where there is no number. Any other fault is ours and is raised as it is.
    """
    if not person.phones:
        raise CannotBeAddressed("phone")
    language = language_for(person.language, list(paper.scripts))
    words = paper.words[language]
    told = kinds_told(person.categories, paper.category_titles, language)
    name = one_line(person.contact.name)
    values = person_values(
        name=name or words.unnamed[Audience.PERSON],
        data_types=words.listed(told) if told else paper.everyones_categories[language],
        code=code_of(paper.key, delivery_id),
    )
    scripts = paper.updates[update_of] if update_of else paper.scripts
    script = scripts[language].filled(values)
    return Call(
        number=person.phones[0],
        language=language,
        asks_for=name if any(sign.isalpha() for sign in name) else "",
        greeting=_lines(script.greeting),
        text=_lines(script.text),
        not_heard=_lines(script.not_heard),
        machine=_lines(script.machine),
        thanks=_lines(script.thanks),
        wrong_person=_lines(script.wrong_person),
    )


def _lines(part: str) -> tuple[str, ...]:
    return tuple(line for line in part.splitlines() if line.strip())
