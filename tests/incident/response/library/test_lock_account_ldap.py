"""The part that locks an account in a directory, on a real slapd with the overlay ppolicy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.response.events import Outcome
from tests.support.hosts import Host
from tests.support.parts import on_host
from tests.support.slapd import SOCKET, SUFFIX, account, binds, serve
from tests.support.tools import need_tool

PART = "lock-account-ldap"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    need_tool("ldapmodify", "ldap-utils")
    with Host(tmp_path / "host", environment={"LDAPURI": SOCKET}) as host:
        yield host


def test_the_account_binds_before_not_after_and_again_once_undone(host: Host) -> None:
    serve(host, uids=("eve", "ann"))
    carry = on_host(host, PART)
    assert binds(host, "eve")
    first = carry(__account_dn__=account("eve"))
    assert (first.outcome, first.asked) == (Outcome.succeeded, [])
    assert (first.measures(), first.verified()) == (["contain.lock-account"], {"lock"})
    assert not binds(host, "eve")
    assert binds(host, "ann")
    second = carry(__account_dn__=account("eve"))
    assert (second.outcome, second.values["__locked_before__"]) == (Outcome.succeeded, "000001010000Z")
    assert all(each.success for each in second.undo())
    assert not binds(host, "eve")
    assert all(each.success for each in [*first.undo(), *first.undo()])
    assert binds(host, "eve")


def test_a_lock_that_has_no_effect_is_never_called_verified(host: Host) -> None:
    serve(host, uids=("eve",), lockout=False)
    done = on_host(host, PART)(__account_dn__=account("eve"))
    assert (done.outcome, done.asked, done.verified()) == (Outcome.failed, ["by-hand"], set())
    assert "a lock has no effect" in done.said["verify"][-1].detail


def test_a_hostile_name_does_nothing_but_fail(host: Host) -> None:
    serve(host, uids=("eve", "ann"))
    carry = on_host(host, PART)
    for hostile in (
        f"{account('eve')}\nchangetype: delete\n\ndn: {account('ann')}",
        f"$(touch /run/owned)'\"; touch /run/owned; ,{SUFFIX}",
        SUFFIX,
        f"cn=policy,{SUFFIX}",
        "",
    ):
        assert carry(__account_dn__=hostile).outcome is Outcome.failed, hostile
    assert binds(host, "eve") and binds(host, "ann")
    assert not (host.root / "run" / "owned").exists()
