"""A call to one person, whatever carries it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from notifiers.errors import BadAddress
from notifiers.numbers import WRITTEN_AS, is_number


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call to the number `to` (E.164 with its plus).

    `own_id` is ours for this attempt. All that is asked and told while the call lasts comes under it; it says nothing
    of the person. Raises BadAddress.
    """

    to: str
    own_id: str

    def __post_init__(self) -> None:
        if not is_number(self.to):
            raise BadAddress(WRITTEN_AS, where="to")
