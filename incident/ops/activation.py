"""Making a copy of the record the one that acts: a decision, written into its own journal, that fences all others out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785
from sqlalchemy import delete
from sqlmodel import Session

from incident.durable import Patience, look_again, open_jobs, take_all_away
from incident.errors import BadInput, Refused
from incident.record.decisions import Signer, Subject, Verdict, decide
from incident.record.operators import Role, list_operators, operator_named
from incident.settings import Born
from incident.store.instance import (
    RECORD_ACTIVATED,
    Instance,
    Standing,
    raising_epoch_to,
    set_instance,
    this_instance,
)
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.keyring import WORKSPACE_KEY
from incident.store.opening import born_as
from incident.store.store import Store
from incident.store.tables import Worker

ACTIVATION = "activation"


@dataclass(frozen=True)
class Activated:
    """The copy that acts from now on. `already` says that it did before; `jobs` is how many are open in it."""

    epoch: int
    was: str
    already: bool
    jobs: int


def needs_signature(store: Store) -> bool:
    """Whether somebody must sign for an activation: where there are operators, an approver does."""
    return any(operator.retired_at is None for operator in list_operators(store))


def activate(
    store: Store, *, workspace_id: str, actor: str, reason: str, signer: Signer | None, now: datetime
) -> Activated:
    """Make this copy the one: the keyring's epoch rises, and every other copy with this keyring is out.

    The keyring hears of it right before the commit. A crash in between leaves no copy that may act; calling this
    again completes it. Called on the one that acts already it changes nothing. Raises `Refused` when
    the signer may not decide this, `KeyMissing` without the keyring, `ConflictingWrite` while another activation is
    under way.
    """
    if not reason.strip():
        raise BadInput(
            "why this copy should act is not said", where="--reason", next_step="say it in a few words"
        )
    store.keyring.get(WORKSPACE_KEY)
    with store.keyring.one_activation():
        with store.read() as session:
            found = this_instance(session.connection(), where=store.where)
        if found == Instance(store.keyring.epoch(), Standing.ACTIVE):
            return Activated(found.epoch, found.standing, already=True, jobs=_open_jobs(store))
        epoch = max(store.keyring.epoch(), found.epoch) + 1
        heads = [[head.chain, head.seq, head.hash] for head in store.heads()]
        raising = Store(store.engine, store.keyring, where=store.where, fence=raising_epoch_to(epoch))
        with raising.write(WORKSPACE_CHAIN, kind=RECORD_ACTIVATED, actor=actor, now=now) as change:
            if signer is not None:
                _must_be_real(store, change.session, signer)
                decided_on: dict[str, Any] = {"epoch": epoch, "heads": heads, "workspace": workspace_id}
                decide(
                    change,
                    WORKSPACE_CHAIN,
                    Subject(
                        ACTIVATION, f"epoch-{epoch}", hashlib.sha256(rfc8785.dumps(decided_on)).hexdigest()
                    ),
                    Verdict.APPROVED,
                    signer=signer,
                    needs=Role.APPROVER,
                    reason=reason,
                    decision_id=store.new_id(),
                )
            change.note(epoch=epoch, was=found.standing, was_epoch=found.epoch, reason=reason, heads=heads)
            set_instance(change.session, Instance(epoch, Standing.ACTIVE), now=now)
            _let_go_of_jobs(change.session)
    return Activated(epoch, found.standing, already=False, jobs=_open_jobs(store))


def _must_be_real(store: Store, session: Session, signer: Signer) -> None:
    if operator_named(session, signer.name).simulated and born_as(store) != Born.DRILL:
        raise Refused(
            f"{signer.name} is a simulated operator and decides nothing outside a drill",
            next_step="let a person with a key of their own decide",
        )


def _let_go_of_jobs(session: Session) -> None:
    """Whoever held a job holds it in another copy. Each is due at once: waiting times were told by another clock."""
    take_all_away(session, max_starts=Patience().max_starts)
    look_again(session)
    session.connection().execute(delete(Worker))


def _open_jobs(store: Store) -> int:
    with store.read() as session:
        return open_jobs(session)
