"""A regime: one law's duties as data, checked when it is read.

`load_regimes` reads the shipped files and any folder given after them; a later file with the same id wins, so
that a workspace's own copy replaces the shipped one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from incident.errors import BadInput
from incident.law.clocks import Anchor, Urgency, Within, WorkingDays, parse_within
from incident.law.conditions import Condition, scales_of
from incident.law.data import Strict, checked, is_compiled, line_of, read_file
from incident.law.elements import element_catalogue
from incident.law.grading import AnyCondition, Confidence, Scale, Text, shipped_scales
from incident.law.substitutes import PublicAsk
from incident.law.working_days import known_calendar
from incident.record.facts import FieldType, field_catalogue
from incident.setting_values import OrganisationKind

SHIPPED = Path(__file__).with_name("regimes")

Place = tuple[int | str, ...]


class DutyKind(StrEnum):
    """`follow_order` is for what an authority ordered in one incident; no regime holds such a duty.

    `assess`: the handler must finish an assessment of its own. `prepare`: nothing is owed yet, but an authority may now
    ask for it. `report_partner`: other organisations (the owner of the data, credit bureaus, business customers).
    """

    report_authority = "report_authority"
    notify_people = "notify_people"
    report_police = "report_police"
    report_headquarters = "report_headquarters"
    report_partner = "report_partner"
    notify_media = "notify_media"
    assess = "assess"
    prepare = "prepare"
    follow_order = "follow_order"


class Status(StrEnum):
    """Whether a text is law. What is not in force ships all the same, with its status, and raises no duty."""

    in_force = "in_force"
    proposed = "proposed"
    adopted_not_effective = "adopted_not_effective"
    repealed = "repealed"


class Phase(StrEnum):
    initial = "initial"
    supplement = "supplement"
    final = "final"
    notice = "notice"


class Channel(StrEnum):
    """The ways over which a law says that a report or a notice may go."""

    phone = "phone"
    web = "web"
    wechat = "wechat"
    email = "email"
    fax = "fax"
    sms = "sms"
    instant_message = "instant_message"
    push = "push"
    letter = "letter"
    in_person = "in_person"
    public_notice = "public_notice"


class Effect(StrEnum):
    """What an exemption does once it is certain."""

    not_owed = "not_owed"
    may_be_waived = "may_be_waived"
    public_notice_instead = "public_notice_instead"


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        raise ValueError(f"“{name}” is no time zone; write for example Asia/Shanghai") from None


def _anchor(data: Any) -> Anchor:
    if isinstance(data, Anchor):
        return data
    if isinstance(data, dict) and set(data) == {"submission_of"} and str(data["submission_of"]):
        return Anchor((), submission_of=str(data["submission_of"]))
    if not isinstance(data, dict) or not data.get("earliest") or set(data) - {"earliest", "assume"}:
        raise ValueError(
            "an anchor is {earliest: [discovered_at, ...]}, which may name assume: [...], or {submission_of: DUTY}"
        )
    anchor = Anchor(tuple(data["earliest"]), tuple(data.get("assume", ())))
    if strange := sorted(name for name in anchor.fields if not _is_time(name)):
        raise ValueError(f"{', '.join(strange)} is no time in the list of facts")
    return anchor


def _is_time(name: str) -> bool:
    field = field_catalogue().get(name)
    return field is not None and field.type is FieldType.time


def _fact_name(name: Any) -> str:
    if name not in field_catalogue():
        raise ValueError(f"there is no fact called “{name}”")
    return str(name)


def _element_name(name: Any) -> str:
    if name not in element_catalogue():
        raise ValueError(f"there is no notice element called “{name}”: {', '.join(element_catalogue())}")
    return str(name)


def _calendar(data: Any) -> WorkingDays:
    if isinstance(data, WorkingDays):
        return data
    if not isinstance(data, dict) or set(data) - {"calendar", "closed"} or not data.get("calendar"):
        raise ValueError("working days are {calendar: CN}, and may name closed: ['12-29', ...]")
    return WorkingDays(str(data["calendar"]), frozenset(map(_month_day, data.get("closed", ()))))


def _month_day(text: Any) -> tuple[int, int]:
    month, _, day = str(text).partition("-")
    try:
        found = date(2024, int(month), int(day))  # a leap year, so that 02-29 is a day
    except ValueError:
        raise ValueError(f"“{text}” is no day of the year; write for example 12-29") from None
    return found.month, found.day


def _period(text: Any) -> Within:
    return text if isinstance(text, Within) else parse_within(text)


Words = Annotated[str, Field(min_length=1)]
ZoneName = Annotated[ZoneInfo, PlainValidator(_zone)]
AnyAnchor = Annotated[Anchor, PlainValidator(_anchor)]
Period = Annotated[Within, PlainValidator(_period)]
Calendar = Annotated[WorkingDays, PlainValidator(_calendar)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
FactName = Annotated[str, PlainValidator(_fact_name)]
ElementName = Annotated[str, PlainValidator(_element_name)]


class InForce(Strict):
    """First and last day, both included, in the regime's zone. `to` None: still in force."""

    since: date = Field(alias="from")
    to: date | None = None


