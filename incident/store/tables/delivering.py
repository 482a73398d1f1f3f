"""The delivery ledger: a campaign, its batches, one delivery a person and channel, attempts append-only."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from incident.store.columns import optional_time, sealed_column, time_column

IN_DOUBT = text("result = 'ambiguous'")
"""The attempts of which nobody knows whether the other side took the message, as the index of them is written."""
TO_ASK = text("ask_at IS NOT NULL")
"""The parts of SMS about which the carrier is still to be asked, as the index of them is written."""


class Campaign(SQLModel, table=True):
    """The sending of one released notice. `expected` is everyone who must be told, also who cannot be reached."""

    __tablename__ = "campaign"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    notice_id: str = Field(unique=True)
    state: str
    expected: int
    opened_at: datetime = time_column()
    opened_by: str
    ended_at: datetime | None = optional_time()


class Waves(SQLModel, table=True):
    """How far a campaign (`id`) was let go, and what stopped it. One without such a row goes out at once, unwatched.

    `number` is the wave under way, which begins with batch `from_seq`; batches beyond `to_seq` wait for a later one.
    `next_at`: the wave is gone over, and the next may begin then. `reports` are reports of suspicious messages.

    `stopped_by` is the reason of a stop that stands (`delivery.waves.StopReason`): `stopped_count` of `stopped_of`. The
    counts in `known_` stood when somebody let the sending go on after a stop; only what came since then counts.
    """

    __tablename__ = "waves"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    number: int
    from_seq: int
    to_seq: int
    next_at: datetime | None = optional_time()
    reports: int = Field(default=0)
    stopped_at: datetime | None = optional_time()
    stopped_by: str | None = None
    stopped_count: int = Field(default=0)
    stopped_of: int = Field(default=0)
    known_settled: int = Field(default=0)
    known_failed: int = Field(default=0)
    known_complaints: int = Field(default=0)
    known_reports: int = Field(default=0)


class Batch(SQLModel, table=True):
    """A part of a campaign that one job sends.

    Its counters are people, by their principal delivery; `pending` is in progress. `delivered` and `returned` are those
    whose highest receipt says so; `complaints` are people about whose message somebody complained, each once.
    `never_tried` is `unreachable` as it was at the beginning. `moved_on` are people who went on to another means after
    one had failed.
    """

    __tablename__ = "batch"

    id: str = Field(primary_key=True)
    campaign_id: str = Field(index=True)
    incident_id: str
    seq: int
    pending: int
    accepted: int
    unreachable: int
    delivered: int = Field(default=0)
    returned: int = Field(default=0)
    complaints: int = Field(default=0)
    never_tried: int = Field(default=0)
    moved_on: int = Field(default=0)


class Delivery(SQLModel, table=True):
    """One message to one addressee. A person who cannot be reached has a row too, with the reason.

    `principal` marks the one delivery by which a person is counted; a minor whose guardian is told as well has two.
    `code_mac` finds the delivery by the verification code of its message. `strikes` counts refusals for now.

    `waits`: an earlier version may still reach this addressee; until that is known, nothing is sent. `update_of` is the
    notice (by id) that had reached them, or may have: this message is then marked as an update of it.

    `rank` is the highest that a receipt proved (`delivery.states.Rank`), 0 without one.

    `leader_id`: this person is named in the message of another delivery, whose attempts are its attempts; state, reason,
    counts and times are those of that one. `shared` says of such a leader how many it takes along.

    `channel` is the means that tells them now. Where one failed and the next took over, `tried_before` keeps what came of
    those before (`delivery.states.Failed`), and state, reason, strikes and rank are those of the present one.
    """

    __tablename__ = "delivery"

    id: str = Field(primary_key=True)
    batch_id: str = Field(index=True)
    incident_id: str = Field(index=True)
    person_id: str = Field(index=True)
    person_version: int
    addressee: str
    principal: bool
    channel: str
    state: str
    reason: str
    attempts: int
    strikes: int
    code_mac: bytes = Field(sa_type=LargeBinary, index=True)
    next_at: datetime | None = optional_time()
    settled_at: datetime | None = optional_time()
    waits: bool = Field(default=False)
    update_of: str | None = None
    leader_id: str | None = None
    shared: int = Field(default=0)
    rank: int = Field(default=0)
    tried_before: str = Field(default="")


class Attempt(SQLModel, table=True):
    """Intent before, outcome after; never changed once it has an outcome. Sealed: the other side's own words.

    `channel` is the means of the delivery at that time.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        # A receipt whose id is not on record is looked for among those in doubt, of which there are few.
        Index("ix_attempt_in_doubt", "intent_at", sqlite_where=IN_DOUBT, postgresql_where=IN_DOUBT),
    )

    delivery_id: str = Field(primary_key=True)
    n: int = Field(primary_key=True)
    incident_id: str = Field(index=True)
    channel: str = Field(default="email")
    job_attempt: int
    intent_at: datetime = time_column()
    outcome_at: datetime | None = optional_time()
    stage: str | None = None
    result: str | None = None
    code: int | None = None
    enhanced: str | None = None
    peer: str | None = None
    tls: bool | None = None
    sealed: bytes = sealed_column()


