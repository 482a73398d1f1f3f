from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from notifiers.email.relay import Relay, TlsMode
from notifiers.errors import BadRelay


@pytest.mark.parametrize(
    "changes",
    [
        {"host": ""},
        {"host": "relay example"},
        {"host": "relay\r\nexample"},
        {"port": 0},
        {"port": 65536},
        {"username": "a"},
        {"password": "geheim"},
        {"username": "a", "password": "geheim"},
        {"ca_file": Path("ca.pem")},
        {"helo_name": "a b"},
        {"max_messages": 0},
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"host": "relay.example.com", "port": 25, "tls": TlsMode.none}
    with pytest.raises(BadRelay) as refused:
        Relay(**(settings | changes))
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "tls"),
    [("relay.example.com", TlsMode.starttls), ("relay.example.com", TlsMode.implicit)]
    + [(host, TlsMode.none) for host in ("localhost", "127.0.0.1", "::1")],
)
def test_a_password_needs_tls_unless_it_stays_on_this_machine(host: str, tls: TlsMode) -> None:
    relay = Relay(host, 587, tls, "user", "geheim")
    assert "geheim" not in repr(relay)
