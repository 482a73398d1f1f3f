"""For whom a version of the notice is written."""

from __future__ import annotations

from enum import StrEnum


class Audience(StrEnum):
    """Who reads: the person concerned; the guardian of a child; the young person; the contact of an organisation."""

    PERSON = "person"
    GUARDIAN = "guardian"
    YOUNG = "young"
    ORGANISATION = "organisation"


FURTHER = tuple(audience for audience in Audience if audience is not Audience.PERSON)
"""Those who get words of their own beside the person's."""
