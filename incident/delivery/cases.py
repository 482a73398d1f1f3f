"""Several people in one message: a line for each, with their name and their kinds of data. Pure.

The line stands where the kinds of one person stand in the released text, so every template can carry it.
"""

from __future__ import annotations

from dataclasses import replace

from incident.notice.render import DATA_TYPES_OF_PERSON
from notifiers.email.message import MailTemplate, slot


def case_slot(number: int) -> str:
    """The name of the slot of one of the people, counted from 0."""
    return f"case_{number}"


def with_cases(template: MailTemplate, count: int) -> MailTemplate:
    """A template with a line for each of `count` people in the place of one person's kinds of data."""
    mark, cases = slot(DATA_TYPES_OF_PERSON), [slot(case_slot(number)) for number in range(count)]
    return replace(
        template,
        text=template.text.replace(mark, "".join(f"\n- {case}" for case in cases)),
        html=template.html and template.html.replace(mark, "".join(f"<br>{case}" for case in cases)),
    )
