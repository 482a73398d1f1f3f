"""A source of alerts as data: the model of `sources/*.yaml`.

Three layers with one job each: `pick` (JMESPath) finds values, a closed list of converters gives them our
types, `show` (Jinja2 over the finished alert) words the incident's title. Nothing here runs code of a source.
"""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Annotated, Literal, TypeAlias
from zoneinfo import ZoneInfo

import jmespath
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from incident.hooks.show import unknown_names, unreadable_template
from incident.hooks.values import Severity, Status

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
SECRET_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:\S.*")
LISTED_FIELDS = ("hosts", "users", "ips", "data", "data_types")
MAX_EXPRESSION = 500


def _compiles(expression: str) -> str:
    if len(expression) > MAX_EXPRESSION:
        raise ValueError(f"a JMESPath expression may have {MAX_EXPRESSION} characters")
    try:
        jmespath.compile(expression)
    except (ValueError, RecursionError):  # jmespath's own errors are ValueErrors
        raise ValueError("this is not a JMESPath expression") from None
    return expression


def _is_header(name: str) -> str:
    if not HEADER_NAME.fullmatch(name):
        raise ValueError("this is not the name of an HTTP header")
    return name.lower()


def _is_reference(reference: str) -> str:
    if not SECRET_REFERENCE.fullmatch(reference):
        raise ValueError("name the secret as env:NAME or file:PATH, never the secret itself")
    return reference


def _is_network(text: str) -> str:
    return str(ipaddress.ip_network(text))


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # what zoneinfo raises for unknown names, odd names, folders
        raise ValueError("this is not a time zone name such as Asia/Shanghai") from None
    return name


def _is_beside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or pure.suffix != ".json":
        raise ValueError("name a .json file in a folder beside the source's file")
    return path


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _same_words(value: object) -> object:
    return {"zh-Hans": value, "en": value} if isinstance(value, str) else value


def _as_rule(value: object) -> object:
    return {"pick": value} if isinstance(value, (str, list)) else value


JmesPath = Annotated[str, AfterValidator(_compiles)]
HeaderName = Annotated[str, AfterValidator(_is_header)]
SecretReference = Annotated[str, AfterValidator(_is_reference)]
# Two at a time, so that a secret can be changed while the sender still uses the old one.
SecretReferences = Annotated[
    tuple[SecretReference, ...], BeforeValidator(_as_list), Field(min_length=1, max_length=2)
]
Network = Annotated[str, AfterValidator(_is_network)]
Picks = Annotated[tuple[JmesPath, ...], BeforeValidator(_as_list)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Auth(_Model):
    allow_cidrs: tuple[Network, ...] = ()


class HeaderToken(_Auth):
    """A fixed secret in a header; `prefix` (such as "Bearer ") is taken off where the sender puts it."""

    kind: Literal["header_token"]
    header: HeaderName = "authorization"
    prefix: str = ""
    secret: SecretReferences


class HmacSha256(_Auth):
    """HMAC-SHA256 over the raw body, or over "timestamp:body" where `timestamp_header` is named (Grafana)."""

    kind: Literal["hmac_sha256"]
    header: HeaderName
    prefix: str = ""
    encoding: Literal["hex", "base64"] = "hex"
    timestamp_header: HeaderName | None = None
    secret: SecretReferences


class StandardWebhooks(_Auth):
    """Standard Webhooks 1.0.0, symmetric signatures (v1). Svix names the same headers `svix-`."""

    kind: Literal["standard_webhooks"]
    header_family: Literal["webhook", "svix"] = "webhook"
    secret: SecretReferences


class UrlToken(_Auth):
    """The last part of the path is the secret. Weak: it ends up in the logs of everything on the way."""

    kind: Literal["url_token"]
    secret: SecretReferences


class NoAuth(_Auth):
    """Nothing but the sender's address; only for senders that can do no better."""

    kind: Literal["none"]

    @model_validator(mode="after")
    def _needs_addresses(self) -> NoAuth:
        if not self.allow_cidrs:
            raise ValueError("without a secret, allow_cidrs must name the addresses that may send")
        return self


Auth: TypeAlias = HeaderToken | HmacSha256 | StandardWebhooks | UrlToken | NoAuth


class TimeUnit(StrEnum):
    iso = "iso"
    s = "s"
    ms = "ms"
    us = "us"
    ns = "ns"
    auto = "auto"


class TextRule(_Model):
    """The first pick that gives something; `const` stands for itself."""

    pick: Picks = ()
    const: str | None = None
    default: str | None = None


class StatusRule(_Model):
    pick: Picks = ()
    words: dict[str, Status] = {}
    const: Status | None = None


class SeverityRule(_Model):
    """`bands` are [lower bound, word] from high to low, `words` translate the sender's words."""

    pick: Picks = ()
    bands: tuple[tuple[float, Severity], ...] = ()
    words: dict[str, Severity] = {}
    default: Severity = Severity.unknown

    @model_validator(mode="after")
    def _bands_fall(self) -> SeverityRule:
        bounds = [bound for bound, _ in self.bands]
        if any(upper <= lower for upper, lower in pairwise(bounds)):
            raise ValueError("bands go from the highest bound to the lowest, each bound once")
        return self


class TimeRule(_Model):
    """`zone` is the zone of times that carry none; without it they are read as UTC, with a warning."""

    pick: Picks = ()
    time: TimeUnit = TimeUnit.auto
    zone: Annotated[str, AfterValidator(_is_zone)] | None = None


class ListRule(_Model):
    """Everything that any pick gives, each value once, in the order found."""

    pick: Picks = ()
    words: dict[str, str] = {}


class EstimateRule(_Model):
    pick: Picks = ()


class Fields(_Model):
    external_id: Annotated[TextRule, BeforeValidator(_as_rule)] = TextRule()
    status: Annotated[StatusRule, BeforeValidator(_as_rule)] = StatusRule(const=Status.firing)
    title: Annotated[TextRule, BeforeValidator(_as_rule)]
    severity: Annotated[SeverityRule, BeforeValidator(_as_rule)] = SeverityRule()
    occurred_at: Annotated[TimeRule, BeforeValidator(_as_rule)] = TimeRule()
    hosts: Annotated[ListRule, BeforeValidator(_as_rule)] = ListRule()
    users: Annotated[ListRule, BeforeValidator(_as_rule)] = ListRule()
    ips: Annotated[ListRule, BeforeValidator(_as_rule)] = ListRule()
    data: Annotated[ListRule, BeforeValidator(_as_rule)] = ListRule()
    data_types: Annotated[ListRule, BeforeValidator(_as_rule)] = ListRule()
    people_estimate: Annotated[EstimateRule, BeforeValidator(_as_rule)] = EstimateRule()
    link: Annotated[TextRule, BeforeValidator(_as_rule)] = TextRule()


class Condition(_Model):
    """Exactly one of: all of, any of, a severity out of a list, a field that is not empty."""

    all: tuple[Condition, ...] | None = None
    any: tuple[Condition, ...] | None = None
    severity: tuple[Severity, ...] | None = None
    has: Literal["hosts", "users", "ips", "data", "data_types", "people_estimate"] | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Condition:
        said = [self.all, self.any, self.severity, self.has]
        if sum(one is not None for one in said) != 1:
            raise ValueError("a condition says exactly one of: all, any, severity, has")
        if () in said:
            raise ValueError("an empty list in a condition decides nothing")
        return self


class Start(_Model):
    """The playbook that begins by itself where `when` holds. Its human gates stay closed all the same."""

    playbook: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,99}$")]
    when: Condition


