"""The settings of carriers: mail relays, what carries SMS, and who calls. What each declares stands in `Declared`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from incident.setting_values import CountryOrNone, Part, SecretReference, TimeOfDaySpan

PerSecond = Annotated[float, Field(ge=0.001, le=1_000_000)]


class Relation(StrEnum):
    """Who a carrier is to the organisation (PIPL 21 and 23): its own, entrusted by contract, or a third party."""

    OWN = "own"
    ENTRUSTED = "entrusted"
    PROVIDED = "provided"


class Declared(Part):
    """What every carrier says of where the data goes (rule 12 of the design).

    `processor`: who runs it, in `country`. `contract`: the processing contract of an entrusted one (PIPL 21, GDPR 28).
    `transfer`: the reference of what sending abroad rests on: the consent, the security assessment, the standard
    contract or the certification (PIPL 38, 39; GDPR 44-46). `NEEDED`: what must be set before anything is sent.
    """

    NEEDED: ClassVar[tuple[str, ...]] = ("processor", "country")

    processor: str = ""
    country: CountryOrNone = ""
    relation: Relation = Relation.OWN
    contract: str = ""
    transfer: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys of `NEEDED` that are not set."""
        return tuple(name for name in self.NEEDED if not getattr(self, name))


class RelaySettings(Declared):
    """A mail relay, and how to reach it.

    `per_second`: the messages a second that it is given at most, by all workers together; None: no limit.
    """

    NEEDED: ClassVar[tuple[str, ...]] = ("host", "processor", "country")

    host: str = ""
    port: int = Field(default=587, ge=1, le=65535)
    tls: str = Field(default="starttls", pattern="^(none|starttls|implicit)$")
    username: str | None = None
    password: SecretReference | None = None
    ca_file: str | None = None
    connections: int = Field(default=1, ge=1, le=50)
    per_second: PerSecond | None = None


class MailSettings(RelaySettings):
    """Who sends, the relay, and `others` that take over in their order while those before them cannot be used.

    `return_path` is the mailbox that bounces go to; each message has a mark of its own there, after the separator.
    `bounces` is the Maildir into which the mail server delivers that mailbox, counted from the workspace.
    """

    NEEDED: ClassVar[tuple[str, ...]] = ("from_address", *RelaySettings.NEEDED)

    return_path: str = ""
    return_path_separator: str = Field(default="+", pattern=r"^[+=._-]$")
    bounces: str = ""
    from_name: dict[str, str] = Field(default_factory=dict)
    from_address: str = ""
    reply_to: str | None = None
    others: list[RelaySettings] = Field(default_factory=list, max_length=4)

    @property
    def relays(self) -> Mapping[str, RelaySettings]:
        """All relays in their order, by the name of their table."""
        return {"mail": self, **{f"mail.others.{at}": each for at, each in enumerate(self.others)}}


class SmppSettings(Declared):
    """An operator's short-message centre, spoken to by SMPP 3.4.

    `tls`: TLS from the first octet, verified against `ca_file` where it is given. `private_line` says that a connection
    without TLS to another machine goes over a private line or a VPN; without it such a connection is refused.
    `system_id`, `password` and `system_type` are those of the bind (SMPP 3.4, 4.1.5). `sender`: the number, short code or
    name that people see. `alphabet`: what the centre takes for data_coding 0; text that it cannot hold goes as UCS-2, and
    with `ucs-2` all does. `number_format`: with the country code, without `country_code`, or as bare digits of unknown
    type. `window`: parts that may wait for an answer at a time. `per_second`: parts a second, by all workers together;
    None: no limit. `validity_hours`: how long the centre goes on trying. `reply_wait_seconds`: how long an answer to a
    submit_sm is waited for. `sender_registered`, `template_approved`: references of the sender's (signature's)
    registration and of the text's approval, which no centre can be asked for; sending does not need them.
    """

    NEEDED: ClassVar[tuple[str, ...]] = ("host", "system_id", "sender", "processor", "country")

    host: str = ""
    port: int = Field(default=2775, ge=1, le=65535)
    tls: bool = False
    ca_file: str | None = None
    private_line: bool = False
    system_id: str = ""
    password: SecretReference | None = None
    system_type: str = ""
    sender: str = ""
    alphabet: Literal["gsm", "latin-1", "ucs-2"] = "gsm"
    number_format: Literal["international", "national", "plain"] = "international"
    country_code: str = Field(default="86", pattern="^[1-9][0-9]{0,2}$")
    window: int = Field(default=10, ge=1, le=1000)
    per_second: PerSecond | None = None
    validity_hours: int = Field(default=48, ge=1, le=672)
    reply_wait_seconds: float = Field(default=30, ge=1, le=240)
    sender_registered: str = ""
    template_approved: str = ""


