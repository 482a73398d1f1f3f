"""What tests of SMS gateways send, and to what."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from ruamel.yaml import YAML

from notifiers.outcome import Outcome
from notifiers.sms.message import PART_UNITS, SINGLE_UNITS, SmsMessage
from notifiers.sms_gateway.client import GatewayClient
from notifiers.sms_gateway.definition import GatewayDefinition, definition_of
from notifiers.sms_gateway.gateway import Gateway, Template, Timeouts
from notifiers.sms_gateway.shipped import definitions_folder
from tests.support.sms_gateway.account import (
    ALIYUN_ID,
    ALIYUN_TEXT,
    APP_ID,
    KEY_ID,
    SECRET,
    SIGNATURE,
    TENCENT_ID,
    TENCENT_TEXT,
)

DIALECTS = ("aliyun", "tencent")
NUMBER = "+8613900001234"
NAME, DAY, CODE = "张三", "2026年12月1日", "K7-4M2-9QX"
_nonces = itertools.count()


def now() -> datetime:
    return datetime.now(UTC)


def a_nonce() -> str:
    return f"nonce-{next(_nonces)}"


def document_of(dialect: str) -> Any:
    return YAML(typ="safe").load(definitions_folder() / f"{dialect}.yaml")


def shipped(dialect: str) -> GatewayDefinition:
    return definition_of(document_of(dialect))


def a_gateway(dialect: str = "aliyun", port: int = 443, **settings: Any) -> Gateway:
    """An account as the simulated gateway knows it, reached in clear on loopback."""
    aliyun = dialect == "aliyun"
    defaults: dict[str, Any] = {
        "definition": shipped(dialect),
        "key_id": KEY_ID,
        "secret": SECRET,
        "signature": SIGNATURE,
        "templates": (Template(ALIYUN_ID, ALIYUN_TEXT) if aliyun else Template(TENCENT_ID, TENCENT_TEXT),),
        "values": {} if aliyun else {"app_id": APP_ID, "region": "ap-guangzhou"},
        "host": "127.0.0.1",
        "port": port,
        "tls": False,
        "longest_variable": 35 if aliyun else 12,
        "timeouts": Timeouts(connect=2, write=2, read=2, pool=2, whole=4),
    }
    return Gateway(**{**defaults, **settings})


def a_text(name: str = NAME, code: str = CODE) -> str:
    """What is released for one person."""
    return f"【{SIGNATURE}】{name}您好：我们于{DAY}发现您的个人信息可能泄露。核验码：{code}，详情请登录官网查询。"


def an_sms(text: str = "", number: str = NUMBER, own_id: str = "a1b2c3") -> SmsMessage:
    text = text or a_text()
    size = SINGLE_UNITS if len(text) <= SINGLE_UNITS else PART_UNITS
    parts = tuple(text[at : at + size] for at in range(0, len(text), size))
    return SmsMessage(number, parts, ucs2=True, reference=7, own_id=own_id)


@contextlib.asynccontextmanager
async def a_client(
    dialect: str = "aliyun", port: int = 443, *, at: Callable[[], datetime] = now, **settings: Any
) -> AsyncIterator[GatewayClient]:
    async with GatewayClient(a_gateway(dialect, port, **settings), now=at, nonce=a_nonce) as client:
        yield client


def sent(dialect: str, port: int, *messages: SmsMessage, **settings: Any) -> list[Outcome]:
    """The outcomes of these messages, one after the other over one client."""

    async def go() -> list[Outcome]:
        async with a_client(dialect, port, **settings) as client:
            return [await client.send(message) for message in messages or (an_sms(),)]

    return asyncio.run(go())
