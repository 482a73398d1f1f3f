"""One person's message: a pure function of what was released, the person's version and the delivery row.

Made again after a crash it has the same bytes: the Date is the first intent's, the Message-ID the delivery's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from incident.delivery.cases import case_slot, with_cases
from incident.delivery.codes import code_of
from incident.delivery.return_path import BounceMailbox, mark_for
from incident.delivery.states import Addressee
from incident.notice.audience import Audience
from incident.notice.audience_words import (
    MessageWords,
    audience_of,
    kinds_told,
    language_for,
    message_words,
)
from incident.notice.frozen import FrozenNotice
from incident.notice.languages import shipped_languages
from incident.notice.render import CHILD_NAME, CODE, DATA_TYPES_OF_PERSON, PERSON_NAME, RenderedEmail
from incident.notice.updating import marked_as_update
from incident.record.person import PersonRow
from notifiers.email.message import NOT_IN_A_LINE, Address, Envelope, MailTemplate
from notifiers.email.skeleton import Skeleton
from notifiers.errors import BadAddress


class CannotBeAddressed(Exception):
    """The stored address cannot carry a message."""


Skeletons = Mapping[tuple[Audience, str], Skeleton]
"""Ready-made messages by audience and language."""


@dataclass(frozen=True)
class Stationery:
    """The released notice made ready: its skeletons, and what the slots need.

    `updates` are its skeletons as an update, by the notice that somebody has.
    """

    skeletons: Skeletons
    updates: Mapping[str, Skeletons]
    words: Mapping[str, MessageWords]
    category_titles: Mapping[str, Mapping[str, str]]
    everyones_categories: Mapping[str, str]
    sender: str
    domain: str
    key: bytes
    bounces: BounceMailbox | None = None
    _for_several: dict[tuple[int, int], Skeleton] = field(default_factory=dict, repr=False)

    def for_several(self, skeleton: Skeleton, count: int) -> Skeleton:
        """One of the skeletons with a line for each of so many people where one person's kinds of data stand."""
        wanted = (id(skeleton), count)
        if wanted not in self._for_several:
            self._for_several[wanted] = Skeleton(with_cases(skeleton.template, count))
        return self._for_several[wanted]


def stationery(
    frozen: FrozenNotice,
    *,
    key: bytes,
    earlier: Mapping[str, FrozenNotice] | None = None,
    bounces: BounceMailbox | None = None,
) -> Stationery:
    """Compile a released notice's e-mails, also as updates of the `earlier` notices (by id).

    Without a mailbox for `bounces` they go to the sender. Raises `BadMessage` for a sender that cannot be one.
    """
    words = {language: frozen.words.get(language) or _words_of(language) for language in frozen.emails}
    sender = Address(frozen.from_address).spec
    return Stationery(
        skeletons=_skeletons(frozen, None),
        updates={notice_id: _skeletons(frozen, each) for notice_id, each in (earlier or {}).items()},
        words=words,
        category_titles=frozen.category_titles,
        everyones_categories={
            language: words[language].listed(content.data_types or ())
            for language, content in frozen.contents.items()
        },
        sender=sender,
        domain=sender.rpartition("@")[2],
        key=key,
        bounces=bounces,
    )


def _skeletons(frozen: FrozenNotice, earlier: FrozenNotice | None) -> Skeletons:
    return {
        (audience, language): _skeleton(
            frozen, mail if earlier is None else _as_update(frozen, mail, earlier)
        )
        for audience, mails in ((Audience.PERSON, frozen.emails), *frozen.variants.items())
        for language, mail in mails.items()
    }


def _skeleton(frozen: FrozenNotice, mail: RenderedEmail) -> Skeleton:
    template = MailTemplate(
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        sender=Address(frozen.from_address, frozen.from_name.get(mail.language, "")),
        language=mail.language,
        reply_to=Address(frozen.reply_to) if frozen.reply_to else None,
    )
    return Skeleton(template)


