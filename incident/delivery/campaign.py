"""A campaign: the sending of one released notice to everyone concerned, opened once and never forgetting anybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from operator import itemgetter
from typing import Any

from sqlmodel import Session, col, func, select

from incident.delivery.batching import BySms, people_in_batches
from incident.delivery.codes import code_mac, code_of
from incident.delivery.fallback import Way
from incident.delivery.following import open_batches, others_of, replace_earlier
from incident.delivery.ledger_root import ledger_root, people_root
from incident.delivery.let_go import put_batch
from incident.delivery.message import stationery, writes_to_organisations
from incident.delivery.next_means import failed_with, may_be_told_alone, means_of_version
from incident.delivery.planner import Planner, planner_of
from incident.delivery.promises import must_keep_promises
from incident.delivery.sharing import Sharing, put_into_groups, sharing_of
from incident.delivery.states import (
    CHANNEL_TEXTS,
    EMAIL,
    IN_PROGRESS,
    NOT_WRITTEN_TO,
    PUBLISH_JOB,
    Addressee,
    CampaignState,
    DeliveryState,
    Rank,
    Why,
    campaign_brake,
)
from incident.delivery.status import means_used
from incident.delivery.suppression import suppressed_people
from incident.delivery.waving import begin_waves
from incident.durable import lift_brake, put_job
from incident.duties.evaluating import meet_duty, stored_duties
from incident.errors import Refused, Unreadable
from incident.law.regimes import DutyKind
from incident.notice.release import Version
from incident.record.holds import Cover, must_not_be_held
from incident.record.incidents import must_be_open
from incident.record.people_stats import leak_end
from incident.record.person import person_from_content
from incident.settings import Settings
from incident.store.change import Change, open_row
from incident.store.store import Store
from incident.store.tables import Batch, Campaign, Delivery, Person
from notifiers.errors import BadMessage


@dataclass(frozen=True)
class Opened:
    """A campaign and whether this call opened it."""

    campaign: Campaign
    new: bool


@dataclass(frozen=True)
class _Basis:
    """What decides over everybody of a campaign: when the leak ended, whether there are words for organisations, who
    shares a message, whose address an earlier version found dead, and by what means people are told first.

    Without a `planner` that is e-mail; with one it may be one of the means that are `ours` beside it.
    """

    leak_ended_on: date | None
    organisations_told: bool
    sharing: Sharing
    suppressed: frozenset[str]
    planner: Planner | None = None
    ours: frozenset[Way] = frozenset()

    @property
    def may_begin_with_another(self) -> bool:
        """Whether somebody with an e-mail address may be told by another means of ours first."""
        if self.planner is None:
            return False
        ground = self.planner.ground
        means = ground.order
        first = Way.EMAIL not in means or any(
            means.index(way) < means.index(Way.EMAIL) for way in self.ours if way in means
        )
        barred = {*ground.promised_away, *ground.controlled}
        return first or Way.EMAIL in barred or (ground.lawful is not None and Way.EMAIL not in ground.lawful)


def open_campaign(
    change: Change, store: Store, version: Version, settings: Settings, *, all_at_once: bool = False
) -> Opened:
    """Open the campaign of a released notice: a delivery for every person, also those without an address.

    It begins with its first wave (`[waves]` in the settings), or `all_at_once` without a canary.
    Opening again returns the same campaign. Where an earlier version was sent, nothing more of that one leaves, and
    whom it has reached gets this one as an update (`delivery.following`). Raises `HeldBack` under a hold, `Refused` when
    a promise would be broken, the incident is closed, nobody is listed, or the sender's address is none.
    """
    incident_id = version.row.incident_id
    known = change.session.exec(select(Campaign).where(Campaign.notice_id == version.row.id)).first()
    if known is not None:
        return Opened(known, new=False)
    must_be_open(change.session, incident_id)
    must_not_be_held(change.session, store, incident_id, Cover.PEOPLE)
    must_keep_promises(settings)
    _must_be_a_sender(version, key=change.key)
    campaign_id = store.new_id()
    follows = bool(others_of(change.session, campaign_id, incident_id))
    ours = means_of_version(settings, version.frozen)
    basis = _Basis(
        leak_end(change.session, store, incident_id, zone=settings.zone),
        writes_to_organisations(version.frozen),
        sharing_of(change.session, incident_id, key=change.key),
        suppressed_people(change.session, incident_id) if follows else frozenset(),
        _planner(change, store, incident_id, settings, campaign_id) if ours else None,
        ours,
    )
    canary = 0 if all_at_once else settings.waves.canary
    expected = number = 0
    for chunk in people_in_batches(
        change.session,
        incident_id,
        basis.sharing,
        canary=canary,
        unwritten=basis.suppressed,
        by_sms=_by_sms(change, basis),
    ):
        expected, number = expected + len(chunk), number + 1
        batch_id = f"{campaign_id}-{number:06d}"
        new_id = store.new_ids_together()
        rows = [row for each in chunk for row in _deliveries(change, new_id, batch_id, each, basis)]
        put_into_groups(rows, basis.sharing)
        for row in rows:
            row["waits"] = follows and row["state"] in IN_PROGRESS
        _open_batch(change, batch_id, campaign_id, incident_id, number, rows)
        if number == 1 or not canary:
            put_batch(change.session, batch_id, incident_id=incident_id)
    if not expected:
        raise Refused(
            "the list of affected people is empty",
            where=incident_id,
            next_step=f"import it first: `incident people import {incident_id} FILE`",
        )
    campaign = Campaign(
        id=campaign_id,
        incident_id=incident_id,
        notice_id=version.row.id,
        state=CampaignState.SENDING,
        expected=expected,
        opened_at=change.at,
        opened_by=change.actor,
    )
    change.put(campaign)
    change.note(people_root=people_root(change.session, incident_id))
    put_job(change.session, PUBLISH_JOB, version.row.id, incident_id=incident_id)
    begin_waves(change, campaign, settings.waves, batches=number, canary=canary)
    if follows:
        # Last: the jobs that it calls are kept from their workers until this is written.
        replace_earlier(change, campaign_id, incident_id)
    change.anchor()
    return Opened(campaign, new=True)


def _planner(change: Change, store: Store, incident_id: str, settings: Settings, campaign_id: str) -> Planner:
    """What says who is told by another means than e-mail first."""
    return planner_of(change.session, store, settings, incident_id, campaign_id, unreached=0, now=change.at)


def _must_be_a_sender(version: Version, *, key: bytes) -> None:
    # Found here it is one clear refusal; found by the worker it would stop every batch.
    try:
        stationery(version.frozen, key=key)
    except BadMessage as error:
        raise Refused(
            f"the released notice has no usable sender ({error})",
            where="mail.from_address, mail.reply_to",
            next_step="set it in incident.toml, and release the notice again",
        ) from error


def _open_batch(
    change: Change,
    batch_id: str,
    campaign_id: str,
    incident_id: str,
    number: int,
    rows: list[dict[str, Any]],
) -> None:
    # They are sent in the order of their ids: kept in that order, a group lies on few pages of the database.
    rows.sort(key=itemgetter("id"))
    pending = sum(row["principal"] and row["state"] in IN_PROGRESS for row in rows)
    unreachable = sum(row["principal"] and row["state"] == DeliveryState.UNREACHABLE for row in rows)
    batch = {
        "id": batch_id,
        "campaign_id": campaign_id,
        "incident_id": incident_id,
        "seq": number,
        "pending": pending,
        "accepted": 0,
        "unreachable": unreachable,
        "delivered": 0,
        "returned": 0,
        "complaints": 0,
        "never_tried": unreachable,
        "moved_on": 0,
    }
    change.put_bulk(Batch, [batch])
    change.put_bulk(Delivery, rows)


def _deliveries(
    change: Change, new_id: Callable[[], str], batch_id: str, person: Person, basis: _Basis
) -> list[dict[str, Any]]:
    """The deliveries of one person: their own, and the guardian's for a minor (a minor is told with the guardian)."""
    to_person = partial(_delivery, change, new_id, batch_id, person, Addressee.PERSON)
    # Who is not written to is told through nobody either.
    if person.id not in basis.sharing.guarded:
        why = _why_not(change, person, basis)
        if (first := _begins_with(change, person, why, basis)) is not None:
            return [to_person(principal=True, why=Why.NONE, over=first, before=failed_with(EMAIL, why))]
        return [to_person(principal=True, why=why)]
    rows = [_delivery(change, new_id, batch_id, person, Addressee.GUARDIAN, principal=True, why=Why.NONE)]
    # At the guardian's own address one message is enough.
    if basis.sharing.guarded[person.id]:
        rows.append(to_person(principal=False, why=Why.NONE))
    return rows


