"""What carriers of SMS post to us of messages that they took, beside the intake of alerts.

Of a gateway only who knows the token in the path is listened to, as gateways sign nothing; Twilio signs
(`server.twilio_receipts`). A receipt is answered once what it says is
written down, so that a carrier says again what we had not. One that names no message of ours is answered too, and
changes nothing. Nothing that is posted ends in a 500, and no path, token or number is logged.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from incident.carrier_settings import SmsGatewaySettings, TwilioSettings
from incident.delivery.call_receipts import CallDesk
from incident.delivery.next_means import NextMeans, calls_by_machine, sends_sms
from incident.delivery.sms_asking import AskingDesk
from incident.errors import BadInput, TocsinError
from incident.response.housework import House
from incident.server.gathering import Gathering
from incident.settings import resolve_secret
from notifiers.errors import BadMessage
from notifiers.sms.receipt import SmsReceipt

log = logging.getLogger(__name__)

PATH = "/receipts/sms/"
CALLS_PATH = "/receipts/calls/"
SHORTEST_TOKEN = 24
_LARGEST_BODY = 1024 * 1024
_READ_SECONDS = 10.0
_LATER = {"retry-after": "5"}

Reads = Callable[[bytes], list[SmsReceipt]]
"""Reads a posted body. Raises `BadMessage` for one that is none of this carrier's."""


@dataclass(frozen=True)
class PushedReceipts:
    """Takes what a gateway posts to `/receipts/sms/TOKEN`; `answer` is what it wants to read then."""

    desk: Gathering
    token: str
    reads: Reads
    answer: object
    """JSON."""

    async def post(self, request: Request) -> Response:
        given = str(request.path_params["token"]).encode()
        if not hmac.compare_digest(given, self.token.encode()):
            return JSONResponse({"error": "not_found"}, status_code=404)
        body = await read_body(request)
        if isinstance(body, Response):
            return body
        try:
            receipts = await anyio.to_thread.run_sync(self.reads, body)
        except BadMessage:
            return JSONResponse({"error": "not_receipts"}, status_code=400)
        answer = Response(json.dumps(self.answer), media_type="application/json")
        return await taken(self.desk, receipts, answer)


async def read_body(request: Request, *, most: int = _LARGEST_BODY) -> bytes | Response:
    """The body; an answer where it is too large, too slow or cut off."""
    found = bytearray()
    try:
        with anyio.fail_after(_READ_SECONDS):
            async for chunk in request.stream():
                found += chunk
                if len(found) > most:
                    return JSONResponse({"error": "too_large"}, status_code=413)
    except TimeoutError:
        return JSONResponse({"error": "too_slow"}, status_code=408, headers={"connection": "close"})
    except ClientDisconnect:
        return JSONResponse({"error": "cut_off"}, status_code=400)
    return bytes(found)


async def taken(desk: Gathering, receipts: Sequence[SmsReceipt], answer: Response) -> Response:
    """Write down what some receipts say, and answer then; what could not be written is to be said again."""
    try:
        found = await desk.take(receipts)
    except Exception as error:
        # Only the class: the error's text may hold what was posted.
        log.error("receipts of SMS could not be taken: %s", type(error).__name__)
        return JSONResponse({"error": "not_kept"}, status_code=503, headers=_LATER)
    if not all(found):
        log.warning("%s receipts of SMS name no message that is on record", len(found) - sum(found))
    return answer


def receipt_routes(house: House) -> list[Route]:
    """Where the carriers of SMS and of calls of the settings may post; none where they post nothing.

    Raises `BadInput` for a token that is too short, and as `gateway_from`, `twilio_from` and `twilio_voice_from` do.
    """
    return [*_routes_of_sms(house), *_routes_of_calls(house)]


def _routes_of_sms(house: House) -> list[Route]:
    if not sends_sms(house.settings):
        return []
    if (twilio := house.settings.sms.twilio) is not None:
        return _routes_of_twilio(house, twilio)
    gateway = house.settings.sms.gateway
    return _routes_of_gateway(house, gateway) if gateway is not None else []


def _routes_of_calls(house: House) -> list[Route]:
    declared = house.settings.calls.twilio
    if declared is None or not calls_by_machine(house.settings):
        return []
    from incident.delivery.call_room import twilio_voice_from
    from incident.server.twilio_calls import SpokenCalls

    voice = twilio_voice_from(declared, root=house.workspace.root)
    go_on = NextMeans(house.store, house.settings).go_on_after
    takes = SpokenCalls(CallDesk(house.store, voice.peer, house.clock, go_on), voice)
    return [Route(f"{CALLS_PATH}{{token}}", takes.post, methods=["POST"])]


def _routes_of_twilio(house: House, declared: TwilioSettings) -> list[Route]:
    if not declared.callback_url:
        return []
    from incident.delivery.twilio_room import twilio_from
    from incident.server.twilio_receipts import SignedCallbacks

    twilio = twilio_from(declared, root=house.workspace.root)
    takes = SignedCallbacks(_desk(house, twilio.peer), twilio)
    return [Route(f"{PATH}{{token}}", takes.post, methods=["POST"])]


def _routes_of_gateway(house: House, declared: SmsGatewaySettings) -> list[Route]:
    if declared.receipts_token is None:
        return []
    from incident.delivery.gateway_room import gateway_from
    from notifiers.sms_gateway.replies import pushed_receipts

    gateway = gateway_from(declared, root=house.workspace.root)
    pushed = gateway.definition.pushed
    if pushed is None:
        raise BadInput(
            f"the gateway {declared.name} posts no receipts that are described",
            where="sms.gateway.receipts_token",
            next_step="leave it out: the gateway is asked instead",
        )
    token = resolve_secret(declared.receipts_token)
    if len(token) < SHORTEST_TOKEN or not token.isalnum():
        raise BadInput(
            f"the token has fewer than {SHORTEST_TOKEN} letters and digits, or other characters",
            where="sms.gateway.receipts_token",
            next_step="make one with `openssl rand -hex 24`",
        )
    takes = PushedReceipts(
        _desk(house, gateway.peer),
        token,
        lambda body: pushed_receipts(gateway.definition, body),
        dict(pushed.answer),
    )
    return [Route(f"{PATH}{{token}}", takes.post, methods=["POST"])]


def _desk(house: House, peer: str) -> Gathering:
    go_on = NextMeans(house.store, house.settings).go_on_after
    return Gathering(AskingDesk(house.store, peer, house.clock, go_on))


def receipt_routes_or_none(house: House, says: Callable[[str], None]) -> list[Route]:
    """The same for who takes alerts: these are taken also where receipts cannot be, and somebody is told."""
    found: list[Route] = []
    for what, routes in (
        ("receipts of SMS are", _routes_of_sms),
        ("what is told of calls is", _routes_of_calls),
    ):
        try:
            found += routes(house)
        except TocsinError as error:
            says(f"warning: {what} not taken here: {error}")
    return found
