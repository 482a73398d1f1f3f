"""What Twilio's error codes mean for a message or a call that waits for it. Data, and pure.

Twilio asks not to build on the codes, because their causes change (its changelog of 10 July 2024). What follows from one
is therefore modest: it never proves more than that no copy was taken, and one that is not known is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from notifiers.outcome import Result, Stage

STOPPED = 21610
"""The person wrote STOP to our sender. Twilio takes nothing for them from this Messaging Service until they write START:
another means is needed, because the notice is owed all the same."""
TOO_MANY_REQUESTS = 20429
COUNTRY_NOT_ENABLED = frozenset({13227, 21215})
"""The account may not call where the number is: it is settled in the account, and says nothing of the number."""


class Verdict(StrEnum):
    """What follows from a code."""

    temporary = "temporary"
    permanent = "permanent"
    unknown = "unknown"
    """It has no meaning here, so that nobody can say that the recipient is why."""


class Meaning(NamedTuple):
    """A code: what it says, what follows, and whether it is about this one message or call (`reply`) or about us,
    whoever it is for (`account`)."""

    code: int
    words: str
    verdict: Verdict
    stage: Stage

    @property
    def text(self) -> str:
        """For people: "the number cannot receive SMS (Twilio 21614)". It quotes nothing of the message."""
        return f"{self.words} (Twilio {self.code})"

    @property
    def result(self) -> Result:
        """What it proves of the message or the call that it answers."""
        return Result.temporary if self.verdict is Verdict.temporary else Result.permanent


_LATER, _NEVER, _UNKNOWN = Verdict.temporary, Verdict.permanent, Verdict.unknown
_OURS, _THEIRS = Stage.account, Stage.reply

# Meanings follow Twilio's Error and Warning Dictionary (twilio.com/docs/api/errors). The pages of 20500, 21610, 21612,
# 21608, 21606, 21635, 21659, 30022, 30036 and 57012 were read; of the others only titles, in lists that other projects
# keep. What follows from each is ours. Of calls the pages of 10004, 13224, 13226, 21202, 21205, 21208, 21210, 21213,
# 21214, 21216, 21217, 34002, 573002 and 573005 were read, and of the others the titles in Twilio's own list of all
# codes.
_KNOWN = (
    (10001, "the account is not active", _NEVER, _OURS),
    (10004, "the account has as many calls at a time as it may", _LATER, _OURS),
    (10005, "calls are disabled for the account", _NEVER, _OURS),
    (13223, "the number is not written as one", _NEVER, _THEIRS),
    (13224, "the number is not valid, or no network takes calls to it", _NEVER, _THEIRS),
    (13225, "Twilio blocks calls to this number", _NEVER, _THEIRS),
    (13226, "the country code of the number is unknown", _NEVER, _THEIRS),
    (13227, "the account may not call the country of this number", _NEVER, _THEIRS),
    (20003, "the credentials were refused", _NEVER, _OURS),
    (20404, "the account or its Messaging Service was not found", _NEVER, _OURS),
    (TOO_MANY_REQUESTS, "too many requests at a time", _LATER, _OURS),
    (21201, "the call has no recipient", _NEVER, _OURS),
    (21202, "the number is a premium number", _NEVER, _THEIRS),
    (21205, "the address at which Twilio asks what is said was refused", _NEVER, _OURS),
    (21208, "the time to let a telephone ring was refused", _NEVER, _OURS),
    (21210, "the number to call from is neither the account's nor verified", _NEVER, _OURS),
    (21211, "the number is not valid", _NEVER, _THEIRS),
    (21212, "the sender is not valid", _NEVER, _OURS),
    (21213, "the call has no number to call from", _NEVER, _OURS),
    (21214, "the number cannot be reached", _NEVER, _THEIRS),
    # By the country of the number, as 21408 is for messages; 21216 may also be that no profile of ours was approved.
    (21215, "the account may not call the country of this number", _NEVER, _THEIRS),
    (21216, "Twilio blocks calls to this number", _NEVER, _THEIRS),
    (21217, "the number does not seem to be valid", _NEVER, _THEIRS),
    (21219, "the account is on trial and calls verified numbers only", _NEVER, _OURS),
    # These two are settled at the account, yet by the country of the number: they do not meet everybody.
    (21408, "the account may not send to the country of this number", _NEVER, _THEIRS),
    (21612, "none of our senders can reach this number", _NEVER, _THEIRS),
    (21602, "the message has no text", _NEVER, _OURS),
    (21603, "the message has no sender", _NEVER, _OURS),
    (21604, "the message has no recipient", _NEVER, _OURS),
    (21606, "the sender cannot send SMS", _NEVER, _OURS),
    (21608, "the account is on trial and sends to verified numbers only", _NEVER, _OURS),
    (21609, "the address for callbacks was refused", _NEVER, _OURS),
    (STOPPED, "the person wrote STOP to this sender", _NEVER, _THEIRS),
    (21611, "the sender's queue is full", _LATER, _OURS),
    (21614, "the number cannot receive SMS", _NEVER, _THEIRS),
    (21617, "the text is longer than 1600 characters", _NEVER, _OURS),
    (21619, "the message has neither text nor media", _NEVER, _OURS),
    (21635, "the number is a landline", _NEVER, _THEIRS),
    (21659, "the sender is not one of Twilio's for this country", _NEVER, _OURS),
    (21701, "the Messaging Service does not exist", _NEVER, _OURS),
    (21702, "the Messaging Service cannot send", _NEVER, _OURS),
    (21703, "the Messaging Service has no sender for this message", _NEVER, _OURS),
    (21704, "the Messaging Service has no senders", _NEVER, _OURS),
    (21705, "the Messaging Service is not valid", _NEVER, _OURS),
    (30001, "the queue was full for too long", _LATER, _OURS),
    (30002, "the account is suspended", _NEVER, _OURS),
    (30003, "the handset could not be reached", _LATER, _THEIRS),
    (30004, "the message was blocked", _NEVER, _THEIRS),
    (30005, "the number is unknown or out of service", _NEVER, _THEIRS),
    (30006, "the number is a landline, or its network cannot be reached", _NEVER, _THEIRS),
    (30007, "the message was filtered by its content or sender", _NEVER, _OURS),
    (30008, "the network gave no reason", _LATER, _THEIRS),
    (30022, "the rate that US networks allow our campaign was exceeded", _LATER, _OURS),
    (30034, "the sender is not registered for US networks", _NEVER, _OURS),
    (30036, "the message waited in the queue for longer than its validity", _LATER, _OURS),
    (30500, "Twilio failed while it handled the message", _LATER, _OURS),
    (34002, "the line was busy", _LATER, _THEIRS),
    (63017, "the account's rate was exceeded", _LATER, _OURS),
    (573002, "on trial, the number to call from is another for this person", _NEVER, _OURS),
    (573005, "the account is on trial, and this number was not verified", _NEVER, _OURS),
)

MEANINGS: Mapping[int, Meaning] = MappingProxyType({known[0]: Meaning(*known) for known in _KNOWN})


def meaning_of(code: int) -> Meaning:
    """What a code means. One that is not known is held against us and not against the person."""
    return MEANINGS.get(code) or Meaning(code, "an error that is not known here", _UNKNOWN, _OURS)
