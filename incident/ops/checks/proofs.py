"""The journal and the signatures, by the same verification that `incident verify` makes."""

from __future__ import annotations

from sqlmodel import col, select

from incident.ops.checks.base import Findings, Invariant, Survey, View
from incident.proof.verify import anchors_of, forged_signatures, verify
from incident.settings import Born
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.keyring import WORKSPACE_KEY
from incident.store.opening import born_as
from incident.store.tables import Operator

_VERIFY = (
    "`incident verify`, with a head that was kept outside, shows what was changed; then put a backup back"
)

CHAINS = Invariant(
    "journal.chains",
    "each chain is whole up to its head, and what is journalled is what the rows say",
    _VERIFY,
)
ANCHORED = Invariant(
    "journal.anchored", "the workspace's chain names a head of every incident's chain", _VERIFY
)
SIGNATURES = Invariant("decisions.signatures", "each decision carries its operator's signature", _VERIFY)
SIMULATED = Invariant(
    "decisions.simulated",
    "simulated operators exist only in a workspace born as a drill",
    "`incident operator retire NAME`; what they decided does not count",
)


def _look_at_journal(view: View, findings: Findings) -> None:
    store = view.house.store
    result = verify(store, chains=None if view.incident_id is None else [view.incident_id])
    chains = [each.chain for each in result.chains]
    forged = forged_signatures(store, chains)
    for finding in result.findings:
        place = f"{finding.chain} entry {finding.seq}" if finding.seq else finding.chain
        if finding in forged:
            findings.broken(SIGNATURES, place, finding.detail)
        else:
            findings.broken(CHAINS, place, f"{finding.fault}: {finding.detail}")
    for chain in result.closed:
        findings.untold(CHAINS, f"no key to look into {chain}")
    if not store.keyring.has(WORKSPACE_KEY):
        findings.untold(ANCHORED, "no key to look into the workspace's chain")
        return
    named = {head.chain for head in anchors_of(store)}
    for chain in chains:
        if chain not in named and chain != WORKSPACE_CHAIN:
            findings.broken(ANCHORED, chain, "no head of it is anchored")


def _look_at_operators(view: View, findings: Findings) -> None:
    simulated = view.session.exec(
        select(Operator.id).where(col(Operator.simulated).is_(True)).order_by(Operator.id)
    ).all()
    if not simulated:
        return
    if not view.house.store.keyring.has(WORKSPACE_KEY):
        findings.untold(SIMULATED, "no key to read what this workspace was made for")
        return
    if born_as(view.house.store) == Born.DRILL:
        return
    for operator in simulated:
        findings.broken(SIMULATED, f"operator {operator}", "simulated, in a workspace for real incidents")


SURVEYS = (Survey(_look_at_journal, (CHAINS, ANCHORED, SIGNATURES)), Survey(_look_at_operators, (SIMULATED,)))
