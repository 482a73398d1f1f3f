from __future__ import annotations

import pytest

from notifiers.hosts import is_host, is_this_machine


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_what_stays_on_this_machine_is_known(name: str) -> None:
    assert is_this_machine(name) and is_host(name)


@pytest.mark.parametrize("name", ["relay.example.com", "192.0.2.1", "localhost.example.com", "2001:db8::1"])
def test_what_leaves_it_too(name: str) -> None:
    assert is_host(name) and not is_this_machine(name)


@pytest.mark.parametrize("name", ["", "a b", "a\r\nb", "a" * 254])
def test_what_no_host_is_called_is_refused(name: str) -> None:
    assert not is_host(name)
