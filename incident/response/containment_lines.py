"""Containment as it is listed: what, on whom, since when, who notices, how it was verified, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session

from incident.errors import Refused
from incident.record.facts import LocalText
from incident.record.measures import measure_catalogue
from incident.record.numbers import label_of
from incident.response.containment import UNENDED, ContainmentState, containment_of
from incident.response.extensions import BlastRadius
from incident.response.model import MANUAL
from incident.store.store import Store
from incident.store.tables import Containment

BLAST_RADIUS: Mapping[BlastRadius, LocalText] = {
    BlastRadius.one_account: {"zh-Hans": "一个账号的使用者", "en": "whoever uses one account"},
    BlastRadius.one_host: {"zh-Hans": "一台主机的使用者", "en": "whoever uses one host"},
    BlastRadius.one_service: {"zh-Hans": "一项服务的全部用户", "en": "everybody who uses one service"},
    BlastRadius.many_people: {"zh-Hans": "大量人员", "en": "many people"},
}
"""Who notices that an action was taken."""
STATES: Mapping[ContainmentState, LocalText] = {
    ContainmentState.IN_FORCE: {"zh-Hans": "有效，尚未验证", "en": "in force, not verified"},
    ContainmentState.IN_DOUBT: {
        "zh-Hans": "不确定，步骤未完成，可能已部分生效",
        "en": "in doubt: its step did not succeed, part of it may be in force",
    },
    ContainmentState.VERIFIED: {"zh-Hans": "有效，已验证", "en": "in force, verified"},
    ContainmentState.NOT_EFFECTIVE: {"zh-Hans": "已执行，验证未通过", "en": "done, but the check failed"},
    ContainmentState.UNDOING: {"zh-Hans": "正在撤回", "en": "being taken back"},
    ContainmentState.UNDONE: {"zh-Hans": "已撤回", "en": "taken back"},
}


class WayBack(StrEnum):
    """How containment is taken back."""

    COMMANDS = "commands"
    BY_HAND = "by_hand"
    NONE = "none"


@dataclass(frozen=True)
class ContainmentLine:
    """One containment. `undo` are the measures that take it back, `undo_kinds` the types of the commands that do."""

    label: str
    incident_id: str
    run_id: str
    step: str
    actions: tuple[str, ...]
    title: LocalText
    whom: tuple[LocalText, ...]
    state: ContainmentState
    done_at: datetime
    owner: LocalText
    blast_radius: BlastRadius | None
    checked_by: LocalText
    verified_at: datetime | None
    expires_at: datetime | None
    asked_at: datetime | None
    ended_at: datetime | None
    interrupts: str | None
    way_back: WayBack
    undo: tuple[str, ...]
    undo_kinds: tuple[str, ...]
    undo_run: str | None

    @property
    def undo_titles(self) -> list[LocalText]:
        """The measures that take it back, in words."""
        known = measure_catalogue()
        return [known[each].title for each in self.undo if each in known]


def list_containment(session: Session, store: Store, incident_id: str | None = None) -> list[ContainmentLine]:
    """What was contained, of one incident or of all, the first first. Raises as `Store.open`."""
    return [_line(store, row) for row in containment_of(session, incident_id)]


def must_not_leave_containment(session: Session, store: Store, incident_id: str) -> None:
    """Raises `Refused` while containment that could be taken back stands: once an incident is closed, nobody is asked
    at its end, and `undo` is refused."""
    standing = [
        line.label
        for line in list_containment(session, store, incident_id)
        if line.state in UNENDED and line.way_back is not WayBack.NONE
    ]
    if standing:
        raise Refused(
            f"{incident_id} still contains something: {', '.join(standing)}",
            next_step="take it back (incident undo RUN), or close with --containment-stays: it then stands for good",
        )


def _line(store: Store, row: Containment) -> ContainmentLine:
    content = store.open(row, incident_id=row.incident_id)
    kinds = tuple(dict.fromkeys(str(each["type"]) for each in content["undo_commands"]))
    way_back = WayBack.BY_HAND if content["undo"] or kinds else WayBack.NONE
    if set(kinds) - {MANUAL}:
        way_back = WayBack.COMMANDS
    radius = content["blast_radius"]
    return ContainmentLine(
        label=label_of(row),
        incident_id=row.incident_id,
        run_id=row.run_id,
        step=content["label"],
        actions=tuple(content["actions"]),
        title=content["title"],
        whom=tuple(content["whom"]),
        state=ContainmentState(row.state),
        done_at=row.done_at,
        owner=content["owner"],
        blast_radius=BlastRadius(radius) if radius else None,
        checked_by=content.get("checked_by", {}),
        verified_at=row.verified_at,
        expires_at=row.expires_at,
        asked_at=row.asked_at,
        ended_at=row.ended_at,
        interrupts=content["interrupts"],
        way_back=way_back,
        undo=tuple(content["undo"]),
        undo_kinds=kinds,
        undo_run=row.undo_run,
    )
