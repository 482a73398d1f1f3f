"""The simulated service counts effects as a real one has them."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from tests.support.services import EffectService

BODY = b'{"step": "reset"}'
HEAD = b"POST /reset HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Length: %d\r\n\r\n" % len(BODY)


def _call(service: EffectService, sent: bytes) -> bytes:
    found = urlsplit(service.url)
    with socket.create_connection((found.hostname or "", found.port or 0), timeout=10) as line:
        line.sendall(sent)
        line.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: line.recv(4096), b""))
    service.settle()
    return answer


def test_a_call_that_breaks_off_in_its_body_has_no_effect() -> None:
    with EffectService() as service:
        for sent in (HEAD, HEAD + BODY[:-1]):
            assert _call(service, sent) == b""
        assert service.effects == {}
        assert service.bodies == {}


def test_a_whole_call_has_one_effect_and_an_answer() -> None:
    with EffectService() as service:
        assert b" 200 " in _call(service, HEAD + BODY)
        assert service.effects == {"k": 1}
        assert service.bodies == {"k": {BODY}}
