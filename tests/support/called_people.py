"""An incident whose people are called from lists, as a check of everything looks at it (`tests.support.lived_in`)."""

from __future__ import annotations

from dataclasses import replace

from incident.carrier_settings import CallSettings
from incident.delivery.call_results import CallResult
from incident.delivery.states import CampaignState
from incident.ops.drill_estate import facts_text
from incident.record.facts import read_facts_file
from incident.response.housework import House
from incident.settings import Fallback, Means
from tests.support.breaches import Affected, Breach
from tests.support.call_lists import CENTRE, by_phone_only, codes_of, make_list, report
from tests.support.sms_sendings import work_until
from tests.support.workspaces import open_one

CALLED = [
    *by_phone_only(4),
    *(
        Affected(
            f"G{at}",
            f"Kid {at}",
            born="2015-03-01",
            guardian_email="p00002@example.org",
            guardian_phone="13800000009",
        )
        for at in (1, 2)
    ),
]


def live_by_phone(breach: Breach) -> Breach:
    """Another incident, whose people are told by phone: told, refused, no answer and on a second list, without a result, and
    two minors in one call. Both lists are open."""
    made = breach.made
    facts = facts_text(now=made.clock(), zone=made.settings.zone, people=2)
    known = read_facts_file(facts, name="facts.yaml", zone=made.settings.zone, known_at=made.clock())
    settings = made.settings.model_copy(
        update={
            "calls": CallSettings.model_validate(CENTRE),
            "fallback": Fallback(means=[Means.EMAIL, Means.PHONE]),
        }
    )
    house = House(made.workspace, settings, made.store, made.clock)
    other = replace(
        breach, id=open_one(made, facts=known), made=replace(made, settings=settings), house=house
    )
    other.log("closed it at the gateway", "contain.disable-endpoint")
    other.state(discovered_at="2026-11-23 15:00")
    other.people(CALLED)
    other.release()
    other.open_sending()
    work_until(other, lambda: other.account().state == CampaignState.ENDED)
    make_list(other)
    codes = codes_of(other)
    made.clock.move(seconds=1)
    report(
        other,
        (codes["Person 1"], CallResult.TOLD),
        (codes["Person 2"], CallResult.REFUSED),
        (codes["Person 3"], CallResult.NO_ANSWER),
    )
    made.clock.move(seconds=1)
    make_list(other, again=True)
    return other
