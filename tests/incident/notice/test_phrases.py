from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from incident.notice.phrases import only_in_language, show_day, show_days
from incident.record.facts import FrozenText

ZONE = ZoneInfo("Asia/Shanghai")


def test_a_day_is_shown_in_the_zone_and_not_in_utc() -> None:
    late = datetime(2026, 3, 3, 20, 0, tzinfo=UTC)
    assert show_day(late, "zh-Hans", ZONE) == "2026年3月4日"
    assert show_day(late, "en", ZONE) == "4 March 2026"


@pytest.mark.parametrize(
    ("last", "chinese", "english"),
    [
        (datetime(2026, 3, 4, 5, tzinfo=UTC), "2026年3月4日", "4 March 2026"),
        (datetime(2026, 3, 6, 5, tzinfo=UTC), "2026年3月4日至6日", "4 to 6 March 2026"),
        (datetime(2026, 4, 1, 5, tzinfo=UTC), "2026年3月4日至4月1日", "4 March to 1 April 2026"),
        (datetime(2027, 1, 2, 5, tzinfo=UTC), "2026年3月4日至2027年1月2日", "4 March 2026 to 2 January 2027"),
    ],
)
def test_a_span_of_days_says_nothing_twice(last: datetime, chinese: str, english: str) -> None:
    first = datetime(2026, 3, 4, 1, tzinfo=UTC)
    assert show_days(first, last, "zh-Hans", ZONE) == chinese
    assert show_days(first, last, "en", ZONE) == english


def test_a_plain_string_is_taken_for_the_language_it_is_written_in() -> None:
    assert only_in_language("网关规则过宽", "zh-Hans") == "网关规则过宽"
    assert only_in_language("网关规则过宽", "en") is None
    assert only_in_language("A rule was too wide", "zh-Hans") is None
    assert only_in_language(FrozenText({"en": "text"}), "zh-Hans") is None
    assert only_in_language("  ", "en") is None
