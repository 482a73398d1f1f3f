"""How requests of Twilio's client leave: over httpx, each with its timeouts, never twice, and knowing how far it came.

The asynchronous HTTP client that comes with `twilio` waits without end: a timeout given to it is not passed on
(twilio-python #925, reproduced with 9.13). And an aiohttp session does not tell "could not connect" from "handed over
and not answered", of which only the first may be tried again. This one does.

It goes by httpx's transport and not by its client, which would log each address, and some have people's numbers in them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from notifiers.errors import CarrierError
from notifiers.outcome import Stage
from notifiers.twilio.account import TwilioAccount

_KEEP_IDLE_SECONDS = 15.0
"""A connection that was idle for longer is not used again: the other side may be about to close it, and a request that
meets this end leaves open whether it was taken."""
_YES = range(200, 300)
_TLS_BEGINS = "connection.start_tls.started"
_REQUEST_LEAVES = "http11.send_request_headers.started"


class Unanswered(CarrierError):
    """A request that got no answer. `stage` is connect or tls where it never left, else submitted."""

    def __init__(self, stage: Stage, text: str, *, peer: str) -> None:
        super().__init__(f"{peer}: {text} ({stage})")
        self.stage = stage
        self.text = text
        self.peer = peer


class Refused(CarrierError):
    """An answer that is no yes. `status` is the HTTP status, `code` Twilio's own where the answer has one."""

    def __init__(self, status: int, code: int | None, *, peer: str) -> None:
        super().__init__(f"{peer}: refused with HTTP {status}, code {code}")
        self.status = status
        self.code = code


class HeldBack(CarrierError):
    """`may_go` said no when the request was about to leave."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as Twilio's client reads it."""

    status_code: int
    text: str
    headers: Mapping[str, str]

    @property
    def content(self) -> str:
        return self.text

    @property
    def ok(self) -> bool:
        return self.status_code < 400


@dataclass(slots=True)
class _Progress:
    """How far one request came; told by httpcore as it goes."""

    may_go: Callable[[], bool] | None
    stage: Stage = Stage.connect

    async def note(self, event: str, _: Mapping[str, Any]) -> None:
        if event == _TLS_BEGINS:
            self.stage = Stage.tls
        elif event == _REQUEST_LEAVES:
            if self.may_go is not None and not self.may_go():
                raise HeldBack("held back")
            self.stage = Stage.submitted


class Transport:
    """The `http_client` of Twilio's `Client`: `request` is all that its asynchronous calls use.

    `may_go`, once given to `asking`, is asked right before the first octet of each request leaves.
    """

    is_async = True

    def __init__(
        self,
        account: TwilioAccount,
        *,
        context: ssl.SSLContext | None = None,
        may_go: Callable[[], bool] | None = None,
        http: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._account = account
        self._may_go = may_go
        timeouts = account.timeouts
        self._timeout = httpx.Timeout(timeouts.read, connect=timeouts.connect).as_dict()
        self._http = http or httpx.AsyncHTTPTransport(
            # Authorities are a setting, and never come by the way from the environment.
            trust_env=False,
            verify=context if context is not None else True,
            limits=httpx.Limits(
                max_connections=None,
                max_keepalive_connections=account.window,
                keepalive_expiry=_KEEP_IDLE_SECONDS,
            ),
        )

    def asking(self, may_go: Callable[[], bool]) -> Transport:
        """The same connections, with this question before each request."""
        return Transport(self._account, may_go=may_go, http=self._http)

    async def close(self) -> None:
        await self._http.aclose()

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
        allow_redirects: bool = False,
    ) -> Answer:
        """One exchange whose answer is a yes (2xx). Raises Unanswered, Refused and HeldBack.

        Twilio's client has an error of its own for each kind of call, and the one for lists has neither status nor code.
        `timeout` and `allow_redirects` are the client's and count for nothing: the account's timeouts hold, and nothing
        is sent where an answer points to.
        """
        progress = _Progress(self._may_go)
        request = httpx.Request(
            method,
            self._moved(url),
            params=params,
            data=data,
            headers={**(headers or {}), **_signed_in(auth)},
            extensions={"timeout": self._timeout, "trace": progress.note},
        )
        timeouts = self._account.timeouts
        try:
            # httpx bounds each reading; an answer that trickles in would have no end.
            async with asyncio.timeout(timeouts.connect + timeouts.read):
                answer = await self._exchange(request)
        except (TimeoutError, httpx.TimeoutException):
            raise self._unanswered(progress.stage, "no answer in time") from None
        except (httpx.TransportError, httpx.DecodingError, OSError):
            raise self._unanswered(progress.stage, "the connection failed") from None
        if answer.status_code not in _YES:
            raise Refused(answer.status_code, _code_in(answer.text), peer=self._account.peer)
        return answer

    async def _exchange(self, request: httpx.Request) -> Answer:
        response = await self._http.handle_async_request(request)
        try:
            await response.aread()
        finally:
            await response.aclose()
        return Answer(response.status_code, response.text, response.headers)

    def _unanswered(self, stage: Stage, text: str) -> Unanswered:
        return Unanswered(stage, text, peer=self._account.peer)

    def _moved(self, url: str) -> str:
        """The address with the account's own host, where one stands for all of Twilio's."""
        if not self._account.base_url:
            return url
        base, split = urlsplit(self._account.base_url), urlsplit(url)
        return split._replace(scheme=base.scheme, netloc=base.netloc).geturl()


def _signed_in(auth: tuple[str, str] | None) -> dict[str, str]:
    if auth is None:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(':'.join(auth).encode()).decode()}"}


def _code_in(text: str) -> int | None:
    """Twilio's code in an answer; None where it is none of the API's."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    code = value.get("code") if isinstance(value, dict) else None
    return code if isinstance(code, int) else None
