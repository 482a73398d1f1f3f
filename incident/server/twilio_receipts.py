"""Twilio's status callbacks at `/receipts/sms/ID.MAC`: taken where we made the address, and Twilio signed it.

What was signed is the public address as the message named it. It is put together from the settings, never from headers,
so that a proxy may stand before and nobody can say where a request was meant to go. A callback that is said again changes
nothing. Twilio takes any 2xx, and does not say again what met a 5xx unless it is told to (its page on connection
overrides): what could not be written down is asked for later.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from incident.delivery.twilio_room import Twilio
from incident.server.gathering import Gathering
from incident.server.receipts import read_body, taken
from notifiers.twilio.callbacks import SIGNATURE_HEADER, Form, form_of, receipt_of, verify

log = logging.getLogger(__name__)

_LARGEST_BODY = 64 * 1024
"""A callback has some twenty short fields."""


@dataclass(frozen=True)
class SignedCallbacks:
    """Takes Twilio's callbacks. 404 for an address that is none of ours, 403 for what Twilio did not sign, 400 for what
    says nothing of a message, 204 for what was written down."""

    desk: Gathering
    twilio: Twilio

    async def post(self, request: Request) -> Response:
        address = f"{self.twilio.account.callback_base}/{request.path_params['token']}"
        own_id = self.twilio.own_id_at(address)
        if own_id is None:
            return JSONResponse({"error": "not_found"}, status_code=404)
        form = await signed_form(request, address, self.twilio.account.callback_tokens)
        if isinstance(form, Response):
            return form
        receipt = receipt_of(form, own_id=own_id)
        if receipt is None:
            return JSONResponse({"error": "not_a_receipt"}, status_code=400)
        return await taken(self.desk, [receipt], Response(status_code=204))


async def signed_form(request: Request, address: str, tokens: Sequence[str]) -> Form | Response:
    """What was posted to this address, without its query, where Twilio signed it; the answer to give where it did not."""
    body = await read_body(request, most=_LARGEST_BODY)
    if isinstance(body, Response):
        return body
    form = form_of(body)
    if form is None:
        return JSONResponse({"error": "not_a_form"}, status_code=400)
    url = f"{address}?{request.url.query}" if request.url.query else address
    if not await anyio.to_thread.run_sync(
        verify, tokens, url, form, request.headers.get(SIGNATURE_HEADER, "")
    ):
        # It may also be that the auth token was changed and the settings were not.
        log.warning("a callback of Twilio's was refused: none of the auth tokens signed it")
        return JSONResponse({"error": "signature"}, status_code=403)
    return form
