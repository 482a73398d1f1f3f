"""Facts as pure values: the face of the record that the law may see.

A fact is a typed value of one field from the closed list, with who said it, from what source, how sure it is
and since when it is known. Unknown is a value: it is stated by None. Nothing here opens a database or reads a
clock.
"""

from __future__ import annotations

from incident.record.facts_file import read_facts_file
from incident.record.fields import (
    LANGUAGES,
    QUANTITIES,
    Field,
    FieldType,
    FrozenText,
    LocalText,
    field_catalogue,
    field_named,
    in_language,
    nearest_names,
)
from incident.record.quantities import Interval, Number, seconds_of
from incident.record.showing import show_interval, show_number, show_seconds, show_time, show_value
from incident.record.values import (
    Certainty,
    Fact,
    FactSheet,
    Value,
    parse_time,
    parse_value,
    says_unknown,
    value_from_json,
    value_to_json,
)

__all__ = [
    "LANGUAGES",
    "QUANTITIES",
    "Certainty",
    "Fact",
    "FactSheet",
    "Field",
    "FieldType",
    "FrozenText",
    "Interval",
    "LocalText",
    "Number",
    "Value",
    "field_catalogue",
    "field_named",
    "in_language",
    "nearest_names",
    "parse_time",
    "parse_value",
    "read_facts_file",
    "says_unknown",
    "seconds_of",
    "show_interval",
    "show_number",
    "show_seconds",
    "show_time",
    "show_value",
    "value_from_json",
    "value_to_json",
]
