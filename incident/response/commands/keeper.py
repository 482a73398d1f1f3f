"""Keeps a command of this machine: whatever becomes of its worker, nothing that it started goes on unseen.

Run as a program of its own, with the standard library alone: `keeper.py ALIVE SECONDS PROGRAM ARGUMENT...`. ALIVE is
the number of a pipe's reading end whose writing end the worker alone holds. The command, and all that it started, is
ended when that pipe closes (the worker gave up, or is no more), when the seconds are over (the worker is frozen), when
this keeper is killed, and when the command itself has ended. The keeper then ends as the command did.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

GRACE_S = 2.0
"""Seconds between asking the processes to end and ending them."""
_ENDING_S = 5.0
"""Seconds in which everything is over that may be ended: another user's processes may not."""
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


def main(alive: int, seconds: float, command: list[str]) -> NoReturn:
    _linux(_SET_CHILD_SUBREAPER, 1)  # what is orphaned, in whatever session, becomes a child of ours
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, alive=alive, keeper=keeper)
    status = _wait_for(child, alive, seconds=seconds)
    if status is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGTERM)
        status = _wait_for(child, None, seconds=GRACE_S)
    left = _end_all(child)
    _end_as(left if status is None else status)


def _become(command: list[str], *, alive: int, keeper: int) -> NoReturn:
    try:
        os.setpgid(0, 0)
        _linux(_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == keeper:  # else it was killed before that word was given
            os.close(alive)
            os.execv(command[0], command)  # noqa: S606 - its arguments are the engine's own
    finally:
        os._exit(127)


def _linux(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _wait_for(child: int, alive: int | None, *, seconds: float) -> int | None:
    """How the child ended; None when its time was over first, or the worker gave it up."""
    until = time.monotonic() + seconds
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing)
    while True:
        status = _reaped(child)
        if status is not None:
            return status
        watched = [reading] if alive is None else [reading, alive]
        ready, _, _ = select.select(watched, [], [], max(until - time.monotonic(), 0))
        if not ready or alive in ready:
            return _reaped(child)
        os.read(reading, 512)


def _reaped(child: int) -> int | None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid in {child, 0}:
            return status if pid else None


def _end_all(child: int) -> int:
    """End everything below us, but for what may not be ended; how the child ended, if it had not before."""
    ended, until = 0, time.monotonic() + _ENDING_S
    while time.monotonic() < until:
        for pid in _below(os.getpid()) or [-child]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == child:
            ended = status
        if pid == 0:
            time.sleep(0.005)
    return ended


def _below(pid: int) -> list[int]:
    """The processes below one, as Linux tells; elsewhere the command's group is all that is known."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for each in (task / "children").read_text().split():
                found += [int(each), *_below(int(each))]
    return found


def _end_as(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        which = os.WTERMSIG(status)
        with contextlib.suppress(OSError):  # SIGKILL has no other way
            signal.signal(which, signal.SIG_DFL)
        os.kill(os.getpid(), which)
        time.sleep(1)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
