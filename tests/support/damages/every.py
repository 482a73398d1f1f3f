"""Every damage there is."""

from __future__ import annotations

from tests.support.damages.call_lists import CALL_LISTS
from tests.support.damages.calling import ADDRESSES, SUMMONS
from tests.support.damages.containment import CONTAINED
from tests.support.damages.decided import DECIDED
from tests.support.damages.holds import HOLDS
from tests.support.damages.ledger import ATTEMPTS, LEDGER
from tests.support.damages.record import DUTIES, PEOPLE, PROOFS, RELEASED, REMINDERS, SEALED
from tests.support.damages.sms import SMS
from tests.support.damages.tasks import TASKS
from tests.support.damages.waves import WAVES
from tests.support.damages.work import ALERTS, JOBS, PROGRESS, RUNS

DAMAGES = (
    *LEDGER,
    *ATTEMPTS,
    *SMS,
    *CALL_LISTS,
    *PROGRESS,
    *WAVES,
    *PEOPLE,
    *RELEASED,
    *RUNS,
    *CONTAINED,
    *ALERTS,
    *HOLDS,
    *DUTIES,
    *REMINDERS,
    *DECIDED,
    *JOBS,
    *PROOFS,
    *SEALED,
    *SUMMONS,
    *ADDRESSES,
    *TASKS,
)
