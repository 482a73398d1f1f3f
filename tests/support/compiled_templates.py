"""Templates are compiled once a run of the tests, not once a workspace.

Every workspace has an environment of its own, since its own copies win; what it compiles of the shipped templates is
the same for all, and takes longer than the release of a notice itself.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from types import CodeType

from jinja2.bccache import Bucket, BytecodeCache
from jinja2.sandbox import SandboxedEnvironment


class _Compiled(BytecodeCache):
    """Code by the place and the text of its template, in memory."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._code[bucket.key, bucket.checksum] = bucket.code


def compile_templates_once() -> None:
    """From now on, in this process."""
    from incident.notice import templates

    make, compiled = templates._environment, _Compiled()

    @lru_cache(maxsize=16)
    def environment(folders: tuple[Path, ...]) -> SandboxedEnvironment:
        made = make(folders)
        made.bytecode_cache = compiled
        return made

    templates._environment = environment
