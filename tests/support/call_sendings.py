"""Calls by machine over Twilio: a workspace with an account declared, and a server that says what is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from incident.delivery.states import CampaignState
from incident.response.housework import House
from incident.server.receipts import CALLS_PATH, receipt_routes
from incident.server.running import hooks_server, listen
from incident.store.tables import Receipt
from tests.support.breaches import AT_ONCE, Affected, Breach, make_breach
from tests.support.postgres import PostgresServer
from tests.support.twilio.script import ACCOUNT, CALLER, KEY_SECRET, KEY_SID, TOKEN
from tests.support.twilio_sendings import secret_file

MEANS = ["email", "phone", "letter"]
ALL_DAY = "00:00-23:59"
"""Hours in which tests call, whatever the time is; the clock of a workspace in tests does not stand before midnight."""


def voice_settings(api_port: int, callbacks: str, folder: Path, /, **more: Any) -> dict[str, Any]:
    """The table [calls] of the settings, with Twilio on loopback, which asks below `callbacks` what is said."""
    twilio = {
        "account_sid": ACCOUNT,
        "key_sid": KEY_SID,
        "secret": secret_file(folder, "twilio-secret", KEY_SECRET),
        "caller": CALLER,
        "callback_url": callbacks,
        "callback_token": secret_file(folder, "twilio-token", TOKEN),
        "base_url": f"http://127.0.0.1:{api_port}",
        "processor": "Twilio Inc.",
        "country": "us",
        "relation": "entrusted",
        "contract": "DPA-2026-015",
        "transfer": "CAC-SC-2026-0031",
        "reply_wait_seconds": 1,
        "hours": ALL_DAY,
        "per_second": 1000.0,
        **more,
    }
    return {"twilio": twilio}


def call_breach(
    tmp_path: Path,
    people: Sequence[Affected],
    *,
    api_port: int,
    callbacks: str,
    means: Sequence[str] = MEANS,
    calls: Mapping[str, Any] | None = None,
    on: PostgresServer | None = None,
    opens: bool = True,
    stale_seconds: float | None = None,
    waves: Mapping[str, Any] = AT_ONCE,
    sms: Mapping[str, Any] | None = None,
    relay_port: int = 25,
) -> Breach:
    """A sending that has begun, and in which nobody was called; one that is released only where it is not to open."""
    breach = make_breach(
        tmp_path,
        people=people,
        relay_port=relay_port,
        calls=voice_settings(api_port, callbacks, tmp_path, **(calls or {})),
        fallback={"means": list(means)},
        scope={"countries": ["cn"]},
        on=on,
        engine={"stale_seconds": stale_seconds} if stale_seconds is not None else {},
        waves=waves,
        sms=sms or {},
    )
    breach.release()
    if opens:
        breach.open_sending()
    return breach


class Hooks:
    """Where Twilio asks and tells: bound before there is a workspace, served once there is one."""

    def __init__(self) -> None:
        self._listener = listen("127.0.0.1", 0)
        self.base = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def calls(self) -> str:
        return f"{self.base}{CALLS_PATH}".removesuffix("/")

    @contextmanager
    def served(self, house: House) -> Iterator[None]:
        """`incident serve hooks`, without alerts."""
        routes = receipt_routes(house)
        server = hooks_server(house, {}, lambda reference: "", log_level="error", receipts=routes)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [self._listener]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield
        finally:
            server.should_exit = True
            thread.join()

    def close(self) -> None:
        self._listener.close()


@contextmanager
def hooks_at_hand() -> Iterator[Hooks]:
    hooks = Hooks()
    try:
        yield hooks
    finally:
        hooks.close()


def kinds_told(breach: Breach) -> list[str]:
    """What was told of calls and counts, by kind."""
    with breach.made.store.read() as session:
        rows = session.exec(select(Receipt).order_by(col(Receipt.kind))).all()
    return [row.kind for row in rows]


def has_ended(breach: Breach) -> bool:
    return breach.account().state == CampaignState.ENDED
