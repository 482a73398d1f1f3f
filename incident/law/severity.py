"""The severity of a breach by ENISA's method of 2013: SE = DPC x EI + CB, as an interval. Pure.

DPC, the context, is the highest score of the data types involved (1 to 4); EI, the ease of identification, runs from 0.25
to 1; CB adds the circumstances. An unknown factor takes every score that it may have, so that the interval holds
whatever the open facts turn out to be. Sign-in details are no data type: they count as what they open, which a person
has to say.

The score is advice. It does not decide whether Art. 33 or 34 GDPR asks for anything (`SeverityMethod.statement`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from incident.law.categories import EnisaType, category_catalogue
from incident.law.conditions import evaluate_condition
from incident.law.grading import Confidence
from incident.law.reasons import NOTHING, Reason, union
from incident.law.severity_method import (
    NOT_INVOLVED,
    Circumstance,
    EdpbSeverity,
    Malice,
    Named,
    RatedType,
    SeverityMethod,
    severity_method,
)
from incident.record.facts import FactSheet, FrozenText, field_catalogue

_UNAFFECTED = "none"


@dataclass(frozen=True)
class Factor:
    """One factor of the score, from `lowest` to `highest`, with the line that says why.

    `decides`: the facts that leave it open. `doubt`: where the record says two things about it.
    """

    id: str
    text: FrozenText
    lowest: Decimal
    highest: Decimal
    confidence: Confidence
    decides: frozenset[str] = NOTHING
    rests_on: frozenset[str] = NOTHING
    doubt: FrozenText | None = None
    parts: tuple[Factor, ...] = ()

    @property
    def is_doubtful(self) -> bool:
        return self.doubt is not None or any(part.is_doubtful for part in self.parts)

    def lines(self, language: str, *, indent: int = 0) -> Iterator[str]:
        """This factor, its doubt and its parts, each level indented by two blanks."""
        yield "  " * indent + self.text[language]
        if self.doubt is not None:
            yield "  " * (indent + 1) + self.doubt[language]
        for part in self.parts:
            yield from part.lines(language, indent=indent + 1)


@dataclass(frozen=True)
class Flag:
    """What stands beside the score: whether it holds, as a reason with its answer."""

    id: str
    title: FrozenText
    reason: Reason
    confidence: Confidence


@dataclass(frozen=True)
class SeverityResult:
    """The severity between `lowest` and `highest` (both possible as far as is known), with all that leads to it."""

    method: SeverityMethod
    context: Factor
    identification: Factor
    circumstances: tuple[Factor, ...]
    flags: tuple[Flag, ...]

    @property
    def lowest(self) -> Decimal:
        added = sum((each.lowest for each in self.circumstances), Decimal(0))
        return self.context.lowest * self.identification.lowest + added

    @property
    def highest(self) -> Decimal:
        added = sum((each.highest for each in self.circumstances), Decimal(0))
        return self.context.highest * self.identification.highest + added

    @property
    def is_settled(self) -> bool:
        return self.lowest == self.highest

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that the score may lie in, the lowest first."""
        first, last = self.method.band_of(self.lowest), self.method.band_of(self.highest)
        names = list(self.method.bands)
        return tuple(names[names.index(first) : names.index(last) + 1])

    @property
    def factors(self) -> tuple[Factor, ...]:
        return (self.context, self.identification, *self.circumstances)

    @property
    def decides(self) -> frozenset[str]:
        """The facts that, once known, settle the score."""
        return union(factor.decides for factor in self.factors)

    def lines(self, language: str) -> list[str]:
        """Why the score is what it is, line by line."""
        return [line for factor in self.factors for line in factor.lines(language)]


def assess_severity(
    sheet: FactSheet,
    *,
    types: Mapping[str, EnisaType | None] | None = None,
    method: SeverityMethod | None = None,
) -> SeverityResult | None:
    """The severity that the facts allow. None where the record says that no personal data is involved.

    `types`: the data type of each kind of data that `data_categories` may name; without it, those of the catalogue.
    A kind without a type is of whatever it opens or turns out to be, so that any of the four may be involved.
    """
    method = method or severity_method()
    if types is None:
        types = types_of_categories()
    context = None if sheet.get("personal_data_breach") == "none" else _context(method, sheet, types)
    if context is None:
        return None
    return SeverityResult(
        method=method,
        context=context,
        identification=_rated(method.identification, sheet),
        circumstances=(
            *(_circumstance(name, method.circumstances[name], sheet) for name in Circumstance),
            _malice(method.malice, sheet),
        ),
        flags=tuple(
            Flag(rule.id, rule.title, evaluate_condition(rule.condition, sheet), rule.confidence)
            for rule in method.flags
        ),
    )


def types_of_categories() -> Mapping[str, EnisaType | None]:
    """The data type of each kind of data in the catalogue; None where it has none of its own (sign-in details)."""
    return {key: category.enisa for key, category in category_catalogue().items()}


