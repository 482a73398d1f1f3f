"""The definitions that come with this package."""

from __future__ import annotations

from pathlib import Path


def definitions_folder() -> Path:
    """The folder of the shipped definitions, one YAML file a gateway. Whoever reads one has a YAML reader of its own,
    and gives what it read to `definition_of`."""
    return Path(__file__).parent / "gateways"
