"""Dossiers for tests of what is made of them, without a store: a few facts, or any that there can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from incident.law.categories import category_names
from incident.record.dossier import Dossier, LogLine, StatedFact
from incident.record.facts import (
    Certainty,
    Fact,
    Field,
    FieldType,
    FrozenText,
    Interval,
    Value,
    field_catalogue,
)
from incident.record.measures import measure_catalogue

OPENED = datetime(2026, 11, 20, 1, 2, 3, 456789, tzinfo=UTC)
SECRET = "Wang Xiaoming 13800138000 wang@example.com"
"""What people wrote: no export holds it unless it is asked for."""


def dossier_of(
    facts: Mapping[str, Value | None],
    *,
    sure: Mapping[str, Certainty] | None = None,
    measures: Sequence[str] = (),
    title: str = SECRET,
) -> Dossier:
    """An incident in which these facts hold and these measures were taken."""
    history = tuple(
        StatedFact(
            place,
            Fact(name, value, SECRET, SECRET, (sure or {}).get(name, Certainty.claimed), OPENED),
            OPENED + timedelta(minutes=place),
            "anna",
        )
        for place, (name, value) in enumerate(facts.items(), start=1)
    )
    log = tuple(
        LogLine(
            id=f"line-{place}",
            at=OPENED + timedelta(hours=place),
            recorded_at=OPENED + timedelta(hours=place, minutes=1),
            recorded_by="anna",
            origin="log",
            action=action,
            text=SECRET,
            by=SECRET,
            evidence=(),
            corrects=None,
            superseded=False,
        )
        for place, action in enumerate(measures, start=1)
    )
    return Dossier(
        id="INC-2026-0001",
        title=title,
        told_by=SECRET,
        opened_at=OPENED,
        opened_by="anna",
        origin="person",
        state="open",
        closed_at=None,
        history=history,
        log=log,
    )


_MOMENTS = st.integers(min_value=0, max_value=200_000_000).map(
    lambda seconds: OPENED - timedelta(seconds=seconds, microseconds=456789)
)
_NUMBERS = st.integers(min_value=0, max_value=10**9)
_BOUNDS = st.lists(_NUMBERS, min_size=3, max_size=3).map(sorted)
_QUANTITIES = st.one_of(
    _NUMBERS.map(Interval.exactly),
    _NUMBERS.map(Interval),
    _BOUNDS.map(lambda three: Interval(three[0], three[1], three[2])),
)
_WRITTEN = st.just(SECRET) | st.just(FrozenText({"en": SECRET, "zh-Hans": "王小明"}))


def values_of(field: Field) -> st.SearchStrategy[Value | None]:
    """Any value that a field can have, unknown among them."""
    known: dict[FieldType, st.SearchStrategy[Value]] = {
        FieldType.time: _MOMENTS,
        FieldType.bool: st.booleans(),
        FieldType.choice: st.sampled_from(list(field.choices) or [""]),
        FieldType.choices: st.sets(st.sampled_from(list(field.choices) or [""])).map(
            lambda chosen: tuple(each for each in field.choices if each in chosen)
        ),
        FieldType.text: _WRITTEN,
        FieldType.texts: st.just((SECRET,)),
    }
    if field.name == "data_categories":
        return st.none() | st.sets(st.sampled_from(sorted(category_names()))).map(
            lambda kinds: tuple(sorted(kinds))
        )
    return st.none() | known.get(field.type, _QUANTITIES)


# What exports tell: left to chance among all fields, hardly an example would hold any.
_TOLD = (
    *("personal_data_breach", "breach_effects", "cause_kind", "ransomware", "records", "found_by"),
    *("occurred_at", "discovered_at", "ended_at", "data_categories", "economic_loss", "persons"),
)


@st.composite
def dossiers(draw: st.DrawFn) -> Dossier:
    """Any incident."""
    names = draw(st.sets(st.sampled_from(list(field_catalogue())), max_size=20))
    names |= draw(st.sets(st.sampled_from(_TOLD)))
    facts = {name: draw(values_of(field_catalogue()[name])) for name in sorted(names)}
    sure = {name: draw(st.sampled_from(Certainty)) for name in facts}
    measures = draw(st.lists(st.sampled_from(list(measure_catalogue())), max_size=3))
    return dossier_of(facts, sure=sure, measures=measures)
