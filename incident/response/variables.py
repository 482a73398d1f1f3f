"""CACAO variables (section 10.18): typed values, and substitution that cannot break out of its place.

Values are strings, as CACAO keeps them ("123" for an integer); None is unknown, "" is known to be empty.
`substitute` escapes for the place a value goes to: plain replacement lets a value from an alert add a
header, a JSON member or a path segment.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from urllib.parse import quote, quote_plus, unquote, urlsplit

from incident.errors import BadInput, Refused
from incident.response.model import Playbook, StepBase, Variable

Values = Mapping[str, str | None]

VARIABLE_NAME = re.compile(r"__[A-Za-z][A-Za-z0-9_-]{0,244}?__\Z")
REFERENCE = re.compile(r"(__[A-Za-z][A-Za-z0-9_-]{0,244}?__):value")
LONGEST_VALUE = 100_000
"""Characters of a value: it is kept with the run's state at each step."""
INTEGER_TYPES = frozenset({"integer", "long"})
_BARE_JSON_TYPES = INTEGER_TYPES | {"float", "bool", "dictionary"}
_HEX_LENGTHS = {"md5-hash": 32, "sha256-hash": 64}


class Sink(StrEnum):
    """Where a value goes."""

    url_path = "url_path"
    url_query = "url_query"
    form = "form"
    header = "header"
    host = "host"
    text = "text"


def references(template: str) -> list[str]:
    """The names used in a text as `__name__:value`, in order."""
    return REFERENCE.findall(template)


def variable_in(text: str) -> str | None:
    """The variable that a text names and nothing else, written `__name__:value` or `__name__`."""
    match = REFERENCE.fullmatch(text.strip())
    if match:
        return match[1]
    return text.strip() if VARIABLE_NAME.match(text.strip()) else None


# -- types --------------------------------------------------------------------------------------------


def _integer(raw: str) -> str:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", raw):
        raise ValueError
    return str(int(raw))


def _float(raw: str) -> str:
    if not math.isfinite(float(raw)):
        raise ValueError
    return raw.strip()


def _bool(raw: str) -> str:
    if raw.lower() not in {"true", "false"}:
        raise ValueError
    return raw.lower()


def _hex(raw: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]*", raw):
        raise ValueError
    return raw


def _mac(raw: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}", raw):
        raise ValueError
    return raw


def _dictionary(raw: str) -> str:
    if not isinstance(_json(raw), dict):
        raise ValueError
    return raw


def _json(raw: str) -> object:
    """Raises `ValueError`, also for what is nested too deep to be read."""
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError("too deep") from None


def _uri(raw: str) -> str:
    if not urlsplit(raw).scheme or any(ch.isspace() or unicodedata.category(ch) == "Cc" for ch in raw):
        raise ValueError
    return raw


_CHECKS: Mapping[str, Callable[[str], str]] = {
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "bool": _bool,
    "hexstring": _hex,
    "hash": _hex,
    "md5-hash": _hex,
    "sha256-hash": _hex,
    "mac-addr": _mac,
    "dictionary": _dictionary,
    "uri": _uri,
    "ipv4-addr": lambda raw: (
        str(ipaddress.IPv4Interface(raw)) if "/" in raw else str(ipaddress.IPv4Address(raw))
    ),
    "ipv6-addr": lambda raw: (
        str(ipaddress.IPv6Interface(raw)) if "/" in raw else str(ipaddress.IPv6Address(raw))
    ),
    "uuid": lambda raw: str(uuid.UUID(raw)),
}


def checked(name: str, declared: Variable, raw: str) -> str:
    """`raw` as a value of the declared type; "" fits every type. BadInput where it does not fit."""
    if raw == "":
        return raw
    if len(raw) > LONGEST_VALUE:
        raise BadInput(f"the value is longer than {LONGEST_VALUE} characters", where=name)
    try:
        value = _CHECKS[declared.type](raw) if declared.type in _CHECKS else raw
    except ValueError:
        raise BadInput(f"the value does not fit its type, {declared.type}", where=name) from None
    wanted = _HEX_LENGTHS.get(declared.type)
    if wanted and len(value) != wanted:
        raise BadInput(f"a {declared.type} has {wanted} hexadecimal digits", where=name)
    return value


def declared_value(variable: Variable) -> str | None:
    """The declared first value as a string; an object becomes JSON text."""
    if isinstance(variable.value, dict):
        return json.dumps(variable.value, ensure_ascii=False)
    return variable.value


