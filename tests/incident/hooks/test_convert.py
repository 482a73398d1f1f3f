from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.hooks import convert
from incident.hooks.convert import EARLIEST, LATEST, as_severity, as_status, as_time
from incident.hooks.definition import TimeUnit
from incident.hooks.values import Json, Severity, Status

NOON = datetime(2026, 11, 17, 8, 2, 41, 118250, tzinfo=UTC)
BANDS = ((15, Severity.critical), (12, Severity.high), (6.5, Severity.medium), (0, Severity.low))


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("2026-11-17T08:02:41.118250331Z", TimeUnit.iso),
        ("2026-11-17T16:02:41.118250+0800", TimeUnit.iso),
        (" 2026-11-17 08:02:41.118250+00:00 ", TimeUnit.auto),
        (1794902561118250331, TimeUnit.ns),
        (1794902561118250331, TimeUnit.auto),
        (1794902561118250, TimeUnit.us),
        ("1794902561118250", TimeUnit.auto),
        ("1794902561.118250", TimeUnit.s),
        (1794902561.11825, TimeUnit.auto),
        ("1794902561118.250", TimeUnit.ms),
    ],
)
def test_times_in_every_unit_are_one_moment(value: Json, unit: TimeUnit) -> None:
    assert as_time(value, unit=unit, zone=None) == (NOON, False)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        [],
        {},
        "",
        "soon",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "2026-02-30T00:00:00Z",
        "2026-11-17T08:02:60Z",
        0,
        -1,
        10**30,
        10**390,
        1e300,
        "1" * 41,
        "2100-01-01T00:00:00Z",
    ],
)
def test_what_is_no_time_of_our_days_is_no_time(value: Json) -> None:
    for unit in TimeUnit:
        assert as_time(value, unit=unit, zone=None) is None


def test_a_time_without_zone_is_the_sources_or_is_said_to_be_assumed() -> None:
    naive = "2026-11-17T16:02:41.118250"
    assert as_time(naive, unit=TimeUnit.iso, zone="Asia/Shanghai") == (NOON, False)
    assert as_time("2026-11-17T08:02:41.118250", unit=TimeUnit.iso, zone=None) == (NOON, True)
    with_own = "2026-11-17T09:02:41.118250+01:00"
    assert as_time(with_own, unit=TimeUnit.iso, zone="Asia/Shanghai") == (NOON, False)


@given(
    st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None)).map(
        lambda t: t.replace(tzinfo=UTC)
    )
)
def test_auto_never_takes_one_unit_for_another(time: datetime) -> None:
    if time >= LATEST:
        return
    microseconds = (time - convert.EPOCH) // timedelta(microseconds=1)
    for number in (microseconds, microseconds * 1000):
        assert as_time(number, unit=TimeUnit.auto, zone=None) == (time, False)
    whole = time.replace(microsecond=0)
    assert as_time(int(whole.timestamp()), unit=TimeUnit.auto, zone=None) == (whole, False)
    assert as_time(int(whole.timestamp()) * 1000, unit=TimeUnit.auto, zone=None) == (whole, False)


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        (15, Severity.critical),
        (99, Severity.critical),
        (14.9, Severity.high),
        ("12", Severity.high),
        (6.5, Severity.medium),
        (6.4, Severity.low),
        (-1, None),
        ("P1", Severity.critical),
        ("HIGH ", Severity.high),
        ("loud", None),
        (True, None),
        (None, None),
        ([12], None),
    ],
)
def test_severities_come_from_words_then_bands_then_our_own_words(
    value: Json, severity: Severity | None
) -> None:
    assert as_severity(value, bands=BANDS, words={"p1": Severity.critical}) is severity


def test_a_sender_may_mean_something_else_by_our_words() -> None:
    assert as_severity("critical", bands=(), words={"Critical": Severity.medium}) is Severity.medium
    assert as_severity(1, bands=(), words={"1": Severity.critical}) is Severity.critical


def test_a_status_may_be_a_word_or_a_truth_value() -> None:
    words = {"true": Status.resolved, "Open": Status.firing}
    assert as_status(True, words=words) is Status.resolved
    assert as_status("OPEN", words=words) is Status.firing
    assert as_status(" Resolved", words={}) is Status.resolved
    assert as_status("shut", words=words) is None
    assert as_status({}, words=words) is None


@pytest.mark.parametrize(
    ("value", "people"),
    [
        (12000, 12000),
        ("830", 830),
        (12.0, 12),
        (0, 0),
        (0.5, None),
        (-1, None),
        (10**11, None),
        (True, None),
        ("many", None),
        ("1,000", None),
        ([], None),
        (10**390, None),
    ],
)
def test_people_are_whole_and_no_more_than_there_are(value: Json, people: int | None) -> None:
    assert convert.as_people(value) == people


@pytest.mark.parametrize(
    ("link", "taken"),
    [
        ("https://x.example/a?b=c#d", True),
        ("HTTP://x.example", True),
        ("javascript:alert(1)", False),
        ("https://x.example/ y", False),
        ('https://x.example/"onclick="', False),
        ("data:text/html,x", False),
        ("//x.example", False),
    ],
)
def test_only_web_addresses_are_links(link: str, taken: bool) -> None:
    assert (convert.as_link(link) is not None) is taken


def test_addresses_are_checked_and_written_one_way() -> None:
    assert convert.as_ip(" 2001:DB8::1 ") == "2001:db8::1"
    assert convert.as_ip("10.0.0.300") is None


def test_text_keeps_every_digit_of_a_number() -> None:
    assert convert.as_text(2**60) == "1152921504606846976"
    assert convert.as_number("-1.50") == Decimal("-1.50")
    assert convert.as_text(False) is None
