"""What playbooks there are, told quickly: a list must not read thousands of lines to name a few files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident.errors import BadInput
from incident.response.yamltext import read_yaml
from incident.workspace import Workspace, search_path

_KINDS = ("http-api", "openc2-http", "ssh", "bash")
_SHOWN = ("name", "description", "playbook_types")
_TOP = re.compile(r"^([A-Za-z_]+):", re.MULTILINE)
_KEY = re.compile(r"""[ ]+(?:"[^"]+"|'[^']+'|[^\s#"'\[{&*!|>%@-][^:]*):(?:\s|$)""")
_TYPE = re.compile(rf"""\btype["']?:\s*["']?({"|".join(_KINDS)}|playbook-action)\b""")


@dataclass(frozen=True)
class Summary:
    """A playbook in one line. `needs` are the kinds of commands it holds besides those for people, and
    `playbook-action` where it calls others; texts are by language, or one text."""

    name: str
    file: str
    title: Mapping[str, str] | str
    description: Mapping[str, str] | str
    types: tuple[str, ...]
    steps: int
    needs: tuple[str, ...]


def playbook_names(workspace: Workspace | None) -> dict[str, str]:
    """Every playbook's name and the file it comes from; the workspace's own win."""
    found: dict[str, str] = {}
    for folder in search_path(workspace, "playbooks"):
        for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.json")]) if folder.is_dir() else []:
            found.setdefault(file.stem, str(file))
    return found


def summary_of(name: str, file: str) -> Summary:
    """The summary of a playbook's file. Only its heads are parsed; whether it can be run is for `lint` to say.

    Raises `BadInput` where the file cannot be read, or holds no playbook.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the playbook cannot be read ({error})", where=file) from None
    if text.lstrip().startswith("{"):
        try:
            return _from_data(name, file, json.loads(text))
        except (ValueError, RecursionError):
            raise BadInput("this is not JSON", where=file) from None
    parts = _top_parts(text)
    workflow = parts.get("workflow", "")
    steps = _children(workflow)
    if steps is None:
        return _from_data(name, file, read_yaml(text, name=file).data)
    heads = read_yaml("".join(parts[each] for each in _SHOWN if each in parts), name=file).data
    found = heads if isinstance(heads, dict) else {}
    return _summary(name, file, found, steps=steps, kinds=set(_TYPE.findall(workflow)))


def _top_parts(text: str) -> dict[str, str]:
    """The text of each key at the left margin of a YAML file in block style."""
    begins = [(match.start(), match[1]) for match in _TOP.finditer(text)]
    ends = [start for start, _ in begins[1:]] + [len(text)] if begins else []
    return {key: text[start:end] for (start, key), end in zip(begins, ends, strict=True)}


def _children(part: str) -> int | None:
    """How many keys stand right below the head of a part; None where it is not plain block style."""
    lines = [line for line in part.splitlines()[1:] if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return None
    margin = len(lines[0]) - len(lines[0].lstrip(" "))
    own = [line for line in lines if len(line) - len(line.lstrip(" ")) == margin]
    if margin == 0 or not all(_KEY.match(line) for line in own):
        return None
    return len(own)


def _from_data(name: str, file: str, data: Any) -> Summary:
    if not isinstance(data, dict):
        raise BadInput("this is no playbook", where=file)
    workflow = data.get("workflow")
    steps = (
        [each for each in workflow.values() if isinstance(each, dict)] if isinstance(workflow, dict) else []
    )
    kinds = {str(each.get("type")) for each in steps}
    for each in steps:
        commands = each.get("commands")
        kinds |= {
            str(command.get("type"))
            for command in (commands if isinstance(commands, list) else [])
            if isinstance(command, dict)
        }
    return _summary(name, file, data, steps=len(steps), kinds=kinds)


def _summary(name: str, file: str, found: Mapping[str, Any], *, steps: int, kinds: set[str]) -> Summary:
    types = found.get("playbook_types")
    return Summary(
        name,
        file,
        _text(found.get("name")) or name,
        _text(found.get("description")),
        tuple(str(each) for each in types) if isinstance(types, list) else (),
        steps,
        tuple(each for each in (*_KINDS, "playbook-action") if each in kinds),
    )


def _text(found: object) -> Mapping[str, str] | str:
    if isinstance(found, dict):
        return {str(key): str(value) for key, value in found.items()}
    return found if isinstance(found, str) else ""
