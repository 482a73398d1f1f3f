"""`ssh` commands (CACAO 2.0 section 5.9) by asyncssh. A host is known beforehand, or it is not spoken to.

Signing in is by the key or the password that the addressee's authentication names, where it names none by the
ssh-agent of who works here; by nothing else that lies on this machine. Values are quoted for a POSIX shell, which the
shell of that user must be, and the command is visible in the list of processes there while it runs. A host that takes
the environment variable IDEMPOTENCY_KEY (`AcceptEnv`) is given the call's key.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incident.errors import BadInput, Refused, TocsinError
from incident.response.commands import shell
from incident.response.commands.bash import last_line
from incident.response.commands.going_out import GoingOut
from incident.response.commands.prepared import Call, Prepared
from incident.response.commands.result import BODY_PREFIX, Ending, Result
from incident.response.commands.shell import script_of, shell_text
from incident.response.model import ActionStep, AgentTarget, Command, Playbook, Variable
from incident.response.variables import REFERENCE, Sink, Values, declarations, known, references, substitute

if TYPE_CHECKING:
    import asyncssh

TYPE = "ssh"
_ADDRESSES = ("dname", "ipv4", "ipv6")
_KINDS = frozenset({"ssh", "linux", "net-address"})
_DEFAULT_PORT = 22
_GRACE_S = 1.0
"""Seconds that a host has to take note that a command's time is over."""


def problems(playbook: Playbook, step: ActionStep, command: Command) -> Iterator[tuple[str, str]]:
    """What keeps the command from being run, as (code, message)."""
    yield from shell.problems(command, declarations(playbook, step))
    for reference in step.targets or [step.agent]:
        addressee = playbook.endpoint(reference)
        if addressee is None:
            continue
        if addressee.type not in _KINDS or not any(
            (addressee.address or {}).get(each) for each in _ADDRESSES
        ):
            yield (
                "no-address",
                f"“{addressee.name}” is not an ssh or linux host with a dname, ipv4 or ipv6 address",
            )
        signing_in = playbook.authentication_info_definitions.get(addressee.authentication_info or "")
        if signing_in is None:
            yield "no-user", f"“{addressee.name}” names no authentication_info, so nobody to sign in as"
        elif signing_in.type != "user-auth":
            yield "authentication-type", f"an ssh host takes user-auth, not {signing_in.type}"
        elif not signing_in.username:
            yield "no-user", f"{signing_in.name or addressee.authentication_info}: the username is missing"


def used(command: Command, addressee: AgentTarget) -> list[str]:
    """The variables that the command and its addressee refer to."""
    texts = [script_of(command), addressee.port or ""]
    texts += [str(each) for key in _ADDRESSES for each in (addressee.address or {}).get(key) or []]
    return [name for text in texts for name in references(text)]


def prepare(
    command: Command, addressee: AgentTarget, values: Values, declared: Mapping[str, Variable]
) -> Prepared:
    host, port = destination(addressee, values, declared)
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Prepared(TYPE, host, port, f"ssh {where}", shell_text(script_of(command), values, declared))


def destination(addressee: AgentTarget, values: Values, declared: Mapping[str, Variable]) -> tuple[str, int]:
    """The host and port. Raises `BadInput` where they are missing or none."""
    entries = [each for key in _ADDRESSES for each in (addressee.address or {}).get(key) or []]
    if not entries:
        raise BadInput("the host has no dname, ipv4 or ipv6 address", where=addressee.name)
    host = _host(str(entries[0]), values)
    port = substitute(addressee.port, values, Sink.host) if addressee.port else str(_DEFAULT_PORT)
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadInput(f"“{port}” is no port", where=addressee.name)
    return host, int(port)


def _host(entry: str, values: Values) -> str:
    whole = REFERENCE.fullmatch(entry)
    with suppress(ValueError):
        return str(ipaddress.ip_address(known(whole[1], values) if whole else entry.strip("[]")))
    return substitute(entry, values, Sink.host)


