"""The doctor's look at an SMS gateway: how the account stands, what is approved, and whether our texts are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlmodel import col

from incident.carrier_settings import SmsGatewaySettings
from incident.delivery.gateway_room import gateway_from
from incident.delivery.gateway_standing import in_the_way, left_of, next_step_of, standing_of, told
from incident.errors import TocsinError
from incident.ops.doctor_sms import typical_sms
from incident.ops.examined import Examined, State, unusable
from incident.response.housework import House
from incident.store.tables import Person
from notifiers.errors import BadGateway, BadMessage
from notifiers.sms_gateway.gateway import Gateway
from notifiers.sms_gateway.standing import Standing
from notifiers.sms_gateway.terms import Confidence

_CARRIER, _APPROVALS, _CREDITS, _TEXTS = "SMS carrier", "SMS approvals", "SMS credits", "SMS registered texts"


def examine_gateway(
    house: House, declared: SmsGatewaySettings, faults: Sequence[Examined]
) -> Iterator[Examined]:
    """`faults` were found before; with one of them nobody is asked."""
    if faults:
        yield from faults
        return
    try:
        gateway = gateway_from(declared, root=house.workspace.root)
        standing = standing_of(gateway, house.clock)
    except TocsinError as error:
        yield unusable(_CARRIER, error)
        return
    except BadGateway as bad:
        yield Examined(_CARRIER, State.FAIL, str(bad), "correct [sms.gateway] in incident.toml")
        return
    yield from _account(gateway, declared, standing)
    yield from _credits(house, standing)
    yield from _texts(house, gateway)


def _account(gateway: Gateway, declared: SmsGatewaySettings, standing: Standing) -> Iterator[Examined]:
    hard = list(in_the_way(standing))
    for problem in standing.problems:
        state = State.FAIL if problem in hard else State.WARN
        yield Examined(_APPROVALS, state, told(problem), next_step_of(problem))
    if gateway.definition.confidence is Confidence.guessed:
        finding = (
            f"the definition of {declared.name} is guessed in parts: {'; '.join(gateway.definition.not_seen)}"
        )
        yield Examined(_CARRIER, State.WARN, finding, "send one message to yourselves before you need it")
    if not hard:
        where = f"{gateway.peer}, {declared.processor}, {declared.country}"
        approved = f"{len(standing.templates)} templates approved" if standing.templates else "nothing to ask"
        yield Examined(_CARRIER, State.OK, f"{where}: {approved}{left_of(standing)}")


def _credits(house: House, standing: Standing) -> Iterator[Examined]:
    """What is left, against the longest list that is on record."""
    if not standing.credits:
        return
    people = longest_list(house)
    if standing.credits < people:
        finding = f"{standing.credits:,} messages are left, and a list on record has {people:,} people"
        yield Examined(
            _CREDITS, State.WARN, finding, "buy messages for as many people as may have to be told"
        )


def longest_list(house: House) -> int:
    """People on the longest list of an incident that is on record."""
    counted = (
        sa.select(sa.func.count(col(Person.id)).label("many")).group_by(col(Person.incident_id)).subquery()
    )
    with house.store.read() as session:
        return session.connection().execute(sa.select(sa.func.max(counted.c.many))).scalar() or 0


def _texts(house: House, gateway: Gateway) -> Iterator[Examined]:
    """Whether each language's text is a registered one, whatever is written into it on the day."""
    for language in house.settings.workspace.languages:
        try:
            text = typical_sms(house, language)
        except TocsinError:
            continue  # said of the texts already
        if text is None:
            continue
        try:
            gateway.chosen_for(text)
        except BadMessage as unfit:
            finding = f"{language}: the gateway would not take it: {unfit.what}"
            step = (
                f"write templates/notice/{language}/sms.txt.j2 as it is registered, or register it as it is"
            )
            yield Examined(_TEXTS, State.FAIL, finding, step)
        else:
            yield Examined(_TEXTS, State.OK, f"{language}: as registered")