class Review(Strict):
    """Who checked the rule against the text, and until when that holds (the last day included)."""

    by: Words
    until: date


class ReportPoint(Strict):
    """Where an authority takes reports, as published."""

    channel: Channel
    name: Text
    value: Words
    confidence: Confidence


class Exemption(Strict):
    """Counts only where `if` is certainly met and `unless` certainly not: an exemption must be shown.

    `asks`: what the public notice must be that takes the place of telling each person; all of it.
    """

    condition: AnyCondition = Field(alias="if")
    unless: AnyCondition | None = None
    effect: Effect
    title: Text
    article: Words
    asks: tuple[PublicAsk, ...] = ()


class ExtraFields(Strict):
    """Facts that a report must also hold, unless the condition is certainly not met."""

    condition: AnyCondition = Field(alias="if")
    fields: tuple[FactName, ...]
    article: Words


class Cap(Strict):
    """A second clock of the same duty, which ends it earlier: no later than 24 hours after awareness.

    It no longer counts once the time in `gives_way_to` is known and lies after its end (DORA RTS 2025/301 Art. 5(1)).
    """

    anchor: AnyAnchor
    within: Period
    gives_way_to: FactName | None = None
    article: Words


class PathRule(Strict):
    """One of several ways a duty may go: to whom and how fast depends on the facts.

    `organisations`: the way is open to these kinds only; `except_organisations`: not to these. `anchor`: where this way
    counts from another event than the duty does.
    """

    id: Words
    title: Text
    only_if: AnyCondition | None = None
    organisations: tuple[OrganisationKind, ...] = ()
    except_organisations: tuple[OrganisationKind, ...] = ()
    anchor: AnyAnchor | None = None
    recipients: tuple[Words, ...] = Field(min_length=1)
    within: Period | None = None
    urgency: Urgency = Urgency.within
    caps: tuple[Cap, ...] = ()
    article: Words

    @model_validator(mode="after")
    def _speed_is_said_once(self) -> PathRule:
        _speed(self.within, self.urgency)
        return self

    def is_open_to(self, organisations: Collection[str]) -> bool:
        """`organisations`: the kinds that the workspace says its own organisation is."""
        kinds = set(organisations)
        return (not self.organisations or bool(kinds & set(self.organisations))) and not (
            kinds & set(self.except_organisations)
        )


