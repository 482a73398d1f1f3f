"""What the dialects of the simulated gateway have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

from tests.support.sms_gateway.account import Account, Fate, Taken


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came. Names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Those of the query, decoded; a plus is a plus."""
        pairs = [part.partition("=") for part in self.query.split("&") if part]
        return [(unquote(name), unquote(value)) for name, _, value in pairs]


class Reply(NamedTuple):
    status: int
    document: Any

    @property
    def body(self) -> bytes:
        return json.dumps(self.document, ensure_ascii=False).encode()


class Refused(Exception):
    """The provider's code, and the status that goes with it."""

    def __init__(self, code: str, text: str = "refused", status: int = 200) -> None:
        super().__init__(code)
        self.code, self.text, self.status = code, text, status


class Sms(NamedTuple):
    """A message as a request asks for it, checked against the account."""

    number: str
    text: str
    own_id: str
    template: str
    parameters: dict[str, str]


FateOf = Callable[[Taken], Fate]


class Dialect(Protocol):
    """One provider's way to speak."""

    def action(self, request: Received) -> str:
        """ "send", "receipt", "template", "signature" or "credits". Raises Refused for anything else."""

    def number_in(self, request: Received) -> str:
        """The number of a send as digits with country code, as far as it can be read without any check."""

    def check(self, request: Received, account: Account, now: float) -> None:
        """Who asks, and when. Raises Refused."""

    def sms(self, request: Received, account: Account, taken: Sequence[Taken], now: float) -> Sms: ...

    def accepted(self, message: Taken) -> Reply: ...

    def without_reference(self) -> Reply: ...

    def refused(self, refusal: Refused, action: str) -> Reply: ...

    def new_reference(self, number: int) -> str: ...

    def receipts(
        self, request: Received, account: Account, taken: Sequence[Taken], fate: FateOf
    ) -> Reply: ...

    def template(self, request: Received, account: Account) -> Reply: ...

    def signature(self, request: Received, account: Account) -> Reply: ...

    def credits(self, request: Received, account: Account) -> Reply: ...

    def pushed(self, taken: Sequence[Taken], fate: FateOf) -> bytes:
        """What it posts for those whose fate is known."""

    def is_content(self, answer: bytes) -> bool:
        """Whether whom it posted to answered as it wants."""


def only(fields: Mapping[str, Any], allowed: set[str], code: str) -> None:
    """Refuse a field that the documentation does not know."""
    if strange := set(fields) - allowed:
        raise Refused(code, f"unknown: {', '.join(sorted(strange))}")
