"""The closed sets of words that definitions of gateways are written in. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum


class Signing(StrEnum):
    """How a request proves who sends it."""

    acs3 = "acs3"
    """ACS3-HMAC-SHA256, Alibaba Cloud's V3."""
    tc3 = "tc3"
    """TC3-HMAC-SHA256, Tencent Cloud's API 3.0 V3."""
    basic = "basic"
    bearer = "bearer"
    none = "none"
    """Key and secret are fields of the request."""


class NumberFormat(StrEnum):
    """How people's numbers are written to the gateway."""

    e164 = "e164"
    digits = "digits"
    """With the country code, without plus."""
    national = "national"
    """Numbers of the home country without country code, all others with it; none with a plus."""


class Syntax(StrEnum):
    """How a variable stands in a registered template."""

    named = "named"
    """${name}"""
    numbered = "numbered"
    """{1}"""
    none = "none"
    """The gateway knows no templates: it sends the text that it gets."""


class SignaturePlace(StrEnum):
    """Where the gateway itself puts 【signature】."""

    front = "front"
    back = "back"
    nowhere = "nowhere"
    """The text goes out as it is."""


class Encoding(StrEnum):
    query = "query"
    form = "form"
    json = "json"


class Confidence(StrEnum):
    """How sure the shape is."""

    tried = "tried"
    """Messages were sent to the provider itself."""
    documented = "documented"
    """The provider's documentation or its own client libraries say so."""
    guessed = "guessed"


class CodeClass(StrEnum):
    """What follows from a provider's code (`codes.py`)."""

    temporary = "temporary"
    permanent = "permanent"
    account = "account"
    throttled = "throttled"
    unknown = "unknown"


class Approval(StrEnum):
    """What a provider says of a template or a signature."""

    approved = "approved"
    pending = "pending"
    rejected = "rejected"
    unknown = "unknown"


class Slot(StrEnum):
    """What a field of a request can hold.

    `day` is yyyyMMdd and `since_hour`, `until_hour` are yyyyMMddHH, all in the definition's time zone; `since` and
    `until` are seconds since 1970. `page` counts from 1 and `offset` records from 0. `template_integer` is the
    template's id as a number. `parameters_json` is an object as JSON text, `parameters_list` the values in the order
    of their numbers.
    """

    number = "number"
    signature = "signature"
    template = "template"
    template_integer = "template_integer"
    parameters_json = "parameters_json"
    parameters_list = "parameters_list"
    text = "text"
    own_id = "own_id"
    reference = "reference"
    day = "day"
    since = "since"
    until = "until"
    since_hour = "since_hour"
    until_hour = "until_hour"
    page = "page"
    offset = "offset"
    app_id = "app_id"
    region = "region"
    key_id = "key_id"
    secret = "secret"  # noqa: S105 - the name of a slot


OF_THE_ACCOUNT = frozenset({Slot.app_id, Slot.region})
"""What the settings give as `values` where a definition asks for it."""
SECRETS = frozenset({Slot.key_id, Slot.secret})
_OF_A_MESSAGE = frozenset(
    {
        Slot.number,
        Slot.signature,
        Slot.template,
        Slot.template_integer,
        Slot.parameters_json,
        Slot.parameters_list,
        Slot.text,
        Slot.own_id,
    }
)
_OF_A_RECEIPT = frozenset(
    {Slot.number, Slot.day, Slot.reference, Slot.own_id, Slot.since, Slot.until, Slot.page, Slot.offset}
)
_SLOT = re.compile(r"\{([a-z_]+)\}")

ALLOWED: Mapping[str, frozenset[Slot]] = {
    "send": _OF_A_MESSAGE,
    "receipt": _OF_A_RECEIPT,
    "templates": frozenset({Slot.template, Slot.template_integer}),
    "signature": frozenset({Slot.signature, Slot.offset, Slot.page}),
    "credits": frozenset({Slot.since_hour, Slot.until_hour, Slot.offset}),
}
"""The slots that each operation can fill, beside those of the account."""


def slot_of(value: str) -> Slot:
    """The slot that "{name}" names. Raises ValueError."""
    found = _SLOT.fullmatch(value)
    if found is None:
        raise ValueError(f"{value} is neither a slot such as {{number}} nor a constant with its reason")
    if found.group(1) not in set(Slot):
        raise ValueError(f"{value} is no slot; there are: {', '.join(sorted(Slot))}")
    return Slot(found.group(1))
