"""An account at Twilio: who we are there, by what we send and call, and where it reports to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import SplitResult, urlsplit

from notifiers.errors import BadGateway
from notifiers.hosts import is_host, is_this_machine
from notifiers.numbers import is_number

_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_KEY_SID = re.compile(r"SK[0-9a-fA-F]{32}")
_SERVICE_SID = re.compile(r"MG[0-9a-fA-F]{32}")
_PLACE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SECRET = re.compile(r"[\x21-\x7e]{1,256}")
_CALLBACK_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_LONGEST_CALLBACK_BASE = 1024
_WINDOWS = range(1, 1001)
_SHORTEST_VALIDITY, _LONGEST_VALIDITY = timedelta(seconds=1), timedelta(seconds=36_000)
_RINGING, _LASTING = range(5, 121), range(30, 601)
_API_HOST = "api.twilio.com"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect` bounds the connection and its TLS, `read` the time from there to the whole answer.

    A short `read` makes outcomes ambiguous that Twilio would have answered.
    """

    connect: float = 10.0
    read: float = 30.0


@dataclass(frozen=True, slots=True)
class Caller:
    """By what we call, checked when it is made. Raises BadGateway.

    `number` is what people see (E.164 with its plus): a number of the account's, or one that it verified.
    `ring_seconds`, 5 to 120, is how long a telephone rings; Twilio adds up to 5 to it. `longest_seconds`, 30 to 600,
    is when a call that was answered is ended.
    """

    number: str
    ring_seconds: int = 30
    longest_seconds: int = 300

    def __post_init__(self) -> None:
        if not is_number(self.number):
            raise BadGateway("the number to call from is a plus, then 7 to 15 digits")
        if self.ring_seconds not in _RINGING:
            raise BadGateway(f"a telephone rings {_RINGING.start} to {_RINGING.stop - 1} seconds")
        if self.longest_seconds not in _LASTING:
            raise BadGateway(f"a call lasts at most {_LASTING.start} to {_LASTING.stop - 1} seconds")


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """An account, checked when it is made. Raises BadGateway.

    Requests are signed in with an API key (`key_sid` and `key_secret`), or else with `auth_token`; a key can be
    withdrawn alone, so that it is the better of the two. Both belong to one region.

    `messaging_service_sid` names the pool of senders that Twilio chooses from for SMS, and `caller` is what calls are
    placed by; one of them is given. Callbacks go below `callback_base`, an https address as Twilio reaches it, without
    query and without port (its signature is over the address, with or without its port); "" asks for none, which calls
    cannot do. They are signed with the account's primary auth token and with no API key:
    `callback_tokens` are the primary one and, while it is being changed, the other (error 57012).

    `region` and `edge` (such as ie1 and dublin) go together, as in "api.dublin.ie1.twilio.com". `base_url` is there for
    tests and stands for every host of Twilio's: it must lie on this machine, or be spoken to by https.

    `window` is how many requests may be without answer. `validity`, 1 to 36000 seconds, is how long a message may wait
    in Twilio's queue before it is given up (its default is the longest; more than 5 is advised).
    """

    account_sid: str
    messaging_service_sid: str = ""
    key_sid: str = ""
    key_secret: str = field(default="", repr=False)
    auth_token: str = field(default="", repr=False)
    callback_base: str = ""
    callback_tokens: tuple[str, ...] = field(default=(), repr=False)
    region: str = ""
    edge: str = ""
    base_url: str = ""
    window: int = 10
    validity: timedelta = _LONGEST_VALIDITY
    timeouts: Timeouts = field(default_factory=Timeouts)
    caller: Caller | None = None

    def __post_init__(self) -> None:
        self._check_account()
        self._check_place()
        self._check_callbacks()
        self._check_messages()

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password of each request."""
        if self.key_sid:
            return self.key_sid, self.key_secret
        return self.account_sid, self.auth_token

    @property
    def peer(self) -> str:
        """Where requests go, as "host:port"."""
        if self.base_url:
            split = urlsplit(self.base_url)
            return f"{split.hostname}:{split.port or _usual_port(split)}"
        places = f"{self.edge}.{self.region}." if self.region else ""
        return f"{_API_HOST.replace('.', f'.{places}', 1)}:443"

    @property
    def calls_peer(self) -> str:
        """The same for calls. It is another name, since ids of messages and of calls are kept by peer: a question or a
        callback about the one finds nothing of the other, whatever their ids look like."""
        return f"calls.{self.peer}"

    @property
    def tls(self) -> bool:
        return not self.base_url.startswith("http:")

    @property
    def validity_seconds(self) -> int:
        return int(self.validity.total_seconds())

    def _check_account(self) -> None:
        if not _ACCOUNT_SID.fullmatch(self.account_sid):
            raise BadGateway("Twilio's account SID is AC and 32 hexadecimal digits")
        if not self.messaging_service_sid and self.caller is None:
            raise BadGateway("give a Messaging Service of Twilio's, or a number to call from")
        if self.messaging_service_sid and not _SERVICE_SID.fullmatch(self.messaging_service_sid):
            raise BadGateway("the SID of Twilio's Messaging Service is MG and 32 hexadecimal digits")
        if bool(self.key_sid) != bool(self.key_secret):
            raise BadGateway("an API key of Twilio's has both a SID and a secret; give both, or neither")
        if self.key_sid and not _KEY_SID.fullmatch(self.key_sid):
            raise BadGateway("the SID of an API key of Twilio's is SK and 32 hexadecimal digits")
        if bool(self.key_sid) == bool(self.auth_token):
            raise BadGateway("give either an API key of Twilio's or its auth token to sign in with")
        if not _SECRET.fullmatch(self.credentials[1]):
            raise BadGateway("the secret for Twilio is 1 to 256 visible ASCII characters")

    def _check_place(self) -> None:
        if bool(self.region) != bool(self.edge):
            raise BadGateway("Twilio's region and edge go together; give both, or neither")
        if self.region and not (_PLACE.fullmatch(self.region) and _PLACE.fullmatch(self.edge)):
            raise BadGateway("Twilio's region and edge are names such as ie1 and dublin")
        if not self.base_url:
            return
        if self.region:
            raise BadGateway("a base address for Twilio is given, and so are region and edge; leave one out")
        split = _split(self.base_url)
        if split is None or split.path.strip("/") or split.query:
            raise BadGateway("the base address for Twilio is http(s)://HOST[:PORT]")
        if split.scheme != "https" and not is_this_machine(split.hostname or ""):
            raise BadGateway(
                "secrets for Twilio would cross the network unprotected; its base address begins with https"
            )

    def _check_callbacks(self) -> None:
        if not all(_SECRET.fullmatch(token) for token in self.callback_tokens):
            raise BadGateway("an auth token of Twilio's is 1 to 256 visible ASCII characters")
        if not self.callback_base:
            return
        split = _split(self.callback_base)
        if split is None or split.query or not _CALLBACK_PATH.fullmatch(split.path):
            raise BadGateway(
                "the address for Twilio's callbacks is https://HOST/PATH, without a slash at its end"
            )
        if len(self.callback_base) > _LONGEST_CALLBACK_BASE or "_" in split.netloc:
            raise BadGateway(
                "the address for Twilio's callbacks is too long, or its host name has an underscore"
            )
        if not self.callback_tokens:
            raise BadGateway(
                "callbacks of Twilio's are asked for, but no auth token is given to check them with"
            )
        if is_this_machine(split.hostname or ""):
            return
        if split.scheme != "https" or split.port is not None:
            raise BadGateway("the address for Twilio's callbacks begins with https and names no port")

    def _check_messages(self) -> None:
        if self.window not in _WINDOWS:
            raise BadGateway(f"the window is a number from {_WINDOWS.start} to {_WINDOWS.stop - 1}")
        if not _SHORTEST_VALIDITY <= self.validity <= _LONGEST_VALIDITY:
            raise BadGateway("the validity is a time from 1 to 36000 seconds")
        if not all(0 < seconds < float("inf") for seconds in (self.timeouts.connect, self.timeouts.read)):
            raise BadGateway("Twilio's timeouts are seconds above 0")


def _split(url: str) -> SplitResult | None:
    """An http(s) address in its parts; None for what is none, or names a user or a fragment."""
    try:
        split = urlsplit(url)
        _ = split.port
    except ValueError:
        return None
    if split.scheme not in ("http", "https") or split.username is not None or "#" in url or "?" in url:
        return None
    if not url.isascii() or not url.isprintable() or not is_host(split.hostname or ""):
        return None
    return split


def _usual_port(split: SplitResult) -> int:
    return 443 if split.scheme == "https" else 80
