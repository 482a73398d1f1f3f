"""A machine of its own for units: systemd as process 1 of its own namespaces, over a scratch layer of this machine.

Nothing of this machine's own services is started in it, and what is written in it is gone with it. It shares the
network, so that relays and databases of a test are reached on loopback. Needs root on Linux; where namespaces or
layered file systems are not allowed the test is skipped.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.tools import need_tool

ROOT = Path(__file__).parents[2]
_SYSTEMD = Path("/lib/systemd/systemd")
_TARGET = "tocsin-test.target"
_PATIENCE_SECONDS = 60
_CGROUPS = Path("/sys/fs/cgroup")
# Capabilities with which it would reach beyond its namespaces: the clock, modules, the kernel's log, audit.
_TOO_MUCH = "-sys_time,-sys_module,-sys_rawio,-syslog,-sys_boot,-audit_control,-audit_read"

_JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"'

_BOOT = r"""
set -eu
stage=$1 python=$2 packages=$3 checkout=$4
mount -t tmpfs -o mode=755 tmpfs "$stage"
mkdir "$stage/upper" "$stage/work" "$stage/top"
mount -t overlay overlay -o "lowerdir=/,upperdir=$stage/upper,workdir=$stage/work" "$stage/top"
cd "$stage/top"
for folder in proc sys run tmp dev; do mkdir -p $folder; done
mount -t proc proc proc
mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
for folder in run tmp; do mount -t tmpfs -o mode=1777 tmpfs $folder; done
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
for node in null zero full random urandom tty; do touch dev/$node; mount --bind /dev/$node dev/$node; done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  hierarchy=systemd.unified_cgroup_hierarchy=1
else
  mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
  for kind in memory pids; do
    mkdir sys/fs/cgroup/$kind && mount -t cgroup -o $kind cgroup sys/fs/cgroup/$kind
  done
  mkdir sys/fs/cgroup/systemd && mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
  hierarchy=systemd.unified_cgroup_hierarchy=0
fi

# Nothing of this machine's own is started: only the journal, and what a test starts.
rm -rf etc/systemd/system lib/systemd/system/*.wants lib/systemd/system-generators etc/systemd/system-generators
mkdir -p etc/systemd/system var/log/journal
: >etc/fstab
cat >etc/systemd/system/$5 <<END
[Unit]
Wants=systemd-journald.service
After=systemd-journald.service
AllowIsolate=yes
END

# What the guide installs with pip, from where this test runs.
mkdir -p opt/tocsin/bin opt/tocsin/python opt/tocsin/packages opt/tocsin/checkout
mount --bind "$python" opt/tocsin/python
mount --bind "$packages" opt/tocsin/packages
mount --bind "$checkout" opt/tocsin/checkout
cat >opt/tocsin/bin/incident <<'END'
#!/bin/sh
export LD_LIBRARY_PATH=/opt/tocsin/python/lib PYTHONPATH=/opt/tocsin/checkout:/opt/tocsin/packages
export PYTHONDONTWRITEBYTECODE=1
exec /opt/tocsin/python/bin/python3 -m incident.cli.main "$@"
END
chmod 755 opt/tocsin/bin/incident

mkdir -p old
pivot_root . old
umount -l /old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin setpriv "--bounding-set=$6" \
  /lib/systemd/systemd --show-status=false --log-target=console --log-level=warning $hierarchy --unit=$5
"""


class Machine:
    """A running systemd. Use as a context manager; `run` runs a program in it as root."""

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("systemd as process 1 of a namespace needs root")
        need_tool("systemctl", "systemd")
        self._unshare, self._enter = need_tool("unshare", "util-linux"), need_tool("nsenter", "util-linux")
        self._stage = folder / "stage"
        self._stage.mkdir()
        self._log = folder / "systemd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._first = 0
        self._cgroups: list[Path] = []

    def __enter__(self) -> Machine:
        self._cgroups = _own_cgroups()
        words = [self._unshare, "--pid", "--fork", "--mount", "--uts", "--ipc", "--cgroup", "--kill-child"]
        boot = ["bash", "-c", _BOOT, "boot", str(self._stage), *_what_runs_here(), _TARGET, _TOO_MUCH]
        join = ["bash", "-euc", _JOIN, "join", *map(str, self._cgroups), "--"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*join, *words, "--", *boot], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._await_its_start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            # With its process 1 a namespace ends, and all that runs in it.
            self._process.kill()
            self._process.wait()
        until = time.monotonic() + 10
        while self._cgroups and time.monotonic() < until:
            self._cgroups = [each for each in self._cgroups if not _removed(each)]
            time.sleep(0.05)

    def run(self, *words: str | Path, check: bool = True) -> str:
        """Run a program in the machine; returns what it printed. Unless `check` is off it must succeed."""
        enter = (self._enter, "-t", str(self._first), "-m", "-u", "-i", "-p", "-C", "--")
        bare = ("env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8")
        done = subprocess.run(
            [*enter, *bare, *map(str, words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout if check else done.stdout + done.stderr

    def shell(self, lines: str) -> str:
        """Run lines of a guide, as root, from the checkout; the first that fails ends it."""
        return self.run("sh", "-euc", f"cd /opt/tocsin/checkout\n{lines}")

    def path(self, inside: str) -> Path:
        """Where a path of the machine is reached from outside."""
        return Path(f"/proc/{self._first}/root") / inside.lstrip("/")

    def shows(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit."""
        told = self.run("systemctl", "show", unit, *(f"--property={name}" for name in names))
        return dict(line.split("=", 1) for line in told.splitlines())

    def main_pid(self, unit: str) -> int:
        """The unit's main process by its number in the machine; 0 without one."""
        return int(self.shows(unit, "MainPID")["MainPID"])

    def journal(self, unit: str) -> str:
        """What a unit wrote."""
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")

    def _await_its_start(self) -> None:
        assert self._process is not None
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
            self._first = int((children.read_text().split() or ["0"])[0])
            if self._first and self._is_up():
                return
            time.sleep(0.1)
        words = self._log.read_text(errors="replace").strip()[-800:]
        pytest.skip(f"no systemd of its own can be started on this machine: {words}")

    def _is_up(self) -> bool:
        if Path(f"/proc/{self._first}/comm").read_text().strip() != "systemd":
            return False
        return self.run("systemctl", "is-active", _TARGET, check=False).strip() == "active"


def wait_until(condition: Callable[[], Any], *, seconds: float = 60) -> None:
    """Wait for it; fails when it does not come about."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def _what_runs_here() -> tuple[str, str, str]:
    return sys.base_prefix, sysconfig.get_path("purelib"), str(ROOT)


def _own_cgroups() -> list[Path]:
    """A new group below ours in each hierarchy, so that what limits us limits the machine too."""
    made = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        parent = _CGROUPS / kinds.removeprefix("name=") / path.lstrip("/")
        if not (parent / "cgroup.procs").exists():
            continue
        group = parent / f"tocsin-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError as error:
            pytest.skip(f"no control group can be made on this machine: {error.strerror}")
        if "cpuset" in kinds.split(","):
            for name in ("cpuset.cpus", "cpuset.mems"):
                (group / name).write_text((parent / name).read_text())
        made.append(group)
    return made


def _removed(group: Path) -> bool:
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            Path(folder).rmdir()
        except OSError:
            return False
    return True


def kill(machine: Machine, unit: str, number: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal to a unit's main process; returns the number that it had."""
    pid = machine.main_pid(unit)
    assert pid
    machine.run("kill", f"-{number.value}", str(pid))
    return pid
