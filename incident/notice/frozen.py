"""A version of the notice as it is frozen: everything that leaves the house, and the hash that is signed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from incident.notice.audience import Audience
from incident.notice.audience_words import MessageWords
from incident.notice.channels import Renderings
from incident.notice.content import NoticeContent
from incident.notice.letter import FrozenLetter
from incident.notice.render import RenderedEmail
from incident.notice.updating import UpdateMark
from incident.store.canonical import canonical


@dataclass(frozen=True)
class FrozenNotice:
    """All that a version of the notice consists of.

    `category_titles` names each kind of data by language: a person's message lists those that concern them. `variants`
    are the e-mails for who is not the grown-up person concerned, by audience and language; `words` what a message needs
    of a language besides; `channels` the small channels by language, `letters` those on paper by audience and language;
    `updates` how a message is marked for whom an earlier version has reached. Versions from before there were such
    parts have none.
    """

    contents: Mapping[str, NoticeContent]
    emails: Mapping[str, RenderedEmail]
    pages: Mapping[str, str]
    from_name: Mapping[str, str]
    from_address: str
    reply_to: str
    category_titles: Mapping[str, Mapping[str, str]]
    variants: Mapping[Audience, Mapping[str, RenderedEmail]] = field(default_factory=dict)
    words: Mapping[str, MessageWords] = field(default_factory=dict)
    channels: Mapping[str, Renderings] = field(default_factory=dict)
    letters: Mapping[Audience, Mapping[str, FrozenLetter]] = field(default_factory=dict)
    updates: Mapping[str, UpdateMark] = field(default_factory=dict)

    def email_for(self, audience: Audience, language: str) -> RenderedEmail:
        """The e-mail to an audience; the person's where the version has none of its own."""
        return self.variants.get(audience, self.emails).get(language, self.emails[language])

    def as_document(self) -> dict[str, Any]:
        """Plain data, to be hashed and sealed."""
        return {
            "contents": {language: content.as_document() for language, content in self.contents.items()},
            "emails": {language: asdict(mail) for language, mail in self.emails.items()},
            "pages": dict(self.pages),
            "from_name": dict(self.from_name),
            "from_address": self.from_address,
            "reply_to": self.reply_to,
            "category_titles": {name: dict(titles) for name, titles in self.category_titles.items()},
            **self._further(),
        }

    def _further(self) -> dict[str, Any]:
        # Left out where there is none, so that versions from before keep their hash.
        variants = {
            str(audience): {language: asdict(mail) for language, mail in mails.items()}
            for audience, mails in self.variants.items()
        }
        words = {language: asdict(each) for language, each in self.words.items()}
        channels = {language: each.as_document() for language, each in self.channels.items()}
        letters = {
            str(audience): {language: each.as_document() for language, each in letters.items()}
            for audience, letters in self.letters.items()
        }
        updates = {language: asdict(mark) for language, mark in self.updates.items()}
        parts = {
            "variants": variants,
            "words": words,
            "channels": channels,
            "letters": letters,
            "updates": updates,
        }
        return {name: part for name, part in parts.items() if part}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> FrozenNotice:
        return cls(
            contents={name: NoticeContent.from_document(each) for name, each in document["contents"].items()},
            emails={name: RenderedEmail(**each) for name, each in document["emails"].items()},
            pages=document["pages"],
            from_name=document["from_name"],
            from_address=document["from_address"],
            reply_to=document["reply_to"],
            category_titles=document["category_titles"],
            variants={
                Audience(audience): {name: RenderedEmail(**each) for name, each in mails.items()}
                for audience, mails in document.get("variants", {}).items()
            },
            words={name: MessageWords(**each) for name, each in document.get("words", {}).items()},
            channels={
                language: Renderings.from_document(each)
                for language, each in document.get("channels", {}).items()
            },
            letters={
                Audience(audience): {name: FrozenLetter.from_document(each) for name, each in letters.items()}
                for audience, letters in document.get("letters", {}).items()
            },
            updates={name: UpdateMark(**each) for name, each in document.get("updates", {}).items()},
        )

    @property
    def hash(self) -> str:
        """SHA-256 over the canonical JSON (RFC 8785) of everything in it."""
        return hashlib.sha256(canonical(self.as_document())).hexdigest()
