"""What a simulated gateway knows: an account with its templates, and the messages that it took."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

KEY_ID, SECRET, SIGNATURE, APP_ID = "LTAI5tExampleKeyId", "s3cret-of-the-gateway", "示例移动", "1400006666"

ALIYUN_TEXT = "${name}您好：我们于${date}发现您的个人信息可能泄露。核验码：${code}，详情请登录官网查询。"
TENCENT_TEXT = "{1}您好：我们于{2}发现您的个人信息可能泄露。核验码：{3}，详情请登录官网查询。"
ALIYUN_ID, TENCENT_ID = "SMS_154950909", "1110"


class Fate(StrEnum):
    """What comes of a message that was taken."""

    delivered = "delivered"
    failed = "failed"
    waiting = "waiting"


@dataclass(frozen=True, slots=True)
class Registered:
    """A template at the provider. `state` is in the provider's own numbers, None for the approved one."""

    text: str
    state: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """`signature_state` is as `Registered.state`. Packages are (amount, used, seconds since 1970 when it expires)."""

    templates: Mapping[str, Registered]
    longest_variable: int
    key_id: str = KEY_ID
    secret: str = SECRET
    signature: str = SIGNATURE
    signature_state: int | None = None
    app_id: str = APP_ID
    packages: tuple[tuple[int, int, int], ...] = ((1000, 10, 4_000_000_000),)


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken. `number` are digits with the country code; `text` is what the phone shows, with the
    signature; `at` is in seconds since 1970."""

    number: str
    text: str
    own_id: str
    reference: str
    template: str
    at: float
    parameters: Mapping[str, str] = field(default_factory=dict)


def filled(text: str, parameters: Mapping[str, str], variable: str) -> str:
    """A template's text with its variables filled; `variable` is the expression that finds one, its name as group."""
    return re.sub(variable, lambda found: parameters[found.group(1)], text)


def default_account(dialect: str) -> Account:
    if dialect == "aliyun":
        return Account({ALIYUN_ID: Registered(ALIYUN_TEXT)}, longest_variable=35)
    return Account({TENCENT_ID: Registered(TENCENT_TEXT)}, longest_variable=12)
