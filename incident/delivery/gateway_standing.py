"""Whether an SMS gateway would take what a notice says: the account's standing there, and the registered texts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime

from incident.delivery.gateway_room import new_client
from incident.errors import CarrierUnavailable, Refused
from incident.notice.frozen import FrozenNotice
from incident.notice.stand_ins import sample_values
from notifiers.errors import BadMessage
from notifiers.sms_gateway.gateway import Gateway
from notifiers.sms_gateway.standing import Problem, ProblemKind, Standing

_TOLD = {
    ProblemKind.template_not_approved: "template {subject} is not approved",
    ProblemKind.template_differs: "the text of template {subject} in the settings is not the one that is registered",
    ProblemKind.signature_not_approved: "the signature {subject} is not approved",
    ProblemKind.no_credits: "no messages are left on the account",
    ProblemKind.unanswered: "nobody could say how it stands with {subject}",
}
_NEXT_STEP = {
    ProblemKind.template_not_approved: "have it approved now, in the provider's console; it can take weeks",
    ProblemKind.template_differs: "copy the registered text into [[sms.gateway.templates]], or register the new one",
    ProblemKind.signature_not_approved: "have it approved now, in the provider's console; it can take weeks",
    ProblemKind.no_credits: "buy messages for as many people as may have to be told",
    ProblemKind.unanswered: "check [sms.gateway] in incident.toml, and what its key may ask",
}


def standing_of(gateway: Gateway, clock: Callable[[], datetime]) -> Standing:
    """How the account stands at the provider, asked now. Raises `BadGateway` for a file of authorities."""

    async def ask() -> Standing:
        async with new_client(gateway, clock) as client:
            return await client.standing()

    return asyncio.run(ask())


def told(problem: Problem) -> str:
    """What is in the way, for people."""
    what = _TOLD[problem.kind].format(subject=problem.subject)
    return f"{what} ({problem.text})" if problem.text else what


def next_step_of(problem: Problem) -> str:
    return _NEXT_STEP[problem.kind]


def in_the_way(standing: Standing) -> Iterator[Problem]:
    """What keeps messages from leaving. That the provider does not tell of one thing is none, as keys may have the right
    to send and not to ask; that it answers nothing at all is."""
    asked = [*standing.templates, *([standing.signature] if standing.signature else [])]
    silent = [each for each in standing.problems if each.kind is ProblemKind.unanswered]
    nothing_is_known = standing.credits is None and len(silent) >= len(asked) > 0
    for each in standing.problems:
        if each.kind is not ProblemKind.unanswered or nothing_is_known:
            yield each


def must_be_ready(
    gateway: Gateway, frozen: FrozenNotice, *, clock: Callable[[], datetime], says: Callable[[str], None]
) -> None:
    """Raises `CarrierUnavailable` where the account cannot be used as it stands, and `Refused` where the texts of a notice
    are none that are registered. `says` is told what the provider does not tell."""
    must_be_registered(gateway, frozen)
    standing = standing_of(gateway, clock)
    for problem in in_the_way(standing):
        raise CarrierUnavailable(
            f"the SMS gateway cannot be used: {told(problem)}",
            where=gateway.peer,
            next_step=f"{next_step_of(problem)}; nothing was sent and nothing was changed",
        )
    for problem in standing.problems:
        says(f"{gateway.peer}: {told(problem)}")


def must_be_registered(gateway: Gateway, frozen: FrozenNotice) -> None:
    """Raises `Refused` where the SMS of a notice, filled with typical values, is none of the registered texts."""
    for language, each in sorted(frozen.channels.items()):
        if each.sms is None:
            continue
        values = sample_values(frozen.contents[language])
        try:
            gateway.chosen_for(each.sms.filled(values).text)
        except BadMessage as unfit:
            raise Refused(
                f"the gateway would not take the SMS in {language}: {unfit.what}",
                where=f"templates/notice/{language}/sms.txt.j2, [sms.gateway]",
                next_step="write the SMS as it is registered, release the notice anew, and send it then",
            ) from None


def left_of(standing: Standing) -> str:
    """What the account has left, for people."""
    return f", {standing.credits:,} messages left" if standing.credits is not None else ""
