"""The fonts of this machine for letters: which family a language is set in, and which characters no font can show.

Fonts are found, never shipped. A typesetter puts an empty box where no font has a character; in an address that is a
lost letter, and in a name an insult, so it is known beforehand which characters those are.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from incident.errors import BadInput, NotFound, Refused
from incident.settings import Paper
from incident.workspace import Workspace

if TYPE_CHECKING:
    import typst

EXTRA = "pip install 'tocsin[paper]'"
# By script, the first one that is there. After the families that Debian packages come those of other systems.
_LATIN = (
    "Noto Sans",
    "Source Sans 3",
    "Liberation Sans",
    "Arial",
    "Helvetica Neue",
    "Noto Sans CJK SC",
    "DejaVu Sans",
    # The typesetter brings it along, so that a letter in Latin script can always be printed.
    "Libertinus Serif",
)
_SIMPLIFIED = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Noto Sans SC",
    "Noto Serif CJK SC",
    "Source Han Serif SC",
    "Noto Serif SC",
    "Microsoft YaHei",
    "PingFang SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimSun",
)
_TRADITIONAL = (
    "Noto Sans CJK TC",
    "Noto Sans CJK HK",
    "Source Han Sans TC",
    "Noto Sans TC",
    "Noto Serif CJK TC",
    "Noto Serif TC",
    "Microsoft JhengHei",
    "PingFang TC",
)
_FAMILIES: Mapping[str, tuple[str, ...]] = {"zh-Hans": _SIMPLIFIED, "zh-Hant": _TRADITIONAL}
_PACKAGES: Mapping[str, str] = {"zh-Hans": "fonts-noto-cjk", "zh-Hant": "fonts-noto-cjk"}
# These claim every character and draw a box for it.
_FONTS_OF_BOXES = ("Last Resort", "LastResort", "Adobe Blank", "AdobeBlank")
# What the typesetter brings along lies in no file; of that only this much is counted on.
_BROUGHT_ALONG = frozenset(map(chr, (*range(0x20, 0x7F), *range(0xA0, 0x180))))
# Line and paragraph separators, joiners, marks of direction, selectors: they are obeyed, not drawn.
_NOT_DRAWN = frozenset({"Cf", "Zs", "Zl", "Zp"})
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def must_be_installed() -> None:
    """Raises `Refused` where the libraries that set letters are not installed."""
    try:
        import fontTools
        import typst  # noqa: F401
    except ImportError as error:
        raise Refused(
            f"letters need the package {error.name}, which is not installed", next_step=EXTRA
        ) from None
    del fontTools


class FontShelf:
    """The fonts of this machine, found once. `folder` holds more of them, `chosen` names a family by language.

    Raises `Refused` where the extra `paper` is not installed, `BadInput` where there is no such folder.
    """

    def __init__(self, *, folder: Path | None = None, chosen: Mapping[str, str] | None = None) -> None:
        must_be_installed()
        import typst

        if folder is not None and not folder.is_dir():
            raise BadInput(
                "there is no folder of fonts",
                where=str(folder),
                next_step="correct paper.font_folder in incident.toml",
            )
        self._chosen = dict(chosen or {})
        self.typst: typst.Fonts = typst.Fonts(font_paths=[] if folder is None else [folder])
        self._known: set[str] = set()
        self._unread: Iterator[frozenset[str]] = self._coverages()

    @cached_property
    def families(self) -> frozenset[str]:
        return frozenset(self.typst.families())

    def family_for(self, language: str) -> str:
        """The family that letters of a language are set in.

        Raises `NotFound` naming the Debian package where there is none, or where the settings name one that is not here.
        """
        if wanted := self._chosen.get(language):
            if wanted in self.families:
                return wanted
            raise NotFound(
                f"the font {wanted} is not on this machine",
                where=f"paper.fonts.{language} in incident.toml",
                next_step="install it, or name one that `fc-list : family` shows",
            )
        found = next((name for name in _FAMILIES.get(language, _LATIN) if name in self.families), None)
        if found is None:
            package = _PACKAGES.get(language, "fonts-noto-core")
            raise NotFound(
                f"this machine has no font for letters in {language}",
                next_step=f"install one (Debian, Ubuntu: apt-get install {package})",
            )
        return found

    def without_glyph(self, texts: Iterable[str]) -> tuple[str, ...]:
        """The characters that no font of this machine can draw, each once, in their order."""
        wanted = dict.fromkeys(
            each for text in texts for each in text if each not in self._known and is_drawn(each)
        )
        missing = set(wanted)
        while missing and (more := next(self._unread, None)) is not None:
            self._known |= more
            missing -= more
        return tuple(each for each in wanted if each in missing)

    def _coverages(self) -> Iterator[frozenset[str]]:
        """What each family can draw, those for letters first. Read one by one: a desktop has hundreds."""
        fonts = {font.family: font for font in reversed(self.typst.fonts())}
        first = [*_SIMPLIFIED, *_LATIN, *_TRADITIONAL]
        rank = {name: place for place, name in enumerate(first)}
        yield _BROUGHT_ALONG
        for family in sorted(fonts, key=lambda name: (rank.get(name, len(first)), name)):
            path = fonts[family].path
            if path is not None and not family.startswith(_FONTS_OF_BOXES):
                yield _drawn_by(path, fonts[family].index)


def fonts_for(workspace: Workspace, paper: Paper) -> FontShelf:
    """The fonts that a workspace prints with. Raises as `FontShelf` does."""
    folder = workspace.under(paper.font_folder) if paper.font_folder else None
    return FontShelf(folder=folder, chosen=paper.fonts)


def is_drawn(character: str) -> bool:
    """Whether a character needs a glyph at all; a space, a joiner or a selector does not."""
    if unicodedata.category(character) in _NOT_DRAWN:
        return False
    return not any(ord(character) in selectors for selectors in _SELECTORS)


@cache
def _drawn_by(path: str, index: int) -> frozenset[str]:
    """The characters of one font file; none where it cannot be read, so that another must have them."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(path, fontNumber=index, lazy=True) as font:
            return frozenset(map(chr, font["cmap"].getBestCmap() or ()))
    except (OSError, TTLibError, KeyError):
        return frozenset()
