"""Conditions of CACAO steps: the comparison expressions of STIX 2.1 patterning (section 9.6 there).

Left of each operator stands `__name__:value`, right of it a literal. AND binds closer than OR. Values are
compared by the variable's declared type. What cannot be decided is `Unreadable`, for a person to answer;
it is never false: an expression that does not parse, a value that is unknown, a literal of another type.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Literal

from incident.response.model import DEFAULT_CASE, Variable
from incident.response.variables import INTEGER_TYPES, REFERENCE, Values, variable_in

DEEPEST = 50
LONGEST = 4_000  # characters; a loop looks at its condition thousands of times
_FOLDED = frozenset({"hexstring", "hash", "md5-hash", "sha256-hash", "uuid", "mac-addr"})
_ADDRESSES = frozenset({"ipv4-addr", "ipv6-addr"})
_NUMBERS = INTEGER_TYPES | {"float"}


@dataclass(frozen=True)
class Unreadable:
    """The expression decides nothing; `reason` says why, for the person who must answer."""

    reason: str


Operator = Literal[
    "=", "!=", "<", "<=", ">", ">=", "IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET", "EXISTS"
]


@dataclass(frozen=True)
class Literal_:
    """A literal as written: its text, and whether it was a quoted text, a number or a truth value."""

    text: str
    kind: Literal["text", "number", "bool"]


@dataclass(frozen=True)
class Comparison:
    variable: str
    operator: Operator
    literals: tuple[Literal_, ...]
    negated: bool


@dataclass(frozen=True)
class Joined:
    """Parts joined by AND or OR; `negated` for NOT before a bracket."""

    word: Literal["AND", "OR"]
    parts: tuple[Expression, ...]
    negated: bool = False


Expression = Comparison | Joined

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<reference>__[A-Za-z][A-Za-z0-9_-]{0,244}?__:value)
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<number>[+-]?[0-9]+(?:\.[0-9]+)?(?![A-Za-z0-9_.]))
    | (?P<operator>==|!=|<>|<=|>=|=|<|>)
    | (?P<mark>[(),\[\]])
    | (?P<word>[A-Za-z]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_SAME: Mapping[str, Operator] = {
    "=": "=",
    "==": "=",
    "!=": "!=",
    "<>": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "LIKE": "LIKE",
    "MATCHES": "MATCHES",
    "ISSUBSET": "ISSUBSET",
    "ISSUPERSET": "ISSUPERSET",
}


class _NoParse(Exception):
    pass


class _Parser:
    def __init__(self, source: str) -> None:
        self.tokens = _tokens(source)
        self.at = 0
        self.depth = 0

    def whole(self) -> Expression:
        bracketed = self.take("mark", "[")
        expression = self.any_of()
        if bracketed:
            self.need("mark", "]")
        if self.at < len(self.tokens):
            raise _NoParse(f"“{self.tokens[self.at][1]}” was not expected")
        return expression

    def any_of(self) -> Expression:
        return self._joined("OR", self.all_of)

    def all_of(self) -> Expression:
        return self._joined("AND", self.one)

    def _joined(self, word: Literal["AND", "OR"], part: Callable[[], Expression]) -> Expression:
        parts = [part()]
        while self.take("word", word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def one(self) -> Expression:
        negated = self.take("word", "NOT")
        if self.take("mark", "("):
            self.depth += 1
            if self.depth > DEEPEST:
                raise _NoParse(f"more than {DEEPEST} brackets inside one another")
            inner = self.any_of()
            self.need("mark", ")")
            self.depth -= 1
            return Joined("AND", (inner,), negated=True) if negated else inner
        if self.take("word", "EXISTS"):
            return Comparison(self.reference(), "EXISTS", (), negated)
        return self.comparison(negated)

    def comparison(self, negated: bool) -> Comparison:
        name = self.reference()
        negated ^= self.take("word", "NOT")
        kind, text = self.next()
        if kind == "word" and text.upper() == "IN":
            return Comparison(name, "IN", self.several(), negated)
        found = _SAME.get(text.upper()) if kind in {"operator", "word"} else None
        if found is None:
            raise _NoParse(f"“{text}” is not a comparison")
        return Comparison(name, found, (self.literal(),), negated)

    def several(self) -> tuple[Literal_, ...]:
        self.need("mark", "(")
        found = [self.literal()]
        while self.take("mark", ","):
            found.append(self.literal())
        self.need("mark", ")")
        return tuple(found)

    def literal(self) -> Literal_:
        kind, text = self.next()
        if kind == "text":
            return Literal_(re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL), "text")
        if kind == "number":
            return Literal_(text, "number")
        if kind == "word" and text.lower() in {"true", "false"}:
            return Literal_(text.lower(), "bool")
        raise _NoParse(f"“{text}” is not a value; a text stands in single quotes")

    def reference(self) -> str:
        kind, text = self.next()
        match = REFERENCE.fullmatch(text) if kind == "reference" else None
        if match is None:
            raise _NoParse(f"“{text}” is not a variable; one is written __name__:value")
        return match[1]

    def next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise _NoParse("it ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def take(self, kind: str, text: str) -> bool:
        if (
            self.at < len(self.tokens)
            and self.tokens[self.at][0] == kind
            and self.tokens[self.at][1].upper() == text
        ):
            self.at += 1
            return True
        return False

    def need(self, kind: str, text: str) -> None:
        if not self.take(kind, text):
            raise _NoParse(f"“{text}” is missing")


def _tokens(source: str) -> list[tuple[str, str]]:
    found, position, source = [], 0, source.rstrip()
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None or match.lastgroup is None:
            raise _NoParse(f"“{source[position:].strip()[:20]}” cannot be read")
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


@lru_cache(maxsize=256)
def parse(source: str) -> Expression | Unreadable:
    """The expression, or why it is none."""
    if len(source) > LONGEST:
        return Unreadable(f"the condition is longer than {LONGEST} characters")
    try:
        return _Parser(source).whole()
    except _NoParse as error:
        return Unreadable(f"the condition cannot be read: {error}")


def comparisons(expression: Expression) -> list[Comparison]:
    """All comparisons in it, in order."""
    if isinstance(expression, Comparison):
        return [expression]
    return [each for part in expression.parts for each in comparisons(part)]


def check(source: str, declared: Mapping[str, Variable]) -> list[str]:
    """What would keep the condition from being decided, whatever the values; empty if nothing."""
    expression = parse(source)
    if isinstance(expression, Unreadable):
        return [expression.reason]
    problems = []
    for each in comparisons(expression):
        if each.variable not in declared:
            problems.append(f"{each.variable} is not declared")
            continue
        problem = _literal_problem(each, declared[each.variable])
        problems += [problem] if problem else []
    return problems


def _literal_problem(each: Comparison, variable: Variable) -> str | None:
    if each.operator == "MATCHES":
        return "MATCHES is not decided by this version"
    if each.operator == "EXISTS":
        return None
    for literal in each.literals:
        outcome = _typed(literal, variable.type, each.operator)
        if isinstance(outcome, Unreadable):
            return f"{each.variable}: {outcome.reason}"
    return None


def evaluate(source: str, values: Values, declared: Mapping[str, Variable]) -> bool | Unreadable:
    """True, false, or `Unreadable`. A part that cannot be decided matters only where the others leave it open."""
    expression = parse(source)
    return expression if isinstance(expression, Unreadable) else _decide(expression, values, declared)


def case_of(
    switch: str, cases: list[str], values: Values, declared: Mapping[str, Variable]
) -> str | Unreadable:
    """Which of the cases the variable's value equals, by its declared type; DEFAULT_CASE for every other value.

    `Unreadable` where the value is unknown, or fits no case and there is no default.
    """
    name = variable_in(switch)
    if name is None:
        return Unreadable(f"“{switch}” is not a variable; one is written __name__:value")
    for case in cases:
        if case == DEFAULT_CASE:
            continue
        same = _compare(Comparison(name, "=", (Literal_(case, "text"),), False), values, declared)
        if isinstance(same, Unreadable):
            return same
        if same:
            return case
    if values.get(name) is None:
        return Unreadable(f"{name} is not known yet")
    return DEFAULT_CASE if DEFAULT_CASE in cases else Unreadable(f"“{values[name]}” is none of the cases")


def _decide(expression: Expression, values: Values, declared: Mapping[str, Variable]) -> bool | Unreadable:
    if isinstance(expression, Comparison):
        outcome = _compare(expression, values, declared)
    else:
        settles = expression.word == "OR"
        found = [_decide(part, values, declared) for part in expression.parts]
        unread = [each for each in found if isinstance(each, Unreadable)]
        outcome = settles if settles in found else unread[0] if unread else not settles
    return outcome if isinstance(outcome, Unreadable) or not expression.negated else not outcome


def _compare(each: Comparison, values: Values, declared: Mapping[str, Variable]) -> bool | Unreadable:
    if each.variable not in declared or each.variable not in values:
        return Unreadable(f"{each.variable} is not declared")
    value = values[each.variable]
    if each.operator == "EXISTS":
        return value is not None
    if value is None:
        return Unreadable(f"{each.variable} is not known yet")
    kind = declared[each.variable].type
    left = _typed(Literal_(value, "text"), kind, each.operator)
    if isinstance(left, Unreadable):
        return Unreadable(f"{each.variable}: {left.reason}")
    outcomes: list[bool] = []
    for literal in each.literals:
        right = _typed(literal, kind, each.operator)
        if isinstance(right, Unreadable):
            return Unreadable(f"{each.variable}: {right.reason}")
        outcome = _apply(each.operator, left, right)
        if isinstance(outcome, Unreadable):
            return outcome
        outcomes.append(outcome)
    return any(outcomes)


def _typed(literal: Literal_, kind: str, operator: str) -> Any | Unreadable:
    """The literal as a value of that type. An empty text stays one: it equals only another empty text."""
    if literal.text == "" and literal.kind == "text":
        return ""
    if operator in {"LIKE", "MATCHES"}:
        return literal.text
    try:
        if kind in _NUMBERS:
            return _finite(literal.text)
        if kind == "bool":
            return {"true": True, "false": False}[literal.text.lower()]
        if kind in _ADDRESSES:
            return ipaddress.ip_network(literal.text, strict=False)
    except (KeyError, ValueError, InvalidOperation):
        return Unreadable(f"“{literal.text}” is not of type {kind}")
    if literal.kind != "text":
        return Unreadable(f"{literal.text} is not a text in quotes, but the variable is of type {kind}")
    return literal.text.casefold() if kind in _FOLDED else literal.text


def _apply(operator: Operator, left: Any, right: Any) -> bool | Unreadable:
    if operator in {"=", "IN"}:
        return bool(left == right)
    if operator == "!=":
        return bool(left != right)
    if operator == "LIKE":
        return like(left, right)
    if operator == "MATCHES":
        return Unreadable("MATCHES is not decided by this version")
    if operator in {"ISSUBSET", "ISSUPERSET"}:
        return _within(left, right) if operator == "ISSUBSET" else _within(right, left)
    return _order(operator, left, right)


def _finite(text: str) -> Decimal:
    """Infinities and NaN have no order that a condition could mean. Raises `ValueError`, `InvalidOperation`."""
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError
    return number


def like(value: str, pattern: str) -> bool:
    """SQL's LIKE: `%` for any run, `_` for one character. Without backtracking, because values come from alerts: each
    part between two `%` is of one length and is taken where it stands first.
    """
    parts = [
        re.compile("".join("." if ch == "_" else re.escape(ch) for ch in part), re.DOTALL)
        for part in pattern.split("%")
    ]
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        return first.fullmatch(value) is not None
    opening, end = first.match(value), len(value) - len(pattern.rpartition("%")[2])
    if opening is None or end < opening.end():
        return False
    at = opening.end()
    for part in parts[1:-1]:
        found = part.search(value, at, end)
        if found is None:
            return False
        at = found.end()
    return last.fullmatch(value, end) is not None


def _within(inner: Any, outer: Any) -> bool | Unreadable:
    networks = (ipaddress.IPv4Network, ipaddress.IPv6Network)
    if not isinstance(inner, networks) or not isinstance(outer, networks):
        return Unreadable("only addresses can be compared by ISSUBSET and ISSUPERSET")
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _order(operator: Operator, left: Any, right: Any) -> bool | Unreadable:
    if type(left) is not type(right) or isinstance(left, bool):
        return Unreadable("these values have no order")
    match operator:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case _:
            return bool(left >= right)
