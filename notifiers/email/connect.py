"""Opening a session with a relay: connect, greet, STARTTLS, AUTH, all by aiosmtplib."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass

import aiosmtplib

from notifiers.email.relay import Relay, TlsMode
from notifiers.email.replies import enhanced_code, shortened
from notifiers.email.wire import Wire
from notifiers.errors import CarrierUnreachable
from notifiers.outcome import Stage


@dataclass(frozen=True, slots=True)
class Link:
    """An open session: its wire, and what the relay said it can do (extension names in lower case)."""

    wire: Wire
    peer: str
    tls: bool
    extensions: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Failed:
    stage: Stage
    text: str
    code: int | None = None


async def open_link(relay: Relay, context: ssl.SSLContext | None) -> Link:
    """A session that is ready for MAIL. `context` verifies the relay unless TLS is off.

    Raises CarrierUnreachable with the stage; it carries no other error with it, since that one may quote
    what we sent to log in.
    """
    opened = await _try_to_open(relay, context)
    if isinstance(opened, Link):
        return opened
    text = shortened(relay.without_secrets(opened.text))
    raise CarrierUnreachable(
        opened.stage,
        text,
        peer=f"{relay.host}:{relay.port}",
        code=opened.code,
        enhanced=enhanced_code(text),
    )


async def _try_to_open(relay: Relay, context: ssl.SSLContext | None) -> Link | _Failed:
    client = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        local_hostname=relay.helo_name or "localhost",  # else a DNS look-up; see _greet
        use_tls=relay.tls is TlsMode.implicit,
        start_tls=False,
        tls_context=context,
    )
    stage = Stage.connect
    finished = False
    try:
        await client.connect(timeout=relay.timeouts.connect)
        await _greet(client, relay, relay.timeouts.connect)
        if relay.tls is TlsMode.starttls:
            stage = Stage.tls
            if not client.supports_extension("starttls"):
                return _Failed(stage, "the relay does not offer STARTTLS, and nothing is sent without it")
            await client.starttls(timeout=relay.timeouts.tls)
            await _greet(client, relay, relay.timeouts.tls)
        if relay.username is not None and relay.password is not None:
            stage = Stage.auth
            await client.login(relay.username, relay.password, timeout=relay.timeouts.auth)
        link = _take_over(client, relay)
        finished = True
        return link
    except aiosmtplib.SMTPResponseException as answer:
        # aiosmtplib has a code of its own, below zero, for what is no reply at all.
        return _Failed(stage, answer.message, answer.code if answer.code > 0 else None)
    except (aiosmtplib.SMTPException, OSError, ValueError) as failure:
        tls = isinstance(failure, ssl.SSLError) or isinstance(failure.__cause__, ssl.SSLError)
        return _Failed(Stage.tls if tls else stage, str(failure) or type(failure).__name__)
    finally:
        if not finished:
            client.close()


async def _greet(client: aiosmtplib.SMTP, relay: Relay, within: float) -> None:
    name = relay.helo_name or _own_literal(client)
    try:
        await client.ehlo(hostname=name, timeout=within)
    except aiosmtplib.SMTPHeloError:
        # A relay without extensions is still a relay, but it can offer neither TLS nor AUTH.
        if not client.is_connected:
            raise
        await client.helo(hostname=name, timeout=within)


def _own_literal(client: aiosmtplib.SMTP) -> str:
    address = ipaddress.ip_address(str(client.get_transport_info("sockname")[0]).partition("%")[0])
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


def _take_over(client: aiosmtplib.SMTP, relay: Relay) -> Link:
    transport = client.transport
    if not isinstance(transport, asyncio.Transport) or transport.is_closing():
        raise aiosmtplib.SMTPServerDisconnected("the relay closed the connection")
    address = str(transport.get_extra_info("peername")[0])
    return Link(
        wire=Wire(transport, asyncio.get_running_loop()),
        peer=f"{relay.host}[{address}]:{relay.port}",
        tls=transport.get_extra_info("ssl_object") is not None,
        extensions=frozenset(client.esmtp_extensions),
    )
