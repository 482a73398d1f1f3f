"""What in the record itself stands against a notice: facts that contradict each other, rights nobody has read. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from incident.law.grading import Confidence
from incident.law.rights import rights_catalogue
from incident.notice.findings import Finding, Severity
from incident.notice.inputs import NoticeInputs, kinds_in_both


def check_record(inputs: NoticeInputs) -> Iterator[Finding]:
    """Refuses a notice while the record says of one kind of data both that it was taken and that it was not, and asks
    for counsel to read what is said of rights where it was not checked in the law's own text."""
    both = kinds_in_both(inputs)
    if both:
        titles = {
            "zh-Hans": "、".join(inputs.categories[key].title["zh-Hans"] for key in both),
            "en": ", ".join(inputs.categories[key].title["en"] for key in both),
        }
        message = {
            "zh-Hans": f"记录中{titles['zh-Hans']}既列为涉及，又列为没有涉及。请更正其中一处。",
            "en": f"The record lists {titles['en']} both as taken and as not taken. Correct one of the two.",
        }
        yield Finding(
            Severity.REFUSED,
            "taken-and-not-taken",
            "data_not_taken",
            "",
            message,
            fields=("data_categories", "data_not_taken"),
        )
    stated = inputs.facts.get("rights_of_people")
    if stated is not None and stated.value is not None:
        return
    for regime, rights in rights_catalogue().items():
        if regime in inputs.regimes and rights.confidence is not Confidence.verified:
            message = {
                "zh-Hans": "当事人权利一句尚未经法务核对原文。请核对，或者把法务的文字记入 rights_of_people。",
                "en": "The sentence on rights was not checked in the law's text. "
                "Have counsel read it, or record counsel's words in rights_of_people.",
            }
            yield Finding(
                Severity.SUGGESTION,
                "rights-unreviewed",
                "rights_and_remedies",
                "",
                message,
                ((regime, rights.articles),),
                ("rights_of_people",),
            )
