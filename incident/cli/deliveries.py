"""`incident deliveries` stands beside the group `incident notice`."""

from __future__ import annotations

from incident.cli.notice import lists as app

__all__ = ["app"]
