"""A notice as a letter: what is frozen at its release, what each person's letter needs, and what came of printing.

The words come from the language, as those of an e-mail do; the template says in which order they stand, the layout how
they lie on the paper. All of it is frozen with the content; what is personal is only ever data, filled in when the
letters are printed (`letter_printing`). Pure but for templates.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from incident.errors import BadInput
from incident.notice.audience import Audience
from incident.notice.audience_words import content_for, message_words, told_to
from incident.notice.content import Contact, NoticeContent
from incident.notice.language_keys import WORDS
from incident.notice.languages import Language, Unit, languages_in
from incident.notice.render import (
    CHILD_NAME,
    CODE,
    DATA_TYPES_OF_PERSON,
    PERSON_NAME,
    refuse_marks,
    words_for,
)
from incident.notice.templates import first_template, template_text
from incident.settings import Paper
from incident.store.canonical import canonical
from notifiers.email.message import slot

LAYOUT = "notice/layout.typ"
TEMPLATE = "notice/letter.typ"
# The forms of characters that a script is printed in.
_REGIONS = {"Hans": "cn", "Hant": "hk"}
# A package would be fetched from the network, and its words would not be frozen.
_PACKAGE = re.compile(r"""["']@""")


@dataclass(frozen=True)
class FrozenLetter:
    """All that a letter consists of but what is personal: texts of layout and template; content, words, paper as data.

    `words` holds the texts around the content with marks for what is put in later, and the lists `before` and
    `first_steps`. `setting` says how the script is set: `lang`, `region`, `direction`, and `leading` in em. `paper` holds
    `window` (left, top, width, height), `fold_marks` (from the top edge), all in mm, and `duplex`.
    """

    language: str
    layout: str
    template: str
    content: Mapping[str, Any]
    words: Mapping[str, Any]
    setting: Mapping[str, Any]
    paper: Mapping[str, Any]

    def as_document(self) -> dict[str, Any]:
        """Plain data, to be hashed and sealed."""
        # Fractions as text: a document without any is hashed in a fifth of the time, at each batch that is sent.
        measures = {
            "setting": json.dumps(self.setting, sort_keys=True),
            "paper": json.dumps(self.paper, sort_keys=True),
        }
        return {**vars(self), **measures}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> FrozenLetter:
        """The letter that `as_document` gave. Raises `BadInput` when the document has another shape."""
        try:
            measures = {name: json.loads(document[name]) for name in ("setting", "paper")}
            return cls(**{**document, **measures})
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"this is no frozen letter: {error}", next_step="draft the notice again"
            ) from error

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over the canonical JSON (RFC 8785) of everything in it."""
        return hashlib.sha256(canonical(self.as_document())).hexdigest()


@dataclass(frozen=True)
class PersonsLetter:
    """What one person's letter needs. All texts are data; line breaks within them count as spaces.

    `reference` is the organisation's own sign for this letter: it stands on every page and brings a returned letter
    back to its delivery, so it must be unlike all others of a batch and say nothing about the person. `name` may be
    empty; then the letter addresses its reader as the notice does. `address` holds the lines beside the name (the
    language says above or below), `child` the name of the child in a guardian's letter, `data_types` the kinds of this
    person's information as shown, `code` the code by which they check that the letter is ours, `dated` the day of the
    letter as shown; empty: the day of the notice.
    """

    reference: str
    name: str
    address: tuple[str, ...]
    data_types: tuple[str, ...]
    code: str
    dated: str = ""
    child: str = ""


class NotPrintable(StrEnum):
    """Why a person's letter was not printed."""

    NO_ADDRESS = "no_address"
    ADDRESS_TOO_LONG = "address_too_long"
    NO_GLYPHS = "no_glyphs"


REASON_TITLES: Mapping[NotPrintable, Mapping[str, str]] = {
    NotPrintable.NO_ADDRESS: {"zh-Hans": "没有邮寄地址", "en": "there is no postal address"},
    NotPrintable.ADDRESS_TOO_LONG: {
        "zh-Hans": "地址用最小的字号也放不进信封窗口",
        "en": "the address does not fit into the window, even in the smallest type",
    },
    NotPrintable.NO_GLYPHS: {
        "zh-Hans": "本机的字体里没有其中的字",
        "en": "no font of this machine has these characters",
    },
}


@dataclass(frozen=True)
class Unprinted:
    """A letter that was left out, and why. `characters` are those without a glyph, as U+ code points."""

    reference: str
    reason: NotPrintable
    characters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Printed:
    """Where a letter stands in the document: its first page, counted from 1, and how many pages it has."""

    reference: str
    first_page: int
    pages: int


@dataclass(frozen=True)
class LetterBatch:
    """One document with the letters of a batch in the order asked for, and what became of each of them.

    `pdf` is empty where no letter could be printed. `font` is the family that the letters are set in.
    """

    pdf: bytes
    printed: tuple[Printed, ...]
    unprinted: tuple[Unprinted, ...]
    font: str

    def manifest(self) -> dict[str, Any]:
        """What lies beside the document, as plain data; the document by its SHA-256 (hex)."""
        return {
            "sha256": hashlib.sha256(self.pdf).hexdigest(),
            "font": self.font,
            "letters": [asdict(each) for each in self.printed],
            "not_printed": [asdict(each) for each in self.unprinted],
        }


