"""What Twilio asks and tells of calls, at `/receipts/calls/ID.STEP.ROUND.MAC`: taken where we made the address, and Twilio
signed it (`server.twilio_receipts`).

Asked what is said, it is answered with that, made from what was released and from the person's record at this moment. What
proves something is written down first: thanks for a confirmation are only said once it is on record. What cannot be made
ends the call, and nothing that is logged is about a person.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from incident.delivery.call_dialogue import Saying, Script, parted, saying_at, script_of
from incident.delivery.call_receipts import CallDesk, Proof, proof_of
from incident.delivery.call_room import WAIT_SECONDS, TwilioVoice
from incident.server.twilio_receipts import signed_form
from notifiers.twilio.call_callbacks import CallEvent, Step, event_of
from notifiers.twilio.twiml import CONTENT_TYPE, ask, hang_up, say

log = logging.getLogger(__name__)

_LATER = {"retry-after": "5"}


@dataclass(frozen=True)
class SpokenCalls:
    """Says in calls what is to be said, and takes what becomes of them. 404 for an address that is none of ours, 403 for
    what Twilio did not sign, 400 for what says nothing of a call, 503 for what could not be written down, 204 for the end
    of a call; else 200 with TwiML."""

    desk: CallDesk
    voice: TwilioVoice

    async def post(self, request: Request) -> Response:
        address = f"{self.voice.account.callback_base}/{request.path_params['token']}"
        found = self.voice.step_at(address)
        if found is None:
            return JSONResponse({"error": "not_found"}, status_code=404)
        form = await signed_form(request, address, self.voice.account.callback_tokens)
        if isinstance(form, Response):
            return form
        event = event_of(form)
        if event is None:
            return JSONResponse({"error": "not_a_call"}, status_code=400)
        own_id, step, round = found
        proof = proof_of(step, event)
        if proof is not None and not await self._is_kept(own_id, event, proof):
            return JSONResponse({"error": "not_kept"}, status_code=503, headers=_LATER)
        if step is Step.status:
            return Response(status_code=204)
        document = await anyio.to_thread.run_sync(self._said, own_id, saying_at(step, round, event))
        return Response(document, headers={"content-type": CONTENT_TYPE})

    async def _is_kept(self, own_id: str, event: CallEvent, proof: Proof) -> bool:
        try:
            if not await anyio.to_thread.run_sync(self.desk.take, own_id, event, proof):
                log.warning("a call was told of that is not on record")
        except Exception as error:
            # Only the class: the error's text may hold what was posted.
            log.error("what was told of a call could not be taken: %s", type(error).__name__)
            return False
        return True

    def _said(self, own_id: str, saying: Saying | None) -> str:
        if saying is None:
            return hang_up()
        try:
            script = script_of(self.desk.store, own_id, peer=self.desk.peer)
            if script is None or not script.allows(saying.part):
                return hang_up()
            return self._document(own_id, saying, script)
        except Exception as error:
            log.error("what is said in a call could not be made: %s", type(error).__name__)
            return hang_up()

    def _document(self, own_id: str, saying: Saying, script: Script) -> str:
        lines, language = script.lines(saying.part), script.call.language
        voice = self.voice.voices.get(language, "")
        if saying.asks is None:
            return say(lines, language=language, voice=voice)
        first, question = parted(saying.part, lines)
        return ask(
            question,
            first=first,
            action=self.voice.address(own_id, saying.asks, round=saying.round),
            language=language,
            wait_seconds=WAIT_SECONDS,
            otherwise=script.call.not_heard,
            voice=voice,
        )
