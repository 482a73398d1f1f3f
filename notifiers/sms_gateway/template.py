"""A registered template against a text that was released: what stands in the variables. Pure.

The gateway makes the text again from the template and the parameters. Whatever way of reading is found, putting the
parameters back gives the text that was read, character for character: that is what people get.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from notifiers.errors import BadGateway, BadMessage
from notifiers.sms_gateway.terms import SignaturePlace, Syntax

_VARIABLES = {
    Syntax.named: re.compile(r"\$\{([A-Za-z][A-Za-z0-9_]{0,63})\}"),
    Syntax.numbered: re.compile(r"\{([1-9][0-9]?)\}"),
}


_LOOKS_LIKE_ONE = {Syntax.named: re.compile(r"\$\{"), Syntax.numbered: re.compile(r"\{[0-9]+\}")}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A template's fixed texts and, between each two of them, the name of a variable."""

    fixed: tuple[str, ...]
    names: tuple[str, ...]

    def text_with(self, parameters: Mapping[str, str]) -> str:
        """The text that the gateway makes."""
        parts = [self.fixed[0]]
        for name, after in zip(self.names, self.fixed[1:], strict=True):
            parts += [parameters[name], after]
        return "".join(parts)


def pattern_of(text: str, syntax: Syntax) -> Pattern:
    """Take a registered text apart.

    Raises BadGateway for an empty text, for what looks like a variable and is none, for a variable that stands twice, for two of them without fixed text between
    them (nobody could say where one ends), and for numbered ones that are not {1} to {n}.
    """
    pieces = _VARIABLES[syntax].split(text)
    pattern = Pattern(tuple(pieces[::2]), tuple(pieces[1::2]))
    if not text:
        raise BadGateway("the text of a template is empty")
    if any(_LOOKS_LIKE_ONE[syntax].search(each) for each in pattern.fixed):
        raise BadGateway("a template has a variable whose name the gateway would not take")
    if len(set(pattern.names)) < len(pattern.names):
        raise BadGateway("a variable stands twice in a template; give each place a name of its own")
    if not all(pattern.fixed[1:-1]):
        raise BadGateway("two variables of a template have no fixed text between them; put some there")
    if syntax is Syntax.numbered and set(pattern.names) != {str(n + 1) for n in range(len(pattern.names))}:
        raise BadGateway("the variables of a template are numbered from {1} on without a gap")
    return pattern


def parameters_in(text: str, pattern: Pattern, longest: int) -> dict[str, str] | None:
    """What stands in each variable, 1 to `longest` characters each; None where the text is not of this template.

    Takes time in proportion to the text times the variables times `longest`.
    """
    if not text.startswith(pattern.fixed[0]):
        return None
    # Where the next variable can begin, and where the one before it began: a way back to the start from each.
    came_from: list[dict[int, int]] = []
    reached = {len(pattern.fixed[0])}
    for number, after in enumerate(pattern.fixed[1:], start=1):
        last = number == len(pattern.names)
        way: dict[int, int] = {}
        for start in sorted(reached):
            for end in range(start + 1, min(start + longest, len(text)) + 1):
                if text.startswith(after, end) and (not last or end + len(after) == len(text)):
                    way.setdefault(end + len(after), start)
        came_from.append(way)
        reached = set(way)
    if len(text) not in reached:
        return None
    values: list[str] = []
    end = len(text)
    for after, way in zip(reversed(pattern.fixed[1:]), reversed(came_from), strict=True):
        start = way[end]
        values.append(text[start : end - len(after)])
        end = start
    return dict(zip(pattern.names, reversed(values), strict=True))


def refuse_variables(parameters: Mapping[str, str]) -> None:
    """Raises BadMessage where what stands in a variable looks like one: nobody knows whether the gateway would fill it."""
    for name, value in parameters.items():
        if any(pattern.search(value) for pattern in _LOOKS_LIKE_ONE.values()):
            raise BadMessage(
                f"what stands in {name} looks like a variable of a template itself; correct the person's data",
                where="template",
            )


def without_signature(text: str, signature: str, place: SignaturePlace) -> str:
    """The text as the gateway is to have it: without the 【signature】 that it puts there itself.

    Raises BadMessage where the text does not have it there, because people would read what was not released.
    """
    if place is SignaturePlace.nowhere:
        return text
    written = f"【{signature}】"
    front = place is SignaturePlace.front
    if not (text.startswith(written) if front else text.endswith(written)):
        where = "begin" if front else "end"
        raise BadMessage(
            f"the text does not {where} with {written}, which the gateway puts there; write it into the notice's text",
            where="template",
        )
    return text.removeprefix(written) if front else text.removesuffix(written)
