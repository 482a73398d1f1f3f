"""A command as it will be carried out, before anything is: for a dry run, for the question what came of it, and for
deciding whether it may leave at all. It holds no secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from incident.response.model import AgentTarget, Authentication, Command, Variable
from incident.response.variables import Values

SecretResolver = Callable[[str], str]


@dataclass(frozen=True)
class Prepared:
    """`host` and `port` are where it goes, None and 0 for this machine. `request` says in one line what is sent where,
    `content` all that goes along; header values may hold what gives access and stand in neither."""

    command_type: str
    host: str | None
    port: int
    request: str
    content: str = ""


@dataclass(frozen=True)
class Call:
    """A command with all that carrying it out takes. `addressee` is whom it is sent to.

    `idempotency_key` is the same each time that the same call is made. `resolve_secret` reads a secret by its reference.
    """

    command: Command
    addressee: AgentTarget
    values: Values
    declared: Mapping[str, Variable]
    timeout_s: float
    idempotency_key: str
    authentication: Authentication | None
    resolve_secret: SecretResolver
