"""`incident duties` without an incident: the nearest in full, of the others a line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from incident.cli.duty_documents import Looked, document, look
from incident.cli.duty_rows import NEXT, WORDS
from incident.cli.wording import span

if TYPE_CHECKING:
    from incident.cli.desk import Desk
    from incident.duties.overview import OpenDuties, Staleness

IN_FULL, IN_LINES = 5, 100
"""How many incidents are shown with their duties, and how many more with a line each; `--all` shows all."""

_COLUMNS = {
    "en": ("Incident", "Next due", "Left", "Within 24 h", "Open"),
    "zh-Hans": ("事件", "最近期限", "剩余", "24 小时内", "未履行"),
}
_WORDS = {
    "en": {
        "none_open": "no incident is open",
        "nothing_due": "nothing is due within 24 hours; open incidents: {count}, to see them: incident duties --all",
        "others": "further incidents with duties within 24 hours:",
        "overdue": "OVERDUE {span}",
        "left": "{span} left",
        "no_clock": "no clock runs yet",
        "more": "and {count} more: incident duties --all",
        "later": "open incidents with nothing due within 24 hours: {count}; to see them too: incident duties --all",
        "rules": "the rules changed since {count} of the open incidents were evaluated; what stands here may lag behind:"
        " state a fact (`incident set`) to evaluate one anew",
        "scope": "[scope] changed since some open incidents were evaluated; what stands here may lag behind:"
        " state a fact (`incident set`) to evaluate one anew",
        "unreadable": "warning: {id} cannot be read, so its duties are not shown: {what}",
    },
    "zh-Hans": {
        "none_open": "没有未结案的事件",
        "nothing_due": "24 小时内没有须履行的义务；未结案的事件共 {count} 起：incident duties --all",
        "others": "其余 24 小时内有义务须履行的事件：",
        "overdue": "已逾期 {span}",
        "left": "剩余 {span}",
        "no_clock": "尚未起算",
        "more": "另有 {count} 起：incident duties --all",
        "later": "另有 {count} 起未结案的事件在 24 小时内没有须履行的义务：incident duties --all",
        "rules": "有 {count} 起未结案的事件在规则变更前评估，此处所列可能不是最新：记录一项事实（incident set）即可重新评估",
        "scope": "部分未结案的事件在 [scope] 变更前评估，此处所列可能不是最新：记录一项事实（incident set）即可重新评估",
        "unreadable": "警告：{id} 无法读取，其义务未显示：{what}",
    },
}


@dataclass(frozen=True)
class Overview:
    """All open incidents: those looked at in full, those of which a line is enough, and how many have nothing soon."""

    full: Sequence[Looked]
    others: Sequence[OpenDuties]
    quiet: int
    open: int
    stale: Staleness


def overview(desk: Desk, *, everything: bool) -> Overview:
    """Look at all open incidents; only those shown in full are unsealed. What cannot be read is said and left out."""
    from incident.duties.overview import all_open, open_duties, staleness

    rules = desk.house.rules
    with desk.store.read() as session:
        found = open_duties(session, rules, desk.settings, until=desk.now() + NEXT)
        stale = staleness(session, desk.store, rules, desk.settings)
        count = all_open(session)
    wanted = found if everything else [each for each in found if each.soon]
    full, others = (wanted, []) if everything else (wanted[:IN_FULL], wanted[IN_FULL:])
    return Overview(list(_looked_at(desk, full)), others, quiet=count - len(wanted), open=count, stale=stale)


def overview_document(desk: Desk, seen: Overview) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "at": desk.now(),
        "incidents": [document(desk, looked) for looked in seen.full],
        "others": [
            {
                "incident": each.incident_id,
                "next_at": each.next_at,
                "within_24h": each.soon,
                "open": each.open,
            }
            for each in seen.others
        ],
        "open": seen.open,
        "rules_changed": seen.stale.rules_changed,
        "scope_changed": seen.stale.scope_changed,
    }


def lines_beside(desk: Desk, seen: Overview) -> Iterator[str]:
    """What is said of the incidents that are not shown in full, and of duties that may lag behind."""
    words = _WORDS[desk.language]
    if seen.others:
        from incident.cli.columns import as_columns

        yield words["others"]
        rows = [_line(desk, each) for each in seen.others[:IN_LINES]]
        yield from as_columns(_COLUMNS[desk.language], rows, width=120)
        if len(seen.others) > IN_LINES:
            yield words["more"].format(count=len(seen.others) - IN_LINES)
    if not seen.open:
        yield words["none_open"]
    elif not seen.full and not seen.others:
        yield words["nothing_due"].format(count=seen.open)
    elif seen.quiet:
        yield words["later"].format(count=seen.quiet)
    if seen.stale.rules_changed:
        yield words["rules"].format(count=seen.stale.rules_changed)
    if seen.stale.scope_changed:
        yield words["scope"]
    if seen.open:
        yield from what_is_off(desk)


def what_is_off(desk: Desk) -> list[str]:
    """That laws of the countries in play are off because of what the organisation is, or is not said to be."""
    from incident.duties.explaining import off_for_organisation

    off = len(off_for_organisation(desk.house.rules.regimes, desk.settings))
    return [WORDS[desk.language]["off"].format(count=off)] if off else []


def _looked_at(desk: Desk, found: Sequence[OpenDuties]) -> Iterator[Looked]:
    from incident.errors import BadInput, KeyMissing, Unreadable

    for each in found:
        try:
            yield look(desk, each.incident_id)
        except (KeyMissing, Unreadable, BadInput) as error:
            desk.say(_WORDS[desk.language]["unreadable"].format(id=each.incident_id, what=error.what))


def _line(desk: Desk, each: OpenDuties) -> tuple[str, ...]:
    words = _WORDS[desk.language]
    if each.next_at is None:
        return each.incident_id, words["no_clock"], "", str(each.soon), str(each.open)
    left = each.next_at - desk.now()
    told = words["overdue" if left.total_seconds() < 0 else "left"]
    shown = told.format(span=span(left, language=desk.language))
    return each.incident_id, desk.show(each.next_at), shown, str(each.soon), str(each.open)
