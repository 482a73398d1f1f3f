"""What a carrier raises. Decide on the class and its fields, never on the text."""

from __future__ import annotations

from notifiers.outcome import Outcome, Result, Stage


class CarrierError(Exception):
    """Base of all errors of this package."""


class BadMessage(CarrierError):
    """A message, or a value in it, that cannot be sent as it is. `where` names the field."""

    def __init__(self, what: str, *, where: str) -> None:
        super().__init__(f"{where}: {what}")
        self.what = what
        self.where = where


class BadAddress(BadMessage):
    """An address that no message can be sent to."""


class UnsupportedAddress(BadAddress):
    """A valid address that needs an extension not offered here (SMTPUTF8, RFC 6531)."""


class BadRelay(CarrierError):
    """Settings of a relay that contradict each other or would give a secret away."""


class BadCentre(CarrierError):
    """Settings of a short-message centre that contradict each other or would give a secret away."""


class BadGateway(CarrierError):
    """A definition of an SMS gateway, or settings of one, that contradict each other or would give a secret away."""


class Unanswered(CarrierError):
    """A question to a carrier that got no answer, or a refusal. It changed nothing there: asking later is safe.

    `code` is the other side's own code, empty where it gave none. The texts hold no secret and no person's number.
    """

    def __init__(self, text: str, *, peer: str, code: str = "") -> None:
        super().__init__(f"{peer}: {text}")
        self.text = text
        self.peer = peer
        self.code = code

    """Settings of an SMS gateway that contradict each other or would give a secret away."""


class BadPdu(CarrierError):
    """Octets that are no PDU of SMPP 3.4, or values that fit into none."""


class CarrierMissing(CarrierError):
    """The library that a carrier sends by is not installed. `package` is the one that is missing."""

    def __init__(self, package: str) -> None:
        super().__init__(f"{package} is not installed")
        self.package = package


class CarrierUnreachable(CarrierError):
    """No session with the carrier could be opened: nothing of any message has left.

    `stage` is connect, tls or auth; `code` is the other side's code, where it gave one. The texts never
    hold a password, not even one the other side echoed.
    """

    def __init__(
        self,
        stage: Stage,
        text: str,
        *,
        peer: str,
        code: int | None = None,
        enhanced: str | None = None,
    ) -> None:
        super().__init__(f"{peer}: {text} ({stage})")
        self.stage = stage
        self.text = text
        self.peer = peer
        self.code = code
        self.enhanced = enhanced

    @property
    def outcome(self) -> Outcome:
        """The same, as the outcome of a message that waited for this session."""
        return Outcome(
            Result.not_sent, self.stage, self.code, self.enhanced, self.text, peer=self.peer, tls=False
        )
