"""Reading the law's YAML: plain data fast, and line numbers when something is wrong with it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from incident.errors import BadInput
from incident.record.facts import LANGUAGES, FrozenText


class Strict(BaseModel):
    """The base of all checked data here: nothing unknown is let through, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


Model = TypeVar("Model", bound=Strict)
EntryKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""The key of an entry of a catalogue: what the record and other files name it by."""

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


_ENTRY = re.compile(r"( *)([A-Za-z][A-Za-z0-9_-]*):(?: (\S.*))?")

_NOT_NAMES = frozenset({"true", "false", "null"})
"""What stands for a value in YAML, also where a name is expected."""
_NOT_IN_YAML = re.compile("[\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


def read_lines(text: str, *, name: str) -> Any:
    """YAML whose values are written as JSON behind their names: the same data as `read_yaml`, much faster.

    What is written in another way is read as the YAML it is. Raises `BadInput` as `read_yaml` does.
    """
    found = _quickly(text)
    return read_yaml(text, name=name) if found is None else found


def _quickly(text: str) -> dict[str, Any] | None:
    """The data where every line is a name, or a name with JSON, two blanks deeper a level; None for all else."""
    if _NOT_IN_YAML.search(text):
        return None
    data: dict[str, Any] = {}
    open_levels = [data]
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        entry = _ENTRY.fullmatch(line)
        if entry is None or len(entry[1]) % 2:
            return None
        depth, name, value = len(entry[1]) // 2, entry[2], entry[3]
        if depth >= len(open_levels) or name in open_levels[depth] or name.lower() in _NOT_NAMES:
            return None
        del open_levels[depth + 1 :]
        if value is None:
            open_levels.append({})
            open_levels[depth][name] = open_levels[-1]
            continue
        try:
            open_levels[depth][name] = _as_in_yaml(value)
        except ValueError:
            return None
    return data if data and all(_holds_values(each) for each in data.values()) else None


def _as_in_yaml(value: str) -> Any:
    """JSON that YAML reads in the same way. `ValueError` for all else: a name twice, NaN, a fraction (YAML has others)."""
    return json.loads(
        value, object_pairs_hook=_said_once, parse_constant=_not_the_same, parse_float=_not_the_same
    )


def _said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a name stands here twice")
    return dict(pairs)


def _not_the_same(word: str) -> Any:
    raise ValueError(f"{word} may be something else in YAML")


def _holds_values(value: Any) -> bool:
    """Whether no name stands without a value, which in YAML means null and not an empty mapping."""
    return all(map(_holds_values, value.values())) and bool(value) if isinstance(value, dict) else True


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


@lru_cache(maxsize=4)
def _composed(text: str) -> Any:
    # Whoever asks for the line of one finding asks for those of all the others next.
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).compose(text)


def line_of(text: str, location: Sequence[int | str]) -> int:
    """The line of the entry at `location`, or of the nearest one above it that exists."""
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    node = _composed(text)
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


def entries(model: type[Model]) -> TypeAdapter[dict[str, Model]]:
    """The reader of a catalogue: entries by key, each as `model`."""
    return TypeAdapter(dict[EntryKey, model])  # type: ignore[valid-type]


def checked_entries(model: type[Model], text: str, *, name: str) -> dict[str, Model]:
    """The file's entries by key, each as `model`; `BadInput` names the line of the first thing that is wrong."""
    data = read_lines(text, name=name)
    try:
        return entries(model).validate_python(data)
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
    if finding["type"] == "extra_forbidden":
        return f"“{last}” is not known here"
    if finding["type"] == "model_type":
        return "a mapping of names to values belongs here"
    if finding["type"] == "string_pattern_mismatch":
        return f"“{finding['input']}” does not have the form {finding['ctx']['pattern']} (a pattern)"
    return str(finding["msg"]).removeprefix("Value error, ")
