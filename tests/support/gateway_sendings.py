"""Sendings by SMS over an HTTP gateway: a workspace with one declared, and texts written as they are registered there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.breaches import AT_ONCE, Affected, Breach, make_breach
from tests.support.postgres import PostgresServer
from tests.support.sms_gateway.account import KEY_ID, SECRET, SIGNATURE, Account, Registered
from tests.support.sms_gateway.server import SmsGateway, sms_gateway
from tests.support.sms_ledger import nothing_to_ask
from tests.support.sms_sendings import MEANS, work_until
from tests.support.workspaces import START

_TEXTS = {
    "zh-Hans": (
        "{name}您好：{happened}您的以下信息已经泄露：{types}。{step}看告知书全文，请自行在浏览器输入"
        "www.example.com，或者拨打020-10000。核验码：{code}。我们不会索要密码，也不会要求转账。"
    ),
    "en": (
        "Dear {name}, {happened} This information about you was disclosed: {types}. {step} "
        "For the full notice, type www.example.com into your browser, or call 020-10000. Your code: {code}. "
        "We never ask for passwords or money."
    ),
}
_SLOTS = {
    "name": "{{ slots.person_name }}",
    "happened": "{{ short.happened or not_known }}",
    "types": "{{ slots.data_types_of_person }}",
    "step": "{{ short.step }}",
    "code": "{{ slots.code }}",
}
_NOT_KNOWN = {"zh-Hans": "我们发生了一起信息安全事件。", "en": "We had a security incident."}
_IDS = {
    "aliyun": {"zh-Hans": "SMS_100000001", "en": "SMS_100000002"},
    "tencent": {"zh-Hans": "1110001", "en": "1110002"},
}
_VALUES = {"aliyun": {}, "tencent": {"app_id": "1400006666", "region": "ap-guangzhou"}}
LONGEST = 120


def _as_registered(dialect: str, language: str) -> str:
    names = (
        {name: f"${{{name}}}" for name in _SLOTS}
        if dialect == "aliyun"
        else {name: f"{{{at}}}" for at, name in enumerate(_SLOTS, start=1)}
    )
    return _TEXTS[language].format(**names)


def account_at(dialect: str, **more: Any) -> Account:
    """An account at which both languages' texts are registered and approved."""
    templates = {
        id_: Registered(_as_registered(dialect, language)) for language, id_ in _IDS[dialect].items()
    }
    return Account(templates, longest_variable=LONGEST, **more)


def gateway_settings(dialect: str, port: int, secret_file: Path, /, **more: Any) -> dict[str, Any]:
    """The table [sms] of the settings, with a gateway on loopback."""
    secret_file.write_text(SECRET, encoding="utf-8")
    gateway = {
        "name": dialect,
        "key_id": KEY_ID,
        "secret": f"file:{secret_file}",
        "signature": SIGNATURE,
        "templates": [
            {"id": id_, "text": _as_registered(dialect, language)} for language, id_ in _IDS[dialect].items()
        ],
        "values": _VALUES[dialect],
        "longest_variable": LONGEST,
        "host": "127.0.0.1",
        "port": port,
        "tls": False,
        "processor": "a gateway under contract",
        "country": "cn",
        "relation": "entrusted",
        "contract": "DPA-2026-014",
        "reply_wait_seconds": 1,
        **more,
    }
    return {
        "most_segments": 20,
        "gateway": {key: value for key, value in gateway.items() if value is not None},
    }


def write_as_registered(root: Path) -> None:
    """The workspace's own texts of SMS: those that are registered."""
    for language, text in _TEXTS.items():
        folder = root / "templates" / "notice" / language
        folder.mkdir(parents=True, exist_ok=True)
        folder.joinpath("sms.txt.j2").write_text(
            f'{{%- set not_known = "{_NOT_KNOWN[language]}" -%}}【{SIGNATURE}】{text.format(**_SLOTS)}',
            encoding="utf-8",
        )


class ClockOfABreach:
    """The time of a workspace, for a gateway that is there before it: both check each other's times."""

    def __init__(self, before: Callable[[], float] = START.timestamp) -> None:
        """`before` tells the time as long as there is no breach."""
        self.breach: Breach | None = None
        self._before = before

    def __call__(self) -> float:
        return self._before() if self.breach is None else self.breach.made.clock().timestamp()


@contextmanager
def gateway_at_hand(dialect: str = "aliyun", **more: Any) -> Iterator[SmsGateway]:
    """A gateway at which both texts are registered; it goes by the clock of the breach that is told by it."""
    clock = ClockOfABreach()
    with sms_gateway(dialect, account=account_at(dialect, **more), clock=clock) as gateway:
        _CLOCKS[gateway.port] = clock
        yield gateway


_CLOCKS: dict[int, ClockOfABreach] = {}


def gateway_breach(
    tmp_path: Path,
    people: Sequence[Affected],
    *,
    gateway_port: int,
    dialect: str = "aliyun",
    relay_port: int = 25,
    means: Sequence[str] = MEANS,
    gateway: Mapping[str, Any] | None = None,
    on: PostgresServer | None = None,
    opens: bool = True,
    registered: bool = True,
    stale_seconds: float | None = None,
) -> Breach:
    """A sending that has begun, and of which nothing has left; one that is released only where it is not to open."""
    breach = make_breach(
        tmp_path,
        people=people,
        relay_port=relay_port,
        sms=gateway_settings(dialect, gateway_port, tmp_path / "gateway-secret", **(gateway or {})),
        fallback={"means": list(means)},
        scope={"countries": ["cn"]},
        waves=AT_ONCE,
        on=on,
        engine={"stale_seconds": stale_seconds} if stale_seconds is not None else {},
    )
    if gateway_port in _CLOCKS:
        _CLOCKS[gateway_port].breach = breach
    if registered:
        write_as_registered(breach.made.workspace.root)
    breach.release()
    if opens:
        breach.open_sending()
    return breach


def ask_and_go_on(breach: Breach) -> None:
    """Let time go by in steps that are shorter than the pause of a message in doubt, as it does."""
    for _ in range(4):
        breach.later(minutes=2)
        work_until(breach, lambda: nothing_to_ask(breach))
