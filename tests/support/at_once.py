"""Doing things at the same moment, each on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def at_once(*calls: Callable[[], T]) -> Sequence[T | Exception]:
    """Call all of them together; returns what each returned or raised, in their order."""
    start = threading.Barrier(len(calls))

    def begin(call: Callable[[], T]) -> T | Exception:
        start.wait(10)
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls))
