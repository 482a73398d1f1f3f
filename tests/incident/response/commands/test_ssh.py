import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from incident.hosts import host_rule
from incident.response.commands.going_out import GoingOut
from incident.response.commands.prepared import Call
from incident.response.commands.result import BODY_PREFIX, Ending, Result
from incident.response.commands.ssh import carry_out
from incident.response.model import AgentTarget, Authentication, Command
from tests.support.openssh import keygen, ssh_agent
from tests.support.sshd import Sshd, make_key, sshd

KEY = "ssh-key"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as found:
        yield found


def called(
    server: Sshd,
    script: str,
    values: dict[str, str | None] | None = None,
    *,
    secret: str | None = None,
    timeout_s: float = 20,
    address: dict[str, list[str]] | None = None,
    port: int = 0,
    **signing_in: Any,
) -> Call:
    """By default the server's own key signs in; `secret` is another, and `kms=False` names none."""
    host = AgentTarget(
        type="ssh",
        name="host",
        address=address or {"ipv4": [server.host]},
        port=str(port or server.port),
    )
    by = {"username": server.user, "kms": True, "kms_key_identifier": KEY} | signing_in
    if not by["kms"]:
        by["kms_key_identifier"] = None
    return Call(
        Command(type="ssh", command=script),
        host,
        values or {},
        {},
        timeout_s=timeout_s,
        idempotency_key="R-3",
        authentication=Authentication.model_validate({"type": "user-auth", **by}),
        resolve_secret={KEY: server.key.read_text().rstrip() if secret is None else secret}.__getitem__,
    )


def run(
    server: Sshd,
    script: str,
    values: dict[str, str | None] | None = None,
    *,
    known_hosts: Path | None = None,
    **more: Any,
) -> Result:
    hosts = tuple(host_rule(each) for each in ("127.0.0.1", "::1", "localhost"))
    rules = GoingOut(hosts=hosts, known_hosts=known_hosts or server.known_hosts)
    return carry_out(called(server, script, values, **more), rules)


def known(folder: Path, text: str) -> Path:
    path = folder / "known_hosts"
    path.write_text(text)
    return path


# -- what is sent ----------------------------------------------------------------------------------------


def test_a_command_runs_there_with_its_values(server: Sshd) -> None:
    result = run(server, "printf '%s|' __who__:value; id -un", {"__who__": "a'; touch /tmp/x #"})
    assert (result.ending, result.status) == (Ending.done, 0), result.detail
    assert result.body.decode() == f"a'; touch /tmp/x #|{server.user}\n"


def test_the_openssh_client_is_let_in_too(server: Sshd) -> None:
    assert server.sign_in("echo here").stdout == b"here\n"


def test_another_exit_status_is_a_no_with_the_last_line_of_the_errors(server: Sshd) -> None:
    result = run(server, "echo first >&2; echo 'no such user' >&2; exit 7")
    assert (result.ending, result.status, result.detail) == (
        Ending.answered_no,
        7,
        "exit status 7: no such user",
    )


def test_the_name_to_sign_in_as_may_be_a_variable(server: Sshd) -> None:
    result = run(server, "id -un", {"__user__": server.user}, username="__user__:value")
    assert result.body.decode().strip() == server.user, result.detail


def test_a_host_that_takes_it_is_given_the_key_of_the_call() -> None:
    with sshd(settings="AcceptEnv IDEMPOTENCY_KEY") as server:
        assert run(server, 'echo "$IDEMPOTENCY_KEY"').body == b"R-3\n"


def test_only_the_beginning_of_a_large_answer_is_kept(server: Sshd) -> None:
    result = run(server, "head -c 3000000 /dev/zero | tr '\\0' x; echo e >&2")
    assert (result.ending, result.body) == (Ending.done, b"x" * BODY_PREFIX)


def test_a_command_waits_for_no_input(server: Sshd) -> None:
    assert run(server, "cat; echo over").body == b"over\n"


def test_an_ipv6_address_may_come_from_a_variable() -> None:
    with sshd(host="::1") as server:
        result = run(server, "echo here", {"__ip__": "::1"}, address={"ipv6": ["__ip__:value"]})
    assert result.body == b"here\n", result.detail


