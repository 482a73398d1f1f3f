"""What somebody could do to a store behind its back, and what a check must then find: exactly these invariants.

Statements run on both engines. In braces stand words of this module: `{sending}`, `{told}`, `{updated}`, `{waved}`, `{texted}`, `{called}`,
`{waived}` and `{destroyed}` are the
incidents of `tests.support.lived_in`, `{run}` the run that waits for the end of the sending, `{one}` and `{its_try}`
select a delivery to a grown-up that was accepted, and its only attempt, `{sms_...}` those by SMS of `{texted}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from incident.ops.check import SURVEYS
from incident.ops.checks.base import Survey
from tests.support.lived_in import LivedIn, broken, with_damage
from tests.support.readers import changed_by

NOISE = bytes(range(64))
"""Bytes that open with no key, as `:noise`."""

CHANGED = {"journal.chains": "row changed"}
"""What the journal says of every changed row that it keeps."""

_WORDS = {
    "{sms_taken}": "SELECT min(id) FROM delivery WHERE incident_id = '{texted}' AND state = 'accepted' AND rank = 0",
    "{sms_delivered}": "SELECT id FROM delivery WHERE incident_id = '{texted}' AND rank = 3",
    "{sms_returned}": "SELECT id FROM delivery WHERE incident_id = '{texted}' AND rank = 2",
    "{sms_moved}": "incident_id = '{texted}' AND tried_before <> ''",
    "{sms_refused}": "incident_id = '{texted}' AND channel = 'sms' AND result = 'permanent'",
    "{sms_in_doubt}": "incident_id = '{texted}' AND result = 'ambiguous'",
    "{sms_broken_off}": "incident_id = '{texted}' AND result = 'not_sent'",
    "{sms_job}": "kind = 'delivery.sms' AND state = 'open'",
    "{call_list}": "incident_id = '{called}' AND number = 1",
    "{call_told}": "SELECT id FROM delivery WHERE incident_id = '{called}' AND state = 'accepted'",
    "{call_waits}": "SELECT id FROM delivery WHERE incident_id = '{called}' AND state = 'sending' AND attempts = 1",
    "{one}": "id = (SELECT min(id) FROM delivery WHERE {sent})",
    "{its_try}": "delivery_id = (SELECT min(id) FROM delivery WHERE {sent})",
    "{sent}": "incident_id = '{sending}' AND state = 'accepted'"
    " AND person_id IN (SELECT id FROM person WHERE NOT minor)",
}


@dataclass(frozen=True)
class Damage:
    """`breaks` names each invariant that is broken by it, with a part of what is said."""

    does: str
    statements: tuple[str, ...]
    breaks: dict[str, str]

    @property
    def changes(self) -> frozenset[str]:
        """The tables in which it changes something."""
        return changed_by(self.statements)

    def found_in(self, lived: LivedIn, *, by: Sequence[Survey] = SURVEYS) -> dict[str, list[str]]:
        """What these surveys find broken after it."""
        words = {
            **_WORDS,
            "{sending}": lived.sending.id,
            "{told}": lived.told.id,
            "{updated}": lived.updated.id,
            "{waved}": lived.waved.id,
            "{texted}": lived.texted.id,
            "{called}": lived.called.id,
            "{waived}": lived.waived,
            "{destroyed}": lived.destroyed,
            "{run}": lived.running.id,
        }
        said = []
        for statement in self.statements:
            for word, meaning in words.items():
                statement = statement.replace(word, meaning)
            said.append((statement, _values(statement)))
        with with_damage(lived.house, *said, surveys=by) as result:
            return broken(result)

    def must_be_found_in(self, lived: LivedIn, *, by: Sequence[Survey] = SURVEYS) -> None:
        """Fails unless exactly these invariants are broken by it, and say so."""
        found = self.found_in(lived, by=by)
        assert set(found) == set(self.breaks), f"{self.does}: {found}"
        for name, part in self.breaks.items():
            assert any(part in each for each in found[name]), f"{self.does}: {found[name]}"


def _values(statement: str) -> dict[str, Any]:
    return {"noise": NOISE} if ":noise" in statement else {}
