"""Beginning a language: its two files, with every text left empty and the text of a known language beside it.

An empty text is refused when the language is read, so that nothing of the known language can stand in for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from incident.errors import BadInput, NotFound
from incident.law.categories import category_catalogue
from incident.law.data import read_file
from incident.law.elements import element_catalogue
from incident.law.remedies import remedy_catalogue
from incident.law.rights import rights_catalogue
from incident.notice.content import SECTIONS
from incident.notice.languages import CATALOGUE_FILE, Language, Languages
from incident.record.measures import measure_catalogue
from incident.setting_values import is_language_tag
from incident.workspace import LANGUAGE_FILE

_EMPTIED = frozenset(
    {"name", "dates", "months", "last_comma", "sentences", "causes", "effects", "words", "audiences"}
)
_LISTS = "avoid"
_LEFT_OUT = ("plain_text:", "  grade:", "  highest_grade:")
"""What holds for the known language only: texts that name no language, and its formula for a reading grade."""
_SECTION = re.compile(r"^ {0,2}([a-z_]+):")
_ENTRY = re.compile(r"^( *(?:- |[a-z_-]+: ))([^ {|>].*)$")
_HEAD = """\
# What the catalogues say in this language: take away the # before an entry and write its texts. An entry without
# them is missing: a notice that needs it is refused. `incident notice lint` names what is left.
"""


def begin_language(place: Path, tag: str, *, like: str, languages: Languages) -> list[Path]:
    """Write the files of a language into a folder of templates, each text empty and that of `like` behind a #.

    Raises `BadInput` for a tag that is none or whose folder is there already, `NotFound` for an unknown `like`.
    """
    if not is_language_tag(tag):
        raise BadInput(f"{tag!r} is no language tag (BCP 47)", next_step="write for example vi, ug or pt-BR")
    folder = place / "notice" / tag
    if folder.exists():
        raise BadInput(
            f"there is a folder of {tag} already", where=str(folder), next_step="go on with it there"
        )
    known, source = languages[like], languages.file_of(like)
    if source is None:
        raise NotFound(f"there is no language {like!r} for notices", next_step=", ".join(languages))
    folder.mkdir(parents=True)
    files = [folder / LANGUAGE_FILE, folder / CATALOGUE_FILE]
    files[0].write_text("".join(f"{line}\n" for line in _emptied(read_file(source).splitlines())), "utf-8")
    files[1].write_text(_HEAD + "".join(f"{line}\n" for line in _asked(known)), "utf-8")
    return files


def _emptied(lines: Iterable[str]) -> Iterator[str]:
    section = ""
    for line in lines:
        if line.startswith(_LEFT_OUT):
            continue
        if found := _SECTION.match(line):
            indented = line.startswith(" ")
            section = section if indented and section != "months" else found[1]
        entry, key = _ENTRY.match(line), found[1] if found else ""
        if entry and (section in _EMPTIED or key in _EMPTIED):
            yield f'{entry[1]}""  # {entry[2]}'
        elif entry and section == _LISTS:
            yield f"{entry[1]}[]  # {entry[2]}"
        else:
            yield line


def _asked(known: Language) -> Iterator[str]:
    catalogues: Mapping[str, Mapping[str, Mapping[str, Mapping[str, str]]]] = {
        "categories": {
            key: {"title": each.title, "harm": each.harm, "advice": each.advice}
            for key, each in category_catalogue().items()
        },
        "remedies": {key: {"offer": each.offer} for key, each in remedy_catalogue().items()},
        "elements": {
            key: {"title": each.title}
            for key, each in element_catalogue().items()
            if each.text is not None or key in SECTIONS
        },
    }
    for kind, entries in catalogues.items():
        yield f"{kind}:"
        for key, texts in entries.items():
            yield f"#  {key}:"
            for name, by_language in texts.items():
                yield f'#    {name}: ""  # {known.printed(kind, key, name, by_language) or ""}'
        yield ""
    yield "measures:"
    for key, measure in measure_catalogue().items():
        yield f'#  {key}: ""  # {known.printed("measures", key, "public", measure.public) or ""}'
    yield ""
    yield "rights:"
    for regime, rights in rights_catalogue().items():
        yield f'#  {regime}: ""  # {known.printed("rights", regime, "says", rights.says) or ""}'
    yield ""
    yield "# Simpler words for young readers, in place of harm and advice. May be left out."
    yield "young:"
    for key, simple in known.catalogue.young.items():
        yield f"#  {key}:"
        yield f'#    harm: ""  # {simple.harm}'
        yield f'#    advice: ""  # {simple.advice}'
