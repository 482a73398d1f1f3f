"""Operators: people who may act, each with the public SSH key that proves what they decided."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from incident.errors import BadInput, NotFound, Refused
from incident.record.sshsig import fingerprint, read_public_line
from incident.store.change import Change
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.store import Store
from incident.store.tables import Operator

_NAME = re.compile(r"[^\W_][\w.-]{0,39}")
SYSTEM = "system"


class Role(StrEnum):
    """What an operator may do."""

    RESPONDER = "responder"
    APPROVER = "approver"
    COMMUNICATOR = "communicator"
    COUNSEL = "counsel"
    AUDITOR = "auditor"


DEFAULT_ROLES = (Role.RESPONDER, Role.APPROVER)


def roles_of(operator: Operator) -> frozenset[Role]:
    """The roles of an operator."""
    return frozenset(Role(role) for role in operator.roles.split(","))


def read_roles(text: str) -> tuple[Role, ...]:
    """Roles from a comma-separated list. Raises `BadInput`."""
    try:
        return tuple(Role(word.strip()) for word in text.split(","))
    except ValueError:
        raise BadInput(f"{text!r} holds an unknown role", next_step=f"roles are {', '.join(Role)}") from None


def add_operator(
    store: Store,
    name: str,
    public_key: str,
    *,
    roles: tuple[Role, ...],
    simulated: bool,
    actor: str,
    now: datetime,
    then: Callable[[Change, Operator], None] = lambda change, operator: None,
) -> Operator:
    """Let a person act from now on. `public_key` is one line of OpenSSH; `then` belongs to the same change.

    Raises `BadInput` for a name or key that cannot be used, `Refused` when the name or the key is taken: two names
    with one key would make four eyes out of two.
    """
    if not _NAME.fullmatch(name) or name == SYSTEM:
        raise BadInput(
            f"{name!r} is no name for an operator", next_step="use letters, digits, dots and dashes"
        )
    line = read_public_line(public_key, where=name)
    print_of_key = fingerprint(line)
    with store.write(WORKSPACE_CHAIN, kind="operator.added", actor=actor, now=now) as change:
        for other in change.session.exec(select(Operator)).all():
            if other.name == name:
                raise Refused(
                    f"there is an operator {name} already",
                    next_step="choose another name, or retire that one",
                )
            if other.fingerprint == print_of_key:
                raise Refused(
                    f"this key belongs to the operator {other.name} already",
                    next_step="use a key of their own",
                )
        operator = Operator(
            id=store.new_id(),
            name=name,
            public_key=line,
            fingerprint=print_of_key,
            roles=",".join(roles),
            simulated=simulated,
            added_at=now,
        )
        change.put(operator)
        then(change, operator)
    return operator


def retire_operator(store: Store, name: str, *, actor: str, now: datetime) -> Operator:
    """End what a person may do; their past decisions stay valid. Raises `NotFound` or `Refused`."""
    with store.write(WORKSPACE_CHAIN, kind="operator.retired", actor=actor, now=now) as change:
        operator = operator_named(change.session, name)
        operator.retired_at = now
        change.put(operator)
    return operator


def list_operators(store: Store) -> list[Operator]:
    """All operators, also retired ones, by name."""
    with store.read() as session:
        return list(session.exec(select(Operator).order_by(col(Operator.name))).all())


def operator_named(session: Session, name: str) -> Operator:
    """An active operator. Raises `NotFound`, or `Refused` for a retired one."""
    operator = session.exec(select(Operator).where(Operator.name == name)).first()
    if operator is None:
        raise NotFound(
            f"there is no operator {name}",
            next_step="`incident operator list` shows who there is; `add` adds one",
        )
    if operator.retired_at is not None:
        raise Refused(
            f"the operator {name} was retired and may not act any more", next_step="act as somebody else"
        )
    return operator