def _why_not(change: Change, person: Person, basis: _Basis) -> Why:
    """Why nothing can be sent to this person themselves; `Why.NONE` when it can.

    An organisation is written to only in words for one, which versions from before there were such words lack; it is
    told by hand then. Who may be in danger is told by hand too, as the list says how.
    """
    if person.organisation and not basis.organisations_told:
        return Why.ORGANISATION
    if person.deceased:
        return Why.DECEASED
    if person.safe_contact:
        return Why.SAFE_CONTACT
    if person.has_email:
        return Why.SUPPRESSED if _is_suppressed(person, basis) else Why.NONE
    if person.number_dated:
        row = person_from_content(open_row(person, key=change.key))
        if row.has_recycled_number(basis.leak_ended_on):
            return Why.RECYCLED_NUMBER
    return Why.NO_EMAIL


def _begins_with(change: Change, person: Person, why: Why, basis: _Basis) -> Way | None:
    """The means of ours beside e-mail by which a person is told first: where nothing can be sent by e-mail, or the
    organisation begins with another one."""
    if basis.planner is None or not may_be_told_alone(person):
        return None
    if why is Why.NONE and (not basis.may_begin_with_another or person.id in basis.sharing.company):
        return None
    try:
        row = person_from_content(open_row(person, key=change.key))
    except Unreadable:
        return None  # one damaged record must not keep the others from being told
    first = basis.planner.first_way(change.session, person, row, suppressed=why is Why.SUPPRESSED)
    return first if first in basis.ours else None


