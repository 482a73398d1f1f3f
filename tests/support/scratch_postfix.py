"""A Postfix of its own: queue, settings and log in one scratch folder, all ports on loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.relays import LOOPBACK, free_port, wait_for_port
from tests.support.tools import need_tool

_QUEUES = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "saved", "trace"]
_SERVICES = """\
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
_SETTINGS = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = mta.example.com
mydestination =
local_recipient_maps =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_dns_support_level = disabled
smtp_tls_security_level = none
smtpd_peername_lookup = no
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 5s
"""


@dataclass(frozen=True)
class Postfix:
    """A running Postfix, called mta.example.com."""

    port: int
    folder: Path

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text("utf-8") if path.exists() else ""


@contextmanager
def scratch_postfix(settings: Mapping[str, str]) -> Iterator[Postfix]:
    """Postfix with these settings of main.cf beside its own.

    In them `{folder}` is its scratch folder, `{uid}` and `{gid}` are those of the user that its daemons run as.
    """
    postconf = need_tool("postconf", "postfix")
    if os.geteuid() != 0:
        pytest.skip("Postfix starts as root only")
    # Its daemons run as another user, and pytest's own temporary folders are closed to others.
    folder = Path(tempfile.mkdtemp(prefix="scratch-postfix-"))
    try:
        port = free_port()
        _lay_out(folder, port, settings)
        process = subprocess.Popen(
            [_daemons(postconf) / "master", "-c", folder / "etc", "-d"],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for_port(port, process)
            yield Postfix(port, folder)
        finally:
            process.terminate()
            process.wait(timeout=10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _daemons(postconf: str) -> Path:
    told = subprocess.run(
        [postconf, "-d", "-h", "daemon_directory"], capture_output=True, check=True, text=True
    )
    return Path(told.stdout.strip())


def _lay_out(folder: Path, port: int, settings: Mapping[str, str]) -> None:
    owner = pwd.getpwnam("postfix")
    folder.chmod(0o755)
    for name in ("etc", "queue", "queue/pid"):
        (folder / name).mkdir(mode=0o755)
    for name in ("data", "boxes", *(f"queue/{each}" for each in (*_QUEUES, "private", "public", "maildrop"))):
        (folder / name).mkdir(mode=0o700)
        os.chown(folder / name, owner.pw_uid, owner.pw_gid)
    (folder / "etc/master.cf").write_text(_SERVICES.format(port=f"{LOOPBACK}:{port}"), "ascii")
    text = _SETTINGS + "".join(f"{name} = {value}\n" for name, value in settings.items())
    for name, value in {"folder": folder, "uid": owner.pw_uid, "gid": owner.pw_gid}.items():
        text = text.replace(f"{{{name}}}", str(value))
    (folder / "etc/main.cf").write_text(text, "ascii")
