"""What a law asks of the public notice that takes the place of telling each person. Data of a regime's exemption."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from incident.law.data import Strict
from incident.law.grading import Confidence


class PublicMeans(StrEnum):
    """What must stand or be done in public. `reasonable_way`: the law names no means."""

    website = "website"
    home_page_or_media = "home_page_or_media"
    media = "media"
    group_notice_or_media = "group_notice_or_media"
    own_channels = "own_channels"
    publicity = "publicity"
    email = "email"
    contact_desk = "contact_desk"
    toll_free_number = "toll_free_number"
    shown_to_authority = "shown_to_authority"
    equally_effective = "equally_effective"
    announcement = "announcement"
    reasonable_way = "reasonable_way"


class PublicAsk(Strict):
    """One thing that is asked for, for how long at least, and how well it was checked where that is less than the duty."""

    by: PublicMeans
    days: int | None = Field(default=None, ge=1)
    months: int | None = Field(default=None, ge=1)
    confidence: Confidence | None = None
