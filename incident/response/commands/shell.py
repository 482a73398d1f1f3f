"""Shell commands with values from outside. No value is ever read as part of a command.

Each value is set as a shell variable in front, quoted, and the command refers to it; the shell never parses what a
variable holds. Where something would parse it nevertheless, `shell_places` refuses the command. The text runs in any
POSIX shell, here or over ssh.
"""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from collections.abc import Iterator, Mapping

from incident.errors import BadInput, TocsinError
from incident.response.commands.shell_places import places
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


def problem_of(script: str, declared: Mapping[str, Variable]) -> BadInput | None:
    """Why a command could not be given to a shell, whatever its values; None where it can."""
    numbers = {name for name in declared if declared[name].type in INTEGER_TYPES}
    try:
        names = REFERENCE.findall(script)
        shell_text(script, {name: "1" if name in numbers else "x" for name in names}, declared)
    except BadInput as error:
        return error
    return None


def shell_text(script: str, values: Values, declared: Mapping[str, Variable]) -> str:
    """The text for the shell. BadInput where a value is missing or cannot be given to a shell safely."""
    found = places(script)
    names = list(dict.fromkeys(each.name for each in found))
    shell_names = {name: name.replace("-", "_") for name in names}
    if len(set(shell_names.values())) < len(names):
        raise BadInput("two variables have one name in a shell", where=", ".join(names))
    done: list[str] = []
    position = 0
    for place in found:
        value, variable = known(place.name, values), declared.get(place.name)
        if place.number:
            _must_be_a_number(place.name, value, variable)
        if place.first and value.startswith("-") and (variable is None or variable.type not in _NUMBERS):
            raise BadInput("a value that begins with “-” would be read as an option", where=place.name)
        reference = f"${{{shell_names[place.name]}}}"
        bare = not place.quoted and not place.number
        done += [script[position : place.start], f'"{reference}"' if bare else reference]
        position = place.end
    settings = [f"{shell_names[name]}={_quoted(name, known(name, values))}" for name in names]
    return "\n".join([*settings, "".join([*done, script[position:]])])


def _must_be_a_number(name: str, value: str, variable: Variable | None) -> None:
    if variable is None or variable.type not in INTEGER_TYPES or not re.fullmatch(r"-?[0-9]{1,19}", value):
        raise BadInput(
            "here a shell evaluates what it is given; only a variable of type integer may stand there",
            where=name,
            next_step="declare it an integer, or compare with [ ] in place of [[ ]] and (( ))",
        )


def _quoted(name: str, value: str) -> str:
    if "\x00" in value:
        raise BadInput("a shell takes no NUL character", where=name)
    return shlex.quote(value)


def problems(command: Command, declared: Mapping[str, Variable]) -> Iterator[tuple[str, str]]:
    """What keeps a shell command from being run, as (code, message)."""
    objection: TocsinError | None
    try:
        objection = problem_of(script_of(command), declared)
    except TocsinError as error:
        objection = error
    if objection is not None:
        message = f"{objection.where}: {objection.what}; {objection.next_step or ''}"
        yield "shell-command", message.rstrip("; ")
