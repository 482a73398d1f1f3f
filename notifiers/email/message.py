"""The values of an e-mail: who, what is fixed, what is personal, and the envelope around it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from notifiers.errors import BadAddress, BadMessage, UnsupportedAddress

_SLOT_OPEN = "\ufdd0"
_SLOT_CLOSE = "\ufdd1"
SLOT = re.compile(f"{_SLOT_OPEN}([a-z][a-z0-9_]{{0,39}}){_SLOT_CLOSE}")
_SLOT_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_STRAY_MARK = re.compile(f"[{_SLOT_OPEN}{_SLOT_CLOSE}]")

NOT_IN_A_LINE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Controls (tab excepted), line and paragraph separators, lone surrogates: what no value or header holds."""
_NOT_IN_A_BODY = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL_PART = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*|\"(?:[ !#-\[\]-~]|\\[ -~])+\"")
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_LANGUAGES = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*(?:, [A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*)*")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_OWN_HEADERS = frozenset(
    {"from", "to", "cc", "bcc", "sender", "reply-to", "return-path", "subject", "date", "message-id"}
    | {"mime-version", "content-type", "content-transfer-encoding", "content-language", "received"}
)


def slot(name: str) -> str:
    """The mark of a personal slot, to be rendered into a subject or a body.

    It stands between two Unicode noncharacters (U+FDD0, U+FDD1): these pass HTML escaping unchanged,
    are kept by databases, and stand for no text in any language. Values are put in once and never
    searched, so a value that holds a mark stays what it is.
    """
    if not _SLOT_NAME.fullmatch(name):
        raise BadMessage("a slot's name is lower-case letters, digits and _", where=name)
    return f"{_SLOT_OPEN}{name}{_SLOT_CLOSE}"


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: `spec` is local@domain, `name` the display name or "".

    An internationalised domain becomes its ASCII form (IDNA 2008 after UTS 46 mapping). Raises
    UnsupportedAddress for a non-ASCII local part, BadAddress for anything else that cannot be a mailbox.
    """

    spec: str
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "spec", _ascii_spec(self.spec))
        if self.name and NOT_IN_A_LINE.search(self.name):
            raise BadMessage("a line break or control character is not allowed here", where="display name")


def _ascii_spec(spec: str) -> str:
    local, at, domain = spec.rpartition("@")
    if not at:
        raise BadAddress("this is not an address: it has no @", where="address")
    if not local.isascii():
        raise UnsupportedAddress(
            "letters outside ASCII before the @ need SMTPUTF8, which is not supported", where="address"
        )
    if len(local) > 64 or not _LOCAL_PART.fullmatch(local):
        raise BadAddress("what stands before the @ is not valid (RFC 5321 section 4.1.2)", where="address")
    if not domain.isascii():
        domain = _punycode(domain)
    if not _DOMAIN.fullmatch(domain) or len(local) + len(domain) > 253:
        raise BadAddress("what stands after the @ is not a domain", where="address")
    return f"{local}@{domain}"


@lru_cache(maxsize=4096)
def _punycode(domain: str) -> str:
    import idna  # only for the few domains that need it

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except UnicodeError as refused:
        raise BadAddress("the internationalised domain is not valid (IDNA)", where="address") from refused


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """What is the same for everybody in one language, with `slot()` marks where persons differ.

    `subject` is one line. `text` and `html` are whole bodies, already rendered; `html` may be None.
    `language` is a tag ("zh-Hans") or several ("zh-Hans, en"). `headers` are added to, or replace, the
    ones that keep automatic answers away: "Auto-Submitted: auto-generated" (RFC 3834) and
    "X-Auto-Response-Suppress: OOF, AutoReply" (which leaves bounces alone). List-Unsubscribe is refused:
    nobody can unsubscribe from a notice that the law requires.
    """

    subject: str
    text: str
    html: str | None
    sender: Address
    language: str
    reply_to: Address | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.subject.strip():
            raise BadMessage("a message needs a subject", where="subject")
        if not self.text.strip():
            raise BadMessage("a message needs a text body", where="text")
        if self.html is not None and not self.html.strip():
            raise BadMessage("an HTML body is either None or not empty", where="html")
        if not _LANGUAGES.fullmatch(self.language):
            raise BadMessage("this is not a language tag (RFC 5646)", where="language")
        _refuse(NOT_IN_A_LINE, self.subject, where="subject")
        for where, body in (("text", self.text), ("html", self.html or "")):
            _refuse(_NOT_IN_A_BODY, body, where=where)
        for where, part in (("subject", self.subject), ("text", self.text), ("html", self.html or "")):
            if _STRAY_MARK.search(SLOT.sub("", part)):
                raise BadMessage("a slot's mark is broken", where=where)
        for name, value in self.headers.items():
            _check_header(name, value)


def _refuse(pattern: re.Pattern[str], text: str, *, where: str) -> None:
    found = pattern.search(text)
    if found:
        raise BadMessage(f"the character U+{ord(found[0]):04X} is not allowed here", where=where)


def _check_header(name: str, value: str) -> None:
    if not _HEADER_NAME.fullmatch(name):
        raise BadMessage("this is not the name of a header", where=f"header {name!r}")
    if name.lower() in _OWN_HEADERS:
        raise BadMessage("this header is set by the message itself", where=f"header {name}")
    if name.lower().startswith("list-unsubscribe"):
        raise BadMessage("nobody can unsubscribe from a notice that the law requires", where=f"header {name}")
    if not value.strip():
        raise BadMessage("the header is empty", where=f"header {name}")
    _refuse(NOT_IN_A_LINE, value, where=f"header {name}")
    if _STRAY_MARK.search(value):
        raise BadMessage("a header holds no personal slots", where=f"header {name}")


class SkeletonMessage(bytes):
    """A message that a skeleton made: every line ends in CRLF, and none begins with a dot.

    Its fixed part is base64 and headers, its values are encoded one by one, so it need not be searched again.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message for one recipient, as the relay is told of it.

    `mail_from` is where bounces go ("" for none), `rcpt_to` the recipient, both ASCII. `data` is the
    message with CRLF line ends throughout, not dot-stuffed. `envid` comes back in bounces (RFC 3461), at
    most 100 characters once encoded. All of it is checked here, so that sending cannot trip over it.
    """

    mail_from: str
    rcpt_to: str
    data: bytes
    envid: str | None = None

    def __post_init__(self) -> None:
        if self.mail_from and _ascii_spec(self.mail_from) != self.mail_from:
            raise BadAddress("give the domain in its ASCII form", where="envelope sender")
        if _ascii_spec(self.rcpt_to) != self.rcpt_to:
            raise BadAddress("give the domain in its ASCII form", where="envelope recipient")
        if not isinstance(self.data, SkeletonMessage) and _has_stray_line_end(self.data):
            raise BadMessage(
                "a line must end in CRLF; a lone CR or LF could hide a second message", where="data"
            )
        if self.envid is not None and not 0 < len(xtext(self.envid)) <= 100:
            raise BadMessage("an envelope id has 1 to 100 characters", where="envid")


def _has_stray_line_end(data: bytes) -> bool:
    lines = data.count(b"\r\n")
    return data.count(b"\n") != lines or data.count(b"\r") != lines


_XTEXT = re.compile(r"[!-*,-<>-~]+")


def xtext(text: str) -> str:
    """ASCII text in the form that SMTP parameters take (RFC 3461 section 4)."""
    if _XTEXT.fullmatch(text):
        return text
    if not text.isascii():
        raise BadMessage("only ASCII is allowed here", where="envid")
    return "".join(c if _XTEXT.fullmatch(c) else f"+{ord(c):02X}" for c in text)
