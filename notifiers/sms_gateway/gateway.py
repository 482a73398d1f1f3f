"""An account at an SMS gateway: whose it is, and what it may send."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from notifiers.errors import BadAddress, BadGateway, BadMessage
from notifiers.hosts import is_host, is_this_machine
from notifiers.sms_gateway.definition import GatewayDefinition
from notifiers.sms_gateway.template import (
    Pattern,
    parameters_in,
    pattern_of,
    refuse_variables,
    without_signature,
)
from notifiers.sms_gateway.terms import NumberFormat, SignaturePlace, Signing, Slot, Syntax

_E164 = re.compile(r"\+([1-9][0-9]{6,14})")
_COUNTRY_CODE = re.compile(r"[1-9][0-9]{0,2}")
_WINDOWS = range(1, 1001)
_ANY_LENGTH = 2000
"""More than any text has: tells a variable that is too long from a text of another template."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect` counts for TCP and again for TLS; `read` and `write` for each pause. `whole` bounds one
    request with its answer. A short `read` or `whole` makes outcomes ambiguous that the gateway would have told."""

    connect: float = 15.0
    write: float = 15.0
    read: float = 30.0
    pool: float = 15.0
    whole: float = 60.0


@dataclass(frozen=True, slots=True)
class Template:
    """A template as it is registered at the provider: its id there, and its text with the variables in it, without
    signature. `language` is ours."""

    id: str
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The template whose text a message is, and what stands in its variables. Both are empty where the gateway takes
    `text` itself."""

    template: str
    parameters: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Gateway:
    """An account at a gateway. `host`, `port` and `country_code` are the definition's where they are empty.

    With `tls` the certificate is always verified: against the system's authorities, or against those in `ca_file` alone.
    A gateway without TLS is only for a private line: what people are told would cross the network in clear, so it needs
    `allow_unprotected` where it leaves this machine. `values` are what the definition asks for (app_id, region).
    `longest_variable` is what the provider allows this account, where that is not what the definition says. At most
    `window` requests are without answer. Raises BadGateway.
    """

    definition: GatewayDefinition
    key_id: str
    secret: str = field(repr=False)
    signature: str
    templates: tuple[Template, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    port: int = 0
    tls: bool = True
    ca_file: Path | None = None
    allow_unprotected: bool = False
    country_code: str = ""
    longest_variable: int = 0
    window: int = 10
    timeouts: Timeouts = field(default_factory=Timeouts)
    _patterns: tuple[tuple[Template, Pattern], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rules = self.definition.template
        fill = object.__setattr__
        fill(self, "host", self.host or self.definition.host)
        fill(self, "port", self.port or (443 if self.tls else 80))
        fill(self, "country_code", self.country_code or self.definition.country_code)
        fill(self, "longest_variable", self.longest_variable or rules.longest_variable)
        fill(self, "values", MappingProxyType(dict(self.values)))
        self._check_connection()
        self._check_account()
        knows = rules.syntax is not Syntax.none
        patterns = (
            tuple((each, pattern_of(each.text, rules.syntax)) for each in self.templates) if knows else ()
        )
        fill(self, "_patterns", patterns)

    @property
    def peer(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port of its URL."""
        return f"{'https' if self.tls else 'http'}://{self.host_header}"

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def number_of(self, number: str) -> str:
        """A person's number as the gateway wants it.

        Raises BadAddress for what is not E.164 with its plus, and for a number that would be another person's without
        its country code.
        """
        found = _E164.fullmatch(number)
        if found is None:
            raise BadAddress("a number in international form: a plus, then 7 to 15 digits", where="to")
        digits = found.group(1)
        wanted = self.definition.number_format
        if wanted is NumberFormat.e164:
            return number
        if wanted is NumberFormat.digits:
            return digits
        home = digits.startswith(self.country_code)
        written = digits.removeprefix(self.country_code) if home else digits
        if home is not bool(re.fullmatch(self.definition.national_number, written)):
            raise BadAddress(
                "the gateway would take it for a number of another country; send it over another carrier",
                where="to",
            )
        return written

    def chosen_for(self, text: str) -> Chosen:
        """The template and the parameters from which the gateway makes exactly this text.

        Raises BadMessage at "template" when the text lacks the signature, is of no template, or has a variable that is
        too long.
        """
        bare = without_signature(text, self.signature, self.definition.signature_place)
        if self.definition.template.syntax is Syntax.none:
            return Chosen("", {}, bare)
        for template, pattern in self._patterns:
            parameters = parameters_in(bare, pattern, self.longest_variable)
            if parameters is not None:
                refuse_variables(parameters)
                return Chosen(template.id, parameters, bare)
        raise BadMessage(self._why_none(bare), where="template")

    def _why_none(self, bare: str) -> str:
        for template, pattern in self._patterns:
            parameters = parameters_in(bare, pattern, _ANY_LENGTH)
            if parameters is not None:
                long = [name for name, value in parameters.items() if len(value) > self.longest_variable]
                return (
                    f"what stands in {', '.join(long)} of template {template.id} is longer than "
                    f"{self.longest_variable} characters; shorten it, or move it into the template's own text"
                )
        return "the text is none of the registered templates; register its text, or write the notice as registered"

    def _check_connection(self) -> None:
        if not is_host(self.host):
            raise BadGateway("the gateway's host is a host name or an IP address")
        if not 0 < self.port < 65536:
            raise BadGateway("the gateway's port is a number from 1 to 65535")
        if self.ca_file is not None and not self.tls:
            raise BadGateway("a file of authorities is given for the gateway, but TLS is off")
        if not self.tls and not self.allow_unprotected and not is_this_machine(self.host):
            raise BadGateway(
                "people's numbers and names would cross the network unprotected; switch TLS on, or allow it for a private line"
            )

    def _check_account(self) -> None:
        if not _fits(self.key_id) or not _fits(self.secret):
            raise BadGateway("the gateway's key id and secret are 1 to 256 printable ASCII characters")
        if self.definition.signing is Signing.basic and ":" in self.key_id:
            raise BadGateway("the gateway's key id has no colon in it")
        signed = self.definition.signature_place is not SignaturePlace.nowhere
        if signed and (not self.signature or set(self.signature) & set("【】\n")):
            raise BadGateway("the gateway's signature is the name between 【 and 】, without them")
        needs = {slot.value for slot in self.definition.values_needed}
        if missing := sorted(name for name in needs if not self.values.get(name)):
            raise BadGateway(f"the gateway wants a value for {', '.join(missing)}")
        if strange := sorted(set(self.values) - needs):
            raise BadGateway(f"the gateway has no use for {', '.join(strange)}")
        if any(not _fits(value) for value in self.values.values()):
            raise BadGateway("the gateway's values are 1 to 256 printable ASCII characters")
        if not _COUNTRY_CODE.fullmatch(self.country_code):
            raise BadGateway("the country code is 1 to 3 digits, without plus")
        if self.window not in _WINDOWS:
            raise BadGateway(f"the window is a number from {_WINDOWS.start} to {_WINDOWS.stop - 1}")
        if self.longest_variable < 1:
            raise BadGateway("the longest variable is a number of characters above 0")
        self._check_templates()

    def _check_templates(self) -> None:
        knows = self.definition.template.syntax is not Syntax.none
        if knows is not bool(self.templates):
            raise BadGateway(
                "the gateway needs at least one registered template"
                if knows
                else "the gateway knows no templates"
            )
        ids = [template.id for template in self.templates]
        if not all(_fits(each) for each in ids) or len(set(ids)) < len(ids):
            raise BadGateway("each template has an id of its own, of printable ASCII characters")
        asks = [self.definition.send, *([self.definition.templates] if self.definition.templates else [])]
        integers = any(Slot.template_integer in operation.slots for operation in asks)
        if integers and not all(re.fullmatch("[0-9]{1,18}", each) for each in ids):
            raise BadGateway("the ids of this gateway's templates are numbers")


def _fits(text: str) -> bool:
    return 0 < len(text) <= 256 and text.isascii() and text.isprintable()


def tls_context(gateway: Gateway) -> ssl.SSLContext:
    """The context that verifies this gateway: chain, dates and host name. Reads `ca_file`.

    Raises BadGateway when that file cannot be read as certificates.
    """
    try:
        return ssl.create_default_context(cafile=str(gateway.ca_file) if gateway.ca_file else None)
    except (OSError, ssl.SSLError) as unreadable:
        raise BadGateway(
            f"the gateway's file of authorities cannot be used: {gateway.ca_file}"
        ) from unreadable
