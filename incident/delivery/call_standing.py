"""Whether Twilio would call people: how the account and the number to call from stand there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from incident.delivery.call_room import WHERE, TwilioVoice
from incident.delivery.twilio_standing import ACTIVE, InTheWay
from incident.errors import CarrierUnavailable
from notifiers.twilio.api import CallFailed
from notifiers.twilio.standing import CallStanding


def call_standing_of(voice: TwilioVoice) -> CallStanding:
    """How it stands, asked now. Raises `CarrierUnavailable` where Twilio does not answer, or lets us in for nothing."""

    async def ask() -> CallStanding:
        async with voice.client() as client:
            return await client.standing()

    try:
        return asyncio.run(ask())
    except CallFailed as failed:
        raise CarrierUnavailable(
            f"Twilio cannot be used: {failed.outcome.text} (at {failed.outcome.stage})",
            where=voice.peer,
            next_step=f"check {WHERE}, and the account in Twilio's console",
        ) from None


def in_the_way_of_calls(standing: CallStanding) -> Iterator[InTheWay]:
    """What keeps people from being called, whoever they are. What a key is not told is not in the way."""
    if standing.account not in (None, ACTIVE):
        yield InTheWay(f"the account is {standing.account}", "ask Twilio to open it again")
    if standing.caller_ours is False:
        yield InTheWay(
            "the number to call from is neither one of the account's that can call, nor verified",
            f"write such a number as caller, {WHERE}, or verify it in Twilio's console",
        )
    if standing.trial:
        yield TRIAL


TRIAL = InTheWay(
    "the account is on trial, and calls nobody but numbers that were verified one by one",
    "upgrade it in Twilio's console; it can take days",
)


def must_be_ready(voice: TwilioVoice, *, says: Callable[[str], None]) -> None:
    """Raises `CarrierUnavailable` where nobody can be called as the account stands. `says` is told what nobody said."""
    standing = call_standing_of(voice)
    for each in in_the_way_of_calls(standing):
        raise CarrierUnavailable(
            f"Twilio cannot be used: {each.told}",
            where=voice.peer,
            next_step=f"{each.next_step}; nobody was called and nothing was changed",
        )
    if standing.account is None or standing.caller_ours is None:
        says(
            f"{voice.peer}: this key is not told how the account stands, or whether it may call by this number"
        )
