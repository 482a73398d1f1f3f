"""The definitions of SMS gateways: how each is spoken to, as data. A workspace's own come before the shipped ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from incident.errors import BadInput, NotFound
from notifiers.errors import BadGateway
from notifiers.sms_gateway.definition import GatewayDefinition, definition_of
from notifiers.sms_gateway.shipped import definitions_folder

FOLDER = "gateways"


def gateway_definition(name: str, *, root: Path) -> GatewayDefinition:
    """The definition of a gateway. Raises `NotFound`, and `BadInput` where its file cannot be used."""
    for folder in (root / FOLDER, definitions_folder()):
        if (file := folder / f"{name}.yaml").is_file():
            return read_definition(file)
    known = ", ".join(sorted({each.stem for each in files_of(root)}))
    raise NotFound(
        f"there is no gateway {name!r}; there is: {known}",
        where="sms.gateway.name in incident.toml",
        next_step=f"name one of these, or describe it in {FOLDER}/{name}.yaml (docs/sms.md)",
    )


def files_of(root: Path | None) -> Iterator[Path]:
    """The files of all gateways, each name once; without a workspace the shipped ones."""
    found: set[str] = set()
    for folder in (*([root / FOLDER] if root is not None else []), definitions_folder()):
        for file in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
            if file.stem not in found:
                found.add(file.stem)
                yield file


def read_definition(file: Path) -> GatewayDefinition:
    """Raises `BadInput` saying where in the file what is wrong."""
    tree = _read_yaml(file)
    try:
        definition = definition_of(tree)
    except BadGateway as error:
        raise BadInput(str(error), where=str(file)) from None
    if definition.name != file.stem:
        raise BadInput(
            f"name: the file is called {file.stem}, its gateway {definition.name}", where=str(file)
        )
    return definition


def _read_yaml(file: Path) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadInput("this is not YAML", where=f"{file}{line}") from None
    except (YAMLError, RecursionError, ValueError):
        raise BadInput("this is not YAML in UTF-8", where=str(file)) from None
