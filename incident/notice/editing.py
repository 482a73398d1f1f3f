"""A person's own words for a part of the notice: which parts may be written, and what the words may hold.

What was done, the kinds of data, the days and the number of people are drawn from the record alone: whoever wants them
told otherwise corrects the record, so that notice, report and proof say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from incident.errors import BadInput, Refused
from incident.law.elements import element_catalogue
from incident.notice.content import Element
from incident.notice.gate import NOT_IN_TEXT
from incident.record.dossier import Dossier
from incident.record.edits import EditKind, put_edit
from incident.record.values import clean_line, clean_prose
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import NoticeEdit

_DRAWN_FROM: Mapping[str, tuple[str, ...]] = {
    "subject": (),
    Element.WHAT_HAPPENED: ("what_happened",),
    Element.CAUSE: ("cause", "cause_kind"),
    Element.CONSEQUENCES: ("impact_so_far", "possible_harm", "data_categories"),
    "planned": ("planned_measures",),
    Element.STEPS_FOR_PERSON: ("self_protection", "data_categories"),
    Element.REMEDIES: ("remedies_chosen", "remedies_offered"),
    "not_known": ("occurred_at", "ended_at", "persons", "cause_kind"),
}
_ONE_LINE = frozenset({"subject", Element.CAUSE, "planned"})
# Without its title and without what happened it is no notice, and what is not known yet is not for hiding.
_ALWAYS_TOLD = frozenset({"subject", Element.WHAT_HAPPENED, "not_known"})
_FROM_THE_RECORD: Mapping[str, str] = {
    Element.MEASURES_TAKEN: "log what was done: incident log … --measure ACTION",
    Element.DATA_TYPES: "record the kinds: incident set … data_categories=…",
    Element.DATA_NOT_TAKEN: "record the kinds: incident set … data_not_taken=…",
    Element.AUTHORITY_INFORMED: "record the report: incident report --submitted, or incident meet",
    Element.INDIVIDUAL_SPECIFIC_DATA: "import the list of people again with what of each was taken",
    Element.BREACH_DATE: "record the time: incident set … occurred_at=…",
    Element.DISCOVERY_DATE: "record the time: incident set … discovered_at=…",
    Element.NEXT_UPDATE: "record the time: incident set … next_update_at=…",
    Element.CONTACT: "change organisation in incident.toml",
    Element.DPO: "change protection_officer in incident.toml",
    Element.NOTICE_DATE: "it is the day on which the version was drafted",
}


def editable_places() -> Mapping[str, tuple[str, ...]]:
    """Each part that a person may write, with the facts that it is drawn from otherwise."""
    written = {name: (each.text,) for name, each in element_catalogue().items() if each.text is not None}
    return MappingProxyType({**_DRAWN_FROM, **written})


def edit_notice(
    change: Change,
    store: Store,
    dossier: Dossier,
    *,
    place: str,
    language: str,
    languages: Sequence[str],
    kind: EditKind,
    text: str = "",
) -> NoticeEdit:
    """Keep a person's words for a part of the notice in one language, leave the part out, or have it drafted again.

    `languages` are those of the workspace's notices. The next draft is another version, for which nobody has signed.
    Raises `BadInput` for a part or language that there is not and for words that cannot stand in a notice, `Refused` for
    a part that is drawn from the record alone, that is always told, or that nobody had edited.
    """
    _must_be_editable(place)
    if language not in languages:
        raise BadInput(
            f"there is no notice in {language!r}", where="--language", next_step=", ".join(languages)
        )
    if kind is EditKind.LEAVE_OUT and place in _ALWAYS_TOLD:
        raise Refused(
            f"{place} is always told", where="--leave-out", next_step="write it in other words: --text"
        )
    if kind is EditKind.DRAFTED and not any(
        (edit.place, edit.language) == (place, language) for edit in dossier.edits
    ):
        raise Refused(
            f"nobody wrote words of their own for {place} ({language})",
            where="--remove",
            next_step=f"`incident notice draft {dossier.id} --why` shows who wrote what",
        )
    words = _checked_words(place, text) if kind is EditKind.WORDS else ""
    return put_edit(change, store, dossier.id, place=place, language=language, kind=kind, text=words)


def _must_be_editable(place: str) -> None:
    places = editable_places()
    if place in places:
        return
    if place in _FROM_THE_RECORD:
        raise Refused(
            f"{place} is told as the record has it",
            where="ELEMENT",
            next_step=_FROM_THE_RECORD[place],
        )
    raise BadInput(
        f"{place!r} is no part of a notice that can be written",
        where="ELEMENT",
        next_step=f"parts are {', '.join(places)}",
    )


def _checked_words(place: str, text: str) -> str:
    clean = clean_line if place in _ONE_LINE else clean_prose
    words = clean(text, where=place)
    if found := NOT_IN_TEXT.search(words):
        raise BadInput(
            f"the text holds a character that no notice may hold (U+{ord(found[0]):04X})",
            where=place,
            next_step="type this part again as plain text",
        )
    return words
