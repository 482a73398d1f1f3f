"""One person's SMS: a pure function of what was released, the person's version and the delivery row."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from incident.delivery.codes import code_of
from incident.delivery.message import CannotBeAddressed
from incident.notice.audience import Audience
from incident.notice.audience_words import MessageWords, kinds_told, language_for
from incident.notice.channels import Sms, one_line, person_values
from incident.notice.frozen import FrozenNotice
from incident.notice.sms_text import SmsEncoding, sms_text
from incident.notice.updating import sms_marked_as_update
from incident.record.person import PersonRow
from notifiers.errors import BadAddress
from notifiers.sms.message import SmsMessage


@dataclass(frozen=True)
class SmsPaper:
    """The SMS of a released notice made ready, by language, and what their slots need.

    `updates` are its texts as an update, by the notice that somebody has.
    """

    texts: Mapping[str, Sms]
    updates: Mapping[str, Mapping[str, Sms]]
    words: Mapping[str, MessageWords]
    category_titles: Mapping[str, Mapping[str, str]]
    everyones_categories: Mapping[str, str]
    key: bytes


def sms_paper(
    frozen: FrozenNotice, *, key: bytes, earlier: Mapping[str, FrozenNotice] | None = None
) -> SmsPaper:
    """What the SMS of a version are written on, also as updates of the `earlier` notices (by id); a language without an
    SMS reads another one."""
    texts = {language: each.sms for language, each in frozen.channels.items() if each.sms is not None}
    return SmsPaper(
        texts=texts,
        updates={
            notice_id: {language: _as_update(frozen, sms, language, each) for language, sms in texts.items()}
            for notice_id, each in (earlier or {}).items()
        },
        words={language: frozen.words[language] for language in texts},
        category_titles=frozen.category_titles,
        everyones_categories={
            language: frozen.words[language].listed(frozen.contents[language].data_types or ())
            for language in texts
        },
        key=key,
    )


def _as_update(frozen: FrozenNotice, sms: Sms, language: str, earlier: FrozenNotice) -> Sms:
    """The SMS marked as an update; a version that was frozen before there were such marks goes out as it is."""
    mark = frozen.updates.get(language)
    if mark is None:
        return sms
    content = earlier.contents.get(language) or next(iter(earlier.contents.values()))
    return replace(sms, text=sms_marked_as_update(sms.text, mark, content.written_on))


def compose_sms(
    paper: SmsPaper, person: PersonRow, *, delivery_id: str, update_of: str | None = None
) -> SmsMessage:
    """The SMS of one delivery, to the person's first number; made again it is the same.

    Raises `CannotBeAddressed` when that number is at fault. Any other fault is ours and is raised as it is.
    """
    if not person.phones:
        raise CannotBeAddressed("phone")
    language = language_for(person.language, list(paper.texts))
    words = paper.words[language]
    told = kinds_told(person.categories, paper.category_titles, language)
    values = person_values(
        name=one_line(person.contact.name) or words.unnamed[Audience.PERSON],
        data_types=words.listed(told) if told else paper.everyones_categories[language],
        code=code_of(paper.key, delivery_id),
    )
    texts = paper.updates[update_of] if update_of else paper.texts
    text = sms_text(texts[language].filled(values).text)
    try:
        return SmsMessage(
            to=person.phones[0],
            segments=text.segments,
            ucs2=text.encoding is SmsEncoding.UCS_2,
            reference=reference_of(delivery_id),
        )
    except BadAddress as error:
        raise CannotBeAddressed(error.where) from error


def reference_of(delivery_id: str) -> int:
    """The number that joins the parts of a long SMS (TS 23.040, 9.2.3.24.1): the same when it is sent again."""
    return int.from_bytes(hashlib.sha256(delivery_id.encode()).digest()[:2], "big")
