"""One person's message: a pure function of what was released, the person's version and the delivery row.

Made again after a crash it has the same bytes: the Date is the first intent's, the Message-ID the delivery's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from incident.delivery.cases import case_line, case_slot, with_cases
from incident.delivery.codes import code_of
from incident.delivery.states import Addressee
from incident.notice.release import FrozenNotice
from incident.notice.render import (
    CODE,
    DATA_TYPES_OF_PERSON,
    PERSON_NAME,
    RenderedEmail,
    list_for_person,
    salutation_without_name,
)
from incident.notice.updating import marked_as_update
from incident.record.person import PersonRow
from notifiers.email.message import NOT_IN_A_LINE, Address, Envelope, MailTemplate
from notifiers.email.skeleton import Skeleton
from notifiers.errors import BadAddress


class CannotBeAddressed(Exception):
    """The stored address cannot carry a message."""


@dataclass(frozen=True)
class Stationery:
    """The released notice made ready: a skeleton a language, and what the slots need.

    `updates` are its skeletons as an update, by the notice that somebody has, and language.
    """

    skeletons: Mapping[str, Skeleton]
    updates: Mapping[str, Mapping[str, Skeleton]]
    category_titles: Mapping[str, Mapping[str, str]]
    everyones_categories: Mapping[str, str]
    return_path: str
    domain: str
    key: bytes
    _for_several: dict[tuple[int, int], Skeleton] = field(default_factory=dict, repr=False)

    def for_several(self, skeleton: Skeleton, count: int) -> Skeleton:
        """One of the skeletons with a line for each of so many people where one person's kinds of data stand."""
        wanted = (id(skeleton), count)
        if wanted not in self._for_several:
            self._for_several[wanted] = Skeleton(with_cases(skeleton.template, count))
        return self._for_several[wanted]


def stationery(
    frozen: FrozenNotice, *, key: bytes, earlier: Mapping[str, FrozenNotice] | None = None
) -> Stationery:
    """Compile a released notice's e-mails, also as updates of the `earlier` notices (by id).

    Raises `BadMessage` for a sender that cannot be one.
    """
    sender = Address(frozen.from_address).spec
    return Stationery(
        skeletons=_skeletons(frozen, frozen.emails),
        updates={
            notice_id: _skeletons(frozen, _as_update(frozen, each))
            for notice_id, each in (earlier or {}).items()
        },
        category_titles=frozen.category_titles,
        everyones_categories={
            language: list_for_person(content.data_types or (), language)
            for language, content in frozen.contents.items()
        },
        return_path=sender,
        domain=sender.rpartition("@")[2],
        key=key,
    )


def _skeletons(frozen: FrozenNotice, emails: Mapping[str, RenderedEmail]) -> dict[str, Skeleton]:
    return {
        language: Skeleton(
            MailTemplate(
                subject=mail.subject,
                text=mail.text,
                html=mail.html,
                sender=Address(frozen.from_address, frozen.from_name.get(language, "")),
                language=language,
                reply_to=Address(frozen.reply_to) if frozen.reply_to else None,
            )
        )
        for language, mail in emails.items()
    }


def _as_update(frozen: FrozenNotice, earlier: FrozenNotice) -> dict[str, RenderedEmail]:
    """The e-mails marked as an update; a version that was frozen before there were such marks goes out as it is."""
    days = {language: content.written_on for language, content in earlier.contents.items()}
    any_day = next(iter(days.values()), "")
    return {
        language: marked_as_update(mail, frozen.updates[language], days.get(language, any_day))
        if language in frozen.updates
        else mail
        for language, mail in frozen.emails.items()
    }


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
    """The envelope of one delivery. It names `others` besides, where they share it.

    Raises `CannotBeAddressed` when this person's address is at fault. Any other fault is ours and would meet
    everybody: it is raised as it is, so that the job fails and nobody counts as unreachable for it.
    """
    to = person.guardian if addressee == Addressee.GUARDIAN else person.contact
    skeletons = paper.updates[update_of] if update_of else paper.skeletons
    language = person.language if person.language in skeletons else next(iter(skeletons))
    people = (person, *others)
    # A household's mailbox is nobody's in particular.
    name = "" if others and addressee == Addressee.PERSON else _one_line(to.name)
    values = {
        PERSON_NAME: name or salutation_without_name(language),
        CODE: code_of(paper.key, delivery_id),
    }
    if others:
        skeleton = paper.for_several(skeletons[language], len(people))
        cases = [
            case_line(_one_line(each.contact.name), _kinds(paper, each, language), language)
            for each in people
        ]
        values |= {case_slot(number): case for number, case in enumerate(cases)}
    else:
        skeleton = skeletons[language]
        values[DATA_TYPES_OF_PERSON] = _kinds(paper, person, language)
    try:
        address = Address(to.email, name)
    except BadAddress as error:
        raise CannotBeAddressed(error.where) from error
    data = skeleton.render(
        values, to=address, message_id=f"<{delivery_id}@{paper.domain}>", date=first_intent_at
    )
    return Envelope(mail_from=paper.return_path, rcpt_to=address.spec, data=data, envid=delivery_id)


def _kinds(paper: Stationery, person: PersonRow, language: str) -> str:
    titles = [paper.category_titles[category][language] for category in person.categories]
    return list_for_person(titles, language) or paper.everyones_categories[language]


def _one_line(name: str) -> str:
    """A name without what no line of a message may hold (a quoted CSV cell can hold line breaks)."""
    return " ".join(NOT_IN_A_LINE.sub(" ", name).split())
