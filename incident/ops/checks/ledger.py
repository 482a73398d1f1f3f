"""The ledger: the sums, batches that count what their rows say, and one principal delivery for everybody."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from incident.delivery.message import writes_to_organisations
from incident.delivery.states import (
    CHANNELS,
    IN_PROGRESS,
    NEVER_MOVED,
    NEVER_TRIED,
    NOT_WRITTEN_TO,
    PHONE,
    SMS,
    Addressee,
    DeliveryState,
    Rank,
    Why,
)
from incident.errors import KeyMissing, NotFound, Refused, Unreadable
from incident.notice.release import version_by_id
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, one_if, scan, table_of
from incident.store.tables import Batch, CallTask, Campaign, Delivery, MessagePart, Person, Waves

_batch, _campaign, _delivery, _person, _waves = map(table_of, (Batch, Campaign, Delivery, Person, Waves))
_part, _task = map(table_of, (MessagePart, CallTask))
m, t = _part.c, _task.c
_NO_ADDRESS = (Why.NO_EMAIL, Why.RECYCLED_NUMBER)
b, c, d, p, w = (table.c for table in (_batch, _campaign, _delivery, _person, _waves))

SUM = Invariant("ledger.sum", "expected = handed over + in progress + unreachable, for each campaign")
BATCHES = Invariant("ledger.batches", "each batch counts what its rows say, and no batch is missing")
PEOPLE = Invariant(
    "ledger.people", "everyone on the list has one principal delivery, and no delivery is nobody's"
)


# -- batches and campaigns ---------------------------------------------------------------------------


def _look_at_sums(view: View, findings: Findings) -> None:
    counted = (
        sa.select(
            b.campaign_id,
            sa.func.sum(b.pending).label("pending"),
            sa.func.sum(b.accepted).label("accepted"),
            sa.func.sum(b.unreachable).label("unreachable"),
        )
        .group_by(b.campaign_id)
        .subquery()
    )
    parts = [
        sa.func.coalesce(part, 0) for part in (counted.c.accepted, counted.c.pending, counted.c.unreachable)
    ]
    statement = (
        sa.select(c.id, c.expected, *parts)
        .outerjoin_from(_campaign, counted, counted.c.campaign_id == c.id)
        .where(view.mine(c.incident_id), c.expected.is_distinct_from(parts[0] + parts[1] + parts[2]))
    )
    for campaign, expected, accepted, pending, unreachable in view.rows(statement):
        what = f"{expected} expected, but {accepted} + {pending} + {unreachable} counted"
        findings.broken(SUM, f"campaign {campaign}", what)


def _look_at_batches(view: View, findings: Findings) -> None:
    """Counters against rows; both sums then agree for the campaign too."""
    by_rows = (
        sa.select(
            d.batch_id,
            one_if(d.principal.is_(True) & d.state.in_(sorted(IN_PROGRESS))).label("pending"),
            one_if(d.principal.is_(True) & (d.state == DeliveryState.ACCEPTED)).label("accepted"),
            one_if(d.principal.is_(True) & (d.state == DeliveryState.UNREACHABLE)).label("unreachable"),
            one_if(d.principal.is_(True) & (d.rank >= Rank.DELIVERED)).label("delivered"),
            one_if(d.principal.is_(True) & (d.rank == Rank.RETURNED)).label("returned"),
            one_if(d.principal.is_(True) & d.reason.in_(sorted(NEVER_TRIED))).label("never_tried"),
            one_if(d.principal.is_(True) & d.tried_before.not_in(NEVER_MOVED)).label("moved_on"),
        )
        .group_by(d.batch_id)
        .subquery()
    )
    names = ("accepted", "pending", "unreachable", "delivered", "returned", "moved_on", "never_tried")
    counters = [_batch.c[name] for name in names]
    rows = [sa.func.coalesce(by_rows.c[name], 0) for name in names]
    differs = [one.is_distinct_from(other) for one, other in zip(counters, rows, strict=True)]
    # Sendings from before there were waves did not count it, and are not told from those that nothing could stop.
    differs[-1] &= (b.never_tried != 0) | sa.exists().where(w.id == b.campaign_id)
    statement = (
        sa.select(b.id, *counters, *rows)
        .outerjoin_from(_batch, by_rows, by_rows.c.batch_id == b.id)
        .where(
            view.mine(b.incident_id),
            sa.or_(*differs),
        )
    )
    for batch, *figures in view.rows(statement):
        counted, found = (
            "/".join(str(each) for each in part) for part in (figures[: len(names)], figures[len(names) :])
        )
        findings.broken(
            BATCHES, f"batch {batch}", f"it counts {counted} ({'/'.join(names)}), its rows {found}"
        )
    _look_at_numbers(view, findings)


def _look_at_numbers(view: View, findings: Findings) -> None:
    statement = (
        sa.select(b.id, b.campaign_id, b.seq, b.incident_id, c.incident_id, c.id)
        .outerjoin_from(_batch, _campaign, c.id == b.campaign_id)
        .where(view.mine(b.incident_id))
        .order_by(b.campaign_id, b.seq)
    )
    campaign, number = "", 0
    for batch, campaign_id, seq, incident, owner, known in view.rows(statement):
        number = number + 1 if campaign_id == campaign else 1
        campaign = campaign_id
        if known is None:
            findings.broken(BATCHES, f"batch {batch}", "its campaign does not exist")
        elif incident != owner:
            findings.broken(BATCHES, f"batch {batch}", "it and its campaign name different incidents")
        if seq != number:
            findings.broken(BATCHES, f"campaign {campaign_id}", f"batch {number} is missing or doubled")
            number = seq if isinstance(seq, int) else number
        elif batch != f"{campaign_id}-{seq:06d}":
            findings.broken(
                BATCHES, f"batch {batch}", f"it is batch {seq} of {campaign_id} by its number, not by its id"
            )


# -- people ------------------------------------------------------------------------------------------


def _look_at_people(view: View, findings: Findings) -> None:
    _look_at_orphans(view, findings)
    # An incident whose data was destroyed has no list any more; the ledger of its deliveries stays.
    statement = sa.select(c.id, c.incident_id).where(c.incident_id.in_(view.live())).order_by(c.id)
    for campaign, incident in list(view.rows(statement)):
        _look_at_told(view, findings, campaign, incident)
        listed = sa.select(p.id).where(p.incident_id == incident)
        principal = (
            sa.select(d.person_id)
            .join_from(_delivery, _batch, b.id == d.batch_id)
            .where(b.campaign_id == campaign, d.principal.is_(True))
        )
        for (person,) in view.rows(sa.select(sa.except_(listed, principal).subquery().c.id)):
            findings.broken(PEOPLE, f"person {person}", f"no principal delivery in campaign {campaign}")


def _by_machine(delivery: Any) -> sa.ColumnElement[bool]:
    """Whether a delivery by phone is not with the call centre, whose agents may tell others too: its last attempt, where
    there is one, is no task of a list."""
    leading = sa.func.coalesce(delivery.leader_id, delivery.id)
    is_a_task = sa.exists().where(t.delivery_id == leading, t.n == delivery.attempts)
    waits = delivery.state == DeliveryState.PENDING
    called = sa.exists().where(m.delivery_id == delivery.id, m.n == delivery.attempts)
    found: sa.ColumnElement[bool] = (waits & ~is_a_task) | called
    return found


def _look_at_orphans(view: View, findings: Findings) -> None:
    scan(
        view,
        findings,
        "delivery",
        [d.id],
        _delivery.outerjoin(_batch, b.id == d.batch_id),
        [
            Sign(PEOPLE, "its batch does not exist", b.id.is_(None)),
            Sign(PEOPLE, "it and its batch name different incidents", b.incident_id != d.incident_id),
            Sign(PEOPLE, "it names no addressee that is known", d.addressee.not_in(sorted(Addressee))),
            Sign(PEOPLE, "it names no channel that is known", d.channel.not_in(CHANNELS)),
            Sign(
                PEOPLE,
                "an SMS to who is not told by one, or a call by machine: both have words for the person concerned alone",
                ((d.channel == SMS) | (d.channel == PHONE) & _by_machine(d))
                & sa.or_(
                    d.addressee != Addressee.PERSON,
                    d.principal.is_(False),
                    d.leader_id.is_not(None),
                    d.shared != 0,
                ),
            ),
            Sign(
                PEOPLE,
                "it went on from a means to the same one",
                d.tried_before.like(d.channel + ":%") | d.tried_before.like("%," + d.channel + ":%"),
            ),
        ],
        view.mine(d.incident_id),
    )


def _look_at_told(view: View, findings: Findings, campaign: str, incident: str) -> None:
    """Whom the rows of one campaign tell, against the list of people."""
    told = (
        sa.select(
            d.person_id,
            one_if(d.principal.is_(True)).label("principals"),
            one_if(d.principal.is_(False)).label("others"),
            one_if(d.addressee == Addressee.GUARDIAN).label("guardians"),
            one_if((d.addressee == Addressee.GUARDIAN) & d.principal.is_(True)).label("guardian_leads"),
            one_if((d.addressee == Addressee.PERSON) & d.reason.in_(_NO_ADDRESS)).label("without"),
            one_if((d.channel == SMS) | (d.channel == PHONE) & _by_machine(d)).label("alone"),
            one_if(d.channel.in_([SMS, PHONE]) & (d.addressee == Addressee.PERSON)).label("by_number"),
            one_if(d.reason.in_(sorted(NOT_WRITTEN_TO))).label("spared"),
            one_if(d.reason == Why.DECEASED).label("dead"),
            one_if(d.reason == Why.ORGANISATION).label("organisations"),
            one_if(d.reason == Why.SAFE_CONTACT).label("by_hand"),
            one_if(d.reason == Why.RECYCLED_NUMBER).label("recycled"),
            sa.func.count().label("rows"),
            sa.func.min(d.batch_id).label("first"),
            sa.func.max(d.batch_id).label("last"),
            sa.func.min(d.person_version).label("oldest"),
            sa.func.max(d.person_version).label("newest"),
        )
        .join_from(_delivery, _batch, b.id == d.batch_id)
        .where(b.campaign_id == campaign)
        .group_by(d.person_id)
        .subquery()
    ).c
    guarded = p.minor.is_(True) & p.guardian_reachable.is_(True) & p.organisation.is_(False)
    wordless = p.organisation.is_(True) & _has_no_words_for_organisations(view, campaign, told)
    scan(
        view,
        findings,
        f"campaign {campaign} person",
        [told.person_id],
        told.person_id.table.outerjoin(_person, p.id == told.person_id),
        [
            Sign(PEOPLE, "its deliveries are nobody's: this person is not on the list", p.id.is_(None)),
            Sign(PEOPLE, "the person is on the list of another incident", p.incident_id != incident),
            Sign(PEOPLE, "not one principal delivery", told.principals != 1),
            Sign(
                PEOPLE,
                "a second delivery that is not the one to a minor beside the guardian",
                (told.others + told.principals != told.rows)
                | (told.others != 0) & (told.guardian_leads != 1)
                | (told.others > 1),
            ),
            Sign(
                PEOPLE,
                "a delivery to a guardian that is not the one of a minor",
                (told.guardians > 0)
                & (sa.not_(sa.func.coalesce(guarded, sa.false())) | (told.guardian_leads != told.guardians)),
            ),
            Sign(
                PEOPLE,
                "the list has an address, or has none, other than the delivery says",
                sa.or_(
                    p.has_email.is_(True) & (told.without != 0),
                    p.has_email.is_(False)
                    & (told.without != told.rows - told.guardians - told.spared - told.by_number),
                ),
            ),
            Sign(
                PEOPLE,
                "the dead, and who is to be told by hand, are not written to, nor organisations without words for them,"
                " and nobody else is taken for one",
                sa.or_(
                    told.organisations != sa.case((wordless, told.rows), else_=0),
                    told.dead != sa.case((wordless, 0), (p.deceased, told.rows), else_=0),
                    told.by_hand != sa.case((wordless | p.deceased, 0), (p.safe_contact, told.rows), else_=0),
                ),
            ),
            Sign(
                PEOPLE,
                "a number counts as recycled of which no day is known",
                (told.recycled != 0) & p.number_dated.is_(False),
            ),
            Sign(
                PEOPLE,
                "an SMS to a minor, an organisation, the dead, or who is to be told by hand, or a call by machine",
                (told.alone != 0)
                & sa.or_(
                    p.minor.is_(True),
                    p.organisation.is_(True),
                    p.deceased.is_(True),
                    p.safe_contact.is_(True),
                ),
            ),
            Sign(PEOPLE, "deliveries in several batches", told.first != told.last),
            Sign(
                PEOPLE,
                "a delivery of another version of the person",
                (told.oldest != p.version) | (told.newest != p.version),
            ),
        ],
    )


def _has_no_words_for_organisations(view: View, campaign: str, told: Any) -> sa.ColumnElement[bool]:
    """Whether the campaign's version cannot be sent to organisations; where it does not open, as each row says."""
    [(notice,)] = view.rows(sa.select(c.notice_id).where(c.id == campaign))
    try:
        frozen = version_by_id(view.session, view.house.store, notice).frozen
    except (KeyMissing, NotFound, Refused, Unreadable):
        return sa.and_(told.organisations != 0)
    return sa.false() if writes_to_organisations(frozen) else sa.true()


SURVEYS = (
    Survey(_look_at_sums, (SUM,)),
    Survey(_look_at_batches, (BATCHES,)),
    Survey(_look_at_people, (PEOPLE,)),
)
