"""The parts where the account that signs in is not root, but may use sudo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.response.events import Outcome
from tests.support import slapd
from tests.support.hosts import Host, fingerprint, make_key
from tests.support.parts import Carried, on_host
from tests.support.tools import need_tool
from tests.support.web import get, haproxy, nginx


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    environment = {"LDAPURI": slapd.SOCKET}
    with Host(tmp_path / "host", accounts=("deploy",), environment=environment, sudo=True) as host:
        assert host.sign_in("tocsin", host.key, "id -u").stdout != "0\n"
        yield host


def undone(done: Carried) -> bool:
    return [each.success for each in done.undo()] == [True]


def test_an_address_is_blocked_and_a_key_removed(host: Host, tmp_path: Path) -> None:
    need_tool("nft", "nftables")
    need_tool("ps", "procps")
    blocked = on_host(host, "block-address-nftables")(__address__="192.0.2.9")
    assert blocked.outcome is Outcome.succeeded
    assert "192.0.2.9" in host.run("nft", "list", "ruleset").stdout
    assert undone(blocked)
    assert host.run("nft", "list", "ruleset").stdout == ""
    line = make_key(tmp_path / "key") + "\n"
    host.let_in("deploy", line)
    about = {"__account__": "deploy", "__key_fingerprint__": fingerprint(tmp_path / "key.pub")}
    removed = on_host(host, "remove-ssh-key")(**about)
    file = host.home("deploy") / ".ssh" / "authorized_keys"
    assert (removed.outcome, file.read_text()) == (Outcome.succeeded, "")
    assert undone(removed)
    assert host.sign_in("deploy", tmp_path / "key").stdout == "in\n"


def test_an_account_is_locked(host: Host) -> None:
    slapd.serve(host, uids=("eve",))
    locked = on_host(host, "lock-account-ldap")(__account_dn__=slapd.account("eve"))
    assert (locked.outcome, slapd.binds(host, "eve")) == (Outcome.succeeded, False)
    assert undone(locked)
    assert slapd.binds(host, "eve")


@pytest.mark.parametrize("server", ["nginx", "haproxy"])
def test_an_endpoint_is_closed_and_throttled(server: str, host: Host) -> None:
    (nginx if server == "nginx" else haproxy)(host)
    throttled = on_host(host, f"throttle-api-{server}")(__endpoint__="/api/slow")
    assert throttled.outcome is Outcome.succeeded
    assert undone(throttled)
    closed = on_host(host, f"disable-endpoint-{server}")(__endpoint__="/api/off")
    assert (closed.outcome, get(host, "/api/off"), get(host, "/api/on")) == (Outcome.succeeded, 503, 200)
    assert undone(closed)
