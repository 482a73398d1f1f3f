"""A worker in a process of its own that stops dead at a window, so that its test kills it there and nowhere else.

The process says on a file descriptor where it stands and stops itself as SIGSTOP does, with all its threads; whoever
started it kills it. Modules beside this one (`stopping_*`) say which windows there are and how they are found.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import wait

from tests.support.working_process import REPOSITORY

_LATEST = 60.0


class StoppingProcess:
    """`python -m MODULE WORD... FD`, from the outside."""

    def __init__(self, module: str, *words: str, quiet: bool = False) -> None:
        reading, writing = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *words, str(writing)],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            pass_fds=(writing,),
            stderr=subprocess.DEVNULL if quiet else None,
        )
        os.close(writing)
        self._reading = reading

    def stopped(self) -> bytes:
        """Wait until it has stopped, every thread of it; returns what it said of where it stands."""
        try:
            ready = wait([self._reading], _LATEST)
            said = os.read(self._reading, 1 << 16) if ready else b""
            assert said, "the worker never came to its window"
        finally:
            os.close(self._reading)
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "the worker did not stop but end"
        return said


def stop_once(told: int) -> Callable[[bytes], None]:
    """In the process: what to call where it is to stop. The first call says on `told` what it is given, and stops."""
    once = threading.Lock()

    def stop(said: bytes) -> None:
        if once.acquire(blocking=False):
            os.write(told, said)
            # This thread first: a signal to the process would let it go on for a moment.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    return stop
