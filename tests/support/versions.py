"""A later version of a breach's notice, and the accounts of all its campaigns."""

from __future__ import annotations

from incident.delivery.status import Account, account, campaigns_of
from tests.support.breaches import Breach


def next_version(breach: Breach) -> str:
    """Another measure, released by two, its sending opened a day later; returns the id of its campaign."""
    breach.made.clock.move(days=1)
    breach.log("closed one more", "contain.disable-endpoint")
    breach.release()
    return breach.open_sending()


def accounts(breach: Breach) -> list[Account]:
    """The accounts of all campaigns, the first one first."""
    with breach.made.store.read() as session:
        return [account(session, each) for each in reversed(campaigns_of(session, breach.id))]