def carry_out(call: Call, rules: GoingOut) -> Result:
    """Run the command there once. Never raises for what the network or the host does."""
    try:
        prepared = prepare(call.command, call.addressee, call.values, call.declared)
        rules.must_allow(prepared)
        must_be_installed()
        hosts = known_hosts(rules.known_hosts)
        signing_in = _signing_in(call)
    except TocsinError as error:
        return Result(Ending.not_sent, error.what)
    # It logs commands, and those hold values.
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    return asyncio.run(_exchange(call, prepared, hosts, signing_in))


def must_be_installed() -> None:
    """Raises `Refused` where the library that speaks ssh is not installed."""
    try:
        import asyncssh  # noqa: F401
    except ImportError:
        raise Refused(
            "ssh needs the extra of that name: pip install 'tocsin[ssh]'",
            next_step="pip install 'tocsin[ssh]'",
        ) from None


def known_hosts(path: Path | None) -> asyncssh.SSHKnownHosts:
    """The hosts of a file in OpenSSH's format. Raises `BadInput` for a file that cannot be read as one."""
    import asyncssh

    try:
        return asyncssh.read_known_hosts(str(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not in the format of OpenSSH"
        raise BadInput(
            f"the file of known hosts {path} cannot be read: {reason}",
            where="[playbooks] known_hosts",
            next_step="ssh-keyscan -H HOST >> FILE, then compare the keys' fingerprints with the host's own",
        ) from None


class _Progress:
    """How far a call came. `connection` is None until the host let us in; `sent` says that the command went out."""

    def __init__(self) -> None:
        self.connection: asyncssh.SSHClientConnection | None = None
        self.process: asyncssh.SSHClientProcess[bytes] | None = None
        self.sent = False


async def _exchange(
    call: Call, prepared: Prepared, hosts: asyncssh.SSHKnownHosts, signing_in: _SigningIn
) -> Result:
    import asyncssh

    progress = _Progress()
    try:
        async with asyncio.timeout(call.timeout_s):
            return await _run(call, prepared, hosts, signing_in, progress)
    except TocsinError as error:
        return Result(Ending.not_sent, error.what)
    except TimeoutError:
        if not progress.sent:
            return Result(Ending.not_sent, f"no connection within {call.timeout_s:g} s")
        await _ask_to_end(progress)
        return Result(Ending.ambiguous, f"not finished within {call.timeout_s:g} s")
    except asyncssh.HostKeyNotVerifiable:
        return Result(Ending.not_sent, _why_unknown(prepared, hosts))
    except asyncssh.PermissionDenied:
        return Result(Ending.not_sent, f"the host did not let “{signing_in.username}” in")
    except asyncssh.ChannelOpenError as error:
        if error.code == asyncssh.OPEN_REQUEST_SESSION_FAILED:
            return Result(Ending.not_sent, "the host takes no commands")
        return Result(Ending.ambiguous, "the connection broke before the command was confirmed")
    except (asyncssh.Error, OSError, ValueError) as error:
        if progress.sent:
            return Result(Ending.ambiguous, f"the connection broke: {type(error).__name__}")
        reason = error.strerror if isinstance(error, OSError) else None
        return Result(Ending.not_sent, f"no connection: {reason or type(error).__name__}")
    finally:
        if progress.connection is not None:
            progress.connection.abort()


async def _run(
    call: Call,
    prepared: Prepared,
    hosts: asyncssh.SSHKnownHosts,
    signing_in: _SigningIn,
    progress: _Progress,
) -> Result:
    import asyncssh

    async with _keys(signing_in) as options:
        connection = await asyncssh.connect(
            prepared.host or "",
            prepared.port,
            username=signing_in.username,
            known_hosts=hosts,
            config=None,
            gss_auth=False,
            gss_kex=False,
            host_based_auth=False,
            encoding=None,
            **options,
        )
    progress.connection = connection
    progress.sent = True
    process = await connection.create_process(
        prepared.content, encoding=None, env={"IDEMPOTENCY_KEY": call.idempotency_key}
    )
    progress.process = process
    process.stdin.write_eof()
    out, err = await asyncio.gather(_prefix(process.stdout), _prefix(process.stderr))
    await process.wait_closed()
    if process.exit_signal:
        return Result(Ending.ambiguous, f"ended by signal {process.exit_signal[0]}", body=out)
    status = process.exit_status
    if status is None:
        return Result(Ending.ambiguous, "the connection ended before the command did", body=out)
    if status != 0:
        return Result(Ending.answered_no, f"exit status {status}{last_line(err)}", status, out)
    return Result(Ending.done, "exit status 0", 0, out)


async def _ask_to_end(progress: _Progress) -> None:
    """A command whose time is over goes on unseen otherwise; whether the host heard it is not known."""
    if progress.process is None or progress.connection is None:
        return
    with suppress(Exception):  # whatever breaks now: nobody waits for this command any more
        progress.process.terminate()
        async with asyncio.timeout(_GRACE_S):
            await progress.process.wait_closed()


def _why_unknown(prepared: Prepared, hosts: asyncssh.SSHKnownHosts) -> str:
    port = None if prepared.port == _DEFAULT_PORT else prepared.port
    host_keys, authorities, *_ = hosts.match(prepared.host or "", "", port)
    if host_keys or authorities:
        return (
            "the host's key is not the one in the file of known hosts: another machine answers, or the key was "
            "changed; compare it with the host's own before the file is corrected"
        )
    return "the host is not in the file of known hosts; have ssh-keyscan read its key, and compare it first"


# -- signing in ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _SigningIn:
    """By a key, by a password, or, where both are None, by the agent."""

    username: str
    key: asyncssh.SSHKey | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


def _signing_in(call: Call) -> _SigningIn:
    found = call.authentication
    username = substitute(found.username or "", call.values, Sink.text) if found else ""
    if found is None or not username:
        raise BadInput(f"nobody is named to sign in to “{call.addressee.name}” as", where=call.addressee.name)
    if not found.kms_key_identifier:
        return _SigningIn(username)
    secret = call.resolve_secret(found.kms_key_identifier)
    if not secret.lstrip().startswith("-----BEGIN"):
        return _SigningIn(username, password=secret)
    return _SigningIn(username, key=_key(secret, name=found.kms_key_identifier))


def _key(secret: str, *, name: str) -> asyncssh.SSHKey:
    import asyncssh

    try:
        return asyncssh.import_private_key(secret.strip() + "\n")
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise BadInput(
            f"the secret {name} is no private key without a passphrase",
            where=name,
            next_step="keep a key without one there, or give the key to ssh-agent and name no secret",
        ) from None


@asynccontextmanager
async def _keys(signing_in: _SigningIn) -> AsyncIterator[dict[str, Any]]:
    """How to sign in, and nothing else: the library would also try the keys in the folder `.ssh`."""
    import asyncssh

    if signing_in.password is not None:
        yield {"password": signing_in.password, "client_keys": None, "agent_path": None}
        return
    by_key = {"password_auth": False, "kbdint_auth": False, "agent_path": None}
    if signing_in.key is not None:
        yield {**by_key, "client_keys": [signing_in.key]}
        return
    try:
        agent = await asyncssh.connect_agent()
    except (OSError, ValueError, asyncssh.Error):
        raise Refused(
            "no secret is named to sign in with, and no ssh-agent is here",
            next_step="start one (SSH_AUTH_SOCK), or name a secret: kms_key_identifier",
        ) from None
    async with agent:
        keys = list(await agent.get_keys())
        if not keys:
            raise Refused("the ssh-agent here holds no key", next_step="ssh-add KEY")
        yield {**by_key, "client_keys": keys}


async def _prefix(stream: Any) -> bytes:
    found = b""
    while chunk := await stream.read(65536):
        found = (found + chunk)[:BODY_PREFIX]
    return found
