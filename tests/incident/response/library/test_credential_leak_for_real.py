"""The scenario of a credential leak as a workspace runs it, on a host with a real PostgreSQL, nftables and sshd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.record.dossier import load_dossier
from incident.response.undoing import start_undo
from tests.support.breaches import make_breach
from tests.support.host_postgres import ENVIRONMENT, Session, ask, serve
from tests.support.hosts import Host, fingerprint, make_key
from tests.support.networks import Talk, answers, echo, join
from tests.support.runs import Running, start
from tests.support.tools import need_tool

SCENARIO = "credential-leak"
SOON = 0.7  # seconds after which the blocked attacker gives up


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    need_tool("nft", "nftables")
    need_tool("ps", "procps")
    with Host(tmp_path / "host", accounts=("deploy",), environment=ENVIRONMENT) as host:
        yield host


def test_session_connection_and_key_of_the_attacker_work_before_not_after_and_again_once_undone(
    host: Host, tmp_path: Path
) -> None:
    serve(host)
    ask(host, "CREATE ROLE billing LOGIN")
    key = tmp_path / "attacker-key"
    lines = f"{make_key(key)}\n{make_key(tmp_path / 'other-key')}\n"
    host.let_in("deploy", lines)
    secret = tmp_path / "ssh-key"
    secret.write_bytes(host.key.read_bytes())
    secret.chmod(0o600)
    breach = make_breach(
        tmp_path / "workspace",
        measures=(),
        playbooks={
            "hosts": [f"127.0.0.1:{host.port}"],
            "known_hosts": str(host.known_hosts),
            "secrets": {"ssh-key": f"file:{secret}"},
        },
    )
    where = {f"__{each}_host__": "127.0.0.1" for each in ("database", "ssh", "firewall")}
    credentials = {
        "__role__": "billing",
        "__account__": "deploy",
        "__key_fingerprint__": fingerprint(key.with_suffix(".pub")),
        "__address__": "10.77.1.2",
        "__realm__": "none",
    }
    with Host(tmp_path / "attacker") as attacker:
        join(host, attacker)
        echo(host)
        with Session(host, "billing") as session, Talk(attacker, "10.77.1.1", patience=SOON) as connection:
            assert (session.select(7), connection.say("hello")) == ("7", "hello")
            assert host.sign_in("deploy", key).stdout == "in\n"
            run = start(
                breach,
                name=SCENARIO,
                given={**where, **credentials, "__ssh_port__": str(host.port)},
            )
            run.work()
            run.answer("triage")
            run.work()
            assert (session.select(8), connection.say("still there?")) == ("", "nothing")
        assert not answers(attacker, "10.77.1.1", patience=SOON)
        shut_out(host, key, tmp_path / "other-key")
        assert not [each for each in run.waiting() if each.endswith(("by-hand", "another-way"))]
        taken = {
            each.action
            for each in load_dossier(breach.made.store, breach.id).measures
            if each.origin == "run"
        }
        assert taken >= {
            "contain.lock-account",
            "contain.terminate-session",
            "contain.revoke-credential",
            "contain.block-ip",
        }
        store = breach.made.store
        with store.write(breach.id, kind="run.undone", actor="ana", now=breach.made.clock()) as change:
            undo = Running(breach, start_undo(change, store, run.id, reason="over")[0])
        undo.work()
        assert answers(attacker, "10.77.1.1")
    assert (host.home("deploy") / ".ssh" / "authorized_keys").read_text() == lines
    assert host.sign_in("deploy", key).stdout == "in\n"
    assert ask(host, "SELECT 1", user="billing") == "1"
    assert host.run("nft", "list", "ruleset").stdout == ""


def shut_out(host: Host, key: Path, other: Path) -> None:
    """The attacker's key and role are of no use any more; another key of the account still is."""
    assert "Permission denied" in host.sign_in("deploy", key).stderr
    assert host.sign_in("deploy", other).stdout == "in\n"
    assert ask(host, "SELECT 1", user="billing", check=False) == ""
