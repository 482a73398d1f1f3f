"""How work survives: jobs over our own rows, and who runs them.

The truth lies in the rows that a job works on; a job only says that they need work. A job is `(kind, key)` with a
fencing number `attempt`. It is claimed in one statement; every transaction of a handler begins with `Lease.fence`, which
beats and stops a handler whose attempt is no longer the current one. A job whose holder fell silent or hangs gets a new
attempt; after `max_starts` starts in a row without progress it is parked for a person.

On one machine `runner` runs the handlers, one worker a workspace by file lock. On several, `queue` spreads the same
handlers by Procrastinate on PostgreSQL; its tables hold nothing that ours do not, and may be dropped at any time.
"""

from incident.durable.brakes import (
    EVERYTHING,
    Brakes,
    brake_names,
    braked,
    brakes_on,
    lift_brake,
    set_brake,
)
from incident.durable.crew import Crew, Handler
from incident.durable.jobs import (
    Claim,
    JobCount,
    JobState,
    Patience,
    due_jobs,
    hold_jobs,
    job_counts,
    look_again,
    open_jobs,
    overdue_jobs,
    parked_jobs,
    put_job,
    retry_parked,
    take_all_away,
)
from incident.durable.lease import Fenced, Lease, insist
from incident.durable.limits import (
    Grant,
    Level,
    kind_limits,
    levels,
    rates,
    set_at_once,
    set_rate,
    take_for_each,
    take_tokens,
)
from incident.durable.runner import Runner
from incident.durable.workers import Working, somebody_works, wait_for, workers

__all__ = [
    "EVERYTHING",
    "Brakes",
    "Claim",
    "Crew",
    "Fenced",
    "Grant",
    "Handler",
    "JobCount",
    "JobState",
    "Lease",
    "Level",
    "Patience",
    "Runner",
    "Working",
    "brake_names",
    "braked",
    "brakes_on",
    "due_jobs",
    "hold_jobs",
    "insist",
    "job_counts",
    "kind_limits",
    "levels",
    "lift_brake",
    "look_again",
    "open_jobs",
    "overdue_jobs",
    "parked_jobs",
    "put_job",
    "rates",
    "retry_parked",
    "set_at_once",
    "set_brake",
    "set_rate",
    "somebody_works",
    "take_all_away",
    "take_for_each",
    "take_tokens",
    "wait_for",
    "workers",
]
