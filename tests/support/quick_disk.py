"""A place in memory for what tests write: nothing they keep needs to survive a power cut.

The store waits for the disk after every change (`synchronous=FULL`), and PostgreSQL copies seven megabytes for every
database. In memory both take a fraction of that, and what a killed process wrote is with the kernel all the same.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_MEMORY = Path("/dev/shm")
# The whole suite leaves a gigabyte, with two workers at a time. A container often has 64 MB there.
_ROOM = 4 << 30


def quick_folder() -> Path | None:
    """A folder in memory where there is room and programs may be run from, else None: then the disk does."""
    try:
        flags = os.statvfs(_MEMORY).f_flag
        free = shutil.disk_usage(_MEMORY).free
    except OSError:
        return None
    usable = os.access(_MEMORY, os.W_OK) and not flags & os.ST_NOEXEC
    return _MEMORY if usable and min(free, _available_memory()) >= _ROOM else None


def _available_memory() -> int:
    """What the kernel could still give, in bytes; 0 where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 0)
