"""Whether Twilio would call people: how the account and the number to call from stand there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from incident.delivery.call_room import WHERE, TwilioVoice
from incident.delivery.twilio_standing import ACTIVE, InTheWay, answer_of, must_be_clear
from notifiers.twilio.standing import CallStanding


def call_standing_of(voice: TwilioVoice) -> CallStanding:
    """How it stands, asked now. Raises as `answer_of`."""
    client = voice.client()
    return answer_of(client, client.standing, where=WHERE)


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
    nothing = "nobody was called and nothing was changed"
    must_be_clear(in_the_way_of_calls(standing), peer=voice.peer, nothing=nothing)
    if standing.account is None or standing.caller_ours is None:
        says(
            f"{voice.peer}: this key is not told how the account stands, or whether it may call by this number"
        )
