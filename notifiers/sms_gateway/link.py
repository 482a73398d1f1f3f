"""One HTTP exchange with a gateway, and how far it came.

httpx's transport is used without its client: a client logs each URL, and with some gateways the URL holds a person's
number and name. So there are no redirects, no proxies of the environment, no cookies and no retries either.

Whether a request may have left is not guessed from the kind of an error: the transport tells when it begins to write the
request. What failed before that certainly left nothing. After it nobody can say, also where a kept connection turns out
to have been closed by the other side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import httpx

from notifiers.sms_gateway.gateway import Gateway, tls_context
from notifiers.sms_gateway.signing import HttpRequest

LARGEST_ANSWER = 1024 * 1024
_KEPT_SECONDS = 15.0
"""How long an idle connection is kept: less than servers commonly do, so that few are found closed."""
_WRITING = "http11.send_request_headers.started"
_TLS_BEGINS, _TLS_STANDS = "connection.start_tls.started", "connection.start_tls.complete"


class Break(StrEnum):
    """Why there is no answer."""

    no_connection = "no connection to the gateway"
    no_tls = "no TLS with the gateway, or its certificate does not verify"
    held_back = "held back"
    late = "the gateway did not answer in time"
    broken = "the connection to the gateway broke"
    too_large = "the gateway's answer is too large"


@dataclass(frozen=True, slots=True)
class Broken:
    """No answer. Where `may_have_left` is False the gateway certainly got no request."""

    why: Break
    may_have_left: bool


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class _HeldBack(Exception):
    pass


class _Trail:
    """How far a request came, as the transport tells; asks `may_go` right before the first octet is written."""

    def __init__(self, may_go: Callable[[], bool]) -> None:
        self._may_go = may_go
        self.left = False
        self.in_tls = False

    async def __call__(self, event: str, _: Mapping[str, object]) -> None:
        if event == _TLS_BEGINS:
            self.in_tls = True
        elif event == _TLS_STANDS:
            self.in_tls = False
        elif event == _WRITING:
            if not self._may_go():
                raise _HeldBack
            self.left = True

    def broken(self, error: Exception) -> Broken:
        if isinstance(error, _HeldBack):
            return Broken(Break.held_back, may_have_left=False)
        if not self.left:
            return Broken(Break.no_tls if self.in_tls else Break.no_connection, may_have_left=False)
        late = isinstance(error, httpx.TimeoutException | TimeoutError)
        return Broken(Break.late if late else Break.broken, may_have_left=True)


class HttpLink:
    """Kept connections to one gateway, used by many tasks at once."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._transport: httpx.AsyncHTTPTransport | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Make ready; connections are made when they are needed. Raises BadGateway for `ca_file`."""
        await self._ready()

    async def close(self) -> None:
        async with self._opening:
            transport, self._transport = self._transport, None
            if transport is not None:
                await transport.aclose()

    async def exchange(self, request: HttpRequest, may_go: Callable[[], bool]) -> Answer | Broken:
        """Send a request and read the whole answer, whatever its status."""
        transport = await self._ready()
        trail = _Trail(may_go)
        try:
            async with asyncio.timeout(self._gateway.timeouts.whole):
                return await self._answered(transport, self._outgoing(request, trail), trail)
        except (_HeldBack, httpx.TransportError, OSError) as error:
            return trail.broken(error)

    async def _answered(
        self, transport: httpx.AsyncHTTPTransport, request: httpx.Request, trail: _Trail
    ) -> Answer | Broken:
        response = await transport.handle_async_request(request)
        try:
            body = bytearray()
            async for octets in response.aiter_raw():
                body += octets
                if len(body) > LARGEST_ANSWER:
                    return Broken(Break.too_large, may_have_left=trail.left)
            return Answer(response.status_code, bytes(body))
        finally:
            await response.aclose()

    def _outgoing(self, request: HttpRequest, trail: _Trail) -> httpx.Request:
        timeouts = self._gateway.timeouts
        query = f"?{request.query}" if request.query else ""
        return httpx.Request(
            request.method,
            f"{self._gateway.origin}{request.path}{query}",
            # Unpacked the answer could be larger than what was read.
            headers={**request.headers, "accept": "application/json", "accept-encoding": "identity"},
            content=request.body,
            extensions={
                "trace": trail,
                "timeout": {
                    "connect": timeouts.connect,
                    "write": timeouts.write,
                    "read": timeouts.read,
                    "pool": timeouts.pool,
                },
            },
        )

    async def _ready(self) -> httpx.AsyncHTTPTransport:
        async with self._opening:
            if self._transport is None:
                context = await asyncio.to_thread(tls_context, self._gateway)
                window = self._gateway.window
                self._transport = httpx.AsyncHTTPTransport(
                    verify=context,
                    trust_env=False,
                    retries=0,
                    limits=httpx.Limits(
                        max_connections=window,
                        max_keepalive_connections=window,
                        keepalive_expiry=_KEPT_SECONDS,
                    ),
                )
            return self._transport
