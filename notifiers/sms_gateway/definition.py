"""What a gateway is like: the model of a definition's YAML file. Pure.

A definition says how a request is made and how an answer is read; it holds no account and no secret. Values of fields
come from a closed set of slots, so that a definition can only send what is meant to leave. Answers are read with
JMESPath.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jmespath
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from notifiers.errors import BadGateway
from notifiers.hosts import is_host
from notifiers.sms.receipt import MessageState
from notifiers.sms_gateway.terms import (
    ALLOWED,
    OF_THE_ACCOUNT,
    SECRETS,
    Approval,
    CodeClass,
    Confidence,
    Encoding,
    NumberFormat,
    SignaturePlace,
    Signing,
    Slot,
    Syntax,
    slot_of,
)


@lru_cache(maxsize=512)
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)


def picked(expression: str, document: Any) -> Any:
    """What a JMESPath expression finds; None for nothing and where a function of it meets what it cannot take."""
    try:
        return _compiled(expression).search(document)
    except jmespath.exceptions.JMESPathError:
        return None


def _is_path(expression: str) -> str:
    try:
        _compiled(expression)
    except (ValueError, RecursionError):  # jmespath's own errors are ValueErrors
        raise ValueError(f"not a JMESPath expression: {expression}") from None
    return expression


def _is_regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error:
        raise ValueError(f"not a regular expression: {pattern}") from None
    return pattern


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"not a time zone: {name}") from None
    return name


Path = Annotated[str, AfterValidator(_is_path)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Title(_Model):
    zh_hans: str = Field(alias="zh-Hans")
    en: str


class Seen(_Model):
    """Where a part of the shape was read, and when."""

    what: str
    url: str
    on: date


class Constant(_Model):
    """A value that is always the same, and why it is this one."""

    constant: str | int | bool
    why: str


Value = str | Constant | tuple[str, ...]
"""A slot in braces, a constant, or a list of slots."""


class Reply(_Model):
    """How the answer to a request is read: `success` must come to true. `code` is the provider's, `text` its words."""

    success: Path
    code: Path
    text: Path


class SendReply(Reply):
    reference: Path


class Operation(_Model):
    """One request. Headers are constants, or "{region}" and the like. A field whose slot is empty is left out."""

    method: Literal["GET", "POST"] = "POST"
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/\-]*$")] = "/"
    headers: Mapping[str, str] = {}
    encoding: Encoding
    fields: Mapping[str, Value]

    @property
    def slots(self) -> frozenset[Slot]:
        return frozenset(self._slots())

    def _slots(self) -> Iterator[Slot]:
        for value in self.fields.values():
            if isinstance(value, str):
                yield slot_of(value)
            elif isinstance(value, tuple):
                yield from map(slot_of, value)
        yield from (slot_of(value) for value in self.headers.values() if value.startswith("{"))

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        for name, value in self.headers.items():
            if not re.fullmatch("[A-Za-z0-9-]+", name) or not value.isascii() or not value.isprintable():
                raise ValueError(f"headers: {name} or its value is not printable ASCII")
        if Slot.secret in self.slots and self.encoding is Encoding.query:
            raise ValueError("a secret does not stand in a query, which servers log")
        lists = Slot.parameters_list in self.slots or any(isinstance(v, tuple) for v in self.fields.values())
        if lists and self.encoding is not Encoding.json:
            raise ValueError("only JSON holds lists")
        if self.method == "GET" and self.encoding is not Encoding.query:
            raise ValueError("GET has no body: its fields stand in the query")
        return self


class Send(Operation):
    reply: SendReply


class Records(_Model):
    """How receipts are read: `list` finds them, each other path counts from one of them.

    `states` says what the words of `state` mean; numbers and truth values are written as in JSON. A word that is not
    listed is unknown. Where `always_own_id` holds, a record without our id is certainly of another's message.
    """

    list: Path
    number: Path
    state: Path
    states: Mapping[str, MessageState]
    reference: Path | None = None
    own_id: Path | None = None
    always_own_id: bool = False
    error: Path | None = None
    done_at: Path | None = None


class Receipt(Operation):
    """Asks what became of one message. The provider remembers `days_back` days."""

    reply: Reply
    records: Records
    page_size: int | None = None
    days_back: int


class Pushed(_Model):
    """How a body that the gateway posts to us is read, and the JSON that it wants as answer, with status 200."""

    records: Records
    answer: Mapping[str, str | int | bool]