class SmsTemplate(Part):
    """A text that a gateway has registered: its `id` there, and the `text` as it was approved, with its variables."""

    id: str = Field(min_length=1, max_length=100)
    text: str = Field(min_length=1, max_length=2000)


class SmsGatewaySettings(Declared):
    """A provider's SMS gateway over HTTP. How it is spoken to is data: `name` is a file of `gateways/`, the workspace's
    first, then the shipped ones.

    `key_id` and `secret` sign each request. `signature` is what the gateway puts in front of each text, and `templates`
    are the registered texts that it makes them from. `values` are what the gateway wants beside (`gateways/NAME.yaml`
    says which); `longest_variable` how many characters it allows this account in a variable. `host`, `port`, `tls` and
    `ca_file` only where it is reached elsewhere than its definition says; `private_line` as for a centre. `window`:
    messages that may wait for an answer at a time. `per_second`: messages a second, by all workers together; None: no
    limit. `reply_wait_seconds`: how long an answer is waited for.
    `receipts_token`: with it `incident serve hooks` takes what the gateway posts to /receipts/sms/TOKEN.
    """

    NEEDED: ClassVar[tuple[str, ...]] = ("name", "key_id", "processor", "country")

    name: str = Field(default="", pattern="^([a-z][a-z0-9-]{0,40})?$")
    key_id: str = ""
    secret: SecretReference | None = None
    signature: str = ""
    templates: list[SmsTemplate] = Field(default_factory=list, max_length=50)
    values: dict[str, str] = Field(default_factory=dict, max_length=20)
    longest_variable: int | None = Field(default=None, ge=1, le=2000)
    host: str = ""
    port: int | None = Field(default=None, ge=1, le=65535)
    tls: bool = True
    ca_file: str | None = None
    private_line: bool = False
    window: int = Field(default=10, ge=1, le=1000)
    per_second: PerSecond | None = None
    reply_wait_seconds: float = Field(default=30, ge=1, le=240)
    receipts_token: SecretReference | None = None


class TwilioLogin(Declared):
    """How an account at Twilio is signed in to and reported from, whatever it carries. It lies abroad for most: `country`
    and `transfer` say where and on what that rests.

    `secret` is that of the API key `key_sid` (SK...), or the auth token of the account `account_sid` (AC...) where there
    is no key; a key can be withdrawn alone. `region` and `edge` (such as ie1 and dublin) go together.

    `callback_url` is the https address below which Twilio reaches `incident serve hooks`. `callback_token` is the auth
    token that signs callbacks, needed with an API key; `callback_token_before` the one before it, for as long as it is
    being changed.

    `window`: requests that may wait for an answer at a time. `reply_wait_seconds`: how long an answer is waited for.
    `base_url` stands for Twilio's hosts in tests: https, or on this machine.
    """

    account_sid: str = ""
    key_sid: str = ""
    secret: SecretReference | None = None
    region: str = ""
    edge: str = ""
    callback_url: str = ""
    callback_token: SecretReference | None = None
    callback_token_before: SecretReference | None = None
    ca_file: str | None = None
    base_url: str = ""
    window: int = Field(default=10, ge=1, le=1000)
    reply_wait_seconds: float = Field(default=30, ge=1, le=240)


