"""`incident notice status`: the account of everyone in a table, or as a document."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk

if TYPE_CHECKING:
    from incident.cli.waves import Going
    from incident.delivery.status import Account


def print_status(desk: Desk, incident_id: str) -> None:
    """Print where everybody stands, over all versions of the notice, and what happens next."""
    from incident.cli.hold import hold_document, one_line, standing_holds
    from incident.cli.next_steps import next_steps_document, print_next_steps, what_comes_next
    from incident.cli.waves import how_it_goes, wave_document
    from incident.delivery.status import account, campaigns_of
    from incident.record.incidents import must_exist

    with desk.store.read() as session:
        must_exist(session, incident_id)
        accounts = [account(session, campaign) for campaign in campaigns_of(session, incident_id)]
        going = [how_it_goes(desk, session, each) for each in accounts]
    holds = standing_holds(desk, incident_id)
    shown = {"holds": [hold_document(desk, each) for each in holds]} if holds else {}
    if not desk.as_json:
        for each in holds:
            typer.echo(one_line(desk, each))
    if not accounts:
        desk.lines(
            [f"no notice of {incident_id} is being sent"],
            document={"incident": incident_id, "campaigns": [], **shown},
        )
        return
    found, substitutes = what_comes_next(desk, incident_id)
    if desk.as_json:
        campaigns = [
            {**_account_document(each), **wave_document(goes)}
            for each, goes in zip(accounts, going, strict=True)
        ]
        steps = next_steps_document(incident_id, found, substitutes)
        desk.document({"incident": incident_id, "campaigns": campaigns, **steps, **shown})
        return
    for one, goes in zip(accounts, going, strict=True):
        _print_account(desk, one, goes)
    print_next_steps(desk, incident_id, found, substitutes)


def _print_account(desk: Desk, each: Account, going: Going) -> None:
    from incident.cli.waves import wave_rows
    from incident.delivery.states import CHANNEL_TEXTS

    rows: list[tuple[str, object]] = [
        ("expected", each.expected),
        *((_ACCEPTED[by], count) for by, count in each.accepted_by.items()),
    ]
    if each.delivered:
        rows.append((f"of them delivered, as {_says_so(each)} says", each.delivered))
    rows.append(("in progress", each.in_progress))
    if each.on_call_lists:
        rows.append(("of them with the call centre", each.on_call_lists))
    rows += _reasons(each, desk.language).items()
    if each.moved_on:
        rows.append(("of all, went on to the next means after one had failed", each.moved_on))
    if each.updates:
        rows.append(("of all, an update to whom an earlier version reached", each.updates))
    if not each.unreachable:
        rows.append(("unreachable", 0))
    rows.append(("the sum holds", each.adds_up))
    if each.waiting_until is not None:
        rows.append(("next try not before", each.waiting_until))
    rows += wave_rows(desk, going, each.incident_id) if each.ended_at is None else []
    if each.paused is not None:
        rows.append(("paused", f"since {desk.show(each.paused.set_at)}, by {each.paused.set_by}"))
        rows.append(("to go on", f"`incident notice resume {each.incident_id}`"))
    elif each.in_progress and each.in_progress == each.on_call_lists:
        rows.append(("to go on", f"`incident call-list import {each.incident_id} FILE`"))
    elif each.in_progress:
        rows.append(("to go on", "`incident worker`, or `incident notice send` again"))
    if each.returned:
        rows.append(("of the unreachable, returned after they were accepted", each.returned))
    if each.complaints:
        rows.append(("complaints: taken for spam or fraud", each.complaints))
    if each.doubled_at_most:
        rows.append(("told twice at most (no answer the first time)", each.doubled_at_most))
    if each.minors_without_guardian:
        rows.append(("under 18 without a guardian's contact", each.minors_without_guardian))
    rows += [(f"public notice, {page.language}", desk.paths.public / page.file) for page in each.public_pages]
    ended = f"ended {desk.show(each.ended_at)}" if each.ended_at else "under way"
    *others, last = (CHANNEL_TEXTS[channel]["en"] for channel in each.accepted_by)
    by = f"{', '.join(others)} and {last}" if others else last
    desk.table(("What", "People"), rows, title=f"notice by {by}, opened {desk.show(each.opened_at)}, {ended}")


_ACCEPTED = {
    "email": "accepted by the relay",
    "sms": "accepted by the SMS carrier",
    "phone": "told on the phone",
}
_SAYS_SO = {"sms": "the SMS carrier", "phone": "who called"}


def _says_so(each: Account) -> str:
    """Who can say of a message that it was delivered."""
    others = ", ".join(_SAYS_SO[channel] for channel in each.accepted_by if channel in _SAYS_SO)
    return f"a server, {others} or a reader" if others else "a server or reader"


def _reasons(each: Account, language: str) -> Counter[str]:
    """How many people were not reached, by the reason in words; those that mean the same over several means together."""
    from incident.delivery.states import Why, why_text

    found: Counter[str] = Counter()
    for (channel, why), count in each.unreached.items():
        what = "not sent" if why is Why.REPLACED else "unreachable"
        found[f"{what}: {why_text(why, channel, language)}"] += count
    return found


def _account_document(each: Account) -> dict[str, Any]:
    return {
        "campaign": each.campaign_id,
        "state": each.state,
        "opened_at": each.opened_at,
        "ended_at": each.ended_at,
        "rank": "accepted",
        "expected": each.expected,
        "accepted": each.accepted,
        "accepted_by": dict(each.accepted_by),
        "in_progress": each.in_progress,
        "on_call_lists": each.on_call_lists,
        "unreachable": {str(why): count for why, count in each.unreachable.items()},
        "unreachable_by": _by_means(each),
        "moved_on": each.moved_on,
        "adds_up": each.adds_up,
        "waiting_until": each.waiting_until,
        "delivered": each.delivered,
        "returned": each.returned,
        "complaints": each.complaints,
        "doubled_at_most": each.doubled_at_most,
        "updates": each.updates,
        "minors_without_guardian": each.minors_without_guardian,
        "public_notice": [
            {"language": page.language, "file": page.file, "sha256": page.sha256}
            for page in each.public_pages
        ],
    }


def _by_means(each: Account) -> dict[str, dict[str, int]]:
    """The same for `--json`, by means and then by reason."""
    found: dict[str, dict[str, int]] = {channel: {} for channel in each.accepted_by}
    for (channel, why), count in each.unreached.items():
        found[channel][str(why)] = count
    return found
