"""Short messages to those who respond: one message to one URL, over Apprise.

A URL may hold a secret (`wecombot://KEY`): it is never logged, never part of an outcome, and `masked` shows what of it
may be seen. Only the schemes in `SCHEMES` are taken. Apprise knows others that write files or talk to this machine's
desktop, and any plugin that somebody put beside them.

Services are asked for an answer, not for a receipt: `accepted` means that the other side said yes to the request.
WeCom, DingTalk and Feishu answer 200 and name an error in the body, which Apprise does not read; so whoever waits for a
person must wait for that person's own answer.
"""

from __future__ import annotations

import logging
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from notifiers.errors import BadAddress, CarrierMissing
from notifiers.outcome import Outcome, Result, Stage

SCHEMES = frozenset(
    {
        *("wecombot", "dingtalk", "lark", "feishu", "slack", "msteams", "workflow", "workflows"),
        *("mailto", "mailtos", "json", "jsons", "ntfy", "ntfys", "mmost", "mmosts", "twilio"),
    }
)
"""What may be called. `https` is taken too, where it is the webhook of one of these as its service shows it."""
_WEBHOOK = "https"
# The host is a host: with the others it is a token or a topic.
_HOST_IS_PUBLIC = frozenset(
    {"mailto", "mailtos", "json", "jsons", "mmost", "mmosts", "workflow", "workflows", _WEBHOOK}
)
_PROTECTED = SCHEMES - {"mailto", "json", "ntfy", "mmost"}
# These name a file of this machine, which would be read and sent, or keys that would be made.
_FILE_OPTIONS = frozenset({"template", "pgp", "pgppub", "pgpprv", "pgpkey", "wkd", "attach"})
_LONGEST = 2000
_UNREACHABLE = (ConnectionRefusedError, socket.gaierror)
_SHORTEST_SECRET = 4


@dataclass(frozen=True, slots=True)
class Message:
    """What is said. `subject` is shown where the service has one."""

    subject: str
    text: str


def check_url(url: str) -> None:
    """Whether a URL has the form of one that may be called. Raises `BadAddress`; its text never holds the URL.

    Nothing is sent, and Apprise is not needed; what only Apprise knows is told by `send`.
    """
    parts = _parts(url)
    if parts.scheme not in SCHEMES | {_WEBHOOK}:
        raise BadAddress(
            f"the scheme {parts.scheme[:20]!r} is not one of {', '.join(sorted(SCHEMES))}", where="url"
        )
    if named := _FILE_OPTIONS & {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}:
        raise BadAddress(f"the option {min(named)} is not taken: it names a file", where="url")
    if not parts.netloc:
        raise BadAddress("nothing stands after the scheme", where="url")


def must_be_callable(url: str) -> None:
    """As `check_url`, and what only Apprise knows of the URL; nothing is sent. Raises `CarrierMissing` too."""
    check_url(url)
    _plugin(url)


def masked(url: str) -> str:
    """What of a URL may be shown: its scheme, and its host where that is no secret."""
    try:
        parts = _parts(url)
    except BadAddress:
        return "…"
    if parts.scheme in _HOST_IS_PUBLIC and parts.hostname:
        return f"{parts.scheme}://{parts.hostname}"
    return f"{parts.scheme}://…"


def send(message: Message, url: str, *, timeout: float = 15.0) -> Outcome:
    """Send one message to one URL; each wait on the other side ends after `timeout` seconds.

    Raises `BadAddress` for a URL that cannot be called, `CarrierMissing` without Apprise.
    """
    check_url(url)
    plugin = _plugin(url)
    plugin.socket_connect_timeout = plugin.socket_read_timeout = timeout
    with _listening() as heard:
        taken = bool(plugin.notify(title=message.subject, body=message.text))
    peer, tls = masked(url), _parts(url).scheme in _PROTECTED | {_WEBHOOK}
    if taken:
        return Outcome(Result.accepted, Stage.reply, None, None, "accepted", peer, tls)
    result, stage, code = heard.told()
    text = _without(url, heard.words) or "not accepted"
    return Outcome(result, stage, code, None, text, peer, tls)


