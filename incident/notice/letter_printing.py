"""Letters as one PDF: the frozen letter and each person's values go to the typesetter, pages and exceptions come back.

Everything is handed over as JSON and never as markup, and the typesetter sees a folder that holds nothing but the
frozen texts. The same letter, people, day and fonts give the same bytes.
"""

from __future__ import annotations

import json
import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from incident.errors import BadInput
from incident.notice.letter import (
    LAYOUT,
    TEMPLATE,
    FrozenLetter,
    LetterBatch,
    LetterPreview,
    NotPrintable,
    PersonsLetter,
    Printed,
    Unprinted,
)
from incident.notice.paper_fonts import FontShelf
from incident.notice.render import CHILD_NAME
from notifiers.email.message import SLOT, slot

if TYPE_CHECKING:
    import typst

MOST_IN_A_BATCH = 1000
"""What one document holds at most. Speed per letter no longer grows beyond some 200, memory does."""

_Made = TypeVar("_Made")
_MAIN = """#import "letter.typ"
#import "layout.typ": batch
#batch(letter, json(bytes(sys.inputs.data)))
"""
# Asked of a document that is laid out: for each letter its position in the batch, and what is wanted of it.
_ADDRESSES = "query(<address>).map(it => (it.value.position, it.value.fits))"
_PAGES = """query(<end>).map(it => (
  it.value, locate(label("start-" + str(it.value))).page(), it.location().page()
))"""
# Nobody: what a template is tried with, to see that it shows each of these.
_SOMEBODY = PersonsLetter(
    "reference", "person.name", ("person.address",), ("person.data_types",), "person.code"
)
_TAG = re.compile(r"<[^>]*>")
_PLACE = re.compile(r"(layout|letter)\.typ:(\d+)")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
# Chinese may be broken anyway, and so may Korean; a cluster may not.
_LONG_WORD = re.compile("[^\\s\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]{24,}")
_MAY_BREAK = "\u200b"
_JOINER = "\u200d"
# Embedded directions would turn the words around them; a right-to-left name needs none.
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def print_letters(
    letter: FrozenLetter, people: Sequence[PersonsLetter], *, fonts: FontShelf, printed_at: datetime
) -> LetterBatch:
    """The letters of these people as one document, in this order; whoever cannot be written to is named with the reason.

    `printed_at` becomes the document's creation time. Raises `BadInput` when there are too many people, two of them
    share a reference or one has none, or when the template does not fit what it is given (with its line), and as
    `FontShelf.family_for` does.
    """
    _must_be_a_batch(people)
    family = fonts.family_for(letter.language)
    _must_have_glyphs(letter, fonts)
    unprinted: dict[str, Unprinted] = {}
    ready: list[PersonsLetter] = []
    for person in map(_cleaned, people):
        if (objection := _objection(person, fonts)) is not None:
            unprinted[person.reference] = objection
        else:
            ready.append(person)
    printed: tuple[Printed, ...] = ()
    pdf = b""
    with _typesetter(letter, fonts, family) as typesetter:
        typesetter.must_say_all()
        if ready:
            pdf = typesetter.document(ready, printed_at)
            if too_long := typesetter.too_long_addresses(ready):
                unprinted |= {each: Unprinted(each, NotPrintable.ADDRESS_TOO_LONG) for each in too_long}
                ready = [person for person in ready if person.reference not in too_long]
                pdf = typesetter.document(ready, printed_at) if ready else b""
        if ready:
            printed = typesetter.pages(ready)
    left_out = tuple(unprinted[each.reference] for each in people if each.reference in unprinted)
    return LetterBatch(pdf, printed, left_out, family)


def preview_letter(
    letter: FrozenLetter, person: PersonsLetter, *, fonts: FontShelf, points_per_inch: int = 144
) -> LetterPreview:
    """One letter as pictures, and what stands against printing it. Raises `BadInput` as `print_letters` does."""
    family = fonts.family_for(letter.language)
    cleaned = _cleaned(person)
    with _typesetter(letter, fonts, family) as typesetter:
        typesetter.must_say_all()
        pictures = typesetter.pictures([cleaned], points_per_inch)
        objection = _objection(cleaned, fonts)
        if objection is None and typesetter.too_long_addresses([cleaned]):
            objection = Unprinted(cleaned.reference, NotPrintable.ADDRESS_TOO_LONG)
    return LetterPreview(pictures, objection, family)


