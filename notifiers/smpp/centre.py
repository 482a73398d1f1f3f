"""An operator's short-message centre: where it is, and how it wants to be spoken to."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from notifiers.errors import BadAddress, BadCentre
from notifiers.hosts import is_host, is_this_machine
from notifiers.sms.alphabet import Alphabet, is_gsm, septets_of

__all__ = ["Address", "Alphabet", "Centre", "NumberFormat", "Timeouts", "tls_context"]

_E164 = re.compile(r"\+([1-9][0-9]{6,14})")
_DIGITS = re.compile(r"\+?[0-9]{1,20}")
_COUNTRY_CODE = re.compile(r"[1-9][0-9]{0,2}")
_LONGEST_NAME = 11  # septets of an alphanumeric address, TS 23.040, 9.1.2.5
_LONGEST_SYSTEM_ID = 15
_LONGEST_PASSWORD = 64
_LONGEST_SYSTEM_TYPE = 12
_WINDOWS = range(1, 1001)
_SHORTEST_VALIDITY, _LONGEST_VALIDITY = timedelta(minutes=1), timedelta(days=28)

# Type of number and numbering plan (SMPP 3.4, 5.2.5 and 5.2.6).
_UNKNOWN, _INTERNATIONAL, _NATIONAL, _NETWORK_SPECIFIC, _ALPHANUMERIC = 0, 1, 2, 3, 5
_NO_PLAN, _ISDN = 0, 1


class NumberFormat(StrEnum):
    """How people's numbers are written to the centre. None of them has a plus."""

    international = "international"
    """With the country code: TON 1, NPI 1."""
    national = "national"
    """Without the country code: TON 2, NPI 1. A number of another country goes as international."""
    plain = "plain"
    """With the country code, but unnamed: TON 0, NPI 1."""


