"""What SMS and calls by Twilio make alike of the settings: keys of callbacks' addresses, tokens, and whom to trust in TLS."""

from __future__ import annotations

import hashlib
import hmac
import ssl
from pathlib import Path

from incident.carrier_settings import TwilioLogin
from incident.errors import BadInput
from incident.settings import resolve_secret
from notifiers.twilio.account import TwilioAccount

_KEY_FOR_ADDRESSES = b"tocsin: addresses of callbacks\0"


def keys_of(account: TwilioAccount) -> tuple[bytes, ...]:
    """The keys of callbacks' addresses, one for each token, that of new messages first.

    Each follows from a token by HMAC-SHA256, so that all workers and whoever serves callbacks have the same ones,
    also after a restart, and none is kept. While the token is changed the addresses of before still hold.
    """
    return tuple(
        hmac.new(token.encode(), _KEY_FOR_ADDRESSES, hashlib.sha256).digest()
        for token in account.callback_tokens
    )


def callback_tokens(declared: TwilioLogin, secret: str) -> tuple[str, ...]:
    """The auth tokens that callbacks may be signed with, the present one first. Where the account is signed in with its
    auth token, that is the one."""
    if declared.callback_token:
        tokens = [resolve_secret(declared.callback_token)]
    else:
        tokens = [secret] if secret and not declared.key_sid else []
    if tokens and declared.callback_token_before:
        tokens.append(resolve_secret(declared.callback_token_before))
    return tuple(tokens)


def context_from(ca_file: Path, where: str) -> ssl.SSLContext:
    """What verifies certificates by a file of authorities. Raises `BadInput`; `where` is its key in the settings."""
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise BadInput(
            f"the file of authorities cannot be used: {ca_file}",
            where=where,
            next_step="put certificates in PEM there",
        ) from error
