"""`ssh` commands (CACAO 2.0 section 5.9) by asyncssh. A host is known beforehand, or it is not spoken to.

Signing in is by the key or the password that the addressee's authentication names by reference, else by the agent of
who works here. The command is visible in the list of processes there while it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from incident.errors import BadInput, TocsinError
from incident.response.commands.bash import last_line
from incident.response.commands.going_out import GoingOut
from incident.response.commands.prepared import Call, Prepared
from incident.response.commands.result import BODY_PREFIX, Ending, Result
from incident.response.commands.shell import script_of, shell_text
from incident.response.model import ActionStep, AgentTarget, Command, Playbook, Variable
from incident.response.variables import Sink, Values, references, substitute

if TYPE_CHECKING:
    import asyncssh

TYPE = "ssh"
_ADDRESSES = ("dname", "ipv4", "ipv6")
_KINDS = frozenset({"ssh", "linux", "net-address"})


def problems(playbook: Playbook, step: ActionStep, command: Command) -> Iterator[tuple[str, str]]:
    """What keeps the command from being run, as (code, message)."""
    try:
        script = script_of(command)
        shell_text(script, dict.fromkeys(references(script), "x"), {})
    except TocsinError as error:
        yield "shell-command", f"{error.where}: {error.what}"
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
    host, port = _where(addressee, values)
    return Prepared(TYPE, host, port, f"ssh {host}:{port}", shell_text(script_of(command), values, declared))


def _where(addressee: AgentTarget, values: Values) -> tuple[str, int]:
    entries = [each for key in _ADDRESSES for each in (addressee.address or {}).get(key) or []]
    if not entries:
        raise BadInput("the host has no dname, ipv4 or ipv6 address", where=addressee.name)
    host = substitute(str(entries[0]), values, Sink.host)
    port = substitute(addressee.port, values, Sink.host) if addressee.port else "22"
    if not host:
        raise BadInput("the host's address is empty", where=addressee.name)
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise BadInput(f"“{port}” is no port", where=addressee.name)
    return host, int(port)


async def carry_out(call: Call, rules: GoingOut) -> Result:
    """Run the command there once. Never raises for what the network or the host does."""
    try:
        prepared = prepare(call.command, call.addressee, call.values, call.declared)
        rules.must_allow(prepared)
        options = _signing_in(call)
    except TocsinError as error:
        return Result(Ending.not_sent, error.what)
    try:
        import asyncssh
    except ImportError:
        return Result(Ending.not_sent, "ssh needs the extra of that name: pip install 'tocsin[ssh]'")
    connection: asyncssh.SSHClientConnection | None = None
    sent = False
    try:
        async with asyncio.timeout(call.timeout_s):
            connection = await asyncssh.connect(
                prepared.host or "",
                prepared.port,
                known_hosts=str(rules.known_hosts),
                config=None,
                encoding=None,
                **options,
            )
            sent = True
            process = await connection.create_process(prepared.content, encoding=None)
            process.stdin.write_eof()
            out, err = await asyncio.gather(_prefix(process.stdout), _prefix(process.stderr))
            await process.wait_closed()
    except TimeoutError:
        if not sent:
            return Result(Ending.not_sent, f"no connection within {call.timeout_s:g} s")
        return Result(Ending.ambiguous, f"not finished within {call.timeout_s:g} s")
    except asyncssh.HostKeyNotVerifiable:
        return Result(Ending.not_sent, "the host's key is not the one in the file of known hosts")
    except asyncssh.PermissionDenied:
        return Result(Ending.not_sent, "the host did not let us sign in")
    except (asyncssh.Error, OSError) as error:
        ending = Ending.ambiguous if sent else Ending.not_sent
        return Result(
            ending, f"the connection broke: {type(error).__name__}" if sent else f"no connection: {error}"
        )
    finally:
        if connection is not None:
            connection.abort()
    status = process.exit_status
    if status is None or status < 0:
        return Result(Ending.ambiguous, "the command ended without an exit status", body=out)
    if status != 0:
        return Result(Ending.answered_no, f"exit status {status}{last_line(err)}", status, out)
    return Result(Ending.done, "exit status 0", 0, out)


def _signing_in(call: Call) -> dict[str, Any]:
    signing_in = call.authentication
    if signing_in is None or not signing_in.username:
        raise BadInput("nobody is named to sign in as", where=call.addressee.name)
    username = substitute(signing_in.username, call.values, Sink.text)
    if not signing_in.kms_key_identifier:
        return {"username": username, "password_auth": False, "kbdint_auth": False}
    secret = call.resolve_secret(signing_in.kms_key_identifier)
    if not secret.startswith("-----BEGIN"):
        return {"username": username, "password": secret, "client_keys": None, "agent_path": None}
    import asyncssh

    try:
        key = asyncssh.import_private_key(secret + "\n")
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise BadInput(
            "this is no private key without a passphrase", where=signing_in.kms_key_identifier
        ) from None
    return {"username": username, "client_keys": [key], "agent_path": None, "password_auth": False}


async def _prefix(stream: Any) -> bytes:
    found = b""
    while chunk := await stream.read(65536):
        found = (found + chunk)[:BODY_PREFIX]
    return found
