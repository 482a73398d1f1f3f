import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incident.response.commands.going_out import GoingOut, host_rule
from incident.response.commands.prepared import Call
from incident.response.commands.result import Ending, Result
from incident.response.commands.ssh import carry_out
from incident.response.model import AgentTarget, Authentication, Command
from tests.support.sshd import Sshd, sshd

KEY = "ssh-key"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as found:
        yield found


def run(
    server: Sshd,
    script: str,
    values: dict[str, str | None] | None = None,
    *,
    known_hosts: Path | None = None,
    timeout_s: float = 20,
    secret: str | None = None,
    user: str = "",
    **signing_in: Any,
) -> Result:
    host = AgentTarget(type="ssh", name="host", address={"ipv4": [server.host]}, port=str(server.port))
    by = {"kms": True, "kms_key_identifier": KEY} if secret is not None or not signing_in else {}
    call = Call(
        Command(type="ssh", command=script),
        host,
        values or {},
        {},
        timeout_s=timeout_s,
        idempotency_key="R-3",
        authentication=Authentication(type="user-auth", username=user or server.user, **{**by, **signing_in}),
        resolve_secret={KEY: server.key.read_text().rstrip() if secret is None else secret}.__getitem__,
    )
    rules = GoingOut(hosts=(host_rule(server.host),), known_hosts=known_hosts or server.known_hosts)
    return asyncio.run(carry_out(call, rules))


def test_a_command_runs_there_with_its_values(server: Sshd) -> None:
    result = run(server, "printf '%s|' __who__:value; id -un", {"__who__": "a'; touch /tmp/x #"})
    assert (result.ending, result.status) == (Ending.done, 0), result.detail
    assert result.body.decode() == f"a'; touch /tmp/x #|{server.user}\n"


def test_the_openssh_client_is_let_in_too(server: Sshd) -> None:
    assert server.sign_in("echo here").stdout == b"here\n"