def _by_sms(change: Change, basis: _Basis) -> BySms | None:
    """Who is told by another means than e-mail first; None where there is none."""
    if basis.planner is None:
        return None

    def is_first(person: Person) -> bool:
        return _begins_with(change, person, _why_not(change, person, basis), basis) is not None

    return BySms(is_first, also_with_email=basis.may_begin_with_another)


def _is_suppressed(person: Person, basis: _Basis) -> bool:
    """Whoever shares a message is tried again: one of them settled before the others would lead a group of the living."""
    return person.id in basis.suppressed and person.id not in basis.sharing.company


def _delivery(
    change: Change,
    new_id: Callable[[], str],
    batch_id: str,
    person: Person,
    addressee: Addressee,
    *,
    principal: bool,
    why: Why,
    over: str = EMAIL,
    before: str = "",
) -> dict[str, Any]:
    delivery_id = new_id()
    return {
        "id": delivery_id,
        "batch_id": batch_id,
        "incident_id": person.incident_id,
        "person_id": person.id,
        "person_version": person.version,
        "addressee": addressee,
        "principal": principal,
        "channel": over,
        "state": DeliveryState.UNREACHABLE if why else DeliveryState.PENDING,
        "reason": why,
        "attempts": 0,
        "strikes": 0,
        "code_mac": code_mac(change.key, code_of(change.key, delivery_id)),
        "next_at": None,
        "settled_at": change.at if why else None,
        "update_of": None,
        "leader_id": None,
        "shared": 0,
        "rank": Rank.NOTHING,
        "tried_before": before,
    }


def is_settled(session: Session, campaign_id: str) -> bool:
    """Whether a campaign that has not ended could: no delivery of any batch is in progress."""
    campaign = session.get(Campaign, campaign_id)
    if campaign is None or campaign.state == CampaignState.ENDED:
        return False
    # Asked whenever a batch has ended, of which there may be thousands: their counters answer it nearly always.
    mine = Batch.campaign_id == campaign_id
    if session.exec(select(Batch.id).where(mine, Batch.pending > 0).limit(1)).first() is not None:
        return False
    in_progress = (
        select(Delivery.id)
        .join(Batch, col(Batch.id) == col(Delivery.batch_id))
        .where(mine, col(Delivery.state).in_(IN_PROGRESS))
        .limit(1)
    )
    return session.exec(in_progress).first() is None