def _must_be_a_batch(people: Sequence[PersonsLetter]) -> None:
    if len(people) > MOST_IN_A_BATCH:
        raise BadInput(
            f"{len(people)} letters are too many for one document",
            next_step=f"print at most {MOST_IN_A_BATCH} at a time",
        )
    counts = Counter(each.reference for each in people)
    if "" in counts or any(count > 1 for count in counts.values()):
        raise BadInput(
            "every letter of a batch needs a reference of its own",
            next_step="give each person's letter another reference; a returned letter is found by it",
        )


def _must_have_glyphs(letter: FrozenLetter, fonts: FontShelf) -> None:
    shown = _texts_in([letter.content, letter.words])
    missing = fonts.without_glyph(SLOT.sub("", text) for text in shown)
    if missing:
        raise BadInput(
            f"no font of this machine has these characters of the notice: {', '.join(map(_named, missing))}",
            where=letter.language,
            next_step="install a font that has them, or write the notice without them",
        )


def _objection(person: PersonsLetter, fonts: FontShelf) -> Unprinted | None:
    """Why this letter is not even tried."""
    if not person.address:
        return Unprinted(person.reference, NotPrintable.NO_ADDRESS)
    missing = fonts.without_glyph(_texts_in(person.__dict__))
    if missing:
        return Unprinted(person.reference, NotPrintable.NO_GLYPHS, tuple(map(_named, missing)))
    return None


def _named(character: str) -> str:
    return f"U+{ord(character):04X}"


def _cleaned(person: PersonsLetter) -> PersonsLetter:
    return replace(
        person,
        name=_clean(person.name),
        address=tuple(line for line in map(_clean, person.address) if line),
        data_types=tuple(map(_clean, person.data_types)),
        code=_clean(person.code),
        dated=_clean(person.dated),
        child=_clean(person.child),
    )


def _clean(text: str) -> str:
    """One line without control characters and embedded directions; a lone surrogate becomes what no font has."""
    one_line = _SPACE.sub(" ", _DIRECTIONS.sub("", text)).strip()
    return "".join("\ufffe" if "\ud800" <= each <= "\udfff" else each for each in one_line)


def _breakable(text: str) -> str:
    """A word that is longer than a line may be broken between any two of its characters."""
    return _LONG_WORD.sub(lambda word: "".join(_with_breaks(word[0])), text)


def _with_breaks(word: str) -> Iterator[str]:
    before = _JOINER
    for each in word:
        stays_with_it = before == _JOINER or each == _JOINER or unicodedata.category(each).startswith("M")
        yield each if stays_with_it else _MAY_BREAK + each
        before = each


