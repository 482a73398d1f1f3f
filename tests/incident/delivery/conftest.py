"""What most tests of sendings begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.relays import RecordingRelay, recording_relay


@pytest.fixture
def relay() -> Iterator[RecordingRelay]:
    """A relay that takes everything, until a test lets it answer otherwise."""
    with recording_relay() as found:
        yield found
