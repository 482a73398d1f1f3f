"""Sendings by SMS over Twilio: a workspace with an account declared, and a server that takes the callbacks."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from incident.response.housework import House
from incident.server.receipts import receipt_routes
from incident.server.running import hooks_server, listen
from tests.support.breaches import AT_ONCE, Affected, Breach, make_breach
from tests.support.postgres import PostgresServer
from tests.support.sms_sendings import MEANS
from tests.support.twilio.script import ACCOUNT, KEY_SECRET, KEY_SID, SERVICE, TOKEN


def secret_file(folder: Path, name: str, secret: str) -> str:
    """A reference to a secret in a file."""
    file = folder / name
    file.write_text(secret, encoding="utf-8")
    return f"file:{file}"


def twilio_settings(port: int, folder: Path, /, **more: Any) -> dict[str, Any]:
    """The table [sms] of the settings, with Twilio on loopback; with `callback_url` its token is set too."""
    twilio = {
        "account_sid": ACCOUNT,
        "key_sid": KEY_SID,
        "secret": secret_file(folder, "twilio-secret", KEY_SECRET),
        "messaging_service": SERVICE,
        "base_url": f"http://127.0.0.1:{port}",
        "processor": "Twilio Inc.",
        "country": "us",
        "relation": "entrusted",
        "contract": "DPA-2026-015",
        "transfer": "CAC-SC-2026-0031",
        "reply_wait_seconds": 1,
        **more,
    }
    if twilio.get("callback_url"):
        twilio.setdefault("callback_token", secret_file(folder, "twilio-token", TOKEN))
    return {"twilio": twilio}


def twilio_breach(
    tmp_path: Path,
    people: Sequence[Affected],
    *,
    twilio_port: int,
    relay_port: int = 25,
    means: Sequence[str] = MEANS,
    twilio: Mapping[str, Any] | None = None,
    on: PostgresServer | None = None,
    opens: bool = True,
    stale_seconds: float | None = None,
    english: str = "",
) -> Breach:
    """A sending that has begun, and of which nothing has left; one that is released only where it is not to open.

    `english` is the workspace's own text of SMS in that language.
    """
    breach = make_breach(
        tmp_path,
        people=people,
        relay_port=relay_port,
        sms=twilio_settings(twilio_port, tmp_path, **(twilio or {})),
        fallback={"means": list(means)},
        scope={"countries": ["cn"]},
        waves=AT_ONCE,
        on=on,
        engine={"stale_seconds": stale_seconds} if stale_seconds is not None else {},
    )
    if english:
        own = breach.made.workspace.root / "templates" / "notice" / "en" / "sms.txt.j2"
        own.parent.mkdir(parents=True)
        own.write_text(english, encoding="utf-8")
    breach.release()
    if opens:
        breach.open_sending()
    return breach


class Callbacks:
    """Where Twilio's callbacks go: bound before there is a workspace, served once there is one."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.port: int = listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/receipts/sms"

    @contextmanager
    def served(self, house: House) -> Iterator[None]:
        """`incident serve hooks`, without alerts."""
        server = hooks_server(
            house, {}, lambda reference: "", log_level="error", receipts=receipt_routes(house)
        )
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


@contextmanager
def callbacks_at_hand() -> Iterator[Callbacks]:
    listener = listen("127.0.0.1", 0)
    try:
        yield Callbacks(listener)
    finally:
        listener.close()