def _solid(text: str) -> str:
    """Text without what a line break may stand for, to be compared."""
    return _SPACE.sub("", text.replace(_MAY_BREAK, ""))


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield _clean(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts_in(each)


def _for_paper(value: Any) -> Any:
    """Data as it is handed over: every text in it clean and breakable."""
    if isinstance(value, str):
        return _breakable(_clean(value))
    if isinstance(value, Mapping):
        return {name: _for_paper(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_for_paper(each) for each in value]
    return value


class _Typesetter:
    """One frozen letter in the typesetter's hands. It remembers what it laid out, so that asking first costs little."""

    def __init__(self, letter: FrozenLetter, fonts: FontShelf, family: str, folder: Path) -> None:
        self._letter, self._fonts, self._family, self._folder = letter, fonts, family, folder
        self._content = _for_paper(letter.content)

    def must_say_all(self) -> None:
        """Raises `BadInput` when the template leaves out what is the person's own, or what a person wrote."""
        sections = [line for part in self._content["more"] for line in part["lines"]]
        page = self._told([_SOMEBODY], lambda it: it.compile(format="html"))
        assert isinstance(page, bytes)  # noqa: S101 - only pictures come in several parts
        said = _solid(unescape(_TAG.sub("", page.decode())))
        wanted = [_SOMEBODY.name, *_SOMEBODY.data_types, _SOMEBODY.code, *sections]
        if any(slot(CHILD_NAME) in text for text in _texts_in(self._letter.words)):
            wanted.append(_SOMEBODY.child)
        if lost := [each for each in wanted if _solid(each) not in said]:
            raise BadInput(
                f"the template leaves out {', '.join(f'“{each}”' for each in lost)}",
                where=TEMPLATE,
                next_step="show it, as the shipped template of the same name does",
            )

    def too_long_addresses(self, people: Sequence[PersonsLetter]) -> frozenset[str]:
        """The references of those whose address does not fit into the window."""
        return frozenset(
            people[position].reference for position, fits in self._asked(people, _ADDRESSES) if not fits
        )

    def pages(self, people: Sequence[PersonsLetter]) -> tuple[Printed, ...]:
        """Where each letter begins and ends; asked of the finished document, as asking within it would double the work."""
        found = self._asked(people, _PAGES)
        return tuple(
            Printed(people[position].reference, first, last - first + 1) for position, first, last in found
        )

    def document(self, people: Sequence[PersonsLetter], printed_at: datetime) -> bytes:
        # Tags help those who read on a screen; for a press they only double the file and the work.
        made = self._told(
            people, lambda it: it.compile(format="pdf", pdf_tags=False, timestamp=int(printed_at.timestamp()))
        )
        assert isinstance(made, bytes)  # noqa: S101 - only pictures come in several parts
        return made

    def pictures(self, people: Sequence[PersonsLetter], points_per_inch: int) -> tuple[bytes, ...]:
        made = self._told(people, lambda it: it.compile(format="png", ppi=points_per_inch))
        return (made,) if isinstance(made, bytes) else tuple(made or ())

    def _asked(self, people: Sequence[PersonsLetter], expression: str) -> list[list[Any]]:
        answer = json.loads(self._told(people, lambda it: it.eval(expression, format="json")))
        assert isinstance(answer, list)  # noqa: S101 - so are the expressions
        if len(answer) != len(people):
            raise BadInput(
                "the template does not lay out one letter for each person",
                where=self._where("layout.typ"),
                next_step="compare it with the shipped template of the same name",
            )
        return answer

    def _told(self, people: Sequence[PersonsLetter], call: Callable[[typst.Compiler], _Made]) -> _Made:
        import typst

        try:
            return call(
                typst.Compiler(
                    self._folder / "main.typ",
                    root=self._folder,
                    font_paths=self._fonts.typst,
                    sys_inputs={"data": self._data(people)},
                    package_path=self._folder,
                    package_cache_path=self._folder,
                )
            )
        except RuntimeError as error:
            # The typesetter's own kind of it knows the place.
            message, told = str(error), getattr(error, "diagnostic", "")
            raise BadInput(
                f"the template does not fit what it is given: {getattr(error, 'message', message)}",
                where=self._where(told),
                next_step="compare it with the shipped template of the same name",
            ) from error

    def _data(self, people: Sequence[PersonsLetter]) -> str:
        words = self._letter.words
        return json.dumps(
            {
                "content": self._content,
                "words": words,
                "setting": self._letter.setting,
                "paper": self._letter.paper,
                "fonts": [self._family],
                "people": [
                    {
                        **_for_paper(asdict(person)),
                        "position": position,
                        "salutation": _breakable(person.name) or words["unnamed"],
                        "child": _breakable(person.child) or words["unnamed_child"],
                        "dated": person.dated or self._content["written_on"],
                    }
                    for position, person in enumerate(people)
                ],
            },
            ensure_ascii=False,
        )

    def _where(self, told: str) -> str:
        """The template that a diagnostic speaks of, with its line."""
        place = _PLACE.search(told)
        if place is None:
            return LAYOUT if "layout.typ" in told else TEMPLATE
        return f"{LAYOUT if place[1] == 'layout' else TEMPLATE}, line {place[2]}"


@contextmanager
def _typesetter(letter: FrozenLetter, fonts: FontShelf, family: str) -> Iterator[_Typesetter]:
    with tempfile.TemporaryDirectory(prefix="tocsin-letter-") as name:
        folder = Path(name)
        for file, text in (("main", _MAIN), ("layout", letter.layout), ("letter", letter.template)):
            (folder / f"{file}.typ").write_text(text, encoding="utf-8")
        yield _Typesetter(letter, fonts, family, folder)
