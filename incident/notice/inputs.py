"""What a notice is drawn from, and which kinds of data the record names. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as kept
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Protocol

from incident.errors import BadInput
from incident.notice.house_rules import house_rules
from incident.notice.languages import Language, shipped_languages
from incident.record.facts import Fact
from incident.record.measures import MeasureTaken

if TYPE_CHECKING:
    from incident.record.edits import Edit
    from incident.settings import Organisation


class CategoryTexts(Protocol):
    """What the law room says of a category of data to the people it is about."""

    @property
    def title(self) -> Mapping[str, str]: ...
    @property
    def harm(self) -> Mapping[str, str]: ...
    @property
    def advice(self) -> Mapping[str, str]: ...
    @property
    def remedies(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Informed:
    """An authority that the record shows was told of the incident, and when; `key` is the recipient of the duty."""

    duty: str
    key: str
    authority: Mapping[str, str]
    at: datetime

    @property
    def regime(self) -> str:
        return self.duty.partition("/")[0]


@dataclass(frozen=True)
class NoticeInputs:
    """What a notice is drawn from. `facts` is the newest fact of each field; times are shown in `zone`.

    `edits` are a person's own words, at most one a place and language; `recorded_at` says when each fact was recorded,
    so that words older than it are noticed. `informed` are the reports that were handed in, `regimes` the ids of those
    that ask for the notice.
    """

    reference: str
    facts: Mapping[str, Fact]
    measures: Sequence[MeasureTaken]
    organisation: Organisation
    categories: Mapping[str, CategoryTexts]
    written_at: datetime
    zone: tzinfo
    edits: Sequence[Edit] = ()
    recorded_at: Mapping[str, datetime] = kept(default_factory=dict)
    informed: Sequence[Informed] = ()
    regimes: Sequence[str] = ()
    languages: Mapping[str, Language] = kept(default_factory=shipped_languages)


def by_urgency(inputs: NoticeInputs) -> list[CategoryTexts]:
    """The recorded kinds of data, those first whose misuse comes soonest. Raises `BadInput` for
    one that is not in the catalogue."""
    return [inputs.categories[key] for key in keys_by_urgency(inputs)]


def keys_by_urgency(inputs: NoticeInputs) -> list[str]:
    """As `by_urgency`, their keys."""
    chosen = _chosen_keys(inputs)
    order = dict.fromkeys([*house_rules().urgent_first, *inputs.categories])
    return [key for key in order if key in chosen]


def keys_in_order(inputs: NoticeInputs) -> list[str]:
    """The keys of the recorded kinds of data in the order of the catalogue. Raises as `by_urgency` does."""
    chosen = _chosen_keys(inputs)
    return [key for key in inputs.categories if key in chosen]


def kinds_not_taken(inputs: NoticeInputs) -> list[str]:
    """The kinds of data that the record says were not taken, without those that it says were. Raises as `by_urgency`."""
    taken, spared = _chosen_keys(inputs), _chosen_keys(inputs, "data_not_taken")
    return [key for key in inputs.categories if key in spared and key not in taken]


def kinds_in_both(inputs: NoticeInputs) -> list[str]:
    """The kinds of data that the record says were taken and were not. Raises as `by_urgency`."""
    taken, spared = _chosen_keys(inputs), _chosen_keys(inputs, "data_not_taken")
    return [key for key in inputs.categories if key in spared and key in taken]


def _chosen_keys(inputs: NoticeInputs, field: str = "data_categories") -> tuple[str, ...]:
    fact = inputs.facts.get(field)
    keys = fact.value if fact is not None and isinstance(fact.value, tuple) else ()
    for key in keys:
        if key not in inputs.categories:
            raise BadInput(
                f"{key!r} is no category of data",
                where=field,
                next_step="use the keys of incident/law/categories.yaml",
            )
    return tuple(map(str, keys))