class MessagePart(SQLModel, table=True):
    """A part of an SMS, written with the intent of its attempt `n`: a message arrived once all its parts did.

    `centre` is the carrier as host:port. `ref` is the id that it gave the part, by which receipts name it; empty where it
    did not take the part, or nobody knows. `state` is the last that a receipt said of it
    (`notifiers.sms.receipt.MessageState`), None before the first. `ask_at`: the carrier is asked then what became of it;
    None where it is not asked, or nothing more is to be asked.
    """

    __tablename__ = "message_part"
    __table_args__ = (
        # Of millions that were sent, few wait to be asked about at a time; those of a carrier that was left stay.
        Index("ix_message_part_asked", "centre", "ask_at", sqlite_where=TO_ASK, postgresql_where=TO_ASK),
    )

    delivery_id: str = Field(primary_key=True)
    n: int = Field(primary_key=True)
    part: int = Field(primary_key=True)
    incident_id: str = Field(index=True)
    centre: str
    ref: str = Field(default="", index=True)
    state: str | None = None
    ask_at: datetime | None = optional_time()


class CallList(SQLModel, table=True):
    """A list of people that the call centre calls. `number` counts the incident's lists from 1; `people` are its tasks.

    Results are due at `due_at`; it is closed (`closed_at`) once all have come, or when they are due: whoever has none by
    then was not told by it. `deleted_by` said that the call centre has no copy of the list any more. Sealed: who made it,
    and for whom.
    """

    __tablename__ = "call_list"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    campaign_id: str = Field(index=True)
    number: int
    people: int
    made_at: datetime = time_column()
    made_by: str
    due_at: datetime = time_column()
    closed_at: datetime | None = optional_time()
    deleted_at: datetime | None = optional_time()
    deleted_by: str | None = None
    sealed: bytes = sealed_column()


class CallTask(SQLModel, table=True):
    """A delivery on a list of the call centre's, written with the intent of its attempt `n`."""

    __tablename__ = "call_task"

    delivery_id: str = Field(primary_key=True)
    n: int = Field(primary_key=True)
    incident_id: str = Field(index=True)
    list_id: str = Field(index=True)


class Receipt(SQLModel, table=True):
    """What came back later about a delivery's message, such as a bounce; append-only. Sealed: the other side's words.

    The id is made of the channel and of what the other side says once (a hash of a bounce, a provider's event), so that
    the same cannot be taken twice. `counts`: when it came, some attempt may have arrived; without that it changes nothing.
    `why` is the reason that it gives for who was not reached. `verified_by` says how it was matched.
    """

    __tablename__ = "receipt"

    id: str = Field(primary_key=True)
    delivery_id: str = Field(index=True)
    incident_id: str = Field(index=True)
    channel: str
    kind: str
    rank: int
    why: str
    counts: bool
    status: str | None = None
    verified_by: str
    raw_sha256: str
    taken_at: datetime = time_column()
    sealed: bytes = sealed_column()
