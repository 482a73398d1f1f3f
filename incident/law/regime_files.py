"""The regimes with the files that they come from, the shipped ones and a workspace's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from incident.errors import BadInput
from incident.law.regimes import SHIPPED, Regime, load_regime, shipped_regimes, yaml_files


@dataclass(frozen=True)
class RegimeFiles:
    """The regimes by id with the file that each came from, and what is wrong with the files that were left out."""

    regimes: Mapping[str, Regime]
    files: Mapping[str, Path]
    broken: tuple[BadInput, ...]


def regimes_that_can_be_read(folder: Path | None) -> RegimeFiles:
    """The shipped regimes and those of a workspace's own folder that are right; a wrong one replaces nothing.

    A slip in one file must not keep the facts of an incident from being recorded, nor the other laws from being
    applied.
    """
    regimes = {regime.id: regime for regime in shipped_regimes()}
    files = {regime.id: SHIPPED / f"{regime.id}.yaml" for regime in shipped_regimes()}
    broken: list[BadInput] = []
    for file in yaml_files(folder) if folder is not None and folder.is_dir() else []:
        try:
            regime = load_regime(file)
        except BadInput as error:
            broken.append(error)
            continue
        regimes[regime.id], files[regime.id] = regime, file
    return RegimeFiles({key: regimes[key] for key in sorted(regimes)}, files, tuple(broken))