def edpb_severity(result: SeverityResult | None) -> EdpbSeverity:
    """The option of the EDPB's field 87 that the bands lead to; to be determined where they lead to more than one.

    High and very high are both “severe” there. The mapping is a suggestion of ours, not of the EDPB.
    """
    options = {result.method.bands[key].edpb for key in result.bands} if result else set()
    return options.pop() if len(options) == 1 else EdpbSeverity.to_be_determined


# -- the context: which data, and what they give away -----------------------------------------------------


@dataclass(frozen=True)
class _Involved:
    """What the record says of one data type: whether it is involved (None: open), and its scores if it is."""

    factor: Factor
    certainly: bool
    possibly: bool


def _context(
    method: SeverityMethod, sheet: FactSheet, types: Mapping[str, EnisaType | None]
) -> Factor | None:
    """The highest score of the types involved; None where none is involved."""
    each = [_involved(name, method.context.types[name], sheet, types) for name in EnisaType]
    possible = [one.factor for one in each if one.possibly]
    if not possible:
        return None
    certain = [one.factor.lowest for one in each if one.certainly]
    # A breach of personal data involves at least one type: where none is certain, the least of the possible counts.
    lowest = max(certain) if certain else min(factor.lowest for factor in possible)
    highest = max(factor.highest for factor in possible)
    bearing = [factor for factor in possible if factor.highest > lowest]
    return Factor(
        id="context",
        text=_line(method.context.title, lowest, highest),
        lowest=lowest,
        highest=highest,
        confidence=method.confidence,
        decides=union(factor.decides for factor in bearing) if lowest < highest else NOTHING,
        rests_on=union(one.factor.rests_on for one in each),
        parts=tuple(one.factor for one in each),
    )


def _involved(
    name: EnisaType, rated: RatedType, sheet: FactSheet, types: Mapping[str, EnisaType | None]
) -> _Involved:
    listed = _listed(name, sheet, types)
    stated = sheet.get(rated.field)
    title = field_catalogue()[rated.field].title
    if isinstance(stated, str) and stated != NOT_INVOLVED:
        score = rated.scores[stated]
        text = _line(title, score, score, note=field_catalogue()[rated.field].choices[stated])
        doubt = _NOT_LISTED if listed is False else None
        known = Factor(
            name, text, score, score, rated.confidence, rests_on=frozenset({rated.field}), doubt=doubt
        )
        return _Involved(known, certainly=True, possibly=True)
    if (stated == NOT_INVOLVED and listed is not True) or (stated is None and listed is False):
        source = rated.field if stated == NOT_INVOLVED else "data_categories"
        text = FrozenText({tag: f"{title[tag]}{_ABSENT[tag]}" for tag in title})
        absent = Factor(name, text, Decimal(0), Decimal(0), rated.confidence, rests_on=frozenset({source}))
        return _Involved(absent, certainly=False, possibly=False)
    note = _OPEN_CONTEXT if listed else _OPEN_TYPE
    base = {tag: text.format(base=rated.base) for tag, text in note.items()}
    open_ = Factor(
        id=name,
        text=_line(title, rated.least, rated.most, note=FrozenText(base)),
        lowest=rated.least,
        highest=rated.most,
        confidence=rated.confidence,
        decides=frozenset({rated.field}),
        rests_on=frozenset({"data_categories"}) if listed else NOTHING,
        doubt=_LISTED_ALL_THE_SAME if stated == NOT_INVOLVED else None,
    )
    return _Involved(open_, certainly=bool(listed) and stated is None, possibly=True)


def _listed(name: EnisaType, sheet: FactSheet, types: Mapping[str, EnisaType | None]) -> bool | None:
    """Whether the kinds of data in the record are of this type; None where they are unknown or may be of any."""
    kinds = sheet.get("data_categories")
    if not isinstance(kinds, tuple):
        return None
    found = [types.get(kind) for kind in kinds]
    return True if name in found else None if None in found else False


# -- identification and circumstances ---------------------------------------------------------------------


def _rated(rated: Named, sheet: FactSheet) -> Factor:
    stated = sheet.get(rated.field)
    if isinstance(stated, str):
        return _known(rated, stated)
    return _open(rated)


def _circumstance(name: Circumstance, rated: Named, sheet: FactSheet) -> Factor:
    effects, stated = sheet.get("breach_effects"), sheet.get(rated.field)
    happened = name in effects if isinstance(effects, tuple) else None
    if stated == _UNAFFECTED and happened:
        return _open(rated, doubt=_HAPPENED_ALL_THE_SAME)
    if isinstance(stated, str):
        overrules = happened is False and rated.scores[stated] > 0
        return _known(rated, stated, doubt=_DID_NOT_HAPPEN if overrules else None)
    if happened is False:
        text = _line(rated.title, Decimal(0), Decimal(0), note=_NOT_AN_EFFECT)
        return Factor(
            name, text, Decimal(0), Decimal(0), rated.confidence, rests_on=frozenset({"breach_effects"})
        )
    return _open(rated)


