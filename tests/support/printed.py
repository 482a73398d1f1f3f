"""What a printed document really says: its pages as poppler reads them, with the place of every word."""

from __future__ import annotations

import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from incident.errors import NotFound
from incident.notice.paper_fonts import FontShelf
from tests.support.tools import need_tool

_POINTS_PER_MM = 72 / 25.4
# Poppler frames text that runs from right to left, and tells where a word may be broken.
_NOT_SEEN = re.compile("[\u200b\u202a-\u202e]")


@dataclass(frozen=True)
class Word:
    """A word of a page and the box around it, in mm from the page's top left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Page:
    width: float
    height: float
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The page's text without any space, as lines are broken where there is none in Chinese."""
        return "".join(word.text for word in self.words)


def pages_of(pdf: bytes, folder: Path) -> list[Page]:
    """Each page of a PDF. Skips the test where poppler is not installed."""
    program = need_tool("pdftotext", "poppler-utils")
    file = folder / "document.pdf"
    file.write_bytes(pdf)
    told = subprocess.run(
        (program, "-bbox", "-enc", "UTF-8", str(file), "-"), check=True, capture_output=True
    ).stdout.decode()
    # Poppler writes control characters into its XML where a font's table holds them.
    root = ElementTree.fromstring(re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f]", "", told))  # noqa: S314 - of our own making
    space = "{http://www.w3.org/1999/xhtml}"
    return [
        Page(
            width=_mm(page.attrib["width"]),
            height=_mm(page.attrib["height"]),
            words=tuple(
                Word(
                    _NOT_SEEN.sub("", word.text or ""),
                    *(_mm(word.attrib[side]) for side in ("xMin", "yMin", "xMax", "yMax")),
                )
                for word in page.iter(f"{space}word")
            ),
        )
        for page in root.iter(f"{space}page")
    ]


def fonts_in(pdf: bytes, folder: Path) -> list[tuple[str, bool, bool]]:
    """The fonts of a PDF: name, whether it is embedded, whether only the characters used are."""
    program = need_tool("pdffonts", "poppler-utils")
    file = folder / "document.pdf"
    file.write_bytes(pdf)
    told = subprocess.run((program, str(file)), check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in told.splitlines()[2:]]
    return [(row[0], row[-5] == "yes", row[-4] == "yes") for row in rows]


def _mm(points: str) -> float:
    return float(points) / _POINTS_PER_MM


@cache
def fonts_for_letters() -> FontShelf:
    """The fonts of this machine. The test is skipped where none of them is Chinese; in CI it fails."""
    pytest.importorskip("typst", reason="the extra `paper` is not installed")
    shelf = FontShelf()
    try:
        shelf.family_for("zh-Hans")
    except NotFound as error:
        reason = f"no Chinese font is here: needs the Debian package fonts-noto-cjk ({error.what})"
        if os.environ.get("TOCSIN_CI") == "1":
            pytest.fail(f"{reason} (add it to the packages in .ci/run)", pytrace=False)
        pytest.skip(reason)
    return shelf