def end_campaign(change: Change, store: Store, campaign_id: str) -> None:
    """End a settled campaign; the ledger's roots are journalled.

    The duties to tell people are then met, unless nobody at all could be told this way. Where a later version replaced
    it, that one's end meets them.
    """
    campaign = change.session.get(Campaign, campaign_id)
    if campaign is None or not is_settled(change.session, campaign_id):
        raise Refused(
            "people are still in progress", where=campaign_id, next_step="`incident notice status` shows them"
        )
    batches = _batches(change.session, campaign_id)
    accepted = sum(batch.accepted for batch in batches)
    unreachable = sum(batch.unreachable for batch in batches)
    replaced = campaign.state == CampaignState.REPLACED
    campaign.state = CampaignState.ENDED
    campaign.ended_at = change.at
    lift_brake(change.session, campaign_brake(campaign.id))
    change.put(campaign)
    change.note(
        expected=campaign.expected,
        accepted=accepted,
        unreachable=unreachable,
        ledger_roots={batch.id: ledger_root(change.session, batch.id) for batch in batches},
    )
    if replaced:
        _call_those_who_wait(change.session, campaign)
    else:
        _meet_duties(change, store, campaign)
    change.anchor()


def _call_those_who_wait(session: Session, ended: Campaign) -> None:
    """The later version's batches need not wait for their next look."""
    for campaign in others_of(session, ended.id, ended.incident_id):
        if campaign.state == CampaignState.SENDING:
            for batch_id in open_batches(session, campaign.id):
                put_batch(session, batch_id, incident_id=campaign.incident_id)


def _meet_duties(change: Change, store: Store, campaign: Campaign) -> None:
    spared = _not_written_to(change.session, campaign.id)
    told = people_told(change.session, campaign.incident_id)
    how = f"notice handed over for {told} of {campaign.expected} people"
    if others := campaign.expected - told - spared.total():
        how += f"; {others} could not be reached by {_means_used(change.session, campaign.id)}"
    if by_hand := spared.pop(Why.SAFE_CONTACT, 0):
        how += f"; {by_hand} to be told by hand, as the list says how to contact them safely"
    if spared:
        how += f"; {spared.total()} not written to (deceased, or organisations)"
    for row in stored_duties(change.session, campaign.incident_id) if told else ():
        if row.kind == DutyKind.notify_people:
            meet_duty(
                change,
                store,
                campaign.incident_id,
                row.duty_id,
                at=change.at,
                how=how,
            )


def _means_used(session: Session, campaign_id: str) -> str:
    *others, last = (CHANNEL_TEXTS[each]["en"] for each in means_used(session, campaign_id))
    return f"{', '.join(others)} or {last}" if others else last


def people_told(session: Session, incident_id: str) -> int:
    """How many people of an incident a relay or a carrier took a notice for, or who confirmed it, in whatever version."""
    statement = select(func.count(col(Delivery.person_id).distinct())).where(
        Delivery.incident_id == incident_id,
        col(Delivery.principal).is_(True),
        Delivery.state == DeliveryState.ACCEPTED,
    )
    return session.exec(statement).one()


def _not_written_to(session: Session, campaign_id: str) -> Counter[str]:
    """How many were not written to, by the reason."""
    batches = select(Batch.id).where(Batch.campaign_id == campaign_id)
    statement = (
        select(Delivery.reason, func.count())
        .where(col(Delivery.batch_id).in_(batches), col(Delivery.reason).in_(NOT_WRITTEN_TO))
        .group_by(col(Delivery.reason))
    )
    return Counter(dict(session.exec(statement).all()))


def _batches(session: Session, campaign_id: str) -> list[Batch]:
    return list(session.exec(select(Batch).where(Batch.campaign_id == campaign_id)).all())
