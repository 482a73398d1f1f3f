"""Which help the catalogue suggests where a notice offers none. Pure.

A notice offers only what the record holds. So a suggestion never enters the text: it goes to a person, with the role
that can give the help and the question how many people it is enough for. Recorded in `remedies_chosen` it is offered.
"""

from __future__ import annotations

from collections.abc import Mapping

from incident.law.remedies import OWNER_TITLES, Remedy, remedy_catalogue
from incident.notice.content import NoticeContent
from incident.notice.findings import Finding, Severity
from incident.notice.inputs import NoticeInputs, by_urgency

MOST_SUGGESTED = 6
"""More is no help to somebody who has to telephone for each."""


def suggested_remedies(inputs: NoticeInputs, contents: Mapping[str, NoticeContent]) -> list[Finding]:
    """One suggestion a remedy, most urgent kind of data first; none where every language offers something already."""
    if all(content.remedies for content in contents.values()):
        return []
    chosen = inputs.facts.get("remedies_chosen")
    given = chosen.value if chosen is not None and isinstance(chosen.value, tuple) else ()
    named = [key for category in by_urgency(inputs) for key in category.remedies if key not in given]
    keys = list(dict.fromkeys(named))[:MOST_SUGGESTED]
    return [_suggestion(key, remedy_catalogue()[key]) for key in keys]


def _suggestion(key: str, remedy: Remedy) -> Finding:
    owner, title, capacity = OWNER_TITLES[remedy.owner], remedy.title, remedy.capacity
    message = {
        "zh-Hans": f"可以提供“{title['zh-Hans']}”（{owner['zh-Hans']}）。先请其确认：{capacity['zh-Hans']}"
        f"确认后把 {key} 记入 remedies_chosen。",
        "en": f"Could be offered: {title['en']} ({owner['en']}). Ask them first: {capacity['en']} "
        f"Once confirmed, add {key} to remedies_chosen.",
    }
    return Finding(
        Severity.SUGGESTION, "remedy-to-offer", "remedies", "", message, fields=("remedies_chosen",)
    )
