"""One HTTP/1.1 exchange (RFC 9112) over a connection of its own, with one time limit for all of it.

Whoever calls must know what is certain: whether anything of the request left, and whether a status came back. So an
answer that never came says which. A kept connection that the other side closes just then would leave that in doubt.
No proxy, no redirect, no cookie: what was meant for one host goes to no other.

Looking a name up waits as long as the system's resolver does; everything after it ends with the time limit.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import h11

Headers = Sequence[tuple[str, str]]

_LONGEST_HEAD = 100 * 1024  # bytes of status line and headers; what is longer is no answer
_AT_A_TIME = 64 * 1024


@dataclass(frozen=True)
class Request:
    """What is sent where. `host` is a name or address without brackets, `target` begins with a slash, `headers` hold no
    Host and no length. `tls` says whom to trust; None is for plain HTTP."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    method: str
    target: str
    headers: Headers = field(repr=False)
    body: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """A status, and the beginning of the body. `broken` says why the body did not arrive whole, if it did not."""

    status: int
    location: str
    body: bytes
    broken: str = ""


@dataclass(frozen=True)
class NoAnswer:
    """No status arrived. `sent`: something of the request may have reached the other side."""

    why: str
    sent: bool


class _Limit:
    """When all of it must be over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends = time.monotonic() + seconds

    def left(self, *, among: int = 1) -> float:
        """Seconds for the next wait, an even share of what is left. Raises `TimeoutError` when nothing is."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left / among


def exchange(request: Request, *, timeout_s: float, most: int) -> Answer | NoAnswer:
    """Send the request once, and read its answer and at most `most` bytes of its body."""
    limit = _Limit(timeout_s)
    wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
    try:
        outgoing = _written(wire, request)
    except (h11.LocalProtocolError, UnicodeError):
        return NoAnswer("the request cannot be written as HTTP", sent=False)
    try:
        connection = _connect(request, limit)
    except TimeoutError:
        return NoAnswer(f"no connection within {timeout_s:g} s", sent=False)
    except UnicodeError:  # a label that is empty or too long (RFC 1035 section 2.3.4)
        return NoAnswer("no connection: the host's name is none", sent=False)
    except OSError as error:
        return NoAnswer(_why_not_connected(error), sent=False)
    with connection:
        return _converse(wire, connection, outgoing, limit, most)


def _written(wire: h11.Connection, request: Request) -> bytes:
    headers = [("Host", _host(request)), *request.headers]
    if request.body is not None or request.method in {"POST", "PUT", "PATCH"}:
        headers.append(("Content-Length", str(len(request.body or b""))))
    parts = [wire.send(h11.Request(method=request.method, target=request.target, headers=headers))]
    if request.body:
        parts.append(wire.send(h11.Data(data=request.body)))
    parts.append(wire.send(h11.EndOfMessage()))
    return b"".join(part for part in parts if part)


def _host(request: Request) -> str:
    host = f"[{request.host}]" if ":" in request.host else request.host
    usual = 80 if request.tls is None else 443
    return host if request.port == usual else f"{host}:{request.port}"


def _connect(request: Request, limit: _Limit) -> socket.socket:
    """Raises `OSError`; each address of the host gets an even share of the time."""
    places = socket.getaddrinfo(request.host, request.port, type=socket.SOCK_STREAM)
    failed: OSError | None = None
    for number, (family, kind, protocol, _, address) in enumerate(places):
        plain = socket.socket(family, kind, protocol)
        try:
            plain.settimeout(limit.left(among=len(places) - number))
            plain.connect(address)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(limit.left())
            # Takes the socket over, also where the handshake fails.
            return (
                plain if request.tls is None else request.tls.wrap_socket(plain, server_hostname=request.host)
            )
        except ssl.SSLError:
            # It was reached, and is not who it should be: no other of its addresses is tried.
            plain.close()
            raise
        except OSError as error:
            plain.close()
            failed = error
    assert failed is not None  # noqa: S101 - the system never answers with no address
    raise failed


def _converse(
    wire: h11.Connection, connection: socket.socket, outgoing: bytes, limit: _Limit, most: int
) -> Answer | NoAnswer:
    status, location, body = None, "", bytearray()
    why = ""
    try:
        _send(connection, outgoing, limit)
        while len(body) < most:
            event = wire.next_event()
            if event is h11.NEED_DATA:
                connection.settimeout(limit.left())
                wire.receive_data(connection.recv(_AT_A_TIME))
            elif isinstance(event, h11.Response):
                status = event.status_code
                location = _location_in(event)
            elif isinstance(event, h11.Data):
                body += event.data
            elif not isinstance(event, h11.InformationalResponse):
                break
    except TimeoutError:
        why = f"no whole answer within {limit.seconds:g} s"
    except (OSError, h11.RemoteProtocolError) as error:
        why = f"the connection broke: {type(error).__name__}"
    if status is None:
        return NoAnswer(why or "the connection ended without an answer", sent=True)
    return Answer(status, location, bytes(body[:most]), why)


def _send(connection: socket.socket, outgoing: bytes, limit: _Limit) -> None:
    connection.settimeout(limit.left())
    try:
        connection.sendall(outgoing)
    except TimeoutError:
        raise
    except OSError:
        # Whoever says no before it has read all closes early; its answer may be there to read.
        return


def _location_in(response: h11.Response) -> str:
    found = [value for name, value in response.headers if name == b"location"]
    return found[0].decode("ascii", errors="replace") if found else ""


def _why_not_connected(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {error.verify_message}; an authority of your own is named by "
            "[playbooks] ca_file"
        )
    if isinstance(error, ssl.SSLError):
        return f"no connection by TLS: {error.reason or type(error).__name__}"
    return f"no connection: {error.strerror or type(error).__name__}"