@dataclass(frozen=True)
class LetterPreview:
    """One person's letter as pictures (PNG), one a page. `objection`: why it would not be printed; the pictures show it
    with a hole where something is missing. `font` is the family that it is set in."""

    pages: tuple[bytes, ...]
    objection: Unprinted | None
    font: str


def freeze_letters(
    contents: Mapping[str, NoticeContent], *, templates: Sequence[Path], paper: Paper
) -> dict[Audience, dict[str, FrozenLetter]]:
    """The letters by audience and language. Raises as `freeze_letter` does."""
    return {
        audience: {
            language: freeze_letter(content, templates=templates, paper=paper, audience=audience)
            for language, content in contents.items()
        }
        for audience in Audience
    }


def freeze_letter(
    content: NoticeContent,
    *,
    templates: Sequence[Path],
    paper: Paper,
    audience: Audience = Audience.PERSON,
) -> FrozenLetter:
    """The letter of a notice to an audience, from `notice/letter.typ` and `notice/layout.typ`.

    A workspace may have a template of its own for one language, `notice/<language>/letter.typ`, or for one audience in
    it (`letter.<audience>.typ`). Raises `NotFound` when one of them or the language is missing, `BadInput` when one asks
    for a package or the content holds marks of its own. It does not check that the content is complete; the gate does.
    """
    refuse_marks(content)
    language = languages_in(templates)[content.language]
    folder = f"notice/{content.language}"
    own = [
        f"{folder}/letter.{audience}.typ",
        *([f"{folder}/letter.typ"] if audience is Audience.PERSON else []),
    ]
    sources = {
        each: template_text(each, templates=templates)
        for each in (LAYOUT, first_template([*own, TEMPLATE], templates=templates))
    }
    for each, source in sources.items():
        if found := _PACKAGE.search(source):
            raise BadInput(
                "a template of a letter may not load packages",
                where=f"{each}, line {source.count(chr(10), 0, found.start()) + 1}",
                next_step="write what you need of it into the template",
            )
    layout, template = sources.values()
    said = content_for(audience, content, language)
    return FrozenLetter(
        language=content.language,
        layout=layout,
        template=template,
        content=_shown(said),
        words=_words(said, language, audience),
        setting=_setting(language),
        paper=paper.geometry(),
    )


def _shown(content: NoticeContent) -> dict[str, Any]:
    """The content as a template reads it: without what is only for those who write it."""
    document = content.as_document()
    for part in ("missing", "only_elsewhere", "sources", "untranslated"):
        document.pop(part, None)
    document["contact"] = document["contact"] or asdict(Contact(organisation=""))
    document.setdefault("more", [])
    document["not_taken"] = list(content.not_taken)
    return document


def _words(content: NoticeContent, language: Language, audience: Audience) -> dict[str, Any]:
    """The texts of the language with the values of the notice, and with marks for the others."""
    child = slot(CHILD_NAME)
    organisation = content.contact.organisation if content.contact else content.reference
    told = told_to(audience, language, organisation=organisation, child=child)
    say = words_for(content, language, audience, child=child)["say"]
    possible = "_possible" if content.possible else ""
    return {
        **{name: say(name) for name in WORDS if name.startswith(("heading_", "label_"))},
        "subject": told.subject or content.subject,
        "before": list(told.before),
        "first_steps": list(told.first_steps),
        "before_more": told.before_more,
        "unnamed": say("unnamed"),
        "unnamed_child": message_words(language).unnamed_child,
        "dear": say("mail_dear", name=slot(PERSON_NAME)),
        "opening": say(f"mail_opening{possible}"),
        "data": say(f"mail_data{possible}", effects=content.effects, data=slot(DATA_TYPES_OF_PERSON)),
        "planned": say("planned", text=content.planned or ""),
        "next_update": say("next_update", date=content.next_update or ""),
        "no_links": say("letter_no_links"),
        "website": say("mail_website", website=slot("website")),
        "phone": say("mail_phone", phone=slot("phone")),
        "code": say("mail_code", code=slot(CODE)),
        "never_asked": say("never_asked"),
        "sorry": say("sorry"),
        "number": say("number", reference=content.reference),
        "date": say("letter_date", date=slot("dated")),
        "reference": say("letter_reference", reference=slot("reference")),
        "page": say("letter_page", page=slot("page"), pages=slot("pages")),
        "addressee": say("letter_addressee", name=slot(PERSON_NAME), address=slot("address")),
        "comma": language.marks.comma,
        "clause": language.marks.clause,
        "colon": language.marks.colon,
    }


def _setting(language: Language) -> dict[str, Any]:
    """How the typesetter sets the script. Characters of a square need more room between lines than letters."""
    lang, *rest = language.tag.split("-")
    region = next((_REGIONS[part] for part in rest if part in _REGIONS), None)
    leading = 0.85 if language.reading.counts is Unit.CHARACTERS else 0.72
    return {"lang": lang, "region": region, "direction": language.spoken.direction, "leading": leading}
