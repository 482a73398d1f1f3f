"""Whether an alert starts a playbook by itself."""

from __future__ import annotations

from incident.hooks.definition import Condition, Source
from incident.hooks.values import Alert, Status


def playbook_to_start(source: Source, alert: Alert) -> str | None:
    """The playbook's name, or None. A resolved alert starts nothing."""
    if source.start is None or alert.status is Status.resolved:
        return None
    return source.start.playbook if holds(source.start.when, alert) else None


def holds(condition: Condition, alert: Alert) -> bool:
    """Only what the alert says counts: an unknown severity is none of low to critical."""
    if condition.all is not None:
        return all(holds(one, alert) for one in condition.all)
    if condition.any is not None:
        return any(holds(one, alert) for one in condition.any)
    if condition.severity is not None:
        return alert.severity in condition.severity
    return condition.has is not None and getattr(alert, condition.has) not in (None, ())
