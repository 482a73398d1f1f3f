"""A notice as a letter: what is frozen at its release, what each person's letter needs, and what came of printing.

The template holds the words of one language, the layout holds the paper. Both are text that is frozen with the content;
what is personal is only ever data, filled in when the letters are printed (`letter_printing`). Pure but for templates.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from incident.errors import BadInput
from incident.notice.content import Contact, NoticeContent
from incident.notice.languages import languages_in
from incident.notice.templates import has_template, template_text
from incident.settings import Paper

LAYOUT = "notice/layout.typ"
TEMPLATE = "notice/{language}/letter.typ"
# A package would be fetched from the network, and its words would not be frozen.
_PACKAGE = re.compile(r"""["']@""")


@dataclass(frozen=True)
class FrozenLetter:
    """All that a letter consists of but what is personal: texts of layout and template, content and paper as data.

    `paper` holds `window` (left, top, width, height), `fold_marks` (from the top edge), all in mm, and `duplex`.
    """

    language: str
    layout: str
    template: str
    content: Mapping[str, Any]
    paper: Mapping[str, Any]

    def as_document(self) -> dict[str, Any]:
        """Plain data, to be hashed and sealed."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> FrozenLetter:
        """The letter that `as_document` gave. Raises `BadInput` when the document has another shape."""
        try:
            return cls(**document)
        except TypeError as error:
            raise BadInput(
                f"this is no frozen letter: {error}", next_step="draft the notice again"
            ) from error

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over the canonical JSON (RFC 8785) of everything in it."""
        import rfc8785

        return hashlib.sha256(rfc8785.dumps(self.as_document())).hexdigest()


@dataclass(frozen=True)
class PersonsLetter:
    """What one person's letter needs. All texts are data; line breaks within them count as spaces.

    `reference` is the organisation's own sign for this letter: it stands on every page and brings a returned letter
    back to its delivery, so it must be unlike all others of a batch and say nothing about the person. `name` may be
    empty; then the letter addresses its reader as the notice does. `address` holds the lines under the name (Western)
    or above it (Chinese), `data_types` the kinds of this person's information as shown, `code` the code by which they
    check that the letter is ours, `dated` the day of the letter as shown; empty: the day of the notice.
    """

    reference: str
    name: str
    address: tuple[str, ...]
    data_types: tuple[str, ...]
    code: str
    dated: str = ""


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
) -> dict[str, FrozenLetter]:
    """The letter in each language that has a template for it. Raises as `freeze_letter` does."""
    return {
        language: freeze_letter(content, templates=templates, paper=paper)
        for language, content in contents.items()
        if has_template(TEMPLATE.format(language=language), templates=templates)
    }


def freeze_letter(content: NoticeContent, *, templates: Sequence[Path], paper: Paper) -> FrozenLetter:
    """The letter of a notice from `notice/<language>/letter.typ` and `notice/layout.typ`.

    Raises `NotFound` when one of them is missing, `BadInput` when one asks for a package. It does not check that the
    content is complete; the gate does.
    """
    name = TEMPLATE.format(language=content.language)
    sources = {each: template_text(each, templates=templates) for each in (LAYOUT, name)}
    for each, source in sources.items():
        if found := _PACKAGE.search(source):
            raise BadInput(
                "a template of a letter may not load packages",
                where=f"{each}, line {source.count(chr(10), 0, found.start()) + 1}",
                next_step="write what you need of it into the template",
            )
    document = content.as_document()
    for unprinted in ("missing", "only_elsewhere", "sources", "untranslated"):
        document.pop(unprinted, None)
    document["unnamed"] = languages_in(templates)[content.language].word("unnamed")
    document["contact"] = document["contact"] or asdict(Contact(organisation=""))
    document.setdefault("more", [])
    return FrozenLetter(
        language=content.language,
        layout=sources[LAYOUT],
        template=sources[name],
        content=document,
        paper=paper.geometry(),
    )