class DutyRule(Strict):
    """One duty of a regime. It goes either to `recipients`, or by one of its `paths`.

    `item_articles`: where an item of the report has an article of its own; the others stand under `article`.
    `elements_only_if`: an element that the notice must hold unless its condition is certainly not met.
    """

    id: Words
    kind: DutyKind
    phase: Phase
    title: Text
    article: Words
    only_if: AnyCondition | None = None
    exemptions: tuple[Exemption, ...] = ()
    anchor: AnyAnchor
    recipients: tuple[Words, ...] = ()
    within: Period | None = None
    urgency: Urgency | None = None
    caps: tuple[Cap, ...] = ()
    paths: tuple[PathRule, ...] = ()
    elements: Annotated[dict[ElementName, Words], BeforeValidator(dict)] = Field(default_factory=dict)
    elements_only_if: Annotated[dict[ElementName, AnyCondition], BeforeValidator(dict)] = Field(
        default_factory=dict
    )
    items: tuple[Words, ...] = ()
    item_articles: Annotated[dict[Words, Words], BeforeValidator(dict)] = Field(default_factory=dict)
    minimum: tuple[Words, ...] = ()
    extra_fields: tuple[ExtraFields, ...] = ()
    late_fields: tuple[FactName, ...] = ()
    channels: tuple[Channel, ...] = ()
    form: Words | None = None
    needs_first: Words | None = None
    is_general: bool = False
    confidence: Confidence

    @model_validator(mode="after")
    def _goes_one_way(self) -> DutyRule:
        if self.kind is DutyKind.follow_order:
            raise ValueError(f"the duty {self.id}: {self.kind} is for orders in one incident, not for a law")
        if bool(self.paths) == bool(self.recipients):
            raise ValueError(f"the duty {self.id} needs either recipients or paths")
        if self.paths and (self.within or self.urgency or self.caps):
            raise ValueError(f"the duty {self.id} has paths; within, urgency and caps belong to each of them")
        if not self.paths:
            _speed(self.within, self.urgency or Urgency.within)
        if strange := [item for item in self.item_articles if item not in self.items]:
            raise ValueError(
                f"item_articles names items that the duty {self.id} has not: {', '.join(strange)}"
            )
        if strange := [name for name in self.elements_only_if if name not in self.elements]:
            raise ValueError(
                f"elements_only_if names elements that the duty {self.id} has not: {', '.join(strange)}"
            )
        if strange := [item for item in self.minimum if item not in self.items]:
            raise ValueError(f"the minimum names items that the duty {self.id} has not: {', '.join(strange)}")
        return self

    def as_paths(self) -> tuple[PathRule, ...]:
        """The ways this duty can go; one where it names its recipients directly."""
        if self.paths:
            return self.paths
        only = PathRule.model_construct(
            id="",
            title=self.title,
            only_if=None,
            organisations=(),
            except_organisations=(),
            anchor=None,
            recipients=self.recipients,
            within=self.within,
            urgency=self.urgency or Urgency.within,
            caps=self.caps,
            article=self.article,
        )
        return (only,)

    def anchors(self) -> tuple[Anchor, ...]:
        """Every event from which a clock of this duty may run."""
        of_paths = (
            anchor
            for path in self.as_paths()
            for anchor in (path.anchor, *(cap.anchor for cap in path.caps))
            if anchor is not None
        )
        return (self.anchor, *of_paths)

    def periods(self) -> tuple[Within, ...]:
        return tuple(
            period
            for path in self.as_paths()
            for period in (path.within, *(cap.within for cap in path.caps))
            if period is not None
        )


