"""Whatever the relay answers, for ever, and whatever comes back: every campaign ends with nobody in progress."""

from __future__ import annotations

import itertools
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.delivery.ledger import GIVE_UP_AFTER
from incident.delivery.pausing import pause_campaign, resume_campaign
from incident.delivery.states import CampaignState
from incident.delivery.status import account, campaigns_of
from incident.ops.bounce_reading import take_bounces
from tests.support.bounced import MAIL, bounce, deliver, make_maildir, return_path_of
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.ledgers import assert_the_check_holds
from tests.support.quick_disk import quick_folder
from tests.support.relays import free_port, recording_relay

ANSWERS: dict[str, str | None] = {
    "taken": None,
    "refused": "550 5.1.1 no such user",
    "blocked": "550 5.7.1 policy",
    "later": "451 4.3.0 later",
    "closing": "421 4.3.2 closing",
}
EVERY = timedelta(hours=6)
# One try in each round: as many as the days it takes to give up, and some that other rules need.
ROUNDS = GIVE_UP_AFTER // EVERY + 12

a_script = st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=3)
what_happens = st.sampled_from(
    ["nothing", "nothing", "bounce", "delivered", "pause", "resume", "next version"]
)


@given(st.lists(a_script, min_size=1, max_size=5), st.lists(what_happens, max_size=6))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_campaign_ends_whatever_the_relay_answers(scripts: list[list[str]], events: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as folder, recording_relay() as relay:
        people = some_people(len(scripts))
        answers = {each.email: itertools.cycle(script) for each, script in zip(people, scripts, strict=True)}
        relay.at_rcpt = lambda address: ANSWERS[next(answers[address])]
        breach = make_breach(Path(folder), people=people, relay_port=relay.port, mail=MAIL)
        make_maildir(breach.made.workspace.root / "bounces")
        breach.release()
        breach.open_sending()
        # The measure that makes a new version is new once.
        first = events.index("next version") if "next version" in events else len(events)
        once = [event for at, event in enumerate(events) if event != "next version" or at == first]
        for number, event in enumerate(once):
            let_happen(breach, event, number)
            go_on(breach)
        resume(breach)
        for _ in range(ROUNDS):
            if not in_progress(breach):
                break
            go_on(breach)
        must_have_ended(breach)


@pytest.mark.parametrize("down", ["no server", "no to us"])
def test_a_campaign_ends_also_where_no_relay_ever_takes_anything(tmp_path: Path, down: str) -> None:
    with recording_relay() as relay:
        relay.at_mail = lambda sender: "530 5.7.0 authenticate first"
        port = free_port() if down == "no server" else relay.port
        breach = make_breach(tmp_path, people=some_people(3), relay_port=port)
        breach.release()
        breach.open_sending()
        for _ in range(ROUNDS):
            assert breach.account().adds_up
            go_on(breach)
        must_have_ended(breach)
        assert breach.account().unreachable_total == 3


def let_happen(breach: Breach, event: str, number: int) -> None:
    if event in ("bounce", "delivered"):
        action, status = ("failed", "5.1.1") if event == "bounce" else ("delivered", "2.0.0")
        rows = breach.deliveries()
        raw = bounce(to=return_path_of(breach, rows[number % len(rows)]), action=action, status=status)
        deliver(breach.made.workspace.root / "bounces", raw, f"{number}.example")
        take_bounces(breach.house, actor="ana")
    elif event == "pause":
        pause(breach)
    elif event == "resume":
        resume(breach)
    elif event == "next version":
        resume(breach)
        breach.log(f"closed another gateway, {number}", "contain.lock-account")
        breach.release()
        breach.open_sending()


def pause(breach: Breach) -> None:
    if newest_state(breach) == CampaignState.SENDING:
        with breach.made.store.write(
            breach.id, kind="campaign.paused", actor="ana", now=breach.made.clock()
        ) as change:
            pause_campaign(change, breach.id)


def resume(breach: Breach) -> None:
    if newest_state(breach) == CampaignState.PAUSED:
        with breach.made.store.write(
            breach.id, kind="campaign.resumed", actor="ana", now=breach.made.clock()
        ) as change:
            resume_campaign(change, breach.id)


def newest_state(breach: Breach) -> str:
    with breach.made.store.read() as session:
        return campaigns_of(session, breach.id)[0].state


def go_on(breach: Breach) -> None:
    breach.later(seconds=EVERY.total_seconds())
    breach.work()


def in_progress(breach: Breach) -> int:
    with breach.made.store.read() as session:
        return sum(account(session, each).in_progress for each in campaigns_of(session, breach.id))


def must_have_ended(breach: Breach) -> None:
    with breach.made.store.read() as session:
        for campaign in campaigns_of(session, breach.id):
            now = account(session, campaign)
            assert (now.state, now.in_progress, now.adds_up) == (CampaignState.ENDED, 0, True)
    assert_the_check_holds(breach.made.workspace.root)
