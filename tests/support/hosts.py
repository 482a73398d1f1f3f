"""A host for tests that is administered by ssh: its own network, users, /run, /home and /etc/ssh, on this machine.

It is made of namespaces, so nothing of it is seen outside, and it takes root to make one. Its sshd is the real one and
is reached over loopback: each connection is handed to an sshd of its own inside (`sshd -i`).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.support.openssh import keygen
from tests.support.tools import need_tool

ADMIN = "tocsin"
_FIRST_UID = 61_000
_CONFIG = """
HostKey {folder}/host_key
AuthorizedKeysFile .ssh/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes yes
UsePAM no
{environment}
"""
_PATIENCE_SECONDS = 20


def make_key(path: Path, comment: str = "") -> str:
    """A fresh key without a passphrase; returns its public line."""
    made = keygen("-q", "-t", "ed25519", "-N", "", "-C", comment or path.name, "-f", path)
    assert made.returncode == 0, made.stderr.decode()
    return path.with_name(f"{path.name}.pub").read_text().strip()


def fingerprint(public: Path) -> str:
    """The SHA256 fingerprint of a public key's file."""
    return keygen("-lf", public).stdout.decode().split()[1]


class Host:
    """`accounts` beside the administrator, who may do everything; `environment` is what commands find there.

    `network`: a network of its own, with loopback only at first; else this machine's. `sudo`: the administrator is
    not root there, but may use sudo without a password.
    """

    def __init__(
        self,
        folder: Path,
        *,
        accounts: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        network: bool = True,
        sudo: bool = False,
    ) -> None:
        if os.geteuid() != 0:
            pytest.skip("namespaces take root")
        self.folder = folder
        folder.mkdir(parents=True)
        self._sshd = need_tool("sshd", "openssh-server")
        self._nsenter = need_tool("nsenter", "util-linux")
        self._sudo = sudo and bool(need_tool("sudo", "sudo"))
        self._write_files(accounts, environment or {})
        make_key(folder / "host_key")
        self.key = folder / "admin_key"
        self._admin_public = make_key(self.key)
        self._holder = self._hold(network)
        self.pid = self._inner_pid()
        self.enter = [self._nsenter, "-t", str(self.pid), "-m", "-p", *(["-n"] if network else [])]
        self._homes(accounts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._serving: list[subprocess.Popen[bytes]] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.known_hosts = folder / "known_hosts"
        public = (folder / "host_key.pub").read_text().strip()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        # The first process in there ends with it, and all others with that.
        self._holder.send_signal(signal.SIGKILL)
        self._holder.wait()
        for each in self._serving:
            each.wait(_PATIENCE_SECONDS)

    @property
    def root(self) -> Path:
        """The host's files, as seen from here."""
        return Path(f"/proc/{self.pid}/root")

    def home(self, account: str) -> Path:
        return self.root / "home" / account

    def run(
        self, *command: str | Path, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there as root, not by ssh."""
        done = subprocess.run(
            [*self.enter, *map(str, command)], input=stdin, capture_output=True, text=True, timeout=60
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def start(self, *command: str | Path, **options: object) -> subprocess.Popen[bytes]:
        """Start a command there as root; it ends with the host."""
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [*self.enter, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
            **options,  # type: ignore[call-overload]
        )
        self._serving.append(process)
        return process

    def let_in(self, account: str, lines: str) -> None:
        """Write an account's authorized_keys."""
        file = self.home(account) / ".ssh" / "authorized_keys"
        file.write_text(lines)
        self.run("chown", "-R", f"{account}:", f"/home/{account}")
        file.chmod(0o600)

    def sign_in(self, account: str, key: Path, command: str = "echo in") -> subprocess.CompletedProcess[str]:
        """Sign in as somebody would from elsewhere, with ssh."""
        return subprocess.run(
            self.ssh_command(account, key, command), capture_output=True, text=True, timeout=30, check=False
        )

    def ssh_command(self, account: str, key: Path, command: str) -> list[str]:
        tool = need_tool("ssh", "openssh-client")
        options = [
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={self.known_hosts}",
        ]
        given = [word for each in options for word in ("-o", each)]
        where = ["-p", str(self.port), "-i", str(key), f"{account}@127.0.0.1"]
        return [tool, "-F", "/dev/null", *given, *where, command]

    def _write_files(self, accounts: Sequence[str], environment: Mapping[str, str]) -> None:
        uid = _FIRST_UID - 1 if self._sudo else 0
        rows = ["root:x:0:0::/root:/bin/sh", f"{ADMIN}:x:{uid}:{uid}::/home/{ADMIN}:/bin/sh"]
        rows += ["sshd:x:60996:60996::/run/sshd:/usr/sbin/nologin", "nobody:x:65534:65534::/:/bin/false"]
        rows += ["www-data:x:33:33::/:/bin/false", "haproxy:x:60998:60998::/:/bin/false"]
        rows += ["openldap:x:60997:60997::/:/bin/false"]
        rows += [
            f"{each}:x:{_FIRST_UID + n}:{_FIRST_UID + n}::/home/{each}:/bin/sh"
            for n, each in enumerate(accounts)
        ]
        (self.folder / "passwd").write_text("".join(f"{row}\n" for row in rows))
        names = [row.split(":") for row in rows]
        groups = {gid: name for name, _, _, gid, *_ in reversed(names)} | {"65534": "nogroup"}
        (self.folder / "group").write_text("".join(f"{name}:x:{gid}:\n" for gid, name in groups.items()))
        (self.folder / "shadow").write_text("".join(f"{row[0]}:*:19000:0:99999:7:::\n" for row in names))
        given = "".join(f"SetEnv {name}={value}\n" for name, value in environment.items())
        # sshd takes the first SetEnv only.
        if environment:
            given = "SetEnv " + " ".join(f"{name}={value}" for name, value in environment.items())
        (self.folder / "sshd_config").write_text(_CONFIG.format(folder=self.folder, environment=given))
        (self.folder / "sudoers").write_text(f"{ADMIN} ALL=(ALL:ALL) NOPASSWD: ALL\n")
        (self.folder / "sudoers").chmod(0o440)
        for each in ("passwd", "group"):
            (self.folder / each).chmod(0o644)

    def _hold(self, network: bool) -> subprocess.Popen[bytes]:
        folder = self.folder
        setup = [
            "set -e",
            *(f"mount --bind {folder}/{each} /etc/{each}" for each in ("passwd", "group", "shadow")),
            f"mount --bind {folder}/sshd_config /etc/ssh/sshd_config",
            *([f"mount --bind {folder}/sudoers /etc/sudoers"] if self._sudo else []),
            "mount -t tmpfs tmpfs /run",
            "mkdir -m 755 /run/sshd",
            "mount -t tmpfs -o mode=755 tmpfs /home",
            *(["ip link set lo up"] if network else []),
            f"touch {folder}/ready",
            "exec sleep infinity",
        ]
        setpriv = shutil.which("setpriv")
        ends_with_us = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
        unshare = [need_tool("unshare", "util-linux"), "--mount", "--pid", "--fork", "--kill-child"]
        return subprocess.Popen(
            [
                *ends_with_us,
                *unshare,
                "--mount-proc",
                *(["--net"] if network else []),
                "sh",
                "-c",
                "\n".join(setup),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(folder / "log").open("ab"),
        )

    def _inner_pid(self) -> int:
        until = time.monotonic() + _PATIENCE_SECONDS
        while not (self.folder / "ready").exists():
            ended = self._holder.poll() is not None
            assert not ended and time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.005)
        return int(Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()[0])

    def _homes(self, accounts: Sequence[str]) -> None:
        for each in (ADMIN, *accounts):
            (self.home(each) / ".ssh").mkdir(parents=True, mode=0o700)
            self.let_in(each, f"{self._admin_public}\n" if each == ADMIN else "")

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, (self.folder / "log").open("ab") as log:
                words, there = [*self.enter, self._sshd, "-i", "-e"], connection.fileno()
                self._serving.append(subprocess.Popen(words, stdin=there, stdout=there, stderr=log))
