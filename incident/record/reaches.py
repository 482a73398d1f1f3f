"""How operators are reached when they are needed, and who stands in for them.

An address is an URL of Apprise, or a reference to one (`env:NAME`, `file:PATH`) that is read when somebody is called.
It may hold a secret: it lies sealed by the workspace's key, and what is shown of it is masked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from incident.errors import BadInput, Refused
from incident.record.operators import operator_named
from incident.record.summons import call_anew, is_unanswered, open_summons
from incident.store.change import Change
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.store import Store
from incident.store.tables import Operator, Reach, Summons

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:(?!//).+")
MOST_ADDRESSES = 10


@dataclass(frozen=True)
class ReachLine:
    """An active operator with the addresses by which they are called. `deputy_id` is an active operator's, or None."""

    operator_id: str
    name: str
    roles: frozenset[str]
    urls: tuple[str, ...]
    deputy_id: str | None
    deputy: str

    @property
    def shown(self) -> tuple[str, ...]:
        """The addresses without their secrets."""
        return tuple(shown_address(url) for url in self.urls)


def is_reference(url: str) -> bool:
    """Whether an address only says where the URL is kept."""
    return _REFERENCE.fullmatch(url) is not None


def shown_address(url: str) -> str:
    """What of an address may be shown: a reference whole, of an URL its scheme and a host that is no secret."""
    if is_reference(url):
        return url
    from notifiers.responders import masked

    return masked(url)


def check_addresses(urls: Sequence[str]) -> tuple[str, ...]:
    """Addresses as they may be kept, each once. Raises `BadInput`, which never holds one of them."""
    from notifiers.errors import BadAddress
    from notifiers.responders import check_url

    kept = tuple(dict.fromkeys(url.strip() for url in urls))
    if len(kept) > MOST_ADDRESSES:
        raise BadInput(
            f"{len(kept)} addresses for one operator",
            where="--url",
            next_step=f"keep the {MOST_ADDRESSES} that wake them",
        )
    for number, url in enumerate(kept, start=1):
        if is_reference(url):
            continue
        try:
            check_url(url)
        except BadAddress as error:
            raise BadInput(
                f"the address {number} cannot be called: {error.what}",
                where="--url",
                next_step="write for example wecombot://KEY, mailtos://USER:PASSWORD@HOST or env:NAME",
            ) from None
    return kept


def put_reach(
    change: Change, store: Store, operator: Operator, *, urls: Sequence[str] | None, deputy: str | None
) -> None:
    """Keep how an operator is reached and who stands in for them; None leaves what there is, "" takes the deputy away.

    A change of the workspace's chain. Raises `NotFound` or `Refused` for a deputy who may not act, `BadInput` for an
    address that cannot be called.
    """
    row = change.session.get(Reach, operator.id)
    known = [] if row is None else store.open(row, incident_id=WORKSPACE_CHAIN)["urls"]
    deputy_id = row.deputy_id if row is not None else None
    if deputy is not None:
        deputy_id = _deputy(change.session, operator, deputy)
    kept = known if urls is None else list(check_addresses(urls))
    change.put(Reach(id=operator.id, deputy_id=deputy_id, changed_at=change.at), {"urls": kept})
    call_anew(change.session)


def _deputy(session: Session, operator: Operator, name: str) -> str | None:
    if not name:
        return None
    if name == operator.name:
        raise Refused(
            f"{name} cannot stand in for themselves", where="--deputy", next_step="name somebody else"
        )
    return operator_named(session, name).id


def list_reaches(session: Session, store: Store) -> list[ReachLine]:
    """Every active operator, also those who have no address, by name."""
    active = session.exec(
        select(Operator).where(col(Operator.retired_at).is_(None)).order_by(col(Operator.name))
    ).all()
    names = {each.id: each.name for each in active}
    rows = {row.id: row for row in session.exec(select(Reach)).all()}
    return [_line(store, operator, rows.get(operator.id), names) for operator in active]


def nobody_can_be_called(session: Session, store: Store) -> bool:
    """Whether no active operator has an address."""
    return not any(line.urls for line in list_reaches(session, store))


def needs_somebody(session: Session, store: Store) -> list[Summons]:
    """What stands unanswered: everybody was called in vain, or there is nobody who could be."""
    asked = open_summons(session)
    if asked and nobody_can_be_called(session, store):
        return asked
    return [row for row in asked if is_unanswered(row)]


def _line(store: Store, operator: Operator, row: Reach | None, names: dict[str, str]) -> ReachLine:
    urls = () if row is None else tuple(store.open(row, incident_id=WORKSPACE_CHAIN)["urls"])
    # Whoever was retired stands in for nobody.
    deputy_id = row.deputy_id if row is not None and row.deputy_id in names else None
    return ReachLine(
        operator_id=operator.id,
        name=operator.name,
        roles=frozenset(operator.roles.split(",")),
        urls=urls,
        deputy_id=deputy_id,
        deputy=names[deputy_id] if deputy_id else "",
    )