class Address(NamedTuple):
    """An address with its type of number and its numbering plan."""

    ton: int
    npi: int
    digits: str


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds.

    `connect` counts for the connection and again for TLS, `bind` for the answer to the bind, `response` for each other
    answer. A short `response` makes outcomes ambiguous that the centre would have answered. `enquire_every` is how long
    nothing may be heard before the centre is asked whether it is still there; one that does not answer within `response`
    is gone. `unbind` bounds the farewell. `throttled` is how long one message is offered again to a centre that says
    "slower" before its send gives up.
    """

    connect: float = 30.0
    bind: float = 30.0
    response: float = 30.0
    enquire_every: float = 30.0
    unbind: float = 5.0
    throttled: float = 60.0


@dataclass(frozen=True, slots=True)
class Centre:
    """A short-message centre. With `tls` its certificate is always verified: against the system's authorities, or
    against those in `ca_file` alone when it is given.

    `sender` is a name of up to 11 characters of GSM 7 bit (TON 5, NPI 0), an international number with its plus (TON 1,
    NPI 1), or digits without plus, which are a number of the operator's own such as a short code or 1069... (TON 3,
    NPI 0). `country_code` is what NumberFormat.national leaves out. `per_second` bounds the messages handed over, each
    part counting as one; `window` how many may be without answer. `validity`, a minute to 28 days, is how long the centre
    keeps trying; None leaves it to the centre.

    SMPP 3.4 (5.2.2) gives a password 8 octets. Centres that take longer ones are common, so up to 64 are sent; one that
    keeps to 8 refuses the bind. Centres are mostly reached in clear over a private line: a password that leaves this
    machine so needs `allow_unprotected`, because only people know what line that is. Raises BadCentre.
    """

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    sender: str
    tls: bool = False
    ca_file: Path | None = None
    allow_unprotected: bool = False
    system_type: str = ""
    alphabet: Alphabet = Alphabet.gsm
    number_format: NumberFormat = NumberFormat.international
    country_code: str = "86"
    window: int = 10
    per_second: float | None = None
    validity: timedelta | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)

    def __post_init__(self) -> None:
        self._check_connection()
        self._check_account()
        self._check_messages()

    @property
    def peer(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def source(self) -> Address:
        """The sender as the centre gets it."""
        if not _DIGITS.fullmatch(self.sender):
            return Address(_ALPHANUMERIC, _NO_PLAN, self.sender)
        if self.sender.startswith("+"):
            return Address(_INTERNATIONAL, _ISDN, self.sender[1:])
        return Address(_NETWORK_SPECIFIC, _NO_PLAN, self.sender)

    def destination(self, number: str) -> Address:
        """A person's number as the centre wants it. Raises BadAddress for what is not E.164 with its plus."""
        found = _E164.fullmatch(number)
        if found is None:
            raise BadAddress("a number in international form: a plus, then 7 to 15 digits", where="to")
        digits = found.group(1)
        if self.number_format is NumberFormat.plain:
            return Address(_UNKNOWN, _ISDN, digits)
        if self.number_format is NumberFormat.national and digits.startswith(self.country_code):
            return Address(_NATIONAL, _ISDN, digits.removeprefix(self.country_code))
        return Address(_INTERNATIONAL, _ISDN, digits)

    @property
    def validity_period(self) -> str:
        """`validity` as a relative time (SMPP 3.4, 7.1.1.2), in days and below; empty without one."""
        if self.validity is None:
            return ""
        minutes, seconds = divmod(int(self.validity.total_seconds()), 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        return f"0000{days:02}{hours:02}{minutes:02}{seconds:02}000R"

    def _check_connection(self) -> None:
        if not is_host(self.host):
            raise BadCentre("the centre's host is a host name or an IP address")
        if not 0 < self.port < 65536:
            raise BadCentre("the centre's port is a number from 1 to 65535")
        if self.ca_file is not None and not self.tls:
            raise BadCentre("a file of authorities is given for the centre, but TLS is off")
        if not self.tls and not self.allow_unprotected and self.password and not is_this_machine(self.host):
            raise BadCentre(
                "the centre's password would cross the network unprotected; switch TLS on, or allow it for a private line"
            )

    def _check_account(self) -> None:
        if not _fits(self.system_id, _LONGEST_SYSTEM_ID) or not self.system_id:
            raise BadCentre(f"the system id is 1 to {_LONGEST_SYSTEM_ID} ASCII characters")
        if not _fits(self.password, _LONGEST_PASSWORD):
            raise BadCentre(f"the centre's password is at most {_LONGEST_PASSWORD} ASCII characters")
        if not _fits(self.system_type, _LONGEST_SYSTEM_TYPE):
            raise BadCentre(f"the system type is at most {_LONGEST_SYSTEM_TYPE} ASCII characters")
        if not _DIGITS.fullmatch(self.sender) and not _is_name(self.sender):
            raise BadCentre(
                f"the sender is a name of at most {_LONGEST_NAME} characters of GSM 7 bit, or 1 to 20 digits"
            )

    def _check_messages(self) -> None:
        if not _COUNTRY_CODE.fullmatch(self.country_code):
            raise BadCentre("the country code is 1 to 3 digits, without plus")
        if self.window not in _WINDOWS:
            raise BadCentre(f"the window is a number from {_WINDOWS.start} to {_WINDOWS.stop - 1}")
        if self.per_second is not None and not 0 < self.per_second < float("inf"):
            raise BadCentre("messages per second are a number above 0")
        if self.validity is not None and not _SHORTEST_VALIDITY <= self.validity <= _LONGEST_VALIDITY:
            raise BadCentre("the validity is a time from one minute to 28 days")


def _fits(text: str, longest: int) -> bool:
    return len(text) <= longest and text.isascii() and (text.isprintable() or not text)


def _is_name(sender: str) -> bool:
    # The field is written as ISO-8859-1, which agrees with GSM 7 bit on printable ASCII alone.
    if not _fits(sender, _LONGEST_NAME) or not is_gsm(sender):
        return False
    return 0 < len(septets_of(sender)) <= _LONGEST_NAME


def tls_context(centre: Centre) -> ssl.SSLContext:
    """The context that verifies this centre: chain, dates and host name. Reads `ca_file`.

    Raises BadCentre when that file cannot be read as certificates.
    """
    try:
        return ssl.create_default_context(cafile=str(centre.ca_file) if centre.ca_file else None)
    except (OSError, ssl.SSLError) as unreadable:
        raise BadCentre(f"the centre's file of authorities cannot be used: {centre.ca_file}") from unreadable
