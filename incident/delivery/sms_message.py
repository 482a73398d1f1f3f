"""One person's SMS: a pure function of what was released, the person's version and the delivery row."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from incident.delivery.codes import code_of
from incident.delivery.message import CannotBeAddressed
from incident.notice.audience import Audience
from incident.notice.audience_words import MessageWords, kinds_told, language_for
from incident.notice.channels import Sms, one_line, person_values
from incident.notice.frozen import FrozenNotice
from incident.notice.sms_text import SmsEncoding, sms_text
from incident.record.person import PersonRow
from notifiers.errors import BadAddress
from notifiers.smpp.message import SmsMessage


@dataclass(frozen=True)
class SmsPaper:
    """The SMS of a released notice made ready, by language, and what their slots need."""

    texts: Mapping[str, Sms]
    words: Mapping[str, MessageWords]
    category_titles: Mapping[str, Mapping[str, str]]
    everyones_categories: Mapping[str, str]
    key: bytes


def sms_paper(frozen: FrozenNotice, *, key: bytes) -> SmsPaper:
    """What the SMS of a version are written on; a language without an SMS reads another one."""
    texts = {language: each.sms for language, each in frozen.channels.items() if each.sms is not None}
    return SmsPaper(
        texts=texts,
        words={language: frozen.words[language] for language in texts},
        category_titles=frozen.category_titles,
        everyones_categories={
            language: frozen.words[language].listed(frozen.contents[language].data_types or ())
            for language in texts
        },
        key=key,
    )


def compose_sms(paper: SmsPaper, person: PersonRow, *, delivery_id: str) -> SmsMessage:
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
    text = sms_text(paper.texts[language].filled(values).text)
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