class Regime(Strict):
    """One law (or one article of it) with the duties that a breach can raise under it.

    `country` and `also_countries`: the scope entries that bring it into play; a part of a country (US-CA) is brought
    in by its own name only. `organisations`: it binds only these kinds; empty: any. `applies`: when it bites at all.
    `ruled_out`: where that cannot be told and this is certain, it does not bite (no child among people with no minor).
    `working_days`: needed where a period counts them, or moves its end to one.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    title: Text
    authority: Text
    country: Country
    also_countries: tuple[Country, ...] = ()
    organisations: tuple[OrganisationKind, ...] = ()
    zone: ZoneName
    working_days: Calendar | None = None
    status: Status = Status.in_force
    in_force: InForce | None = None
    in_force_by: AnyAnchor = Anchor(("discovered_at", "informed_at", "aware_at", "occurred_at"))
    applies: AnyCondition
    ruled_out: AnyCondition | None = None
    article: Words
    source: Annotated[str, Field(pattern=r"^https?://\S+$")]
    confidence: Confidence
    reviewed: Review | None = None
    notes: tuple[Text, ...] = ()
    recipients: Annotated[dict[str, Text], BeforeValidator(dict)]
    report_points: tuple[ReportPoint, ...] = ()
    duties: tuple[DutyRule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_hold_together(self) -> Regime:
        if self.status is Status.in_force and self.in_force is None:
            raise ValueError("a law in force says since when: in_force: {from: 2025-01-01}")
        ids = [duty.id for duty in self.duties]
        if repeated := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"two duties are called {', '.join(repeated)}")
        for duty in self.duties:
            if duty.needs_first and (duty.needs_first not in ids or duty.needs_first == duty.id):
                raise ValueError(
                    f"the duty {duty.id} needs {duty.needs_first} first, which is no other duty here"
                )
            for anchor in duty.anchors():
                if anchor.submission_of and (
                    anchor.submission_of not in ids or anchor.submission_of == duty.id
                ):
                    raise ValueError(
                        f"the duty {duty.id} runs from the submission of {anchor.submission_of}, which is no other duty here"
                    )
            if self.working_days is None and any(period.needs_calendar for period in duty.periods()):
                raise ValueError(
                    f"the duty {duty.id} counts working days; say whose: working_days: {{calendar: CN}}"
                )
            for path in duty.as_paths():
                if strange := [key for key in path.recipients if key not in self.recipients]:
                    raise ValueError(
                        f"the recipient {', '.join(strange)} of {duty.id} has no name in recipients"
                    )
        return self

    def is_reviewed(self, today: date) -> bool:
        return self.reviewed is not None and today <= self.reviewed.until

    def countries(self) -> frozenset[str]:
        return frozenset({self.country, *self.also_countries})

    def is_in_scope(self, countries: Collection[str], organisations: Collection[str]) -> bool:
        """`countries` in capitals; `organisations`: the kinds that the workspace says its own organisation is."""
        return bool(self.countries() & set(countries)) and self.binds(organisations)

    def binds(self, organisations: Collection[str]) -> bool:
        return not self.organisations or bool(set(self.organisations) & set(organisations))


def load_regime(path: Path) -> Regime:
    """One regime from its file. `BadInput` names the file and the line."""
    text = read_file(path)
    regime = checked(Regime, text, name=str(path))
    # What is compiled was linted; to look its calendars up again would cost every command a tenth of a second.
    for place, sentence in () if is_compiled(text) else strange_names(regime, shipped_scales()):
        raise BadInput(
            sentence,
            where=f"{path}, line {line_of(text, place)}",
            next_step="correct the file; incident law lint shows all findings",
        )
    return regime


def strange_names(regime: Regime, scales: Mapping[str, Scale]) -> Iterator[tuple[Place, str]]:
    """Every calendar, scale or grade that the regime names and that does not exist, with its place in the file."""
    if regime.working_days is not None and not known_calendar(regime.working_days.calendar):
        name = regime.working_days.calendar
        yield ("working_days",), f"there is no calendar called “{name}”; write for example CN, US-NY or XECB"
    for place, condition in conditions_of(regime):
        for scale, grade in sorted(scales_of(condition)):
            if scale not in scales:
                yield place, f"there is no grading scale called “{scale}”: {', '.join(scales)}"
            elif grade not in scales[scale].grades:
                yield place, f"“{grade}” is no grade of {scale}: {', '.join(scales[scale].grades)}"


def load_regimes(folders: Iterable[Path] = ()) -> tuple[Regime, ...]:
    """The shipped regimes and those of `folders`, by id; a later file of the same id replaces an earlier one."""
    found = {regime.id: regime for regime in shipped_regimes()}
    for folder in folders:
        found |= {regime.id: regime for regime in map(load_regime, yaml_files(folder))}
    return tuple(found[key] for key in sorted(found))


def yaml_files(place: Path) -> list[Path]:
    """The file itself, or the YAML files directly in a folder, in order of their names."""
    return sorted(place.glob("*.yaml")) if place.is_dir() else [place]


@cache
def shipped_regimes() -> tuple[Regime, ...]:
    return tuple(map(load_regime, yaml_files(SHIPPED)))


def conditions_of(regime: Regime) -> Iterator[tuple[Place, Condition]]:
    """Every condition of a regime with its place in the file."""
    yield ("applies",), regime.applies
    if regime.ruled_out is not None:
        yield ("ruled_out",), regime.ruled_out
    for number, duty in enumerate(regime.duties):
        here: Place = ("duties", number)
        if duty.only_if is not None:
            yield (*here, "only_if"), duty.only_if
        for place, exemption in enumerate(duty.exemptions):
            yield (*here, "exemptions", place, "if"), exemption.condition
            if exemption.unless is not None:
                yield (*here, "exemptions", place, "unless"), exemption.unless
        for place, extra in enumerate(duty.extra_fields):
            yield (*here, "extra_fields", place, "if"), extra.condition
        for name, condition in duty.elements_only_if.items():
            yield (*here, "elements_only_if", name), condition
        for place, path in enumerate(duty.paths):
            if path.only_if is not None:
                yield (*here, "paths", place, "only_if"), path.only_if


def _speed(within: Within | None, urgency: Urgency) -> None:
    if (within is None) == (urgency is Urgency.within):
        raise ValueError("say either a period (within: PT72H) or an urgency (immediately, promptly)")


__all__ = [
    "Channel", "Confidence", "DutyKind", "DutyRule", "Effect", "Exemption", "OrganisationKind", "PathRule", "Phase",
    "Place", "Regime", "Status", "conditions_of", "load_regime", "load_regimes", "shipped_regimes", "strange_names",
    "yaml_files",
]  # fmt: skip