def first_values(playbook: Playbook, given: Mapping[str, str]) -> dict[str, str | None]:
    """The playbook's variables at the start. Only variables declared external are taken from outside.

    An external variable whose declaration has no `value` at all must be given; `value: null` says that it
    may stay unknown.
    """
    declared = playbook.playbook_variables
    for name in given:
        if name not in declared:
            raise BadInput(
                "the playbook has no such variable",
                where=name,
                next_step=f"it takes: {', '.join(n for n, v in declared.items() if v.external) or 'none'}",
            )
        if declared[name].constant:
            raise Refused("a constant keeps its value", where=name)
        if not declared[name].external:
            raise Refused(
                "this variable is not set from outside", where=name, next_step="declare it external"
            )
    missing = [
        n for n, v in declared.items() if v.external and "value" not in v.model_fields_set and n not in given
    ]
    if missing:
        raise BadInput(
            "a value is missing", where=", ".join(missing), next_step=f"give it: --var {missing[0]}=VALUE"
        )
    values = {name: declared_value(variable) for name, variable in declared.items()}
    return values | {name: checked(name, declared[name], raw) for name, raw in given.items()}


def declarations(playbook: Playbook, step: StepBase) -> dict[str, Variable]:
    """What a step sees: its own variables stand before the playbook's."""
    return playbook.playbook_variables | step.step_variables


def outputs(
    declared: Mapping[str, Variable], out_args: Iterable[str], returned: Mapping[str, str]
) -> dict[str, str]:
    """The returned values a step may write: those in its `out_args`, checked; a constant is refused."""
    written = {}
    for name in out_args:
        if name not in returned:
            continue
        if name not in declared:
            raise BadInput("this variable is not declared", where=name)
        if declared[name].constant:
            raise Refused("a constant keeps its value", where=name)
        written[name] = checked(name, declared[name], returned[name])
    return written


# -- substitution -------------------------------------------------------------------------------------


def known(name: str, values: Values) -> str:
    """The variable's value; BadInput where it is undeclared or unknown."""
    if name not in values:
        raise BadInput("this variable is not declared", where=name)
    value = values[name]
    if value is None:
        raise BadInput("this variable has no value yet", where=name)
    return value


def substitute(template: str, values: Values, sink: Sink) -> str:
    """Put values in place of `__name__:value`, escaped for the sink; BadInput where a value cannot go there."""
    filled = REFERENCE.sub(lambda match: _escape(match[1], known(match[1], values), sink), template)
    if sink is Sink.url_path and _dot_segments(filled) != _dot_segments(REFERENCE.sub("x", template)):
        raise BadInput("a value would change the path's folders", where=template)
    return filled


def _dot_segments(path: str) -> int:
    return sum(unquote(segment) in {".", ".."} for segment in path.split("/"))


def _escape(name: str, value: str, sink: Sink) -> str:
    match sink:
        case Sink.url_path | Sink.url_query:
            return quote(value, safe="")
        case Sink.form:
            return quote_plus(value, safe="")
        case Sink.header:
            if not re.fullmatch(r"[\x20-\x7e]*", value):
                raise BadInput("a header takes visible ASCII characters only", where=name)
            return value
        case Sink.host:
            if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?", value):
                raise BadInput("this is not the name or IPv4 address of a host", where=name)
            return value
        case Sink.text:
            return visible(value)


_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def visible(value: str) -> str:
    """A value as a person may read it: control characters cannot move the cursor or turn the writing."""
    return "".join(
        "\ufffd" if ch in _BIDI_CONTROLS or (unicodedata.category(ch) == "Cc" and ch not in "\n\t") else ch
        for ch in value
    )


def substitute_json(template: str, values: Values, declared: Mapping[str, Variable]) -> str:
    """Fill a JSON text. Inside quotes a value is escaped; outside it must be a number, bool or object.

    BadInput where the result is not JSON, so a value can never add a member.
    """
    done: list[str] = []
    position, in_string = 0, False
    for match in REFERENCE.finditer(template):
        literal = template[position : match.start()]
        in_string = _string_state(literal, in_string)
        done += [literal, _json_value(match[1], known(match[1], values), declared, in_string=in_string)]
        position = match.end()
    filled = "".join([*done, template[position:]])
    try:
        _json(filled)
    except ValueError:
        raise BadInput("the content is not JSON once its variables are filled in", where="content") from None
    return filled


def _string_state(literal: str, in_string: bool) -> bool:
    escaped = False
    for ch in literal:
        if escaped:
            escaped = False
        elif ch == "\\" and in_string:
            escaped = True
        elif ch == '"':
            in_string = not in_string
    return in_string


def _json_value(name: str, value: str, declared: Mapping[str, Variable], *, in_string: bool) -> str:
    if in_string:
        return json.dumps(value, ensure_ascii=False)[1:-1]
    variable = declared.get(name)
    if variable is None or variable.type not in _BARE_JSON_TYPES:
        raise BadInput(
            "a text stands in quotes in JSON content", where=name, next_step=f'write "{name}:value"'
        )
    try:
        return json.dumps(_json(checked(name, variable, value)), ensure_ascii=False)
    except ValueError:
        raise BadInput("this value cannot stand in JSON without quotes", where=name) from None
