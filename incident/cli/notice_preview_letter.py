"""`incident notice preview --channel letter`: one letter as it would be printed, as PDF or as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from incident.cli.desk import Desk, write_output
from incident.errors import Refused, WrongUsage

if TYPE_CHECKING:
    from incident.notice.audience import Audience
    from incident.notice.channels import PersonValues
    from incident.notice.frozen import FrozenNotice

_REFERENCE = "PREVIEW"


def preview_letter(
    desk: Desk,
    frozen: FrozenNotice,
    language: str,
    values: PersonValues,
    told: str,
    output: Path | None,
    *,
    reader: Audience,
) -> None:
    """Print the letter of somebody with these values, at a made-up address; `told` says whose values they are.

    The file's name says whether it is a PDF or pictures (`.png`, one a page: `letter.png`, `letter-2.png`). Raises
    `Refused` and `NotFound` where the extra `paper` or a font is missing.
    """
    from incident.notice.letter import REASON_TITLES
    from incident.notice.letter_printing import preview_letter, print_letters
    from incident.notice.paper_fonts import FontShelf
    from incident.notice.stand_ins import sample_letter

    if output is not None and output.suffix.lower() not in (".pdf", ".png"):
        raise WrongUsage(
            f"a letter is a PDF or pictures, not {output.suffix or 'a file without a suffix'}",
            where="--output",
            next_step="name it letter.pdf or letter.png",
        )
    letter = frozen.letters[reader][language]
    paper = desk.settings.paper
    folder = desk.paths.root / paper.font_folder if paper.font_folder else None
    fonts = FontShelf(folder=folder, chosen=paper.fonts)
    person = sample_letter(frozen.contents[language], values, reference=_REFERENCE)
    seen = preview_letter(letter, person, fonts=fonts)
    objection = "" if seen.objection is None else REASON_TITLES[seen.objection.reason][desk.language]
    files: list[Path] = []
    if output is not None and output.suffix.lower() == ".pdf":
        if objection:
            raise Refused(f"this letter would not be printed: {objection}", where="--channel letter")
        batch = print_letters(letter, [person], fonts=fonts, printed_at=desk.now())
        write_output(output, batch.pdf)
        files.append(output)
    elif output is not None:
        for number, picture in enumerate(seen.pages, start=1):
            file = output if number == 1 else output.with_stem(f"{output.stem}-{number}")
            write_output(file, picture)
            files.append(file)
    document: dict[str, Any] = {
        "language": language,
        "channel": "letter",
        "pages": len(seen.pages),
        "font": seen.font,
        "objection": seen.objection.reason.value if seen.objection else None,
        "filled_with": told,
        "files": [str(file) for file in files],
    }
    lines = [f"a letter of {len(seen.pages)} pages, set in {seen.font}"]
    lines += [f"it would not be printed: {objection}"] if objection else []
    lines += [f"written to {file}" for file in files] or ["see it: add -o letter.pdf or -o letter.png"]
    desk.lines(lines, document=document)