def _as_update(frozen: FrozenNotice, mail: RenderedEmail, earlier: FrozenNotice) -> RenderedEmail:
    """The e-mail marked as an update; a version that was frozen before there were such marks goes out as it is."""
    mark = frozen.updates.get(mail.language)
    if mark is None:
        return mail
    content = earlier.contents.get(mail.language) or next(iter(earlier.contents.values()))
    return marked_as_update(mail, mark, content.written_on)


def writes_to_organisations(frozen: FrozenNotice) -> bool:
    """Whether a version has words for organisations; without them an organisation is told by hand."""
    return Audience.ORGANISATION in frozen.variants


def compose(
    paper: Stationery,
    person: PersonRow,
    *,
    delivery_id: str,
    addressee: str,
    first_intent_at: datetime,
    update_of: str | None = None,
    others: Sequence[PersonRow] = (),
) -> Envelope:
    """The envelope of one delivery, in the words for its addressee and for the person's kind and age on that day. It
    names `others` besides, where they share it.

    Raises `CannotBeAddressed` when this person's address is at fault. Any other fault is ours and would meet
    everybody: it is raised as it is, so that the job fails and nobody counts as unreachable for it.
    """
    to_guardian = addressee == Addressee.GUARDIAN
    to = person.guardian if to_guardian else person.contact
    people = (person, *others)
    audience = _audience(people, to_guardian=to_guardian, on=first_intent_at.date())
    language = language_for(person.language, list(paper.words))
    if (audience, language) not in paper.skeletons:
        audience = Audience.PERSON  # a version from before there were variants has the person's words only
    words = paper.words[language]
    # A household's mailbox is nobody's in particular.
    name = "" if others and not to_guardian else _one_line(to.name)
    skeleton = (paper.updates[update_of] if update_of else paper.skeletons)[audience, language]
    values = {
        PERSON_NAME: name or words.unnamed[audience],
        CHILD_NAME: _children(people, words),
        CODE: code_of(paper.key, delivery_id),
    }
    if others:
        skeleton = paper.for_several(skeleton, len(people))
        cases = [
            words.case(_one_line(each.contact.name), _kinds_of(each, paper, language)) for each in people
        ]
        values |= {case_slot(number): case for number, case in enumerate(cases)}
    else:
        values[DATA_TYPES_OF_PERSON] = _kinds_of(person, paper, language)
    try:
        address = Address(to.email, name)
    except BadAddress as error:
        raise CannotBeAddressed(error.where) from error
    data = skeleton.render(
        values, to=address, message_id=f"<{delivery_id}@{paper.domain}>", date=first_intent_at
    )
    mark = mark_for(paper.key, delivery_id)
    return Envelope(
        mail_from=paper.bounces.path_for(mark) if paper.bounces else paper.sender,
        rcpt_to=address.spec,
        data=data,
        envid=mark,
    )


def _audience(people: Sequence[PersonRow], *, to_guardian: bool, on: date) -> Audience:
    """The audience of all who are told in one message; where they differ, the person's words are for everybody."""
    found = {audience_of(each, to_guardian=to_guardian, on=on) for each in people}
    return found.pop() if len(found) == 1 else Audience.PERSON


def _children(people: Sequence[PersonRow], words: MessageWords) -> str:
    """The names of all whom a guardian's message is about; those without one, as children are called there, once."""
    names = [_one_line(each.contact.name) or words.unnamed_child for each in people]
    return words.joined(list(dict.fromkeys(names)))


def _kinds_of(person: PersonRow, paper: Stationery, language: str) -> str:
    told = kinds_told(person.categories, paper.category_titles, language)
    return paper.words[language].listed(told) if told else paper.everyones_categories[language]


def _words_of(language: str) -> MessageWords:
    return message_words(shipped_languages()[language])


def _one_line(name: str) -> str:
    """A name without what no line of a message may hold (a quoted CSV cell can hold line breaks)."""
    return " ".join(NOT_IN_A_LINE.sub(" ", name).split())