class TwilioSettings(TwilioLogin):
    """SMS by an account at Twilio, sent by `messaging_service` (MG...).

    `callback_url` leads to /receipts/sms; "" is none, and then Twilio is only asked. `per_second`: messages a second, by
    all workers together; None: no limit. `validity_hours`: how long a message may wait in Twilio's queue.
    """

    NEEDED: ClassVar[tuple[str, ...]] = ("account_sid", "messaging_service", "processor", "country")

    messaging_service: str = ""
    per_second: PerSecond | None = None
    validity_hours: int = Field(default=10, ge=1, le=10)


SmsCarrier = SmppSettings | SmsGatewaySettings | TwilioSettings


class SmsSettings(Part):
    """By which carrier SMS leave (None: none do), and what one costs, so that a preview can say what telling everybody
    costs. `price` is for one segment in `currency`; None: not known. The gate warns of more than `most_segments`."""

    price: Annotated[Decimal, Field(ge=0, le=1000)] | None = None
    currency: str = Field(default="CNY", min_length=1, max_length=12)
    most_segments: int = Field(default=4, ge=1, le=20)
    smpp: SmppSettings | None = None
    gateway: SmsGatewaySettings | None = None
    twilio: TwilioSettings | None = None

    @model_validator(mode="after")
    def _one_carrier(self) -> Self:
        if sum(each is not None for each in (self.smpp, self.gateway, self.twilio)) > 1:
            raise ValueError(
                "SMS leave by one carrier: keep one of [sms.smpp], [sms.gateway] and [sms.twilio]"
            )
        return self

    @property
    def carrier(self) -> SmsCarrier | None:
        """The carrier that SMS leave by."""
        return self.smpp or self.gateway or self.twilio

    @property
    def table(self) -> str:
        """The table of the settings that declares it."""
        if self.twilio is not None:
            return "sms.twilio"
        return "sms.gateway" if self.gateway is not None else "sms.smpp"


class CallCentreSettings(Declared):
    """The call centre, the organisation's own or one under contract, whose agents call people from lists
    (`incident calls`).

    `days`: so many days after a list was made its results are due; who was not called by then goes on to the next means.
    """

    days: float = Field(default=3, gt=0, le=60)


class TwilioVoiceSettings(TwilioLogin):
    """Calls by machine over an account at Twilio: a person who is called confirms by a key that they heard the notice.

    `caller` is the number that people see, with its plus; Twilio asks at `callback_url`, which leads to /receipts/calls,
    what to say. `hours`: the time of every day in which people are called; outside of it nobody is, whatever the
    deadline. `ring_seconds`: how long it rings; `longest_seconds`: when a call is ended. `per_second`: calls a second, by
    all workers together; Twilio begins one a second unless more were agreed, and lets the others wait. `voices` names a
    voice of Twilio's by language, for those who do not want the shipped one.
    """

    NEEDED: ClassVar[tuple[str, ...]] = ("account_sid", "caller", "callback_url", "processor", "country")

    caller: Annotated[str, Field(pattern=r"^(\+[1-9][0-9]{6,14})?$")] = ""
    hours: Annotated[TimeOfDaySpan, Field(min_length=1)] = "09:00-20:00"
    ring_seconds: int = Field(default=30, ge=5, le=120)
    longest_seconds: int = Field(default=300, ge=30, le=600)
    per_second: PerSecond = 1.0
    voices: dict[str, str] = Field(default_factory=dict, max_length=20)


CallCarrier = CallCentreSettings | TwilioVoiceSettings


class CallSettings(Part):
    """Who calls people (None: nobody from here; people of the organisation do, without lists of ours)."""

    centre: CallCentreSettings | None = None
    twilio: TwilioVoiceSettings | None = None

    @model_validator(mode="after")
    def _one_carrier(self) -> Self:
        if self.centre is not None and self.twilio is not None:
            raise ValueError("calls are made one way: keep one of [calls.centre] and [calls.twilio]")
        return self

    @property
    def carrier(self) -> CallCarrier | None:
        """Who makes the calls."""
        return self.centre or self.twilio

    @property
    def table(self) -> str:
        """The table of the settings that declares it."""
        return "calls.twilio" if self.twilio is not None else "calls.centre"
