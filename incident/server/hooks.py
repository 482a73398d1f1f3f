"""The HTTP app that takes alerts in: check, keep durably, answer; mapping comes later.

The order of work is fixed: size, raw bytes, source, address, signature over the raw bytes and its time
window, JSON, content type, rate, durable store. Nothing a sender posts ends in a 500.
No token is logged or kept: not from headers, not from paths.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route

from incident.errors import StoreUnavailable, TocsinError
from incident.hooks.definition import HeaderToken, Source, UrlToken
from incident.hooks.intake import Intake, Receipt
from incident.hooks.jsonbody import BadJson, read_json
from incident.hooks.mapping import CompiledSource
from incident.hooks.signatures import DELIVERY_ID, Reason, Rejected, verify
from incident.server.ratelimit import RateLimiter

_log = logging.getLogger(__name__)

# For `uvicorn.run(app, **UVICORN_OPTIONS)`: its access log would write paths, and a path may hold a token.
UVICORN_OPTIONS: Final[Mapping[str, Any]] = {
    "access_log": False,
    "server_header": False,
    "timeout_keep_alive": 15,
    "limit_concurrency": 200,
}
_CREDENTIAL_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"}
)
_JSON_TYPE = re.compile(r"application/(json|[a-z0-9.+_-]+\+json)")
_SECRET_PATH = re.compile(r"/(hooks|receipts)/\S+")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server. Rates are per five minutes; a source's own `rate_per_5_minutes` goes first."""

    body_bytes: int = 1024 * 1024
    header_value_bytes: int = 8 * 1024
    read_seconds: float = 10
    per_source: int = 300
    in_all: int = 900
    retry_seconds: int = 5


