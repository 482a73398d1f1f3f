"""Words that several commands share: what changed in the duties, how long is left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from incident.cli.desk import Desk
    from incident.duties.evaluating import DutyChange


_CHANGES = {
    "arisen": "新产生",
    "fallen away": "不再需要履行",
    "due changed": "期限改变",
    "no longer assumed": "不再是推定",
    "now assumed": "现为推定",
    "no longer waived": "免除决定失效，恢复履行",
}


# So many changes of one kind without an hour stand on lines of their own.
_ALONE = 3


def duty_changes(desk: Desk, changes: Sequence[DutyChange]) -> list[str]:
    """One line for each duty that changed; many that changed alike and have no hour stand in one line together."""
    lines = []
    alike: dict[str, list[str]] = {}
    for each in changes:
        if each.before is None and each.after is None:
            alike.setdefault(each.kind, []).append(each.duty_id)
    together = {kind: names for kind, names in alike.items() if len(names) > _ALONE}
    for each in changes:
        if each.before is None and each.after is None and each.kind in together:
            continue
        moved = each.before is not None and each.after != each.before
        if desk.language == "zh-Hans":
            due = f"期限 {desk.show(each.after)}" if each.after else "没有固定时限"
            was = f"（原为 {desk.show(each.before)}）" if moved else ""
            lines.append(f"义务 {each.duty_id}：{_CHANGES[each.kind]}，{due}{was}")
            continue
        due = f"due {desk.show(each.after)}" if each.after else "no fixed hour"
        was = f" (was {desk.show(each.before)})" if moved else ""
        lines.append(f"duty {each.duty_id}: {each.kind}, {due}{was}")
    for kind, names in together.items():
        if desk.language == "zh-Hans":
            lines.append(f"另有 {len(names)} 项义务{_CHANGES[kind]}，没有固定时限：{'、'.join(names)}")
        else:
            lines.append(f"{len(names)} duties {kind}, no fixed hour: {', '.join(names)}")
    return lines


def changes_as_document(changes: Sequence[DutyChange]) -> list[dict[str, Any]]:
    """What changed in the duties, for `--json`."""
    return [{"duty": each.duty_id, "change": each.kind, "due_at": each.after} for each in changes]


def span(length: timedelta, *, language: str = "en") -> str:
    """A length of time in days, hours and minutes: 2 d 3 h, 3 h 20 min, 5 min; in Chinese 3 小时 20 分钟."""
    minutes = int(abs(length).total_seconds() // 60)
    days, hours, rest = minutes // 1440, minutes % 1440 // 60, minutes % 60
    day, hour, minute = ("天", "小时", "分钟") if language == "zh-Hans" else ("d", "h", "min")
    if days:
        return f"{days} {day} {hours} {hour}"
    return f"{hours} {hour} {rest:02d} {minute}" if hours else f"{rest} {minute}"
