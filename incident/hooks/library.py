"""The library of sources: reading their files, with line numbers in every error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from incident.errors import BadInput, NotFound
from incident.hooks.definition import Source
from incident.hooks.mapping import CompiledSource, compile_source

SHIPPED = Path(__file__).parent / "sources"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a source's file. `line` counts from 1; `path` is such as `fields.severity.bands`.

    `why` never repeats a value: somebody may have put a secret where its name belongs.
    """

    line: int
    path: str
    why: str


class BadSource(BadInput):
    """A source's file that cannot be used; `problems` holds all that is wrong with it."""

    def __init__(self, name: str, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(
            f"{first.path}: {first.why}{more}" if first.path else f"{first.why}{more}",
            where=f"{name}:{first.line}",
            next_step="Correct the line; `incident source lint` lists everything that is wrong.",
        )
        self.problems = problems


def read_source(text: str, *, name: str) -> CompiledSource:
    """The source written in `text` (YAML 1.2). Raises BadSource, with the line, for anything off."""
    tree = _read_yaml(text, name)
    try:
        return compile_source(Source.model_validate(tree))
    except ValidationError as error:
        raise BadSource(name, _problems(tree, error)) from None


def read_sources(folders: Iterable[Path]) -> Mapping[str, CompiledSource]:
    """All sources of the folders by id; the first folder that has an id wins (the workspace's, then ours).

    A file is named after its source's id. Folders that do not exist are passed over. Raises BadSource.
    """
    result: dict[str, CompiledSource] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
            if file.stem not in result:
                result[file.stem] = read_source_file(file)
    return result


def read_source_file(file: Path) -> CompiledSource:
    """Raises NotFound where there is no such file, BadSource where it cannot be used."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(
            "There is no such source.", where=str(file), next_step="`incident source list` shows the sources."
        ) from None
    except UnicodeDecodeError:
        raise BadSource(str(file), (Problem(1, "", "the file is not UTF-8 text"),)) from None
    compiled = read_source(text, name=str(file))
    if compiled.source.id != file.stem:
        problem = Problem(1, "id", f"the file's name says {file.stem}, its id {compiled.source.id}")
        raise BadSource(str(file), (problem,))
    return compiled


def _read_yaml(text: str, name: str) -> CommentedMap:
    try:
        tree = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        why = str(error.problem or "this is not YAML").splitlines()[0]
        # The parser quotes the value of a key that is there twice.
        why = "a key is there twice" if "duplicate key" in why else why
        raise BadSource(name, (Problem(mark.line + 1 if mark else 1, "", why),)) from None
    except (YAMLError, RecursionError, ValueError):  # ValueError: dates that do not exist, odd numbers
        raise BadSource(name, (Problem(1, "", "this is not YAML"),)) from None
    if not isinstance(tree, CommentedMap):
        raise BadSource(name, (Problem(1, "", "a source is a mapping that begins with its id"),))
    return tree


def _problems(tree: CommentedMap, error: ValidationError) -> tuple[Problem, ...]:
    """By line. A list that lost its bad items is also said to be too short: that one is left out."""
    details = error.errors(include_input=False, include_url=False)
    within = {one["loc"][:depth] for one in details for depth in range(len(one["loc"]))}
    found = (_problem(tree, one["loc"], one["msg"]) for one in details if one["loc"] not in within)
    return tuple(sorted(found, key=lambda one: one.line))


def _problem(tree: CommentedMap, location: tuple[int | str, ...], message: str) -> Problem:
    line, path = 1, list[str]()
    node: Any = tree
    for key in location:
        # Pydantic names the kind of auth in the location; the file has no such level.
        if (
            isinstance(key, str)
            and path == ["auth"]
            and isinstance(node, Mapping)
            and key == node.get("kind")
        ):
            continue
        path.append(str(key))
        try:
            position = node.lc.key(key) if isinstance(node, CommentedMap) else node.lc.item(key)
            line, node = position[0] + 1, node[key]
        except (
            AttributeError,
            KeyError,
            IndexError,
            TypeError,
        ):  # a key that is missing, a value with no inside
            node = None
    return Problem(line, ".".join(path), message.removeprefix("Value error, "))