def _parts(url: str) -> SplitResult:
    if len(url) > _LONGEST or not url.isprintable() or " " in url:
        raise BadAddress(f"a URL is one word of at most {_LONGEST} characters", where="url")
    try:
        parts = urlsplit(url)
        parts.hostname, parts.port  # noqa: B018 - only looking finds some errors
    except ValueError:
        # Tokens hold what no host may hold; Apprise reads them by its own rules.
        parts = SplitResult(url.partition(":")[0].lower(), url.partition("://")[2], "", "", "")
    if "://" not in url:
        raise BadAddress("no URL: it begins with a scheme such as wecombot://", where="url")
    return parts


def _plugin(url: str) -> Any:
    apprise, asset = _apprise()
    with _listening():
        plugin = apprise.Apprise.instantiate(url, asset=asset)
    if plugin is None:
        raise BadAddress("the URL is not complete, or holds what its service does not take", where="url")
    if not SCHEMES & _schemes_of(plugin):
        raise BadAddress("this address belongs to a service that is not taken", where="url")
    return plugin


def _schemes_of(plugin: Any) -> set[str]:
    found: set[str] = set()
    for names in (plugin.protocol, plugin.secure_protocol):
        found |= {names} if isinstance(names, str) else set(names or ())
    return found


@cache
def _apprise() -> tuple[Any, Any]:
    try:
        import apprise
    except ImportError:
        raise CarrierMissing("apprise") from None
    # Its log holds URLs and messages; it goes to nobody but the thread that sends.
    log = logging.getLogger("apprise")
    log.propagate = False
    log.handlers[:] = [_Ear()]
    log.setLevel(logging.DEBUG)
    # At this level it tells the path of each request.
    logging.getLogger("urllib3").setLevel(logging.INFO)
    asset = apprise.AppriseAsset(
        app_id="Tocsin", app_desc="", app_url="", storage_mode=apprise.PersistentStoreMode.MEMORY
    )
    return apprise, asset


# -- what Apprise says of a send -----------------------------------------------------------------------


@dataclass(slots=True)
class _Heard:
    """What was logged during one send: the words for a person, and the error that was being handled meanwhile."""

    words: list[str] = field(default_factory=list)
    error: BaseException | None = None

    def told(self) -> tuple[Result, Stage, int | None]:
        if self.error is None:
            return Result.permanent, Stage.reply, None
        chain = tuple(_chain(self.error))
        for each in chain:
            # What a mail server says: one code, or one for each recipient it refused.
            if isinstance(code := getattr(each, "smtp_code", None), int):
                return Result.permanent, Stage.reply, code
            if isinstance(refused := getattr(each, "recipients", None), dict):
                return Result.permanent, Stage.rcpt, next((code for code, _ in refused.values()), None)
        if any(isinstance(each, _UNREACHABLE) or type(each).__name__ == "ConnectTimeout" for each in chain):
            return Result.not_sent, Stage.connect, None
        return Result.ambiguous, Stage.after_dot, None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


_current = threading.local()


class _Ear(logging.Handler):
    """Hands what Apprise logs to the send of the same thread, and to nobody else.

    Apprise tells a caller only yes or no; but it logs while it handles an error, and that error says how far it came.
    """

    def emit(self, record: logging.LogRecord) -> None:
        heard: _Heard | None = getattr(_current, "heard", None)
        if heard is None:
            return
        heard.error = heard.error or sys.exc_info()[1]
        if record.levelno >= logging.WARNING:
            heard.words.append(record.getMessage())


@contextmanager
def _listening() -> Iterator[_Heard]:
    heard = _Heard()
    _current.heard = heard
    try:
        yield heard
    finally:
        _current.heard = None


def _without(url: str, words: list[str]) -> str:
    """The words without any piece of the URL that may be secret."""
    text = " ".join(" ".join(words).split())[:500]
    public = masked(url).partition("://")[2]
    secrets = {each for each in re.split(r"[/?#&=:@,]+", url.partition("://")[2]) if each != public}
    for secret in sorted({*secrets, *map(unquote, secrets)}, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[removed]")
    return text