class Show(_Model):
    """`title`: a Jinja2 template over the finished alert; its values are data, never templates."""

    title: Annotated[str, Field(max_length=1000)]

    @model_validator(mode="after")
    def _reads(self) -> Show:
        if reason := unreadable_template(self.title):
            raise ValueError(f"the title's template cannot be read: {reason}")
        if unknown := unknown_names(self.title):
            raise ValueError(f"the title's template uses unknown names: {', '.join(unknown)}")
        return self


class KeepRaw(_Model):
    """Keys that contain one of `redact` (in any case) lose their value before the alert is shown."""

    redact: tuple[Annotated[str, Field(min_length=2)], ...] = (
        "password",
        "passwd",
        "authorization",
        "cookie",
        "token",
        "secret",
        "api_key",
        "apikey",
        "private_key",
    )
    max_bytes: Annotated[int, Field(ge=1024, le=1024 * 1024)] = 64 * 1024


class Source(_Model):
    """One sender of alerts. `dedupe` lists what makes two alerts the same, never a per-delivery id."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    version: Annotated[int, Field(ge=1)] = 1
    title: Annotated[dict[str, Annotated[str, Field(min_length=1)]], BeforeValidator(_same_words)]
    auth: Annotated[Auth, Field(discriminator="kind")]
    delivery_header: HeaderName | None = None
    rate_per_5_minutes: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    items: JmesPath = "@"
    ignore_if: Picks = ()
    fields: Fields
    dedupe: Annotated[tuple[JmesPath, ...], Field(min_length=1)]
    start: Start | None = None
    show: Show | None = None
    keep_raw: KeepRaw = KeepRaw()
    samples: tuple[Annotated[str, AfterValidator(_is_beside)], ...] = ()

    @model_validator(mode="after")
    def _title_in_both_languages(self) -> Source:
        if missing := {"zh-Hans", "en"} - self.title.keys():
            raise ValueError(f"the title is missing in: {', '.join(sorted(missing))}")
        return self

    @property
    def weak_auth(self) -> bool:
        """Whether the sender cannot be told from a stranger who saw the address: a person must confirm
        before anything goes out because of such an alert."""
        return isinstance(self.auth, (UrlToken, NoAuth))

    @cached_property
    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        return tuple(ipaddress.ip_network(one) for one in self.auth.allow_cidrs)

    @property
    def secret_references(self) -> tuple[str, ...]:
        return () if isinstance(self.auth, NoAuth) else self.auth.secret