class _Answer(Exception):
    """Ends the work on a delivery with this answer."""

    def __init__(
        self, status: int, error: str, what: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.what = what
        self.headers = dict(headers or {})


class _NoTokensInPaths(logging.Filter):
    """For the case that somebody starts the app with uvicorn's access log on."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _SECRET_PATH.sub(r"/\1/…", one) if isinstance(one, str) else one for one in record.args
            )
        return True


_NO_TOKENS_IN_PATHS = _NoTokensInPaths()


def create_app(
    *,
    sources: Mapping[str, CompiledSource],
    intake: Intake,
    resolve_secret: Callable[[str], str],
    clock: Callable[[], datetime],
    limits: Limits | None = None,
    receipts: Sequence[Route] = (),
) -> FastAPI:
    """The app for these sources: POST /hooks/{source} (or /hooks/{source}/{token}) and GET /healthz.

    `resolve_secret` reads env:NAME or file:PATH and raises a TocsinError where there is nothing; it is asked
    once, here. A source none of whose secrets is there answers 503 until the server is started with them.
    `clock` gives aware times. `receipts` are where carriers post what became of messages (`server.receipts`).
    """
    desk = _Desk(sources, intake, resolve_secret, clock, limits or Limits())
    logging.getLogger("uvicorn.access").addFilter(_NO_TOKENS_IN_PATHS)
    return FastAPI(
        title="Tocsin alert intake",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would repeat the path, token and all, in its Location
        routes=[
            Route("/hooks/{source_id}", desk.post, methods=["POST"]),
            Route("/hooks/{source_id}/{token}", desk.post, methods=["POST"]),
            *receipts,
            Route("/healthz", _health, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _http_error},
    )


async def _health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    words = {404: "not_found", 405: "method_not_allowed"}
    return JSONResponse({"error": words.get(status, "refused")}, status_code=status, headers=headers)


class _Desk:
    def __init__(
        self,
        sources: Mapping[str, CompiledSource],
        intake: Intake,
        resolve_secret: Callable[[str], str],
        clock: Callable[[], datetime],
        limits: Limits,
    ) -> None:
        self._sources = {name: compiled.source for name, compiled in sources.items()}
        self._secrets = {name: _secrets_of(one, resolve_secret) for name, one in self._sources.items()}
        self._intake = intake
        self._clock = clock
        self._limits = limits
        rates = {name: one.rate_per_5_minutes or limits.per_source for name, one in self._sources.items()}
        self._rates = RateLimiter(per_source=rates, in_all=limits.in_all, now=clock())

    async def post(self, request: Request) -> JSONResponse:
        name = request.path_params["source_id"]
        # A name that is not ours may be a token in the wrong place: it is not logged.
        known = name if name in self._sources else "an unknown source"
        try:
            receipt = await self._take(request, name)
        except _Answer as answer:
            return _told(answer, known)
        except Exception as error:
            # Only the class: the error's text may hold what was posted.
            _log.error("alert from %s could not be taken in: %s", known, type(error).__name__)
            return _told(self._unavailable("not_kept", "The alert could not be kept; send it again."), known)
        return JSONResponse({"receipt": receipt.id}, status_code=202 if receipt.new else 200)

    async def _take(self, request: Request, name: str) -> Receipt:
        headers = _headers(request, self._limits.header_value_bytes)
        body = await _read(request, self._limits)
        token: str | None = request.path_params.get("token")
        source = self._source(name, token)
        self._check_address(source, request)
        now = self._clock()
        proof = self._check_proof(source, headers, body, now, token)
        await _check_json(headers, body)
        if wait := self._rates.take(name, now):
            raise _Answer(429, "too_many", "This source sends too much.", headers={"retry-after": str(wait)})
        receive = partial(
            self._intake.receive,
            source_id=name,
            delivery_id=proof or _delivery_id(source, headers, body),
            body=body,
            headers=_without_credentials(source, headers),
            received_at=now,
        )
        try:
            return await anyio.to_thread.run_sync(receive)
        except StoreUnavailable as error:
            _log.error("the store does not take alerts: %s", error.what)
            raise self._unavailable(
                "store_unavailable", "The alert could not be kept; send it again."
            ) from None

    def _source(self, name: str, token: str | None) -> Source:
        source = self._sources.get(name)
        if source is None or (token is not None and not isinstance(source.auth, UrlToken)):
            raise _Answer(404, "unknown_source", "There is no such source here.")
        return source

    def _check_address(self, source: Source, request: Request) -> None:
        if source.networks and not _is_inside(request.client.host if request.client else "", source):
            raise _Answer(403, "address_not_allowed", "This address may not send for this source.")

    def _check_proof(
        self, source: Source, headers: Mapping[str, str], body: bytes, now: datetime, token: str | None
    ) -> str | None:
        """The delivery id that the signature covers, if any."""
        outcome = verify(source.auth, self._secrets[source.id], headers, body, now, url_token=token)
        if not isinstance(outcome, Rejected):
            return outcome.delivery_id
        if outcome.reason is Reason.key_unusable:
            _log.error("source %s has no usable secret", source.id)
            raise self._unavailable("source_not_ready", "No usable secret is set for this source.")
        raise _Answer(401, outcome.reason.value, "The sender could not prove that it is this source.")

    def _unavailable(self, error: str, what: str) -> _Answer:
        return _Answer(503, error, what, headers={"retry-after": str(self._limits.retry_seconds)})


def _told(answer: _Answer, known: str) -> JSONResponse:
    _log.info("alert from %s: %s %s", known, answer.status, answer.error)
    return JSONResponse(
        {"error": answer.error, "what": answer.what}, status_code=answer.status, headers=answer.headers
    )


def _secrets_of(source: Source, resolve_secret: Callable[[str], str]) -> tuple[str, ...]:
    found: list[str] = []
    for reference in source.secret_references:
        try:
            found.append(resolve_secret(reference))
        except TocsinError:
            _log.warning("source %s: the secret %s is not there", source.id, reference)
    return tuple(secret for secret in found if secret)


def _headers(request: Request, limit: int) -> dict[str, str]:
    """Lower-case names. A header that comes twice is joined by a comma (RFC 9110, 5.3): a token sent twice
    is then no longer the token."""
    result: dict[str, str] = {}
    for name, value in request.headers.items():
        result[name] = f"{result[name]}, {value}" if name in result else value
        if len(result[name]) > limit:
            raise _Answer(431, "header_too_long", f"A header may have {limit} bytes.")
    return result


async def _read(request: Request, limits: Limits) -> bytes:
    # Answered at once, with the connection left open: uvicorn then drops the rest of the body as it comes.
    # A close with unread bytes resets the connection, and the sender may never see why.
    too_large = _Answer(413, "too_large", f"A body may have {limits.body_bytes} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limits.body_bytes:
        raise too_large
    body = bytearray()
    try:
        with anyio.fail_after(limits.read_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body_bytes:
                    raise too_large
    except TimeoutError:
        raise _Answer(
            408, "too_slow", "The body did not arrive in time.", headers={"connection": "close"}
        ) from None
    except ClientDisconnect:
        raise _Answer(400, "cut_off", "The body ended too early.") from None
    return bytes(body)


def _is_inside(host: str, source: Source) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in source.networks)


async def _check_json(headers: Mapping[str, str], body: bytes) -> None:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise _Answer(415, "encoding_not_supported", "Send the body without compression.")
    try:
        # Small bodies are read faster than a thread is reached; large ones would hold up all others.
        await anyio.to_thread.run_sync(read_json, body) if len(body) > 64 * 1024 else read_json(body)
    except BadJson as error:
        where = f" ({error.where})" if error.where else ""
        raise _Answer(400, error.trap.value, f"{error.what}{where}") from None
    kind, _, parameters = headers.get("content-type", "").lower().partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s\";]+)", parameters)
    # A body without a declared type has just been read as JSON; that is enough.
    if kind.strip() and not _JSON_TYPE.fullmatch(kind.strip()):
        raise _Answer(415, "not_json_type", "Send application/json.")
    if charset and charset[1] not in {"utf-8", "utf8", "us-ascii"}:
        raise _Answer(415, "charset_not_supported", "Send UTF-8.")


def _delivery_id(source: Source, headers: Mapping[str, str], body: bytes) -> str:
    """The sender's own id, if it is not signed, goes together with the body's hash: the same id on another
    body must not make an alert disappear."""
    digest = hashlib.sha256(body).hexdigest()
    given = headers.get(source.delivery_header, "") if source.delivery_header else ""
    return f"{given}:{digest}" if DELIVERY_ID.fullmatch(given) else f"sha256:{digest}"


def _without_credentials(source: Source, headers: Mapping[str, str]) -> dict[str, str]:
    own = {source.auth.header} if isinstance(source.auth, HeaderToken) else set()
    return {name: value for name, value in headers.items() if name not in _CREDENTIAL_HEADERS | own}
