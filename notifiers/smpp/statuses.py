"""What a centre's command_status means for a message that waits for it. Data, and pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import NamedTuple

from notifiers.outcome import Result, Stage


class Status(IntEnum):
    """The values of command_status that this client itself names."""

    ok = 0x00
    invalid_command_length = 0x02
    invalid_command_id = 0x03
    invalid_bind_status = 0x04
    system_error = 0x08
    queue_full = 0x14
    throttled = 0x58
    receiver_temporary = 0x64
    receiver_permanent = 0x65


class Verdict(StrEnum):
    """What follows from a status."""

    taken = "taken"
    slow_down = "slow_down"
    """Not now, and not so fast: the same again after a pause. It says nothing of the message."""
    unbound = "unbound"
    """The centre no longer knows our session: bind anew."""
    temporary = "temporary"
    permanent = "permanent"
    unknown = "unknown"
    """The standard gives it no meaning, so that nobody can say that the recipient is why."""


class Meaning(NamedTuple):
    """A status: its name in the standard, its words there, what follows, and whether it is about this one message
    (`reply`) or about us, whoever the message is for (`account`)."""

    name: str
    words: str
    verdict: Verdict
    stage: Stage

    @property
    def text(self) -> str:
        """For people: "Throttling error (ESME_RTHROTTLED)"."""
        return f"{self.words} ({self.name})"

    @property
    def result(self) -> Result:
        """What it proves of the message that it answers, should nothing more be tried."""
        return _RESULTS[self.verdict]


_RESULTS = {
    Verdict.taken: Result.accepted,
    Verdict.slow_down: Result.not_sent,
    Verdict.unbound: Result.not_sent,
    Verdict.temporary: Result.temporary,
    Verdict.permanent: Result.permanent,
    Verdict.unknown: Result.permanent,
}

_SLOW, _LATER, _NEVER = Verdict.slow_down, Verdict.temporary, Verdict.permanent
_OURS, _THEIRS = Stage.account, Stage.reply

# SMPP 3.4, 5.1.3, table 5-2: numbers, names and words. What follows from each is ours.
MEANINGS: Mapping[int, Meaning] = MappingProxyType(
    {
        0x00: Meaning("ESME_ROK", "No error", Verdict.taken, _THEIRS),
        0x01: Meaning("ESME_RINVMSGLEN", "Message length is invalid", _NEVER, _THEIRS),
        0x02: Meaning("ESME_RINVCMDLEN", "Command length is invalid", _NEVER, _OURS),
        0x03: Meaning("ESME_RINVCMDID", "Invalid command ID", _NEVER, _OURS),
        0x04: Meaning(
            "ESME_RINVBNDSTS", "Incorrect bind status for given command", Verdict.unbound, Stage.auth
        ),
        0x05: Meaning("ESME_RALYBND", "ESME already in bound state", _LATER, _OURS),
        0x06: Meaning("ESME_RINVPRTFLG", "Invalid priority flag", _NEVER, _OURS),
        0x07: Meaning("ESME_RINVREGDLVFLG", "Invalid registered delivery flag", _NEVER, _OURS),
        0x08: Meaning("ESME_RSYSERR", "System error", _SLOW, _OURS),
        0x0A: Meaning("ESME_RINVSRCADR", "Invalid source address", _NEVER, _OURS),
        0x0B: Meaning("ESME_RINVDSTADR", "Invalid destination address", _NEVER, _THEIRS),
        0x0C: Meaning("ESME_RINVMSGID", "Message ID is invalid", _NEVER, _OURS),
        0x0D: Meaning("ESME_RBINDFAIL", "Bind failed", _NEVER, _OURS),
        0x0E: Meaning("ESME_RINVPASWD", "Invalid password", _NEVER, _OURS),
        0x0F: Meaning("ESME_RINVSYSID", "Invalid system ID", _NEVER, _OURS),
        0x11: Meaning("ESME_RCANCELFAIL", "Cancel SM failed", _NEVER, _OURS),
        0x13: Meaning("ESME_RREPLACEFAIL", "Replace SM failed", _NEVER, _OURS),
        0x14: Meaning("ESME_RMSGQFUL", "Message queue full", _SLOW, _OURS),
        0x15: Meaning("ESME_RINVSERTYP", "Invalid service type", _NEVER, _OURS),
        0x33: Meaning("ESME_RINVNUMDESTS", "Invalid number of destinations", _NEVER, _OURS),
        0x34: Meaning("ESME_RINVDLNAME", "Invalid distribution list name", _NEVER, _OURS),
        0x40: Meaning("ESME_RINVDESTFLAG", "Destination flag is invalid", _NEVER, _OURS),
        0x42: Meaning("ESME_RINVSUBREP", "Invalid submit with replace request", _NEVER, _OURS),
        0x43: Meaning("ESME_RINVESMCLASS", "Invalid esm_class field data", _NEVER, _OURS),
        0x44: Meaning("ESME_RCNTSUBDL", "Cannot submit to distribution list", _NEVER, _OURS),
        # It gives no reason; centres use it for a passing failure of their store as well.
        0x45: Meaning("ESME_RSUBMITFAIL", "submit_sm failed", _LATER, _THEIRS),
        0x48: Meaning("ESME_RINVSRCTON", "Invalid source address TON", _NEVER, _OURS),
        0x49: Meaning("ESME_RINVSRCNPI", "Invalid source address NPI", _NEVER, _OURS),
        # TON and NPI of a destination follow from the settings, not from the person's number.
        0x50: Meaning("ESME_RINVDSTTON", "Invalid destination address TON", _NEVER, _OURS),
        0x51: Meaning("ESME_RINVDSTNPI", "Invalid destination address NPI", _NEVER, _OURS),
        0x53: Meaning("ESME_RINVSYSTYP", "Invalid system_type field", _NEVER, _OURS),
        0x54: Meaning("ESME_RINVREPFLAG", "Invalid replace_if_present flag", _NEVER, _OURS),
        0x55: Meaning("ESME_RINVNUMMSGS", "Invalid number of messages", _NEVER, _OURS),
        0x58: Meaning("ESME_RTHROTTLED", "Throttling error", _SLOW, _OURS),
        0x61: Meaning("ESME_RINVSCHED", "Invalid scheduled delivery time", _NEVER, _OURS),
        0x62: Meaning("ESME_RINVEXPIRY", "Invalid message validity period", _NEVER, _OURS),
        0x63: Meaning("ESME_RINVDFTMSGID", "Predefined message invalid or not found", _NEVER, _OURS),
        0x64: Meaning("ESME_RX_T_APPN", "ESME receiver temporary application error", _LATER, _THEIRS),
        0x65: Meaning("ESME_RX_P_APPN", "ESME receiver permanent application error", _NEVER, _THEIRS),
        0x66: Meaning("ESME_RX_R_APPN", "ESME receiver rejects the message", _NEVER, _THEIRS),
        0x67: Meaning("ESME_RQUERYFAIL", "query_sm request failed", _NEVER, _OURS),
        0xC0: Meaning("ESME_RINVOPTPARSTREAM", "Error in the optional part of the PDU", _NEVER, _OURS),
        0xC1: Meaning("ESME_ROPTPARNOTALLWD", "Optional parameter not allowed", _NEVER, _OURS),
        0xC2: Meaning("ESME_RINVPARLEN", "Invalid parameter length", _NEVER, _OURS),
        0xC3: Meaning("ESME_RMISSINGOPTPARAM", "Expected optional parameter missing", _NEVER, _OURS),
        0xC4: Meaning("ESME_RINVOPTPARAMVAL", "Invalid optional parameter value", _NEVER, _OURS),
        0xFE: Meaning("ESME_RDELIVERYFAILURE", "Delivery failure", _NEVER, _THEIRS),
        0xFF: Meaning("ESME_RUNKNOWNERR", "Unknown error", _LATER, _OURS),
    }
)

_VENDORS = range(0x400, 0x500)


def meaning_of(status: int) -> Meaning:
    """What a status means. Those that table 5-2 keeps for vendors, and those it reserves, are unknown ones."""
    known = MEANINGS.get(status)
    if known is not None:
        return known
    whose = "Error of this centre's own" if status in _VENDORS else "Error that SMPP 3.4 does not know"
    return Meaning(f"0x{status:08X}", whose, Verdict.unknown, _OURS)