class Listing(_Model):
    """How templates or signatures are read. `key` is the id of a template and the name of a signature."""

    list: Path
    key: Path
    state: Path
    states: Mapping[str, Approval]
    reason: Path | None = None
    text: Path | None = None


class Question(Operation):
    reply: Reply
    listing: Listing
    page_size: int | None = None


class Packages(_Model):
    """How credits are read: what is left is the sum of `amount` less `used` of all that are not past `expires_at`,
    seconds since 1970."""

    list: Path
    amount: Path
    used: Path
    expires_at: Path


class Credits(Operation):
    """Asks what is left. Packages bought in the last `days_back` days count."""

    reply: Reply
    packages: Packages
    page_size: int
    days_back: int


class TemplateRules(_Model):
    """Variables of templates. `longest_variable` is in characters (code points); settings can say another one, because
    providers give accounts different limits."""

    syntax: Syntax
    longest_variable: int = Field(gt=0)
    source: str


class GatewayDefinition(_Model):
    """One provider's gateway, as in `gateways/*.yaml`.

    `national_number` is what a number of the home country looks like without country code: only such a number gets
    `country_code` put before it when a receipt is read. `time_zone` is that of days and hours. `codes` are the provider's
    codes, exact or with a beginning that ends in "*"; the longest that fits counts, an exact one first.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    title: Title
    seen: tuple[Seen, ...] = Field(min_length=1)
    confidence: Confidence
    not_seen: tuple[str, ...] = ()
    host: str
    signing: Signing
    signing_service: str = ""
    number_format: NumberFormat
    country_code: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,2}$")]
    national_number: Annotated[str, AfterValidator(_is_regex)]
    time_zone: Annotated[str, AfterValidator(_is_zone)]
    signature_place: SignaturePlace
    template: TemplateRules
    send: Send
    receipt: Receipt | None = None
    pushed: Pushed | None = None
    templates: Question | None = None
    signature: Question | None = None
    credits: Credits | None = None
    codes: Mapping[str, CodeClass]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def values_needed(self) -> frozenset[Slot]:
        """The values that settings must give: an application's id, a region."""
        used: set[Slot] = set()
        for operation in self._operations().values():
            used |= operation.slots
        return frozenset(used & OF_THE_ACCOUNT)

    def _operations(self) -> dict[str, Operation]:
        named: dict[str, Operation | None] = {
            "send": self.send,
            "receipt": self.receipt,
            "templates": self.templates,
            "signature": self.signature,
            "credits": self.credits,
        }
        return {name: operation for name, operation in named.items() if operation is not None}

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if not is_host(self.host):
            raise ValueError("host: a host name or an IP address")
        if (self.signing is Signing.tc3) is not bool(self.signing_service):
            raise ValueError("signing_service: given for tc3, and for no other signing")
        always = OF_THE_ACCOUNT | (SECRETS if self.signing is Signing.none else frozenset())
        for name, operation in self._operations().items():
            if strange := operation.slots - ALLOWED[name] - always:
                raise ValueError(f"{name}: {', '.join(sorted(strange))} cannot be known there")
            if self.signing is Signing.tc3 and operation.encoding is Encoding.query:
                raise ValueError(f"{name}: tc3 signs the type of a body, so that there must be one")
        if Slot.number not in self.send.slots:
            raise ValueError("send: no field holds {number}")
        self._send_says_the_text()
        if any("*" in code[:-1] for code in self.codes):
            raise ValueError("codes: a star stands at the end of a code only")
        return self

    def _send_says_the_text(self) -> None:
        wanted = {
            Syntax.named: Slot.parameters_json,
            Syntax.numbered: Slot.parameters_list,
            Syntax.none: Slot.text,
        }[self.template.syntax]
        if wanted not in self.send.slots:
            raise ValueError(f"send: with {self.template.syntax} variables a field holds {{{wanted}}}")
        if self.template.syntax is Syntax.none:
            return
        if Slot.text in self.send.slots:
            raise ValueError("send: the gateway makes the text from the template, {text} has no place")
        if not self.send.slots & {Slot.template, Slot.template_integer}:
            raise ValueError("send: no field says which {template} it is")


def definition_of(document: object) -> GatewayDefinition:
    """The definition that a YAML document holds. Raises BadGateway that says what is wrong where."""
    try:
        return GatewayDefinition.model_validate(document)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "definition"
        raise BadGateway(f"the gateway's definition: {where}: {first['msg']}") from None
