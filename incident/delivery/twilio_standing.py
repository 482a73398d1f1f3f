"""Whether Twilio would take what a notice says: how the account and its Messaging Service stand there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from incident.delivery.twilio_room import WHERE, Twilio
from incident.errors import CarrierUnavailable
from notifiers.twilio.api import ApiClient, CallFailed
from notifiers.twilio.standing import Standing

S = TypeVar("S")
ACTIVE = "active"


@dataclass(frozen=True)
class InTheWay:
    """Why nothing can be sent to people, and what to do."""

    told: str
    next_step: str


def standing_of(twilio: Twilio) -> Standing:
    """How it stands, asked now. Raises as `answer_of`."""
    client = twilio.client()
    return answer_of(client, client.standing, where=WHERE)


def answer_of(client: ApiClient, question: Callable[[], Awaitable[S]], *, where: str) -> S:
    """What Twilio answers to one question, asked by a client of its own; `where` names it in the settings. Raises
    `CarrierUnavailable` where Twilio does not answer, or lets us in for nothing."""

    async def ask() -> S:
        async with client:
            return await question()

    try:
        return asyncio.run(ask())
    except CallFailed as failed:
        raise CarrierUnavailable(
            f"Twilio cannot be used: {failed.outcome.text} (at {failed.outcome.stage})",
            where=client.peer,
            next_step=f"check {where}, and the account in Twilio's console",
        ) from None


def must_be_clear(in_the_way: Iterable[InTheWay], *, peer: str, nothing: str) -> None:
    """Raises `CarrierUnavailable` for the first thing that is in the way; `nothing` says that nothing was done yet."""
    for each in in_the_way:
        raise CarrierUnavailable(
            f"Twilio cannot be used: {each.told}", where=peer, next_step=f"{each.next_step}; {nothing}"
        )


def in_the_way(standing: Standing) -> Iterator[InTheWay]:
    """What keeps messages from leaving, whoever they are for. What a key is not told is not in the way."""
    if standing.account not in (None, ACTIVE):
        yield InTheWay(f"the account is {standing.account}", "ask Twilio to open it again")
    if not standing.service:
        yield InTheWay(
            "the Messaging Service is not there",
            f"write the SID of one (MG...) as messaging_service, {WHERE}",
        )
    elif standing.senders == 0:
        yield InTheWay(
            "the Messaging Service has no senders",
            "add a number, a short code or a name to it in Twilio's console",
        )
    if standing.trial:
        yield TRIAL


TRIAL = InTheWay(
    "the account is on trial, and reaches nobody but numbers that were verified one by one",
    "upgrade it in Twilio's console; it can take days",
)


def must_be_ready(twilio: Twilio, *, says: Callable[[str], None]) -> None:
    """Raises `CarrierUnavailable` where nothing can be sent as the account stands. `says` is told what nobody said."""
    standing = standing_of(twilio)
    nothing = "nothing was sent and nothing was changed"
    must_be_clear(in_the_way(standing), peer=twilio.peer, nothing=nothing)
    if standing.account is None or standing.senders is None:
        says(f"{twilio.peer}: this key is not told how the account stands, or what senders it has")
