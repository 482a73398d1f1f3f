"""Reading the law's YAML: plain data fast, and line numbers when something is wrong with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from incident.errors import BadInput
from incident.record.facts import LANGUAGES, FrozenText


class Strict(BaseModel):
    """The base of all checked data here: nothing unknown is let through, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


Model = TypeVar("Model", bound=Strict)

COMPILED = Path(__file__).with_name("compiled.json")
"""The shipped YAML as plain data by the SHA-256 of each text (`incident.law.compiling` writes it).

Every command evaluates the law, and JSON is read a hundred times faster. A text that is not in it is read as YAML, so a
file that was changed is never answered for by what it said before.
"""


def both_languages(data: Any) -> FrozenText:
    """A text in Chinese and English. `ValueError` names the language that is missing."""
    if not isinstance(data, Mapping):
        raise ValueError("a text in both languages belongs here: {zh-Hans: ..., en: ...}")
    missing = [tag for tag in LANGUAGES if not str(data.get(tag) or "").strip()]
    if missing:
        raise ValueError(f"the text in {' and '.join(missing)} is missing")
    if strange := [str(tag) for tag in data if tag not in LANGUAGES]:
        raise ValueError(f"“{strange[0]}” is no language here; a text that holds a comma needs quotes")
    return FrozenText({tag: str(data[tag]).strip() for tag in LANGUAGES})


def read_yaml(text: str, *, name: str) -> Any:
    """YAML 1.2 as plain data (NO stays Norway). `BadInput` with the line where it breaks."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadInput(
            f"this is not valid YAML: {error.problem or error.context}",
            where=f"{name}{line}",
            next_step="correct the line; incident law lint shows all findings",
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise BadInput(f"this is not valid YAML: {error}", where=name, next_step="correct the file") from None


def read_file(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise BadInput("the file is not UTF-8", where=str(path), next_step="save it as UTF-8") from None
    except OSError as error:
        raise BadInput(
            f"the file cannot be read ({error.strerror})",
            where=str(path),
            next_step="check its path and rights",
        ) from None


def line_of(text: str, location: Sequence[int | str]) -> int:
    """The line of the entry at `location`, or of the nearest one above it that exists."""
    from ruamel.yaml import YAML
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    node = YAML(typ="safe", pure=True).compose(text)
    line = 1
    for step in location:
        if isinstance(node, MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(step)]
            if not found:
                break
            key, node = found[0]
            line = key.start_mark.line + 1
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


def told(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """Each finding of pydantic as a place and a plain sentence."""
    return [(finding["loc"], _sentence(finding)) for finding in error.errors()]


def plain_data(text: str, *, name: str) -> Any:
    """What a YAML file says: from the compiled data where they hold this very text, else by reading it."""
    found = _compiled().get(hashlib.sha256(text.encode()).hexdigest())
    return found if found is not None else read_yaml(text, name=name)


def is_compiled(text: str) -> bool:
    """Whether this very text was shipped, and so was checked when it was."""
    return hashlib.sha256(text.encode()).hexdigest() in _compiled()


@cache
def _compiled() -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(COMPILED.read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def checked(model: type[Model], text: str, *, name: str) -> Model:
    """The file's content as `model`; `BadInput` names the line of the first thing that is wrong."""
    data = plain_data(text, name=name)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        location, sentence = told(error)[0]
        raise BadInput(
            sentence,
            where=f"{name}, line {line_of(text, location)}",
            next_step="correct the file; incident law lint shows all findings",
        ) from None


def _sentence(finding: Any) -> str:
    last = finding["loc"][-1] if finding["loc"] else "entry"
    if finding["type"] == "missing":
        return f"“{last}” is missing"
    if finding["type"] == "string_too_short":
        return f"“{last}” is empty"
    if finding["type"] == "extra_forbidden":
        return f"“{last}” is not known here"
    if finding["type"] == "model_type":
        return "a mapping of names to values belongs here"
    if finding["type"] == "string_pattern_mismatch":
        return f"“{finding['input']}” does not have the form {finding['ctx']['pattern']} (a pattern)"
    return str(finding["msg"]).removeprefix("Value error, ")
