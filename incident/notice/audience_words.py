"""Which version a message is, and its words: for the person, a guardian, a young person, an organisation. Pure.

All are told the same content. What differs is the words around it and what is said first (`audiences` of a language).
People under 18 read simpler words; the law asks that the guardian of a child under 14 is told (PIPL Art. 31), and the
child itself gets the simple version beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from incident.law.categories import category_catalogue
from incident.notice.audience import Audience
from incident.notice.content import NoticeContent
from incident.notice.languages import Language
from incident.record.person import PersonRow


def audience_of(person: PersonRow, *, to_guardian: bool, on: date) -> Audience:
    """Which version a message is: that of its addressee, and of the person's kind and age on a day."""
    if to_guardian:
        return Audience.GUARDIAN
    if person.is_organisation:
        return Audience.ORGANISATION
    return Audience.YOUNG if person.minor(on) else Audience.PERSON


def language_for(wanted: str, languages: Sequence[str]) -> str:
    """The language of a notice for who reads another: the same, else the same in another script, else the first."""
    if wanted in languages:
        return wanted
    primary = wanted.partition("-")[0]
    return next((tag for tag in languages if tag.partition("-")[0] == primary), languages[0])


def kinds_told(
    categories: Sequence[str], titles: Mapping[str, Mapping[str, str]], language: str
) -> tuple[str, ...]:
    """The kinds of one person's data as their message names them; none where all that the notice tells of is for them.

    That is so where nobody said which, and where one of them has no name in the language.
    """
    named = [titles[category].get(language) for category in categories]
    return tuple(filter(None, named)) if all(named) else ()


@dataclass(frozen=True)
class Told:
    """What an audience is told beside the content: see `AudienceWords`. `subject` is None where the content's holds."""

    subject: str | None = None
    before: tuple[str, ...] = ()
    first_steps: tuple[str, ...] = ()
    before_more: str = ""


def told_to(audience: Audience, language: Language, *, organisation: str, child: str) -> Told:
    """The words of an audience with their values; `child` stands for the name of the child. The person has none."""
    own = language.spoken.audiences.get(audience)
    if own is None:
        return Told()
    values = {"organisation": organisation, "child": child}
    return Told(
        subject=own.subject.format(**values),
        before=tuple(line.format(**values) for line in own.before),
        first_steps=tuple(line.format(**values) for line in own.first_steps),
        before_more=own.before_more,
    )


@dataclass(frozen=True)
class MessageWords:
    """What a message needs of its language besides the rendered words: what parts a list, how to address whoever has no
    name (by audience), what a child without a name is called, and one of several people without a name."""

    comma: str
    last_comma: str
    colon: str
    unnamed: Mapping[str, str]
    unnamed_child: str
    nameless: str

    def listed(self, titles: Sequence[str]) -> str:
        """The kinds of one person's information as the one line that their slot takes."""
        return self.comma.join(titles)

    def joined(self, names: Sequence[str]) -> str:
        """Names as part of a sentence."""
        *others, last = names
        return f"{self.comma.join(others)}{self.last_comma}{last}" if others else last

    def case(self, name: str, kinds: str) -> str:
        """The line of one of several people whom a message names."""
        return f"{name or self.nameless}{self.colon}{kinds}"


def message_words(language: Language) -> MessageWords:
    """The words of a language that a message needs."""
    return MessageWords(
        comma=language.marks.comma,
        last_comma=language.marks.last_comma,
        colon=language.marks.colon,
        unnamed={str(audience): language.word("unnamed", audience) for audience in Audience},
        unnamed_child=language.spoken.audiences[Audience.GUARDIAN].unnamed_child,
        nameless=language.word("mail_nameless"),
    )


def said_to(audience: Audience, language: Language, text: str) -> str:
    """A text with the polite forms that an audience is not addressed by replaced."""
    own = language.spoken.audiences.get(audience)
    for polite, informal in own.informal.items() if own else ():
        text = text.replace(polite, informal)
    return text


def content_for(audience: Audience, content: NoticeContent, language: Language) -> NoticeContent:
    """The content as an audience reads it.

    To the young, what a catalogue says of a kind of data is said in simpler words where the language has them, and
    polite forms give way to what children are called. Otherwise what a person wrote keeps its words.
    """
    if audience is not Audience.YOUNG:
        return content
    said = partial(said_to, audience, language)
    simpler = dict(_simpler_words(language))

    def told(texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if texts is None else tuple(said(_in_simpler_words(text, simpler)) for text in texts)

    def lines(texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if texts is None else tuple(said(text) for text in texts)

    measures = content.measures_taken
    return replace(
        content,
        what_happened=lines(content.what_happened),
        cause=said(content.cause) if content.cause else content.cause,
        consequences=told(content.consequences),
        measures_taken=measures and tuple(replace(line, text=said(line.text)) for line in measures),
        planned=said(content.planned) if content.planned else content.planned,
        steps_for_person=told(content.steps_for_person),
        remedies=lines(content.remedies),
        not_known=lines(content.not_known) or (),
        more=tuple(
            replace(part, heading=said(part.heading), lines=lines(part.lines) or ()) for part in content.more
        ),
    )


def _simpler_words(language: Language) -> Iterator[tuple[str, str]]:
    for key, simple in language.catalogue.young.items():
        category = category_catalogue().get(key)
        if category is None:
            continue  # `incident notice lint` tells of it
        for name, by_language in (("harm", category.harm), ("advice", category.advice)):
            if text := language.printed("categories", key, name, by_language):
                yield text, getattr(simple, name)


def _in_simpler_words(line: str, simpler: Mapping[str, str]) -> str:
    """A line that is, or ends in, what a catalogue says (after the names of the kinds), in simpler words."""
    found = next((text for text in simpler if line.endswith(text)), None)
    return line if found is None else line.removesuffix(found) + simpler[found]