def test_nothing_of_a_call_is_logged(server: Sshd, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        assert run(server, "echo __who__:value", {"__who__": "13977001122"}).success
    assert "13977001122" not in caplog.text


# -- known hosts -----------------------------------------------------------------------------------------


def test_a_host_that_nobody_knows_is_not_spoken_to(server: Sshd, tmp_path: Path) -> None:
    result = run(server, "true", known_hosts=known(tmp_path, ""))
    assert result.ending is Ending.not_sent
    assert "not in the file of known hosts" in result.detail


def test_a_host_whose_key_has_changed_is_not_spoken_to(server: Sshd, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    result = run(server, "true", known_hosts=known(tmp_path, f"[{server.host}]:{server.port} {other}\n"))
    assert result.ending is Ending.not_sent
    assert "another machine answers, or the key was changed" in result.detail


def test_a_key_that_was_revoked_is_not_trusted(server: Sshd, tmp_path: Path) -> None:
    line = server.known_as(server.host)
    assert (
        run(server, "true", known_hosts=known(tmp_path, f"{line}@revoked {line}")).ending is Ending.not_sent
    )


def test_the_key_of_another_port_is_not_taken_for_this_one(server: Sshd, tmp_path: Path) -> None:
    line = server.known_as(server.host).replace(f":{server.port} ", ":4 ")
    assert run(server, "true", known_hosts=known(tmp_path, line)).ending is Ending.not_sent


def test_a_hashed_file_of_known_hosts_is_read(server: Sshd, tmp_path: Path) -> None:
    file = known(tmp_path, server.known_as(server.host))
    assert keygen("-H", "-f", file).returncode == 0
    assert server.host not in file.read_text()
    assert run(server, "true", known_hosts=file).ending is Ending.done


@pytest.mark.parametrize("text", [None, "one-word\n", "@strange host ssh-ed25519 AAAA\n", "|2|a|b KEY\n"])
def test_a_file_of_known_hosts_that_cannot_be_read_stops_the_call(
    server: Sshd, tmp_path: Path, text: str | None
) -> None:
    key = server.known_as(server.host).partition(" ")[2]
    file = tmp_path / "missing" if text is None else known(tmp_path, text.replace("KEY", key))
    result = run(server, "true", known_hosts=file)
    assert result.ending is Ending.not_sent
    assert f"the file of known hosts {file} cannot be read" in result.detail


# -- signing in ------------------------------------------------------------------------------------------


def test_a_key_that_the_host_does_not_know_is_not_let_in(server: Sshd, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    result = run(server, "true", secret=(tmp_path / "other").read_text())
    assert (result.ending, result.detail) == (
        Ending.not_sent,
        f"the host did not let “{server.user}” in",
    )


def test_a_key_with_a_passphrase_and_a_broken_one_are_refused_without_a_word_of_them(
    server: Sshd, tmp_path: Path
) -> None:
    assert keygen("-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "locked").returncode == 0
    for secret in ((tmp_path / "locked").read_text(), "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n"):
        result = run(server, "true", secret=secret)
        assert (result.ending, result.detail) == (
            Ending.not_sent,
            f"the secret {KEY} is no private key without a passphrase",
        )


def test_the_agent_signs_in_where_no_secret_is_named(
    server: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes(server.key.read_bytes())  # never taken by itself
    (tmp_path / ".ssh" / "id_ed25519").chmod(0o600)
    with ssh_agent() as environment:
        monkeypatch.setenv("SSH_AUTH_SOCK", environment["SSH_AUTH_SOCK"])
        assert "holds no key" in run(server, "true", kms=False).detail
    with ssh_agent(server.key) as environment:
        monkeypatch.setenv("SSH_AUTH_SOCK", environment["SSH_AUTH_SOCK"])
        assert run(server, "true", kms=False).ending is Ending.done
    assert "no ssh-agent is here" in run(server, "true", kms=False).detail  # its socket is gone
    monkeypatch.delenv("SSH_AUTH_SOCK")
    result = run(server, "true", kms=False)
    assert (result.ending, "no ssh-agent is here" in result.detail) == (Ending.not_sent, True)


class Door(asyncssh.SSHServer):
    """Lets one user in by a password. A sshd would need an account with a password on this machine."""

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("ops", "s3cret")


class Deaf(Door):
    """Lets people in and takes no command."""

    def session_requested(self) -> asyncssh.SSHServerSession[str]:
        return asyncssh.SSHServerSession()


def run_it(process: asyncssh.SSHServerProcess[str]) -> None:
    process.stdout.write(f"ran {process.command}")
    process.exit(0)


def by_password(
    folder: Path,
    secret: str,
    *,
    door: type[Door] = Door,
    answer: Callable[[asyncssh.SSHServerProcess[str]], Any] | None = run_it,
    timeout_s: float = 20,
) -> Result:

    async def exchange() -> Result:
        key = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.create_server(
            door, "127.0.0.1", 0, server_host_keys=[key], process_factory=answer
        )
        port = server.get_port()
        line = f"[127.0.0.1]:{port} {key.export_public_key().decode()}"
        rules = GoingOut(hosts=(host_rule("127.0.0.1"),), known_hosts=known(folder, line))
        signing_in = {
            "type": "user-auth",
            "username": "ops",
            "kms": True,
            "kms_key_identifier": "ops-password",
        }
        call = Call(
            Command(type="ssh", command="true"),
            AgentTarget(type="ssh", name="host", address={"ipv4": ["127.0.0.1"]}, port=str(port)),
            {},
            {},
            timeout_s=timeout_s,
            idempotency_key="R-3",
            authentication=Authentication.model_validate(signing_in),
            resolve_secret={"ops-password": secret}.__getitem__,
        )
        async with server:
            result = await asyncio.to_thread(carry_out, call, rules)
        return result

    return asyncio.run(exchange())


def test_a_password_signs_in(tmp_path: Path) -> None:
    right = by_password(tmp_path, "s3cret")
    assert (right.ending, right.body) == (Ending.done, b"ran true"), right.detail
    wrong = by_password(tmp_path, "wr0ng")
    assert wrong.ending is Ending.not_sent
    assert "wr0ng" not in f"{wrong}"


def test_without_the_extra_it_says_what_to_install(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    result = run(server, "true")
    assert (result.ending, "pip install 'tocsin[ssh]'" in result.detail) == (Ending.not_sent, True)


# -- how it ends -----------------------------------------------------------------------------------------


def test_a_host_that_is_not_there_was_certainly_not_reached(server: Sshd) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        result = run(server, "true", port=free.getsockname()[1])
    assert result.ending is Ending.not_sent
    assert not result.may_be_done


def test_a_host_that_never_greets_was_certainly_not_told(server: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = run(server, "true", port=silent.getsockname()[1], timeout_s=0.2)
    assert (result.ending, result.detail) == (Ending.not_sent, "no connection within 0.2 s")


def test_a_command_that_takes_too_long_is_told_to_end_and_nobody_knows_what_it_did(tmp_path: Path) -> None:
    """By asyncssh's own server: a sshd passes no signal on where it works with the rights of root."""
    told: list[str] = []

    class Dawdling(asyncssh.SSHServerSession[str]):
        def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
            self.channel = chan

        def exec_requested(self, command: str) -> bool:
            return True

        def eof_received(self) -> bool:
            return True

        def signal_received(self, signal: str) -> None:
            told.append(signal)
            self.channel.exit(1)

    class Slow(Door):
        def session_requested(self) -> asyncssh.SSHServerSession[str]:
            return Dawdling()

    result = by_password(tmp_path, "s3cret", door=Slow, answer=None, timeout_s=2)
    assert (result.ending, result.detail) == (Ending.ambiguous, "not finished within 2 s")
    assert told == ["TERM"]


def test_a_command_without_an_end_is_ambiguous_on_a_real_host(server: Sshd, tmp_path: Path) -> None:
    result = run(server, f"echo $$ > {tmp_path}/pid; exec sleep 60", timeout_s=3)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert (result.ending, result.detail) == (Ending.ambiguous, "not finished within 3 s")


def test_a_host_that_goes_down_in_the_middle_leaves_it_open_what_was_done(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    with sshd(tmp_path / "own") as server, ThreadPoolExecutor() as pool:
        running = pool.submit(run, server, f"echo $$ > {begun}.new; mv {begun}.new {begun}; exec sleep 60")
        until = time.monotonic() + 20
        while not begun.exists():
            assert time.monotonic() < until and not running.done()
            time.sleep(0.01)
        server.break_off()
        result = running.result(20)
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(begun.read_text()), signal.SIGKILL)
    assert result.ending is Ending.ambiguous, result.detail
    assert result.may_be_done


def test_a_command_that_a_signal_ended_leaves_it_open_what_was_done(server: Sshd) -> None:
    result = run(server, "kill -KILL $$")
    assert (result.ending, result.detail) == (Ending.ambiguous, "ended by signal KILL")


def test_a_host_that_takes_no_commands_was_certainly_not_told(tmp_path: Path) -> None:
    result = by_password(tmp_path, "s3cret", door=Deaf, answer=None)
    assert (result.ending, result.detail) == (Ending.not_sent, "the host takes no commands")
