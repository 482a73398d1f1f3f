"""Shell commands with values from outside. No value is ever read as part of a command.

Each value is set as a shell variable in front, quoted, and the command refers to it; the shell never parses what a
variable holds. The text runs in any POSIX shell, here or over ssh.
"""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from collections.abc import Mapping

from incident.errors import BadInput
from incident.response.model import Command, Variable
from incident.response.variables import INTEGER_TYPES, REFERENCE, Values, known

_NUMBERS = INTEGER_TYPES | {"float"}


def script_of(command: Command) -> str:
    """The command as it was written. BadInput where there is none or `command_b64` is no base64 of UTF-8 text."""
    if command.command is not None:
        return command.command
    if command.command_b64 is None:
        raise BadInput("there is no command", where="command")
    try:
        return base64.b64decode(command.command_b64, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise BadInput("the command is not base64 of UTF-8 text", where="command_b64") from None


def shell_text(script: str, values: Values, declared: Mapping[str, Variable]) -> str:
    """The text for the shell. BadInput where a value is missing or cannot be given to a shell safely."""
    names = list(dict.fromkeys(REFERENCE.findall(script)))
    shell_names = {name: name.replace("-", "_") for name in names}
    if len(set(shell_names.values())) < len(names):
        raise BadInput("two variables have one name in a shell", where=", ".join(names))
    done: list[str] = []
    position, quote = 0, ""
    for match in REFERENCE.finditer(script):
        literal = script[position : match.start()]
        quote = _quote_after(literal, quote)
        name = match[1]
        if quote == "'":
            raise BadInput(
                "the shell fills nothing in between single quotes",
                where=name,
                next_step=f'write it without quotes, or in double ones: "{name}:value"',
            )
        _must_not_be_an_option(name, known(name, values), declared, before="".join([*done[-1:], literal]))
        reference = f"${{{shell_names[name]}}}"
        done += [literal, reference if quote == '"' else f'"{reference}"']
        position = match.end()
    settings = [f"{shell_names[name]}={_quoted(name, known(name, values))}" for name in names]
    return "\n".join([*settings, "".join([*done, script[position:]])])


def _quoted(name: str, value: str) -> str:
    if "\x00" in value:
        raise BadInput("a shell takes no NUL character", where=name)
    return shlex.quote(value)


def _must_not_be_an_option(name: str, value: str, declared: Mapping[str, Variable], *, before: str) -> None:
    if not value.startswith("-") or (name in declared and declared[name].type in _NUMBERS):
        return
    if re.search(r"(^|[\s(;|&])[\"]?$", before):
        raise BadInput("a value that begins with “-” would be read as an option", where=name)


def _quote_after(literal: str, quote: str) -> str:
    """Which quotes are open after a piece of a command: `'`, `"` or none."""
    escaped = False
    for ch in literal:
        if escaped:
            escaped = False
        elif ch == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if ch == quote else quote
        elif ch in "'\"":
            quote = ch
    return quote
