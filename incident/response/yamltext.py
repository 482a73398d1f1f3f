"""YAML 1.2 as plain values with the line of every key; times stay the text that was written."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

from incident.errors import BadInput

MOST_NODES = 50_000  # a playbook has hundreds; aliases that multiply stop here
MOST_CHARACTERS = 2_000_000  # the reader takes about ten seconds for that
DEEPEST = 60
MOST_BRACKETS = 2000

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlText:
    """`lines` counts from 1 and holds the line of each mapping key and list entry by its path."""

    data: Any
    lines: dict[Path, int]


def read_yaml(text: str, *, name: str) -> YamlText:
    """BadInput with the line where the text is not YAML, a key stands twice, or it is too large."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if len(text) > MOST_CHARACTERS:
        raise BadInput(
            f"this is too large for a playbook: {len(text):,} characters, at most {MOST_CHARACTERS:,}",
            where=name,
        )
    if _brackets_open(text) > MOST_BRACKETS:
        raise BadInput("this is too deep for a playbook", where=name)
    loader = YAML(typ="safe", pure=True)
    try:
        node = loader.compose(io.StringIO(text))
    except RecursionError:
        raise BadInput("this is too deep for a playbook", where=name) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadInput(f"this is not YAML: {error.problem}", where=f"{name}:{line}") from None
    except YAMLError as error:
        raise BadInput(f"this is not YAML: {str(error).splitlines()[0]}", where=name) from None
    builder = _Builder(name)
    return YamlText(builder.build(node, (), 0) if node is not None else None, builder.lines)


def _brackets_open(text: str) -> int:
    """The most brackets open at once, those in texts counted too; the reader takes long over thousands."""
    deepest = depth = 0
    for match in re.finditer(r"[\[{]|[\]}]", text):
        depth += 1 if match[0] in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Path, int] = {}
        self.count = 0

    def build(self, node: Any, path: Path, depth: int) -> Any:
        self.count += 1
        if self.count > MOST_NODES or depth > DEEPEST:
            raise BadInput("this is too large or too deep for a playbook", where=self.at(node))
        if node.id == "scalar":
            return self.scalar(node)
        if node.id == "mapping":
            return self.mapping(node, path, depth)
        found = []
        for number, each in enumerate(node.value):
            self.lines[(*path, number)] = each.start_mark.line + 1
            found.append(self.build(each, (*path, number), depth + 1))
        return found

    def mapping(self, node: Any, path: Path, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node.value, str):
                raise BadInput("a key is a plain word", where=self.at(key_node))
            key = key_node.value
            if key in found:
                raise BadInput(f"“{key}” stands twice", where=self.at(key_node))
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            found[key] = self.build(value_node, (*path, key), depth + 1)
        return found

    def scalar(self, node: Any) -> Any:
        kind = str(node.tag).rpartition(":")[2]
        try:
            if kind == "int":
                return _integer(node.value.replace("_", ""))
            if kind == "float":
                return float(node.value.replace("_", ""))
        except ValueError:
            raise BadInput(f"“{node.value}” is not a number", where=self.at(node)) from None
        if kind == "bool":
            return node.value.lower() == "true"
        if kind == "null":
            return None
        if kind in {"str", "timestamp"}:
            return node.value
        raise BadInput(f"the tag {node.tag} is not used in playbooks", where=self.at(node))

    def at(self, node: Any) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"


def _integer(text: str) -> int:
    """YAML 1.2: 012 is twelve; 0o and 0x mark other bases."""
    return int(text, 0) if text.lstrip("+-")[:2].lower() in {"0o", "0x", "0b"} else int(text)


def write_yaml(data: Any) -> str:
    """YAML text that `read_yaml` reads back to the same values."""
    from ruamel.yaml import YAML

    dumper = YAML(typ="safe", pure=True)
    dumper.default_flow_style = False
    dumper.allow_unicode = True
    dumper.width = 110
    dumper.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # untyped there; else keys are sorted
    out = io.StringIO()
    dumper.dump(data, out)
    return out.getvalue()
