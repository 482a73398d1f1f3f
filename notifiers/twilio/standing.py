"""How an account stands at Twilio, for whoever asks before messages are due. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

APPROVED = "VERIFIED"
"""The state of a US campaign that may send (`campaign_status` of the UsAppToPerson resource)."""

TRIAL = "Trial"
"""The type of an account that sends to verified numbers only (error 21608)."""

ACTIVE = "active"
"""The status of an account that may do anything."""


class _Funded:
    """An account with a balance, or one whose balance is not told."""

    __slots__ = ()
    balance: Decimal | None

    def balance_below(self, least: Decimal) -> bool:
        """Whether the balance was told and is less. In the account's currency."""
        return self.balance is not None and self.balance < least


@dataclass(frozen=True, slots=True)
class Standing(_Funded):
    """What could be learned. None is "not told": a standard API key may not read the account, and subaccounts have no
    balance of their own.

    `account` is active, suspended or closed; one on `trial` reaches nobody but verified numbers. `senders` counts the
    numbers, short codes and names in the Messaging Service that the key may read, of which a hundred of each are looked
    at. `campaigns` are the states of its registrations for US networks (A2P
    10DLC), such as IN_PROGRESS, VERIFIED and FAILED; it needs none where nobody is written to in the US.
    """

    account: str | None
    trial: bool | None
    service: bool
    senders: int | None
    us_registered: bool | None
    campaigns: tuple[str, ...]
    balance: Decimal | None
    currency: str | None

    @property
    def can_send(self) -> bool:
        """Whether nothing that was told speaks against sending."""
        return self.account in (None, ACTIVE) and not self.trial and self.service and self.senders != 0

    @property
    def us_ready(self) -> bool:
        """Whether a campaign is approved, without which US networks block numbers of ten digits (error 30034)."""
        return bool(self.us_registered) or APPROVED in self.campaigns


@dataclass(frozen=True, slots=True)
class CallStanding(_Funded):
    """What could be learned of an account that places calls. None is "not told".

    `account` is active, suspended or closed; one on `trial` calls nobody but verified numbers. `caller_ours` says
    whether the number to call from is one of the account's that can call, or one that it verified; others are refused
    (error 21210).
    """

    account: str | None
    trial: bool | None
    caller_ours: bool | None
    balance: Decimal | None
    currency: str | None

    @property
    def can_call(self) -> bool:
        """Whether nothing that was told speaks against calling."""
        return self.account in (None, ACTIVE) and not self.trial and self.caller_ours is not False
