"""What became of one message: how far it came, and what may be done next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """How far an attempt came, in the order of the conversation.

    `after_dot` means that the end of the message was sent and no answer was read, and `submitted` the same of a
    short message; `reply` means that the answer to it was read. `account` is such an answer too, but one that
    would meet everybody: it is about our account, our sender, our credits or how we write.
    """

    connect = "connect"
    tls = "tls"
    auth = "auth"
    mail = "mail"
    rcpt = "rcpt"
    data = "data"
    after_dot = "after_dot"
    submitted = "submitted"
    account = "account"
    reply = "reply"


class Result(StrEnum):
    """What an attempt proves."""

    accepted = "accepted"
    """The next hop took charge of the message. It is not yet with the person."""
    temporary = "temporary"
    """The other side said: not now. It holds no copy."""
    permanent = "permanent"
    """The other side said: never like this. It holds no copy."""
    not_sent = "not_sent"
    """The attempt broke off before the message could have been taken. The other side holds no copy."""
    ambiguous = "ambiguous"
    """The message was handed over and no answer came back. It may or may not have been taken
    (RFC 5321 section 6.1, RFC 1047)."""


SAFE_TO_RETRY = frozenset({Result.temporary, Result.not_sent})
"""Sending again cannot make a second copy."""
FINAL = frozenset({Result.accepted, Result.permanent})
"""Sending the same again over the same carrier makes no sense."""
NO_COPY_TAKEN = frozenset({Result.temporary, Result.permanent, Result.not_sent})
"""The other side certainly holds no copy."""

BEFORE_THE_RECIPIENT = frozenset({Stage.connect, Stage.tls, Stage.auth, Stage.mail, Stage.account})
"""What ends there is the relay's matter or ours, whoever the message is for."""
SERVICE_CLOSING = 421
"""The reply by which a server says that it closes the connection (RFC 5321 section 3.8)."""
_SESSION_STAGES = frozenset({Stage.connect, Stage.tls, Stage.auth})
_RECIPIENT_STAGES = frozenset({Stage.rcpt, Stage.reply})


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt's outcome.

    `references` are the other side's own ids of the parts that it took, in their order: receipts name them. A message
    in several parts may have some although not all of it was taken, which is no copy. `code` is the reply code and `enhanced` the enhanced status code (RFC 3463), or the own code of a gateway
    over HTTP, None where the other side gave none. `text` is the other side's own words (such as "2.0.0 Ok: queued as 4XyZ", whose queue id
    leads to the relay's log), or ours when it said nothing. It may hold the person's address: relays like
    to quote it. `peer` is the relay as "name[ip]:port".
    """

    result: Result
    stage: Stage
    code: int | None
    enhanced: str | None
    text: str
    peer: str
    tls: bool
    held_back: bool = False
    references: tuple[str, ...] = ()

    @property
    def safe_to_retry(self) -> bool:
        """Whether another attempt cannot make a second copy."""
        return self.result in SAFE_TO_RETRY

    @property
    def blocked(self) -> bool:
        """Whether a policy refused us (5.7.x, RFC 3463 section 3.8): the address itself may be fine."""
        return self.enhanced is not None and self.enhanced.startswith("5.7.")

    @property
    def about_recipient(self) -> bool:
        """Whether a permanent refusal may be about this one recipient or message.

        A refusal at an earlier stage is about our sender or our session, and would meet everybody.
        """
        return self.result is Result.permanent and self.stage in _RECIPIENT_STAGES and not self.blocked

    @property
    def about_relay(self) -> bool:
        """Whether it certainly took nothing, and nobody said that the recipient is why.

        No session came about, it broke off, the relay refused us, or it closes: another relay may take the message.
        """
        if self.result not in NO_COPY_TAKEN:
            return False
        return (
            self.result is Result.not_sent
            or self.stage in BEFORE_THE_RECIPIENT
            or self.code == SERVICE_CLOSING
        )

    @property
    def about_session(self) -> bool:
        """Whether no session came about, so that the message itself was never in question."""
        return self.stage in _SESSION_STAGES
