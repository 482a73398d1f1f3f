"""One person's message: a pure function of what was released, the person's version and the delivery row.

Made again after a crash it has the same bytes: the Date is the first intent's, the Message-ID the delivery's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from incident.delivery.codes import code_of
from incident.delivery.states import Addressee
from incident.notice.audience import Audience, MessageWords, audience_of, message_words
from incident.notice.languages import shipped_languages
from incident.notice.release import FrozenNotice
from incident.notice.render import CHILD_NAME, CODE, DATA_TYPES_OF_PERSON, PERSON_NAME, RenderedEmail
from incident.record.person import PersonRow
from notifiers.email.message import NOT_IN_A_LINE, Address, Envelope, MailTemplate
from notifiers.email.skeleton import Skeleton
from notifiers.errors import BadAddress


class CannotBeAddressed(Exception):
    """The stored address cannot carry a message."""


@dataclass(frozen=True)
class Stationery:
    """The released notice made ready: a skeleton for each audience and language, and what the slots need."""

    skeletons: Mapping[tuple[Audience, str], Skeleton]
    words: Mapping[str, MessageWords]
    category_titles: Mapping[str, Mapping[str, str]]
    everyones_categories: Mapping[str, str]
    return_path: str
    domain: str
    key: bytes


def stationery(frozen: FrozenNotice, *, key: bytes) -> Stationery:
    """Compile a released notice's e-mails. Raises `BadMessage` for a sender that cannot be one."""

    def skeleton(mail: RenderedEmail) -> Skeleton:
        template = MailTemplate(
            subject=mail.subject,
            text=mail.text,
            html=mail.html,
            sender=Address(frozen.from_address, frozen.from_name.get(mail.language, "")),
            language=mail.language,
            reply_to=Address(frozen.reply_to) if frozen.reply_to else None,
        )
        return Skeleton(template)

    words = {language: frozen.words.get(language) or _words_of(language) for language in frozen.emails}
    sender = Address(frozen.from_address).spec
    return Stationery(
        skeletons={
            (audience, language): skeleton(mail)
            for audience, mails in ((Audience.PERSON, frozen.emails), *frozen.variants.items())
            for language, mail in mails.items()
        },
        words=words,
        category_titles=frozen.category_titles,
        everyones_categories={
            language: words[language].listed(content.data_types or ())
            for language, content in frozen.contents.items()
        },
        return_path=sender,
        domain=sender.rpartition("@")[2],
        key=key,
    )


def writes_to_organisations(frozen: FrozenNotice) -> bool:
    """Whether a version has words for organisations; without them an organisation is told by hand."""
    return Audience.ORGANISATION in frozen.variants


def compose(
    paper: Stationery, person: PersonRow, *, delivery_id: str, addressee: str, first_intent_at: datetime
) -> Envelope:
    """The envelope of one delivery, in the words for its addressee and for the person's kind and age on that day.

    Raises `CannotBeAddressed` when this person's address is at fault. Any other fault is ours and would meet
    everybody: it is raised as it is, so that the job fails and nobody counts as unreachable for it.
    """
    to = person.guardian if addressee == Addressee.GUARDIAN else person.contact
    audience = audience_of(person, to_guardian=addressee == Addressee.GUARDIAN, on=first_intent_at.date())
    language = language_for(person.language, list(paper.words))
    if (audience, language) not in paper.skeletons:
        audience = Audience.PERSON  # a version from before there were variants has the person's words only
    words, name = paper.words[language], _one_line(to.name)
    values = {
        PERSON_NAME: name or words.unnamed[audience],
        CHILD_NAME: _one_line(person.contact.name) or words.unnamed_child,
        DATA_TYPES_OF_PERSON: _kinds_of(person, paper, language),
        CODE: code_of(paper.key, delivery_id),
    }
    try:
        address = Address(to.email, name)
    except BadAddress as error:
        raise CannotBeAddressed(error.where) from error
    data = paper.skeletons[audience, language].render(
        values, to=address, message_id=f"<{delivery_id}@{paper.domain}>", date=first_intent_at
    )
    return Envelope(mail_from=paper.return_path, rcpt_to=address.spec, data=data, envid=delivery_id)


def language_for(wanted: str, languages: Sequence[str]) -> str:
    """The language of a notice for who reads another: the same, else the same in another script, else the first."""
    if wanted in languages:
        return wanted
    primary = wanted.partition("-")[0]
    return next((tag for tag in languages if tag.partition("-")[0] == primary), languages[0])


def _kinds_of(person: PersonRow, paper: Stationery, language: str) -> str:
    """The kinds of one person's data; all that the notice tells of where one has no name in the language."""
    titles = [paper.category_titles[category].get(language) for category in person.categories]
    known = [title for title in titles if title]
    if not known or len(known) < len(titles):
        return paper.everyones_categories[language]
    return paper.words[language].listed(known)


def _words_of(language: str) -> MessageWords:
    return message_words(shipped_languages()[language])


def _one_line(name: str) -> str:
    """A name without what no line of a message may hold (a quoted CSV cell can hold line breaks)."""
    return " ".join(NOT_IN_A_LINE.sub(" ", name).split())