def _malice(rule: Malice, sheet: FactSheet) -> Factor:
    stated = sheet.get(rule.field)
    lowest = rule.score if stated is True else Decimal(0)
    highest = Decimal(0) if stated is False else rule.score
    is_open = not isinstance(stated, bool)
    return Factor(
        id="malice",
        text=_line(rule.title, lowest, highest, note=_OPEN if is_open else _SAID[bool(stated)]),
        lowest=lowest,
        highest=highest,
        confidence=rule.confidence,
        decides=frozenset({rule.field}) if is_open else NOTHING,
        rests_on=NOTHING if is_open else frozenset({rule.field}),
    )


def _known(rated: Named, choice: str, doubt: FrozenText | None = None) -> Factor:
    score = rated.scores[choice]
    return Factor(
        id=rated.field.removeprefix("enisa_"),
        text=_line(rated.title, score, score, note=field_catalogue()[rated.field].choices[choice]),
        lowest=score,
        highest=score,
        confidence=rated.confidence,
        rests_on=frozenset({rated.field}),
        doubt=doubt,
    )


def _open(rated: Named, doubt: FrozenText | None = None) -> Factor:
    return Factor(
        id=rated.field.removeprefix("enisa_"),
        text=_line(rated.title, rated.least, rated.most, note=_OPEN),
        lowest=rated.least,
        highest=rated.most,
        confidence=rated.confidence,
        decides=frozenset({rated.field}),
        doubt=doubt,
    )


# -- words ------------------------------------------------------------------------------------------------

_OPEN = FrozenText({"zh-Hans": "待查明", "en": "open"})
_SAID = {
    True: FrozenText({"zh-Hans": "是", "en": "yes"}),
    False: FrozenText({"zh-Hans": "否", "en": "no"}),
}
_ABSENT = {"zh-Hans": "：不涉及", "en": ": not involved"}
_OPEN_CONTEXT = FrozenText(
    {
        "zh-Hans": "涉及，从中能看出什么待查明；未发现加重或者减轻情形时为 {base}",
        "en": "involved; what they give away is open; {base} where nothing makes it better or worse",
    }
)
_OPEN_TYPE = FrozenText(
    {
        "zh-Hans": "是否涉及待查明；未发现加重或者减轻情形时为 {base}",
        "en": "whether they are involved is open; {base} where nothing makes it better or worse",
    }
)
_NOT_AN_EFFECT = FrozenText({"zh-Hans": "不属于已记录的影响方式", "en": "not among the recorded effects"})
_LISTED_ALL_THE_SAME = FrozenText(
    {
        "zh-Hans": "记录不一致：填报为不涉及，但所列信息种类属于这一类。如果从中看不出什么，请改选程度最轻的一项。",
        "en": "The record disagrees: answered as not involved, yet the kinds of data listed are of this type. "
        "If they give little away, answer with the mildest choice instead.",
    }
)
_NOT_LISTED = FrozenText(
    {
        "zh-Hans": "记录不一致：填报为涉及，但所列信息种类没有这一类。请核对信息种类。",
        "en": "The record disagrees: answered as involved, yet no kind of data listed is of this type. "
        "Check the kinds of data.",
    }
)
_DID_NOT_HAPPEN = FrozenText(
    {
        "zh-Hans": "记录不一致：填报为已发生，但已记录的影响方式没有这一项。请核对影响方式。",
        "en": "The record disagrees: answered as lost, yet it is not among the recorded effects. Check the effects.",
    }
)
_HAPPENED_ALL_THE_SAME = FrozenText(
    {
        "zh-Hans": "记录不一致：填报为未发生，但已记录的影响方式包括这一项。请更正其中之一。",
        "en": "The record disagrees: answered as not lost, yet the recorded effects name it. Correct one of the two.",
    }
)


def show_score(score: Decimal) -> str:
    """A score as people read it: 1.25, 2, 4.5."""
    return f"{score.normalize():f}"


def _line(
    title: FrozenText, lowest: Decimal, highest: Decimal, *, note: FrozenText | None = None
) -> FrozenText:
    low, high = show_score(lowest), show_score(highest)
    spans = {"zh-Hans": f"{low} 至 {high}", "en": f"{low} to {high}"}
    marks = {"zh-Hans": ("：", "；"), "en": (": ", "; ")}
    texts = {}
    for tag, (colon, stop) in marks.items():
        span = low if lowest == highest else spans[tag]
        texts[tag] = f"{title[tag]}{colon}{span}" + (f"{stop}{note[tag]}" if note else "")
    return FrozenText(texts)
